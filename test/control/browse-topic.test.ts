// One topic page by page with a filter, messages by their key, and what a conversation waits for.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { App, Fault } from 'throughline'
import { after as later, command, contract, entity, event, handler, hours, saga } from 'throughline'
import { service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { browseTopic } from '../../src/control/browse-topic.ts'
import type { System } from '../../src/control/system.ts'
import { listOperations } from '../../src/engine/listing/operation-list.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { ChainView, EventView, FoundMessages, ListPage } from '../../src/control/views.ts'
import type { EventLog, LogRecord } from '../../src/ports/event-log.ts'
import { systemOf } from '../../src/runtime/running-system.ts'

const Note = z.object({ id: z.string(), text: z.string() })
const Notes = contract(
  'notes',
  { key: 'id', partitions: 4 },
  { Write: command(Note), Written: event(Note), Remind: command(Note), Reminded: event(Note) },
)
const note = entity(
  'note',
  { of: Notes, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Notes.Write, (data) => Notes.Written(data)),
      on(Notes.Remind, (data) => Notes.Reminded(data)),
    ],
    evolve: (on) => [on(Notes.Written, () => 1), on(Notes.Reminded, () => 2)],
  },
)
const reminding = saga('reminding', { by: 'id', initial: 0, sends: [Notes.Remind] }, (on) => [
  on(Notes.Written, (data) => (data.text === 'remind' ? later(hours(5), Notes.Remind(data)) : [])),
])
const printing = handler('printing', {}, (on) => [
  on(Notes.Written, ({ text }) => {
    if (text === 'remind') throw new Error('the printer is on fire')
  }),
])

const COUNT = 60
let app: App
let system: System
before(async () => {
  const services = [service('notes', { owns: [Notes], runs: [note, reminding, printing] })] as const
  app = await start(services, memory(), { onRuleError: () => undefined })
  system = systemOf(app)
  const notes = Array.from({ length: COUNT }, (_, at) => {
    return { id: `n${at % 20}`, text: `say "${at}"` }
  })
  for (const [at, data] of [...notes, { id: 'late', text: 'remind' }].entries()) {
    const operation = await app.send(Notes.Write(data), { id: at < COUNT ? `w${at}` : 'w-late' })
    await operation.accepted()
  }
})
after(() => app.stop())

const browse = async (given: object): Promise<ListPage<EventView>> =>
  (await runVerb(system, 'browse', { topic: 'notes.commands', ...given })) as ListPage<EventView>
const ids = ({ items }: ListPage<EventView>): readonly string[] => items.map(({ id }) => id)

describe('a topic', () => {
  test('is paged from its newest message to its first, each one once', async () => {
    const seen: string[] = []
    let after: string | undefined
    do {
      const page: ListPage<EventView> = await browse({ limit: 7, ...(after ? { after } : {}) })
      assert.ok(page.items.length <= 7)
      seen.push(...ids(page))
      after = page.next
    } while (after !== undefined)
    assert.equal(seen.length, COUNT + 1)
    assert.equal(new Set(seen).size, COUNT + 1)
  })

  test('is paged by partition and offset', async () => {
    const partition = (await browse({ key: 'n3' })).items[0]?.partition ?? -1
    const { items } = await browse({ partition, offset: 2 })
    assert.deepEqual(
      items.map((each) => [each.partition, each.offset]),
      [2, 1, 0].map((offset) => [partition, offset]),
    )
  })

  test('refuses an unknown partition and names the valid ones', async () => {
    await assert.rejects(browse({ partition: 4 }), ({ code, issues }: Fault) => {
      const message = 'must be a whole number from 0 to 3: notes.commands has no other'
      assert.deepEqual([code, issues], ['OPTION_INVALID', [{ path: 'partition', message }]])
      return true
    })
    assert.ok(await browse({ partition: 3 }))
  })

  test('is filtered by key, by a part of the type, and by a text in its data', async () => {
    assert.deepEqual(ids(await browse({ key: 'n3' })), ['w43', 'w23', 'w3'])
    assert.equal((await browse({ type: 'notes.w' })).items.length, COUNT + 1)
    assert.deepEqual(ids(await browse({ type: 'remind' })), [])
    assert.deepEqual(ids(await browse({ text: 'SAY "42"' })), ['w42'])
    assert.deepEqual(ids(await browse({ text: 'w-late' })), ['w-late'])
    assert.deepEqual(ids(await browse({ key: 'n3', text: '"23"' })), ['w23'])
  })

  test('is bounded by time', async () => {
    const { items } = await browse({})
    const times = items.map(({ at }) => at)
    const [newest, oldest] = [Math.max(...times), Math.min(...times)]
    assert.equal((await browse({ since: oldest })).items.length, COUNT + 1)
    assert.deepEqual(ids(await browse({ since: newest + 1_000 })), [])
    assert.deepEqual(ids(await browse({ until: oldest - 1_000 })), [])
  })

  test('that does not exist is refused, and so is an invalid cursor', async () => {
    await assert.rejects(browse({ topic: 'none' }), { code: 'TOPIC_NOT_FOUND' })
    await assert.rejects(browse({ after: 'x' }), { code: 'OPTION_INVALID' })
  })
})

/** The offset of the message that is looked for, which the entity has not decided yet. */
const WANTED = 100

