import { compareText } from '../../base/text/compare-text.ts'
import type { EventLog, LogEnd, LogRecord, Position } from '../../ports/event-log.ts'
import { assertUndamaged } from '../context/index.ts'
import { listOptionFault } from './paging.ts'

/** Which records to read: a time range, and a cursor to continue after. */
export interface Span {
  readonly since: number | undefined
  readonly until: number | undefined
  readonly after: string | undefined
  /** Which partitions to read. */
  readonly includes?: (partition: Pick<LogEnd, 'topic' | 'partition'>) => boolean
  /** Highest offset to read in each partition. */
  readonly offset?: number
}

/** Records read from a partition at once. */
const CHUNK = { records: 64, bytes: 4_194_304 }

/** Reads a partition from its end to its beginning. */
interface BackwardReader {
  readonly topic: string
  readonly partition: number
  readonly floor: number
  /** Records at this offset or above were returned already. */
  upTo: number
  /** In offset order: the last one is returned next. */
  readonly records: LogRecord[]
}

/**
 * Records of several topics, most recently stored first, each with a cursor to continue after it.
 *
 * @throws Fault `OPTION_INVALID`; `LOG_DAMAGED`, `ARCHIVE_MISSING`, `ARCHIVE_DAMAGED` when it
 * reaches records that cannot be read
 */
export async function* newestFirst(
  log: EventLog,
  topics: readonly string[],
  span: Span,
): AsyncGenerator<{ readonly record: LogRecord; readonly cursor: string }> {
  const partitions: BackwardReader[] = []
  const ends = await log.ends(topics)
  for (const end of ends.filter(span.includes ?? (() => true)))
    partitions.push(await createBackwardReader(log, end, span))
  for (;;) {
    // A call may pass thousands of records that it does not want: nothing is awaited, and nothing
    // sorted, for each of them.
    for (const each of partitions)
      if (each.records.length === 0 && each.upTo > each.floor) await fill(log, each)
    const record = newestOf(partitions)?.records.pop()
    if (!record) return
    yield { record, cursor: recordCursor(record) }
  }
}

function newestOf(partitions: readonly BackwardReader[]): BackwardReader | undefined {
  let newest: BackwardReader | undefined
  for (const each of partitions)
    if (each.records.length > 0 && (!newest || byNewest(each, newest) < 0)) newest = each
  return newest
}

async function createBackwardReader(
  log: EventLog,
  end: LogEnd,
  span: Span,
): Promise<BackwardReader> {
  const { topic, partition, first, next } = end
  const { since, until, after, offset = next } = span
  const before = async (atMs: number): Promise<number> =>
    Math.min(next, await log.offsetAt(topic, partition, atMs))
  const floor = since === undefined ? first : Math.max(first, await before(since))
  let bound = Math.min(offset + 1, until === undefined ? next : await before(until))
  if (after !== undefined) bound = Math.min(bound, await offsetAfterCursor(after, end, before))
  return { topic, partition, floor, upTo: bound, records: [] }
}

/**
 * Where a partition continues after a cursor: records stored at the same instant are ordered by
 * place.
 */
async function offsetAfterCursor(
  after: string,
  { topic, partition }: LogEnd,
  before: (atMs: number) => Promise<number>,
): Promise<number> {
  const [, at, inTopic, inPartition, offset] = /^(\d+):(.+)\/(\d+)@(\d+)$/.exec(after) ?? []
  if (inTopic === undefined) throw listOptionFault('after', 'must be the next of an earlier page')
  const order = compareText(topic, inTopic) || partition - Number(inPartition)
  if (order === 0) return Number(offset)
  return before(order < 0 ? Number(at) : Number(at) + 1)
}

const recordCursor = ({ storedAt, topic, partition, offset }: LogRecord): string =>
  `${storedAt}:${topic}/${partition}@${offset}`

/** Reads the next lower chunk once all records are used up. */
async function fill(log: EventLog, from: BackwardReader): Promise<void> {
  const { topic, partition, floor, records } = from
  while (records.length === 0 && from.upTo > floor) {
    const begin = Math.max(floor, from.upTo - CHUNK.records)
    let position: Position = { topic, partition, next: begin }
    while (position.next < from.upTo) {
      const [slice] = await log.read([position], CHUNK, { ms: 0 })
      if (slice && slice.records.length === 0) assertUndamaged(slice)
      if (!slice || slice.next <= position.next) break
      records.push(...slice.records.filter(({ offset }) => offset < from.upTo))
      position = { topic, partition, next: slice.next }
    }
    from.upTo = begin
  }
}

function byNewest(one: BackwardReader, other: BackwardReader): number {
  const at = ({ records }: BackwardReader): number => records.at(-1)?.storedAt ?? 0
  return (
    at(other) - at(one) || compareText(one.topic, other.topic) || one.partition - other.partition
  )
}
