// A rule sees the same state and data from memory, after a restart and in a refold.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entity } from 'throughline'
import {
  become,
  command,
  contract,
  entity,
  event,
  finish,
  projection,
  query,
  queryHandler,
} from 'throughline'
import { saga, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { sharedBackend } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Item = Id.extend({ note: z.string().optional(), count: z.number() })
const Seen = Id.extend({ seen: z.string() })
const Box = contract(
  'box',
  { key: 'id' },
  {
    Put: command(Item),
    Placed: event(Item),
    Look: command(Id),
    Looked: event(Seen),
    Peek: query(Id, { answers: z.any() }),
  },
)
type State = Readonly<Record<string, unknown>>

/** Values that differ in `undefined`, `-0` and absent members. */
const told = (data: object): string =>
  JSON.stringify(
    Object.entries(data).map(([name, value]) => [name, String(value), Object.is(value, -0)]),
  )

function servicesOf(version: number) {
  const box = entity(
    'box',
    { of: Box, id: 'id', initial: {} as State, version },
    {
      decide: (on) => [
        on(Box.Put, ({ id, note, count }) => Box.Placed({ id, note, count })),
        on(Box.Look, ({ id }, state) => Box.Looked({ id, seen: told(state) })),
      ],
      evolve: (on) => [
        on(Box.Placed, (placed) => ({
          note: placed.note,
          zero: -placed.count,
          bare: Object.assign(Object.create(null) as object, { keys: Object.keys(placed).join() }),
        })),
        on(Box.Looked, ({ seen }, state) => ({ ...state, seen, keys: Object.keys(state).join() })),
      ],
    },
  )
  const rows = projection('rows', { by: 'id', row: tool<State>() }, (on) => [
    on(Box.Placed, ({ note }) => ({ note, zero: -0 })),
    on(Box.Looked, (_, row) => ({ ...row, keys: told(row ?? {}) })),
  ])
  const watching = saga('watching', { by: 'id', initial: {} as State, sends: [] }, (on) => [
    on(Box.Placed, ({ note }) => become({ note, zero: -0 })),
    on(Box.Looked, (_, state) => finish({ status: 'seen', reason: told(state) })),
  ])
  const peeking = queryHandler('peeking', { of: Box, reads: [box, rows] }, (on) => [
    on(Box.Peek, async ({ id }, read) => [await read(box).get(id), await read(rows).get(id)]),
  ])
  return [service('boxes', { owns: [Box], runs: [box, rows, watching, peeking] })] as const
}

async function run(isRestarted: boolean) {
  const backend = memory()
  const open = (version = 1) =>
    start(
      servicesOf(version),
      sharedBackend(backend, (_, call) => call()),
    )
  await backend.log.open()
  let app = await open()
  await (await app.send(Box.Put({ id: 'a', count: 0 }))).accepted()
  await app.send(Box.Look({ id: 'b' }))
  if (isRestarted) {
    await app.stop()
    app = await open()
  }
  const settled = await (await app.send(Box.Look({ id: 'a' }))).settled()
  await app.settled()
  const state: unknown = await app.ask(Box.Peek({ id: 'a' }))
  await app.stop()
  app = await open(2)
  const folded: unknown = await app.ask(Box.Peek({ id: 'a' }))
  await app.stop()
  return { settled, state, folded }
}

test('a rule sees the same state from memory, after a restart and in a refold', async () => {
  const [warm, restarted] = [await run(false), await run(true)]
  assert.deepStrictEqual(warm, restarted)
  assert.deepStrictEqual(warm.folded, warm.state)
})

test('a rule that changes event data fails, and the next rule sees the original data', async () => {
  const greedy = projection('greedy', { by: 'id', row: tool<State>() }, (on) => [
    on(Box.Placed, (placed) => {
      placed.count += 1
      return placed
    }),
  ])
  const counting = projection('counting', { by: 'id', row: tool<State>() }, (on) => [
    on(Box.Placed, ({ count }) => ({ count })),
  ])
  const reading = queryHandler('reading', { of: Box, reads: [counting] }, (on) => [
    on(Box.Peek, ({ id }, read) => read(counting).get(id)),
  ])
  const [box] = servicesOf(1)[0].runs as readonly Entity[] as [Entity]
  const runs = [box, greedy, counting, reading]
  const faulted = Promise.withResolvers<string>()
  const app = await start([service('boxes', { owns: [Box], runs })], memory(), {
    onRuleError: ({ consumer, error }) => faulted.resolve(`${consumer}: ${error}`),
  })
  await app.send(Box.Put({ id: 'a', count: 1 }))
  assert.match(await faulted.promise, /boxes\/greedy: .*read only/)
  assert.deepStrictEqual(await app.ask(Box.Peek({ id: 'a' })), { count: 1 })
  await app.stop()
})
