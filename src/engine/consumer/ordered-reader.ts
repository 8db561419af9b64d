import { partitionId } from '../../ports/composite-keys.ts'
import type { EventLog, LogRecord, Position, Slice } from '../../ports/event-log.ts'
import { bytesOf } from '../../ports/round-robin.ts'

interface Bounds {
  readonly records: number
  readonly bytes: number
}

/**
 * Reads partitions in the global order of the log, even far behind its end: what a reader sees does
 * not depend on its speed. Needs a log with positions where one read is consistent; over any other
 * log it reads as that does.
 */
export interface OrderedReader {
  /**
   * Like `read` of a log, but every record has a higher position than all records of earlier reads.
   */
  read(
    from: readonly Position[],
    max: Bounds,
    wait: { readonly ms: number; readonly signal?: AbortSignal },
  ): Promise<readonly Slice[]>
  /** Drops the records read ahead. */
  clear(): void
}

/** Records read ahead from one partition. */
interface ReadAhead {
  readonly topic: string
  readonly partition: number
  /** Where the reader continues if it takes the records it is given. */
  from: number
  records: readonly LogRecord[]
  /** Index of the first record not yet returned. */
  at: number
  /** The next offset to read from the log. */
  next: number
  end: number
  lost?: Slice['lost']
  damage?: Slice['damage']
  /** The number of the read that saw it last. */
  readAt: number
  /** Reading it makes no progress, so nothing waits for it. */
  isStuck: boolean
}

/** The least number of records to read ahead per partition, since each read costs. */
const CHUNK_MIN = 64

const hasRecords = ({ at, records }: ReadAhead): boolean => at < records.length

/**
 * Partitions whose next record is unknown: there is more than was read, or they were at their end
 * before other partitions were read, so newer records may have arrived since.
 */
function partitionsToRead(known: readonly ReadAhead[]): readonly ReadAhead[] {
  const newest = Math.max(...known.filter(hasRecords).map(({ readAt }) => readAt))
  return known.filter((each) => {
    const isOpen = each.next < each.end || each.readAt < newest
    return isOpen && !hasRecords(each) && !each.isStuck
  })
}

export function createOrderedReader(log: EventLog): OrderedReader {
  let ahead = new Map<string, ReadAhead>()
  let tick = 0

  /** The read-ahead state of each position; records read for another offset are dropped. */
  function aligned(from: readonly Position[]): readonly ReadAhead[] {
    const known = from.map((position) => {
      const each = ahead.get(partitionId(position))
      return each?.from === position.next ? each : emptyReadAhead(position)
    })
    ahead = new Map(known.map((each) => [partitionId(each), each]))
    return known
  }

  return {
    clear: () => ahead.clear(),
    async read(from, max, wait) {
      const known = aligned(from)
      const isFresh = !known.some(hasRecords)
      if (isFresh) {
        const slices = await log.read(from, max, wait)
        const isWhole = slices.every(({ next, end }) => next >= end)
        if (isWhole || from.length === 1 || !log.can.positions) return slices
        tick += 1
        for (const [at, slice] of slices.entries()) addSlice(known[at] as ReadAhead, slice, tick)
      }
      const chunk = {
        records: Math.max(CHUNK_MIN, Math.ceil(max.records / from.length)),
        bytes: Math.ceil(max.bytes / from.length),
      }
      const readOn = async (some: readonly ReadAhead[]): Promise<void> => {
        const slicesOn = await log.read(some.map(nextPosition), chunk, { ms: 0 })
        tick += 1
        for (const [at, slice] of slicesOn.entries()) addSlice(some[at] as ReadAhead, slice, tick)
      }
      await fill(known, readOn)
      return takeInOrder(known, max, readOn)
    },
  }
}

type ReadOn = (some: readonly ReadAhead[]) => Promise<void>

function emptyReadAhead({ topic, partition, next }: Position): ReadAhead {
  return {
    topic,
    partition,
    from: next,
    records: [],
    at: 0,
    next,
    end: Infinity,
    readAt: 0,
    isStuck: false,
  }
}

function addSlice(each: ReadAhead, slice: Slice, tick: number): void {
  const { records, next, end, lost, damage } = slice
  each.readAt = tick
  each.records = [...each.records.slice(each.at), ...records]
  each.at = 0
  each.next = next
  each.end = end
  if (lost) each.lost = { from: each.lost?.from ?? lost.from, to: lost.to }
  if (damage === undefined) delete each.damage
  else each.damage = damage
}

/** Reads until the next record of every partition is known. */
async function fill(known: readonly ReadAhead[], readOn: ReadOn): Promise<void> {
  for (;;) {
    const unknown = partitionsToRead(known)
    if (unknown.length === 0) return
    // One at a time, since a read of several may spend its limit on the first.
    for (const each of unknown.filter(({ next, end }) => next < end)) {
      const { next } = each
      await readOn([each])
      each.isStuck = !hasRecords(each) && each.next === next
    }
    const ended = unknown.filter(({ next, end }) => next >= end)
    if (ended.length > 0) await readOn(ended)
  }
}

function nextPosition({ topic, partition, next }: ReadAhead): Position {
  return { topic, partition, next }
}

/** The records with the lowest positions over all partitions, as slices. */
async function takeInOrder(
  known: readonly ReadAhead[],
  max: Bounds,
  readOn: ReadOn,
): Promise<readonly Slice[]> {
  const taken = known.map((): LogRecord[] => [])
  let { records, bytes } = max
  while (records > 0) {
    const first = lowestPosition(known)
    const each = known[first]
    const record = each?.records[each.at]
    if (!each || !record) break
    bytes -= bytesOf(record)
    if (bytes < 0 && records < max.records) break
    taken[first]?.push(record)
    each.at += 1
    records -= 1
    if (!hasRecords(each)) await fill(known, readOn)
  }
  return known.map((each, at) => sliceOf(each, taken[at] as LogRecord[]))
}

function lowestPosition(known: readonly ReadAhead[]): number {
  let first = -1
  let lowest = Infinity
  for (let at = 0; at < known.length; at += 1) {
    const each = known[at] as ReadAhead
    const position = each.records[each.at]?.position ?? Infinity
    if (position >= lowest) continue
    lowest = position
    first = at
  }
  return first
}

function sliceOf(each: ReadAhead, records: readonly LogRecord[]): Slice {
  const { topic, partition, end, lost, damage } = each
  const next = each.records[each.at]?.offset ?? each.next
  each.from = next
  each.isStuck = false
  delete each.lost
  return {
    topic,
    partition,
    records,
    next,
    end,
    ...(lost ? { lost } : {}),
    ...(damage !== undefined && !hasRecords(each) ? { damage } : {}),
  }
}