/**
 * A topic with so many messages, of which those are from outside that `isOutside` says. Each look at the
 * clock takes `lookMs`.
 */
function longTopic(count: number, isOutside: (offset: number) => boolean = () => true, lookMs = 0) {
  const record = (offset: number): LogRecord => ({
    topic: 'notes.commands',
    partition: 0,
    offset,
    id: `r${offset}`,
    key: 'k',
    type: 'notes.Write',
    at: offset,
    storedAt: offset,
    head: JSON.stringify({
      source: 'door',
      correlation: `r${offset}`,
      hops: isOutside(offset) ? 0 : 1,
    }),
    data: offset === WANTED ? '"here"' : '"x"',
  })
  let read = 0
  const log: EventLog = {
    ...system.backend.log,
    ends: async () => [{ topic: 'notes.commands', partition: 0, first: 0, next: count }],
    offsetAt: async (_, __, atMs) => Math.min(count, atMs),
    read: async ([position], { records: max }) => {
      const { next = 0 } = position ?? {}
      const taken = Math.min(max, count - next)
      read += taken
      const records = Array.from({ length: taken }, (_, index) => record(next + index))
      const place = { topic: 'notes.commands', partition: 0, end: count }
      return [{ ...place, records, next: next + taken }]
    },
  }
  let elapsedMs = 0
  const clock = { ...system.clock, elapsed: () => (elapsedMs += lookMs) }
  const looking = { ...system, clock, backend: { ...system.backend, log } }
  return { looking, read: () => read }
}

test('a search of a long topic stops after a number of records and continues from there', async () => {
  const { looking, read } = longTopic(25_000)
  const wanted = { topic: 'notes.commands', text: 'here', limit: 10 }
  const first = await browseTopic(looking, wanted)
  assert.deepEqual(first.items, [])
  assert.ok(first.next !== undefined)
  assert.ok(read() <= 20_100, `${read()} records were read`)
  const second = await browseTopic(looking, { ...wanted, after: first.next })
  assert.deepEqual(ids(second), [`r${WANTED}`])
  assert.equal(second.next, undefined)
})

test('an operation is found behind thousands of commands that services have sent', async () => {
  const { looking } = longTopic(5_000, (offset) => offset === WANTED)
  const { items } = await listOperations(looking, { state: 'pending' })
  assert.deepEqual(
    items.map(({ id }) => id),
    [`r${WANTED}`],
  )
})

test('a list of operations stops after a number of commands and continues from there', async () => {
  const { looking, read } = longTopic(25_000, (offset) => offset === WANTED)
  const { items, next } = await listOperations(looking)
  assert.deepEqual(items, [])
  assert.ok(next !== undefined)
  assert.ok(read() <= 20_100, `${read()} records were read`)
  assert.equal((await listOperations(looking, { after: next })).items[0]?.id, `r${WANTED}`)
})

test('a search and a list of operations stop after a time and continue from there', async () => {
  const lists = {
    search: (looking: System, after?: string) =>
      browseTopic(looking, {
        topic: 'notes.commands',
        text: 'here',
        limit: 10,
        ...(after === undefined ? {} : { after }),
      }),
    operations: (looking: System, after?: string) =>
      listOperations(looking, after === undefined ? {} : { after }),
  }
  for (const [name, list] of Object.entries(lists)) {
    const { looking, read } = longTopic(1_000, (offset) => offset === WANTED, 1)
    let { items, next } = await list(looking)
    assert.deepEqual([items, read() < 400], [[], true], `${name}: ${read()} records were read`)
    while (next !== undefined) ({ items, next } = await list(looking, next))
    assert.deepEqual(
      items.map(({ id }) => id),
      [`r${WANTED}`],
      name,
    )
  }
})

describe('a search', () => {
  const find = async (text: string): Promise<FoundMessages> =>
    (await runVerb(system, 'find', { text })) as FoundMessages

  test('finds a key as well as an id', async () => {
    const byKey = await find('n3')
    assert.equal(byKey.byId, undefined)
    assert.deepEqual(new Set(byKey.items.map(({ topic }) => topic)), new Set(TOPICS))
    assert.deepEqual(new Set(byKey.items.map(({ key }) => key)), new Set(['n3']))
    const byId = await find('w3')
    assert.equal(byId.byId?.key, 'n3')
    assert.deepEqual(byId.items, [])
    assert.deepEqual(await find('nothing'), { items: [] })
  })
  const TOPICS = ['notes.commands', 'notes.events']
})

test('a pending conversation has what it waits for and its held keys', async () => {
  const chain = async (): Promise<ChainView> =>
    (await runVerb(system, 'chain', { event: 'w-late' })) as ChainView
  let view = await chain()
  while (view.held.length === 0 || view.events.length < 2) view = await chain()
  assert.equal(view.operation?.kind, 'pending')
  const [wait] = view.waitsFor
  assert.ok(wait?.kind === 'timer' && wait.type === 'notes.Remind' && wait.dueAt !== undefined)
  assert.deepEqual(
    view.held.map(({ consumer, key, event: front, error }) => [
      consumer,
      key,
      front.type,
      error?.message,
    ]),
    [['notes/printing', 'late', 'notes.Written', 'the printer is on fire']],
  )
  const other = (await runVerb(system, 'chain', { event: 'w3' })) as ChainView
  assert.deepEqual(other.held, [])
})
