import { EMPTY_UNIT } from '../empty-unit.ts'
import assert from 'node:assert/strict'
import { partitionOf } from '../../contract/partition.ts'
import type {
  LogAppendResult,
  EventLog,
  LogEvent,
  LogRecord,
  Place,
  Position,
  Slice,
} from '../event-log.ts'
import type { TopicSpec } from '../event-log.ts'
import type { Capabilities, Case, Trial } from './prove.ts'
import type { Backend, EventStore, RowWrite, Unit } from '../event-store.ts'

/** A promise of a log alone, for backends without a store, too. */
export type LogCase = Case<Trial<Pick<Backend, 'log'>>, Capabilities>

export type StoreCase = Case<Trial<Backend>, Capabilities>

export const ORDERS = 'orders.events'
export const PAYMENTS = 'payments.events'
export const PARTITIONS = 4

/** More than any case reads. */
export const NO_LIMIT = { records: 10_000, bytes: 100_000_000 } as const

/** A wait that only a new record, an abort or the close of the log should end. */
export const LONG_WAIT_MS = 600_000

export function testTopic(name: string, partitions: number = PARTITIONS): TopicSpec {
  return { name, partitions, strategy: 'murmur2' }
}

/** Declares two topics of four partitions each. */
export async function declareTopics({ log }: Pick<Backend, 'log'>): Promise<EventLog> {
  await log.declare([testTopic(ORDERS), testTopic(PAYMENTS)])
  return log
}

export function testEvent(id: string, fields: Partial<LogEvent> = {}): LogEvent {
  const { key = 'customer-1' } = fields
  return {
    topic: ORDERS,
    partition: partitionOf(key, PARTITIONS),
    id,
    key,
    type: 'orders.OrderPlaced',
    at: 1_700_000_000_000,
    head: '{"source":"orders","hops":0}',
    data: `{"order":${JSON.stringify(id)}}`,
    ...fields,
  }
}

/** Events with the ids `<name>-0`, `<name>-1` and so on, with keys in all partitions. */
export function testEvents(
  name: string,
  count: number,
  fields: Partial<LogEvent> = {},
): readonly LogEvent[] {
  return Array.from({ length: count }, (_, at) =>
    testEvent(`${name}-${at}`, { key: `key-${at % 13}`, ...fields }),
  )
}

/** A key of a partition. */
export function keyInPartition(partition: number, partitions: number = PARTITIONS): string {
  let at = 0
  while (partitionOf(`key-${at}`, partitions) !== partition) at += 1
  return `key-${at}`
}

export function startPosition(partition: number, topic: string = ORDERS): Position {
  return { topic, partition, next: 0 }
}

export function startPositions(
  partitions: number = PARTITIONS,
  topic: string = ORDERS,
): Position[] {
  return Array.from({ length: partitions }, (_, partition) => startPosition(partition, topic))
}

/** The event of a record, without its place. */
export function eventOfRecord(record: LogRecord): LogEvent {
  const { topic, partition, id, key, type, at, head, data } = record
  return { topic, partition, id, key, type, at, head, data }
}

export function placeOf({ topic, partition, offset }: LogRecord): Place {
  return { topic, partition, offset }
}

export function idsOf(events: readonly { readonly id: string }[]): readonly string[] {
  return events.map(({ id }) => id)
}

/** The ids of each key, in order. */
export function idsByKey(events: readonly LogEvent[]): ReadonlyMap<string, readonly string[]> {
  const ids = new Map<string, string[]>()
  for (const { topic, key, id } of events) {
    const list = ids.get(`${topic}\n${key}`) ?? []
    list.push(id)
    ids.set(`${topic}\n${key}`, list)
  }
  return ids
}

export function recordsOf(slices: readonly Slice[]): readonly LogRecord[] {
  return slices.flatMap(({ records }) => records)
}

export function sliceAt(slices: readonly Slice[], { topic, partition }: Position): Slice {
  const found = slices.filter((slice) => slice.topic === topic && slice.partition === partition)
  assert.equal(found.length, 1, `one slice of ${topic}/${partition}`)
  return found[0] as Slice
}

/** The positions at which to continue after these slices. */
export function nextPositions(from: readonly Position[], slices: readonly Slice[]): Position[] {
  assert.equal(slices.length, from.length, 'every position gets its slice')
  return from.map((position) => ({ ...position, next: sliceAt(slices, position).next }))
}

/** Reads in pages until every partition is at its end; checks that offsets strictly increase. */
export async function readAll(
  log: EventLog,
  topic: string = ORDERS,
  max: { readonly records: number; readonly bytes: number } = NO_LIMIT,
): Promise<readonly LogRecord[]> {
  const ends = await log.ends([topic])
  const open = ends.filter(({ first, next }) => first < next)
  let from: readonly Position[] = open.map(({ partition, first }) => {
    return { topic, partition, next: first }
  })
  const records: LogRecord[] = []
  const latest = new Map<number, number>()
  for (let idle = 0; from.length > 0; idle += 1) {
    assert.ok(idle < 50, 'reads make progress')
    const slices = await log.read(from, max, { ms: 100 })
    for (const record of recordsOf(slices)) {
      assert.ok(record.offset > (latest.get(record.partition) ?? -1), 'offsets strictly increase')
      latest.set(record.partition, record.offset)
      records.push(record)
      idle = 0
    }
    from = nextPositions(from, slices).filter(
      (position) => position.next < sliceAt(slices, position).end,
    )
  }
  return records
}

/** Fails where a result is not `stored`. */
export function assertStored(answers: readonly LogAppendResult[]): void {
  for (const answer of answers)
    assert.equal(
      answer.status,
      'stored',
      answer.status === 'refused' ? answer.detail : answer.status,
    )
}

export async function appendStored(log: EventLog, events: readonly LogEvent[]): Promise<void> {
  assertStored(await log.append(events))
}

/** A result as one word: `stored`, `repeat`, `unknown` or the code of a refusal. */
export function resultCode(answer: LogAppendResult): string {
  if (answer.status === 'refused') return answer.code
  if (answer.status === 'stored') return answer.isDuplicate ? 'repeat' : 'stored'
  return answer.status
}

export function testUnit(parts: Partial<Unit> = {}): Unit {
  return { ...EMPTY_UNIT, ...parts }
}

export async function commitDone(
  store: EventStore,
  parts: Partial<Unit>,
): Promise<readonly Place[]> {
  const answer = await store.commit(testUnit(parts))
  assert.equal(answer.status, 'done')
  return answer.status === 'done' ? answer.places : []
}

export function testRow(table: string, key: string, fields: Partial<RowWrite> = {}): RowWrite {
  return { table, key, expected: 0, version: 1, body: '{"total":1}', index: {}, ...fields }
}

/** Waits a few milliseconds, by a read without new records. */
export async function waitBriefly(log: EventLog): Promise<void> {
  const [end] = await log.ends([PAYMENTS])
  assert.ok(end)
  const { topic, partition, next } = end
  await log.read([{ topic, partition, next }], NO_LIMIT, { ms: 5 })
}

/** Closes the backend and opens it again over the same data. */
export async function reopenTrial<Ports extends Partial<Backend>>(
  trial: Trial<Ports>,
): Promise<Ports> {
  assert.ok(trial.reopen, 'the backend is durable, so the trial must have `reopen`')
  const ports = await trial.reopen()
  await ports.log?.open()
  await ports.store?.open()
  return ports
}
