// What a conversation says of each message at each consumer, and of the timers that it waits for.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { App } from 'throughline'
import { after as later, command, contract, entity, event, handler } from 'throughline'
import { hours, minutes, saga, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { runVerb } from '../../src/control/verbs.ts'
import type { ChainView } from '../../src/control/views.ts'
import { SKEW_MS } from '../../src/engine/delays/index.ts'
import { systemOf } from '../../src/runtime/running-system.ts'

const Id = z.object({ id: z.string() })
const Post = contract(
  'post',
  { key: 'id' },
  { Send: command(Id), Sent: event(Id), Remind: command(Id), Reminded: event(Id) },
)
const Stamps = contract('stamps', { key: 'id' }, { Bought: event(Id) })
const letter = entity(
  'letter',
  { of: Post, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Post.Send, (data) => Post.Sent(data)),
      on(Post.Remind, (data) => Post.Reminded(data)),
    ],
    evolve: (on) => [
      on(Post.Sent, (_, count) => count + 1),
      on(Post.Reminded, (_, count) => count),
    ],
  },
)
const mail = handler('mail', {}, (on) => [
  on(Post.Sent, ({ id }) => {
    if (id === 'lost') throw new Error('no such address')
  }),
])
const reminding = saga('reminding', { by: 'id', initial: {}, sends: [Post.Remind] }, (on) => [
  on(Post.Sent, (data) => later(hours(5), Post.Remind(data))),
  on(Stamps.Bought, (data) => later(hours(5), Post.Remind(data))),
])

let app: App
before(async () => {
  app = await start(
    [service('post', { owns: [Post, Stamps], runs: [letter, mail, reminding] })],
    memory(),
    {
      engine: { retryDelayMs: minutes(10) },
      onRuleError: () => undefined,
    },
  )
})
after(() => app.stop())

/** The chain of a message, once it is as wanted. */
async function chain(id: string, isWanted: (view: ChainView) => boolean): Promise<ChainView> {
  for (;;) {
    const view = (await runVerb(systemOf(app), 'chain', { event: id })) as ChainView
    if (isWanted(view)) return view
    await setImmediate()
  }
}

const statuses = ({ events }: ChainView): readonly string[] =>
  events.flatMap(({ id, type, consumers = [] }) =>
    consumers.map(({ consumer, status }) => `${id.length > 9 ? type : id} ${consumer} ${status}`),
  )

test('each message has its status at each consumer, with attempts and the next try', async () => {
  await app.send(Post.Send({ id: 'lost' }), { id: 'send-1' })
  const isSeen = (view: ChainView): boolean =>
    view.held.length > 0 &&
    [/mail RETRY/, /reminding COMPLETED/].every((status) =>
      statuses(view).some((each) => status.test(each)),
    )
  const first = await chain('send-1', isSeen)
  assert.deepEqual(statuses(first), [
    'send-1 post/letter COMPLETED',
    'post.Sent post/mail RETRY',
    'post.Sent post/reminding COMPLETED',
  ])
  const [failed, completed] = first.events[1]?.consumers ?? []
  assert.partialDeepStrictEqual(failed, {
    attempts: 1,
    error: 'no such address',
    updatedBy: 'post',
  })
  const { updatedAt = 0, dueAt = 0 } = failed ?? {}
  assert.ok(dueAt > updatedAt && dueAt <= updatedAt + minutes(10), `${dueAt} after ${updatedAt}`)
  // The status counts by the wall clock, the hold by a clock that may differ from it by this much.
  assert.ok(Math.abs(dueAt - (first.held[0]?.nextAttemptAt ?? 0)) <= SKEW_MS)
  assert.deepEqual(
    { ...completed, updatedAt: 0 },
    {
      consumer: 'post/reminding',
      status: 'COMPLETED',
      attempts: 0,
      updatedBy: 'post',
      updatedAt: 0,
    },
  )
  await app.send(Post.Send({ id: 'lost' }), { id: 'send-2' })
  const held = await chain('send-2', (view) => view.held[0]?.count === 2)
  assert.ok(statuses(held).includes('post.Sent post/mail UNPROCESSED'), 'it waits behind the first')
})

test('a conversation that begins with an event says which timers it waits for', async () => {
  const [appended] = await app.append([Stamps.Bought({ id: 'good' })], { ids: ['bought-1'] })
  assert.equal(appended?.status, 'stored', JSON.stringify(appended))
  const { operation, waitsFor } = await chain('bought-1', (view) => view.waitsFor.length > 0)
  assert.equal(operation, undefined)
  assert.deepEqual(
    waitsFor.map((each) => [each.kind, 'type' in each ? each.type : '']),
    [['timer', 'post.Remind']],
  )
})

test('a timer is named once, though the operation waits for it as well', async () => {
  await app.send(Post.Send({ id: 'fine' }), { id: 'send-3' })
  const { operation, waitsFor } = await chain(
    'send-3',
    (view) => view.waitsFor[0]?.kind === 'timer',
  )
  assert.deepEqual([operation?.status, waitsFor.length], ['pending', 1])
})
