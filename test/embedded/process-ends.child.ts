// Starts a system with a message that ends its process: `DIRECTORY KIND MODE`. Prints the status of the
// consumer once only that message is left, and stops cleanly.
import { appendFileSync } from 'node:fs'
import { contract, event, handler, projection, service, start, tool } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'

export const MESSAGES = 40
export const POISON = 20

const Work = contract(
  'work',
  { key: 'key' },
  { Done: event(z.object({ key: z.string(), n: z.int() })) },
)
const [, , directory = '', kind = '', mode = ''] = process.argv

function endProcess(): void {
  if (mode === 'exit') process.exit(3)
  if (mode === 'kill') process.kill(process.pid, 'SIGKILL')
  void Promise.reject(new Error('nobody awaits this'))
}

const outside = (order: 'stream' | 'queue') =>
  handler('poisoned', { consume: order }, (on) => [
    on(Work.Done, async ({ n }) => {
      appendFileSync(`${directory}.effects`, `${n}\n`)
      if (n === POISON) endProcess()
      // Long enough for the rejection to be seen before the handler ends.
      await new Promise((resolve) => setTimeout(resolve, 2))
    }),
  ])
const rules = {
  handler: outside('stream'),
  queue: outside('queue'),
  projection: projection('poisoned', { by: 'key', row: tool<number>() }, (on) => [
    on(Work.Done, ({ n }) => {
      if (n === POISON) endProcess()
      return n
    }),
  ]),
}
/** A projection that is rebuilt, beside an independent handler. */
if (kind === 'rebuild') {
  const isSecond = mode !== 'none'
  const rebuilt = projection(
    'rebuilt',
    { by: 'key', row: tool<number>(), version: isSecond ? 2 : 1 },
    (on) => [
      on(Work.Done, ({ n }) => {
        if (isSecond && n === POISON) endProcess()
        return n
      }),
    ],
  )
  const beside = handler('beside', {}, (on) => [on(Work.Done, () => undefined)])
  const svc = service('svc', { owns: [Work], runs: [rebuilt, beside] })
  const failed = Promise.withResolvers<string>()
  const app = await start([svc], embedded({ directory }), {
    onBackendError: (_, cause) => failed.resolve((cause as Error).message),
  })
  const from = isSecond ? MESSAGES : 0
  const messages = Array.from({ length: MESSAGES }, (_, n) => Work.Done({ key: `k${from + n}`, n }))
  await app.append(messages, { ids: messages.map((_, n) => `m${from + n}`) })
  if (isSecond) console.log(await failed.promise)
  else await app.settled()
  for (;;) {
    const status = await app.status()
    const own = status.find(({ consumer }) => consumer === 'svc/beside')
    if (own?.lag === 0) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await app.stop()
}

/** The consumer with the message, beside others with much work. */
if (kind === 'beside') {
  const bank = handler('bank', {}, (on) => [
    on(Work.Done, () => new Promise((resolve) => setTimeout(resolve, 20))),
  ])
  const rows = projection('rows', { by: 'key', row: tool<number>() }, (on) => [
    on(Work.Done, ({ n }) => n),
  ])
  const services = [
    service('svc', { owns: [Work], runs: [outside('queue')] }),
    service('other', { runs: [bank, rows] }),
  ]
  const app = await start(services, embedded({ directory }))
  const messages = Array.from({ length: MESSAGES }, (_, n) => Work.Done({ key: `k${n}`, n }))
  await app.append(messages, { ids: messages.map((_, n) => `m${n}`) })
  for (;;) {
    const status = await app.status()
    const isThrough = status.every(({ consumer, completed }) => {
      return completed === (consumer === 'svc/poisoned' ? MESSAGES - 1 : MESSAGES)
    })
    const { items } = await app.heldKeys()
    // A held key of another consumer is a failure that will not go away.
    const isWrong = items.some(({ consumer }) => consumer !== 'svc/poisoned')
    if ((isThrough && items.length > 0) || isWrong) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const { items } = await app.heldKeys()
  console.log(JSON.stringify(items.map(({ consumer, key }) => `${consumer} ${key}`)))
  await app.stop()
}

const rule = rules[kind as keyof typeof rules]
if (rule) {
  const app = await start([service('svc', { owns: [Work], runs: [rule] })], embedded({ directory }))
  const messages = Array.from({ length: MESSAGES }, (_, n) => Work.Done({ key: `k${n}`, n }))
  await app.append(messages, { ids: messages.map((_, n) => `m${n}`) })
  for (;;) {
    const [status] = await app.status()
    if (status?.completed === MESSAGES - 1 && status.dead === 1) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  console.log(JSON.stringify(await app.status()))
  await app.stop()
}
