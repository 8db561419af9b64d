// Runs commands on a backend and on the model, and compares the results.
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../../src/base/time/clock.ts'
import { systemClock } from '../../../src/base/time/clock.ts'
import type {
  LogAppendResult,
  Backend,
  LogEvent,
  Place,
  Position,
  Scan,
  ScannedRow,
  Unit,
  CommitResult,
} from '../../../src/ports/index.ts'
import type { Command, UnitPlan, Write } from './commands.ts'
import { CONSUMERS, RESOURCES, TABLES, TOPICS, filling } from './commands.ts'
import { assertBeat, assertEnds, assertRead, assertRecord } from './expectations.ts'
import { assertPositionsGrow, assertProgress, assertStream } from './expectations.ts'
import type { ExpectedAppend, ExpectedCommit, ModelRecord, Model } from './model.ts'
import {
  append,
  commit,
  compact,
  declareTable,
  declareTopic,
  emptyModel,
  endMemberships,
} from './model.ts'
import { assertStatuses, changeOf } from './status-plans.ts'
import { get, isReadable, placeOf, retained, rowOf, scan, trim } from './model.ts'

/** A backend on a clock that only commands advance. */
export interface Subject {
  readonly backend: Backend
  /** Closes the backend and opens it again over the same data; absent without durability. */
  readonly reopen?: () => Promise<Backend>
  readonly close: () => Promise<void>
}

export type Open = (clock: Clock) => Promise<Subject>

interface World extends Pick<Backend, 'log' | 'store'> {
  readonly model: Model
  readonly reopen: Subject['reopen']
}

type Steps = {
  readonly [Is in Command['kind']]: (
    world: World,
    command: Extract<Command, { kind: Is }>,
  ) => Promise<World | void>
}

/** The start of the clock. */
const BEGIN_MS = 1_700_000_000_000

/** @throws AssertionError where the backend differs from the model */
export async function runCommands(commands: readonly Command[], open: Open): Promise<void> {
  const model = emptyModel(BEGIN_MS)
  const nowMs = (): number => model.nowMs
  const elapsed = (): number => model.nowMs - BEGIN_MS
  const subject = await open({ ...systemClock(), now: nowMs, wall: nowMs, elapsed })
  try {
    let world: World = { ...subject.backend, model, reopen: subject.reopen }
    await world.log.open()
    await world.store.open()
    for (const spec of TOPICS) await steps.topic(world, { kind: 'topic', spec })
    for (const spec of TABLES) await steps.table(world, { kind: 'table', spec })
    for (const command of commands) world = await runCommand(world, command)
    await assertEverything(world)
    if (!world.reopen) return
    await assertEverything(await runCommand(world, { kind: 'reopen' }))
  } finally {
    await subject.close()
  }
}

async function runCommand(world: World, command: Command): Promise<World> {
  const act = steps[command.kind] as (world: World, command: Command) => Promise<World | void>
  return (await act(world, command)) ?? world
}

