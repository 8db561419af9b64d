// Schemas that transform their value, and faulty schemas, over HTTP.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { command, contract, entity, event, query, queryHandler, service, start } from 'throughline'
import { fetchHandler, gateway, listen } from 'throughline/gateway'
import { memory } from 'throughline/testing'
import { z } from 'zod'

/** Converts euros to cents; run twice, it would multiply by 10,000. */
const Cents = z.object({
  id: z.string(),
  cents: z.number().transform((euro) => Math.round(euro * 100)),
})
const Pay = contract(
  'pay',
  { key: 'id' },
  {
    Charge: command(Cents),
    Charged: event(z.object({ id: z.string(), cents: z.number() })),
    Convert: query(Cents, { answers: z.object({ cents: z.number() }) }),
  },
)
const charged = new Map<string, number>()
const pay = entity(
  'pay',
  { of: Pay, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Pay.Charge, (charge) => Pay.Charged(charge))],
    evolve: (on) => [on(Pay.Charged, ({ id, cents }) => (charged.set(id, cents), cents))],
  },
)
const convert = queryHandler('convert', { of: Pay, reads: [] }, (on) => [
  on(Pay.Convert, async ({ cents }) => ({ cents })),
])
const Other = contract('other', { key: 'id' }, { Done: event(z.object({ id: z.string() })) })

function posted(name: string, data: object): Request {
  const headers = { 'content-type': 'application/json' }
  const url = `http://x/messages/pay/${name}`
  return new Request(url, { method: 'POST', headers, body: JSON.stringify(data) })
}

describe('over HTTP', () => {
  test('a schema that transforms its value runs once, even if a gateway forwards', async () => {
    await using owner = await start(
      [service('pay', { owns: [Pay], runs: [pay, convert] })],
      memory(),
    )
    const server = await listen([gateway(owner, { expose: [Pay] })], { port: 0 })
    await using other = await start([service('other', { owns: [Other], runs: [] })], memory())
    const remote = [{ contract: Pay, url: server.url }]
    const near = fetchHandler(gateway(owner, { expose: [Pay] }))
    const far = fetchHandler(gateway(other, { expose: [Pay], remote }))
    for (const [id, ask] of [
      ['near', near],
      ['far', far],
    ] as const) {
      assert.equal((await ask(posted('Charge', { id, cents: 2.55 }))).status, 202)
      const answer = await ask(posted('Convert', { id, cents: 2.55 }))
      assert.deepEqual(await answer.json(), { cents: 255 })
    }
    await owner.settled()
    assert.deepEqual(Object.fromEntries(charged), { near: 255, far: 255 })
    await server.close()
  })
})
