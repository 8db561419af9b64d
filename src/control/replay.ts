// Replays a topic in order, page by page. The cursor is the only state between two pages.
import { Fault } from '../base/errors/fault.ts'
import type { CloudEvent } from '../contract/envelope.ts'
import { cloudEvent, decodeEnvelope } from '../contract/envelope.ts'
import type { EventLog, LogRecord } from '../ports/event-log.ts'
import { assertTopicExists } from './read-topic.ts'
import { assertUndamaged } from '../engine/context/index.ts'
import { parseOffsetsOrTimes, resolveOffset } from './offset-or-time.ts'
import type { System } from './system.ts'

type ReadableSystem = Pick<System, 'backend' | 'catalog'>

/** Which records of a topic to replay. */
export interface ReplayOptions {
  readonly topic: string
  readonly partition?: number
  /** The start: an offset in each partition, or a time of storing. Default: the first record. */
  readonly from?: string
  /** The end, exclusive, in the same form. Default: the present end. */
  readonly to?: string
  /** The cursor of the page before; `from` and `to` are then ignored. */
  readonly cursor?: string
  readonly limit: number
}

/** A message with its partition and offset. */
export interface ReplayedEvent extends CloudEvent {
  readonly partition: number
  readonly offset: number
}

export interface ReplayPage {
  readonly events: readonly ReplayedEvent[]
  /** The cursor for the next page; absent on the last page. */
  readonly cursor?: string
}

/** The rest of a partition: from `next` up to but not including `to`. */
interface Range {
  readonly partition: number
  readonly next: number
  readonly to: number
}

const BYTES_PER_PAGE = 4_194_304

/**
 * One page of records and the cursor for the next. If the log has a global order over all partitions,
 * records come in that order, otherwise partition by partition.
 *
 * @throws Fault `TOPIC_NOT_FOUND`, `OPTION_INVALID`; `LOG_DAMAGED`, `ARCHIVE_MISSING` or
 * `ARCHIVE_DAMAGED` at the first record that cannot be read, after all records before it
 */
export async function replay(system: ReadableSystem, options: ReplayOptions): Promise<ReplayPage> {
  assertTopicExists(system, options.topic)
  const { log } = system.backend
  const ranges =
    options.cursor === undefined ? await rangesOf(log, options) : parseCursor(options.cursor)
  const open = ranges.filter(({ next, to }) => next < to)
  const { records, rest } = await readMerged(
    log,
    options,
    log.can.positions ? open : open.slice(0, 1),
  )
  const left = [...rest, ...(log.can.positions ? [] : open.slice(1))].filter(
    ({ next, to }) => next < to,
  )
  const events = records.map(replayedEvent)
  return left.length === 0 ? { events } : { events, cursor: cursorOf(left) }
}

interface Merged {
  readonly records: readonly LogRecord[]
  readonly rest: readonly Range[]
}

/**
 * Reads a part of each partition and returns, in order, the records before the first unread one. Records
 * read beyond that are read again with the next page.
 */
async function readMerged(
  log: EventLog,
  { topic, limit }: ReplayOptions,
  ranges: readonly Range[],
): Promise<Merged> {
  const share = Math.max(1, ranges.length)
  const max = {
    records: Math.max(1, Math.floor(limit / share)),
    bytes: Math.max(1, Math.floor(BYTES_PER_PAGE / share)),
  }
  const parts: { readonly range: Range; readonly records: readonly LogRecord[]; next: number }[] =
    []
  let bound = Infinity
  for (const range of ranges) {
    const { partition, next, to } = range
    const [slice] = await log.read([{ topic, partition, next }], max, { ms: 0 })
    if (!slice) continue
    const records = slice.records.filter(({ offset }) => offset < to)
    if (records.length === 0) assertUndamaged(slice)
    const reached = Math.min(slice.next, to)
    parts.push({ range, records, next: reached })
    if (reached < to) bound = Math.min(bound, orderOf(records.at(-1)))
  }
  const records = parts
    .flatMap((part) => part.records)
    .filter((record) => orderOf(record) <= bound)
    .toSorted((one, other) => orderOf(one) - orderOf(other))
  const rest = parts.map(({ range, records, next }): Range => {
    const held = records.find((record) => orderOf(record) > bound)
    return { ...range, next: held?.offset ?? next }
  })
  return { records, rest }
}

/** The global position of a record, or -1 without a record, so that only gaps are skipped. */
const orderOf = (record: LogRecord | undefined): number =>
  record ? (record.position ?? record.offset) : -1

function replayedEvent(record: LogRecord): ReplayedEvent {
  const { topic, partition, offset } = record
  return { ...cloudEvent(topic, decodeEnvelope(record), dataOf(record)), partition, offset }
}

function dataOf({ topic, partition, offset, id, data }: LogRecord): unknown {
  try {
    return JSON.parse(data ?? 'null') as unknown
  } catch (cause) {
    const detail = `the data of ${topic}/${partition}@${offset} is not JSON`
    throw new Fault('DATA_DAMAGED', { detail, ids: { message: id }, cause })
  }
}

async function rangesOf(log: EventLog, options: ReplayOptions): Promise<readonly Range[]> {
  const { topic, partition, from, to } = options
  const all = await log.ends([topic])
  const ends = all.filter((end) => partition === undefined || end.partition === partition)
  if (ends.length === 0) {
    const message = `must be a whole number from 0 to ${all.length - 1}: ${topic} has no other`
    const issues = [{ path: 'partition', message }]
    throw new Fault('OPTION_INVALID', { detail: 'replay', issues })
  }
  const bounds = parseOffsetsOrTimes('replay', { from, to })
  const ranges: Range[] = []
  for (const end of ends) {
    const next = await resolveOffset(log, end, bounds.from, end.first)
    const until = await resolveOffset(log, end, bounds.to, end.next)
    ranges.push({ partition: end.partition, next, to: until })
  }
  return ranges
}

function cursorOf(ranges: readonly Range[]): string {
  return JSON.stringify(ranges.map(({ partition, next, to }) => [partition, next, to]))
}

function parseCursor(cursor: string): readonly Range[] {
  try {
    return (JSON.parse(cursor) as unknown[]).map((entry) => {
      const [partition, next, to] = entry as readonly unknown[]
      if (![partition, next, to].every(Number.isSafeInteger)) throw new TypeError('no place')
      return { partition, next, to } as Range
    })
  } catch (cause) {
    const issues = [{ path: 'cursor', message: 'must be the cursor of the page before' }]
    throw new Fault('OPTION_INVALID', { detail: 'replay', issues, cause })
  }
}