const steps: Steps = {
  append: async (world, command) => beginWrite(world, command)(),
  fill: async (world, command) => beginWrite(world, command)(),
  commit: async (world, command) => beginWrite(world, command)(),
  async together(world, { writes }) {
    const ends = writes.map((write) => beginWrite(world, write))
    for (const end of ends) await end()
  },
  async topic({ log, model }, { spec }) {
    const expected = declareTopic(model, spec)
    const [{ differences, ...state } = { differences: [] }] = await log.declare([spec])
    assert.deepEqual(state, expected)
    const { isNew: _, ...recorded } = expected
    assert.equal(differences.length > 0, !isDeepStrictEqual(recorded, spec))
  },
  async table({ store, model }, { spec }) {
    declareTable(model, spec)
    await store.declare([spec])
  },
  async read({ log, model }, { from, max }) {
    assertRead(model, from, max, await log.read(from, max, { ms: 0 }))
  },
  async ends({ log, model }, { topics }) {
    assertEnds(model, topics, await log.ends(topics))
  },
  async trim({ log, model }, { topic, partition, count }) {
    const trimmed = model.topics.get(topic)
    if (!trimmed) return
    const before = Math.max(0, (trimmed.partitions[partition]?.first ?? 0) + count)
    await log.trim(topic, partition, before)
    trim(trimmed, partition, before)
  },
  async compact({ log, model }, { topic, partition, count, ageMs }) {
    const compacted = model.topics.get(topic)?.partitions[partition]
    if (!compacted) return
    const before = Math.max(0, compacted.next - count)
    const tombstonesBeforeMs = model.nowMs - ageMs
    const removed = await log.compact(topic, partition, before, tombstonesBeforeMs)
    assert.equal(removed, compact(compacted, before, tombstonesBeforeMs))
  },
  async offsetAt({ log, model }, { topic, partition, agoMs }) {
    const there = model.topics.get(topic)?.partitions[partition]
    if (!there) return
    const atMs = model.nowMs - agoMs
    const first = retained(there, 0).find(({ storedAt }) => storedAt >= atMs)
    assert.equal(await log.offsetAt(topic, partition, atMs), first?.offset ?? there.next)
  },
  async find({ log, model }, { topic, id }) {
    const expected = model.topics.get(topic)?.ids.get(id)
    const found = await log.find?.(topic, id)
    if (expected && isReadable(model, expected)) assertRecord(found, expected)
    else assert.equal(found, undefined)
  },
  async get({ store, model }, { keys }) {
    assert.deepEqual(
      await store.get(keys),
      keys.map((key) => get(model, key)),
    )
  },
  async scan({ store, model }, { query }) {
    const { table, where } = query
    if (where && !model.tables.get(table)?.indexes.has(where.index)) return
    assert.deepEqual(await store.scan(query), scan(model, query))
  },
  async stream({ store, model }, { row, fromVersion, limit }) {
    assertStream(model, row, fromVersion, limit, await store.stream(row, fromVersion, limit))
  },
  async progress({ store, model }, { consumers }) {
    assertProgress(model, consumers, await store.progress(consumers))
  },
  async beat({ store, model }, { member, wants, releases, ttlMs }) {
    const answer = await store.beat({ id: member }, wants, ttlMs, releases)
    assertBeat(model, { member, wants, releases, untilMs: model.nowMs + ttlMs }, answer)
  },
  async pass({ model }, { ms }) {
    model.nowMs += ms
  },
  all: assertEverything,
  async reopen(world) {
    if (!world.reopen) return
    const { log, store } = await world.reopen()
    endMemberships(world.model)
    return { ...world, log, store }
  },
}

/** Starts a call; the returned function awaits its result and compares it. */
function beginWrite({ model, log, store }: World, write: Write): () => Promise<void> {
  if (write.kind === 'commit') {
    const unit = unitOf(model, write.unit)
    const expected = commit(model, unit)
    const answer = reply(store.commit(unit))
    return async () => assertCommit(model, expected, await answer)
  }
  const isAtomic = write.kind === 'append' && write.isAtomic
  const events =
    write.kind === 'append' ? write.events : filling(write.topic, write.number, write.count)
  const expected = append(model, events, isAtomic)
  const answers = reply(log.append(events, { isAtomic }))
  return async () => assertAppend(model, events, expected, await answers)
}

type Reply<T> =
  | { readonly status: 'answered'; readonly answer: T }
  | { readonly status: 'rejected' }

const reply = <T>(call: Promise<T>): Promise<Reply<T>> =>
  call.then(
    (answer): Reply<T> => ({ status: 'answered', answer }),
    (): Reply<T> => ({ status: 'rejected' }),
  )

function assertAppend(
  model: Model,
  events: readonly LogEvent[],
  expected: readonly ExpectedAppend[],
  heard: Reply<readonly LogAppendResult[]>,
): void {
  assert.ok(heard.status === 'answered', 'an append never throws')
  assert.equal(heard.answer.length, events.length, 'one answer per event')
  for (const [at, one] of expected.entries()) {
    const answer: LogAppendResult | undefined = heard.answer[at]
    if (one.status === 'refused') {
      assert.equal(answer?.status === 'refused' ? answer.code : answer?.status, one.code)
      continue
    }
    assert.ok(answer?.status === 'stored', `stored, not ${JSON.stringify(answer)}`)
    assert.equal(answer.isDuplicate, one.isDuplicate, 'a repeat is called one')
    learnPlace(model, one.record, answer.place)
  }
}

function assertCommit(model: Model, expected: ExpectedCommit, heard: Reply<CommitResult>): void {
  if (expected.status === 'rejected') return assert.equal(heard.status, 'rejected')
  assert.ok(heard.status === 'answered', 'the unit is not rejected')
  const { answer } = heard
  assert.equal(answer.status, expected.status)
  if (expected.status === 'fenced' && answer.status === 'fenced')
    assert.deepEqual(
      answer.resources.filter((resource) => RESOURCES.includes(resource)),
      expected.resources,
    )
  else if (expected.status === 'conflict' && answer.status === 'conflict')
    assert.deepEqual(answer.rows, expected.rows)
  else if (expected.status === 'done' && answer.status === 'done') {
    assert.equal(answer.places.length, expected.records.length)
    for (const [at, record] of expected.records.entries())
      learnPlace(model, record, answer.places[at])
  }
}

