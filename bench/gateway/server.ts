// A server of the gateway's bench, in a process of its own: `bare`, `rule` or `shop`. Sends its URL to
// the parent, then answers each message with its memory.
import { start, command, contract, entity, event, service } from 'throughline'
import { serve } from 'throughline/admin'
import { embedded } from 'throughline/embedded'
import Fastify from 'fastify'
import { z } from 'zod'
import { routes } from '../../examples/shop/gateway/routes.ts'
import { stockOnFirstSight } from '../../examples/shop/inventory.ts'
import { shop } from '../../examples/shop/services.ts'

const [mode = '', directory = '', lagEventsMax = ''] = process.argv.slice(2)

const Booked = z.object({
  accountId: z.string().min(1).max(64),
  cents: z.int().min(1),
  note: z.string().max(200),
})
const Banking = contract(
  'banking',
  { key: 'accountId' },
  { Deposit: command(Booked), Deposited: event(Booked) },
)
const account = entity(
  'account',
  { of: Banking, id: 'accountId', initial: 0 },
  {
    decide: (on) => [on(Banking.Deposit, (asked) => Banking.Deposited(asked))],
    evolve: (on) => [on(Banking.Deposited, ({ cents }, balanceCents) => balanceCents + cents)],
  },
)
const banking = service('banking', { owns: [Banking], runs: [account] })

/** The baseline: validates the body and answers 202. */
async function bare(): Promise<string> {
  const { $schema: _, ...body } = z.toJSONSchema(Booked)
  const fastify = Fastify()
  fastify.post('/messages/banking/Deposit', { schema: { body } }, (_request, reply) =>
    reply.code(202).send({ status: 'pending' }),
  )
  return fastify.listen({ port: 0, host: '127.0.0.1' })
}

async function whole(): Promise<string> {
  const backend = embedded({ directory })
  const engine = lagEventsMax === '' ? {} : { lagEventsMax: Number(lagEventsMax) }
  const isShop = mode === 'shop'
  const services = isShop ? shop(stockOnFirstSight) : [banking]
  const app = await start(services, backend, { engine })
  const opens = isShop ? { routes } : { expose: [Banking] }
  return (await serve(app, { port: 0, ...opens })).gateway
}

const url = mode === 'bare' ? await bare() : await whole()
process.send?.({ url })
process.on('message', () => process.send?.({ rssBytes: process.memoryUsage.rss() }))
process.on('disconnect', () => process.exit(0))
