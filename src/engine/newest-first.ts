import { compareText } from '../base/text.ts'
import type { EventLog, LogEnd, LogRecord, Position } from '../ports/log.ts'
import { mustBeUndamaged } from './damage.ts'
import { listFault } from './paging.ts'

/** Which records to read: a time range, and a cursor to continue after. */
export interface Span {
  readonly since: number | undefined
  readonly until: number | undefined
  readonly after: string | undefined
  /** Which partitions to read. */
  readonly isWanted?: (partition: Pick<LogEnd, 'topic' | 'partition'>) => boolean
  /** Highest offset to read in each partition. */
  readonly offset?: number
}

/** Records read from a partition at once. */
const CHUNK = { records: 64, bytes: 4_194_304 }

/** Reads a partition from its end to its beginning. */
interface Backwards {
  readonly topic: string
  readonly partition: number
  readonly floor: number
  /** Records at this offset or above were returned already. */
  bound: number
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
  const partitions: Backwards[] = []
  const ends = await log.ends(topics)
  for (const end of ends.filter(span.isWanted ?? (() => true)))
    partitions.push(await backwards(log, end, span))
  for (;;) {
    for (const each of partitions) await fill(log, each)
    const [newest] = partitions.filter(({ records }) => records.length > 0).toSorted(byNewest)
    const record = newest?.records.pop()
    if (!record) return
    yield { record, cursor: cursorOf(record) }
  }
}

async function backwards(log: EventLog, end: LogEnd, span: Span): Promise<Backwards> {
  const { topic, partition, first, next } = end
  const { since, until, after, offset = next } = span
  const before = async (atMs: number): Promise<number> =>
    Math.min(next, await log.offsetAt(topic, partition, atMs))
  const floor = since === undefined ? first : Math.max(first, await before(since))
  let bound = Math.min(offset + 1, until === undefined ? next : await before(until))
  if (after !== undefined) bound = Math.min(bound, await boundAfter(after, end, before))
  return { topic, partition, floor, bound, records: [] }
}

/**
 * Where a partition continues after a cursor: records stored at the same instant are ordered by
 * place.
 */
async function boundAfter(
  after: string,
  { topic, partition }: LogEnd,
  before: (atMs: number) => Promise<number>,
): Promise<number> {
  const [, at, inTopic, inPartition, offset] = /^(\d+):(.+)\/(\d+)@(\d+)$/.exec(after) ?? []
  if (inTopic === undefined) throw listFault('after', 'must be the next of an earlier page')
  const order = compareText(topic, inTopic) || partition - Number(inPartition)
  if (order === 0) return Number(offset)
  return before(order < 0 ? Number(at) : Number(at) + 1)
}

const cursorOf = ({ storedAt, topic, partition, offset }: LogRecord): string =>
  `${storedAt}:${topic}/${partition}@${offset}`

/** Reads the next lower chunk once all records are used up. */
async function fill(log: EventLog, from: Backwards): Promise<void> {
  const { topic, partition, floor, records } = from
  while (records.length === 0 && from.bound > floor) {
    const begin = Math.max(floor, from.bound - CHUNK.records)
    let position: Position = { topic, partition, next: begin }
    while (position.next < from.bound) {
      const [slice] = await log.read([position], CHUNK, { ms: 0 })
      if (slice && slice.records.length === 0) mustBeUndamaged(slice)
      if (!slice || slice.next <= position.next) break
      records.push(...slice.records.filter(({ offset }) => offset < from.bound))
      position = { topic, partition, next: slice.next }
    }
    from.bound = begin
  }
}

function byNewest(one: Backwards, other: Backwards): number {
  const at = ({ records }: Backwards): number => records.at(-1)?.storedAt ?? 0
  return (
    at(other) - at(one) || compareText(one.topic, other.topic) || one.partition - other.partition
  )
}