function learnPlace(model: Model, record: ModelRecord, place: Place | undefined): void {
  const { topic, partition } = record
  if (record.offset < 0) {
    const end = model.topics.get(topic)?.partitions[partition]
    assert.ok(end && place && place.offset >= end.next, `${place?.offset} is a new offset`)
    record.offset = place.offset
    end.next = place.offset + 1
  }
  assert.deepEqual(place, { topic, partition, offset: record.offset })
}

/** The unit of a plan, based on the current state. */
function unitOf(model: Model, wish: UnitPlan): Unit {
  const versionOf = ({ table, key }: { table: string; key: string }): number =>
    model.tables.get(table)?.rows.get(key)?.version ?? 0
  const rows = wish.rows
    .map(({ lag, ...row }) => {
      const end = model.streams.get(rowOf(row))?.length ?? 0
      const version = Math.max(versionOf(row) + 1, end)
      return { ...row, expected: versionOf(row) + lag, version }
    })
    .sort((a, b) => Buffer.compare(Buffer.from(rowOf(a)), Buffer.from(rowOf(b))))
  const written = new Set(rows.map(rowOf))
  const added = new Map<string, number>()
  const streams = wish.appends.length === 0 ? [] : wish.streams
  return {
    fences: wish.fences.map(({ resource, lag }) => {
      return { resource, generation: (model.leases.get(resource)?.generation ?? 0) + lag }
    }),
    progress: wish.progress.map(({ lag, steps, ...at }) => {
      const from = (model.progress.get(placeOf(at))?.next ?? 0) + lag
      const accepted = at.completed + at.pending + at.dead + at.discarded + at.expired
      return { ...at, from, next: from + steps, accepted }
    }),
    rows,
    checks: wish.checks
      .filter((row) => !written.has(rowOf(row)))
      .map(({ lag, ...row }) => ({ ...row, expected: versionOf(row) + lag })),
    appends: wish.appends,
    statuses: wish.statuses.map((plan) => changeOf(model.statuses, plan)),
    streams: streams.map(({ append: at, ...row }) => {
      const before = added.get(rowOf(row)) ?? model.streams.get(rowOf(row))?.length ?? 0
      added.set(rowOf(row), before + 1)
      return { ...row, version: before + 1, append: at % wish.appends.length }
    }),
  }
}

/** Reads everything, page by page. */
async function assertEverything(world: World): Promise<void> {
  const { log, model } = world
  const topics = [...model.topics.keys()]
  assertEnds(model, topics, await log.ends(topics))
  let from: readonly Position[] = [...model.topics].flatMap(([topic, { partitions }]) =>
    partitions.map((_, partition) => ({ topic, partition, next: 0 })),
  )
  const max = { records: 100, bytes: 20_000 }
  for (let reads = 0; from.length > 0; reads += 1) {
    assert.ok(reads < model.stored + 10, 'reads make progress')
    const slices = await log.read(from, max, { ms: 0 })
    assertRead(model, from, max, slices)
    from = slices.filter(({ next, end }) => next < end)
  }
  assertPositionsGrow(model)
  for (const [table, { rows, indexes }] of model.tables) {
    await steps.get(world, { kind: 'get', keys: [...rows.keys()].map((key) => ({ table, key })) })
    await assertPages(world, { table })
    for (const index of indexes) await assertPages(world, { table, where: { index } })
  }
  for (const [name, stream] of model.streams) {
    const [table, key] = JSON.parse(name) as [string, string]
    const limit = stream.length + 1
    await steps.stream(world, { kind: 'stream', row: { table, key }, fromVersion: 0, limit })
  }
  await steps.progress(world, { kind: 'progress', consumers: CONSUMERS })
  await assertStatuses(model.statuses, world.store)
  for (const { ids } of model.topics.values()) {
    const all = [...ids.values()]
    const some = [...all.slice(0, 5), ...all.slice(-5), ...all.filter(({ isRemoved }) => isRemoved)]
    for (const { topic, id } of some) await steps.find(world, { kind: 'find', topic, id })
  }
}

/** Each page starts after the last row of the previous one. */
async function assertPages({ store, model }: World, query: Omit<Scan, 'limit'>): Promise<void> {
  const rows: ScannedRow[] = []
  const expected = scan(model, { ...query, limit: Infinity })
  for (let isOver = false; !isOver;) {
    const { key, value } = rows.at(-1) ?? {}
    const after = key === undefined ? undefined : { key, ...(value === undefined ? {} : { value }) }
    const page = await store.scan({ ...query, ...(after ? { after } : {}), limit: 3 })
    rows.push(...page)
    isOver = page.length < 3 || rows.length > expected.length
  }
  assert.deepEqual(rows, expected)
}
