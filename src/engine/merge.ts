import { partitionId } from '../ports/composite-keys.ts'
import type { EventLog, LogRecord, Position, Slice } from '../ports/log.ts'
import { bytesOf } from '../ports/turns.ts'

interface Bounds {
  readonly records: number
  readonly bytes: number
}

/**
 * Reads partitions in the one order that the log gave their records, also while it is far behind:
 * what a reader sees does not depend on how fast it was. Needs a log with positions, of which a read
 * is one look; over any other it reads as that does.
 */
export interface OrderedReader {
  /** As `read` of a log; every record has a higher position than all in the reads before. */
  read(
    from: readonly Position[],
    max: Bounds,
    wait: { readonly ms: number; readonly signal?: AbortSignal },
  ): Promise<readonly Slice[]>
  /** Forgets what was read ahead. */
  clear(): void
}

/** What was read ahead of one partition. */
interface Ahead {
  readonly topic: string
  readonly partition: number
  /** Where the reader will go on, if it takes what it is given. */
  from: number
  records: readonly LogRecord[]
  /** The first of the records that was not given yet. */
  at: number
  /** Where the log is to be read on. */
  next: number
  end: number
  lost?: Slice['lost']
  damage?: Slice['damage']
  /** Which of the reads has looked at it last. */
  seenAt: number
  /** Reading it on leads nowhere: nothing waits for it. */
  isStuck: boolean
}

/** Records of one partition that are read ahead at least, since each read costs. */
const CHUNK_MIN = 64

const hasRecords = ({ at, records }: Ahead): boolean => at < records.length

/**
 * The partitions of which nobody knows what comes next: there is more than was read, or there was
 * nothing more before others were read, of which the records may be later than what has come since.
 */
function unknownOf(known: readonly Ahead[]): readonly Ahead[] {
  const newest = Math.max(...known.filter(hasRecords).map(({ seenAt }) => seenAt))
  return known.filter((each) => {
    const isOpen = each.next < each.end || each.seenAt < newest
    return isOpen && !hasRecords(each) && !each.isStuck
  })
}

export function orderedReader(log: EventLog): OrderedReader {
  let ahead = new Map<string, Ahead>()
  let tick = 0

  /** What is known of each position; what was read for another place than the reader's is dropped. */
  function aligned(from: readonly Position[]): readonly Ahead[] {
    const known = from.map((position) => {
      const each = ahead.get(partitionId(position))
      return each?.from === position.next ? each : nothingAt(position)
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
        for (const [at, slice] of slices.entries()) put(known[at] as Ahead, slice, tick)
      }
      const chunk = {
        records: Math.max(CHUNK_MIN, Math.ceil(max.records / from.length)),
        bytes: Math.ceil(max.bytes / from.length),
      }
      const readOn = async (some: readonly Ahead[]): Promise<void> => {
        const slicesOn = await log.read(some.map(onFrom), chunk, { ms: 0 })
        tick += 1
        for (const [at, slice] of slicesOn.entries()) put(some[at] as Ahead, slice, tick)
      }
      await fill(known, readOn)
      return inOrder(known, max, readOn)
    },
  }
}

type ReadOn = (some: readonly Ahead[]) => Promise<void>

function nothingAt({ topic, partition, next }: Position): Ahead {
  const nothing = { records: [], at: 0, end: Infinity, seenAt: 0, isStuck: false }
  return { topic, partition, from: next, next, ...nothing }
}

function put(each: Ahead, slice: Slice, tick: number): void {
  const { records, next, end, lost, damage } = slice
  each.seenAt = tick
  each.records = [...each.records.slice(each.at), ...records]
  each.at = 0
  each.next = next
  each.end = end
  if (lost) each.lost = { from: each.lost?.from ?? lost.from, to: lost.to }
  if (damage === undefined) delete each.damage
  else each.damage = damage
}

/** Reads on until it is known what comes next in every partition. */
async function fill(known: readonly Ahead[], readOn: ReadOn): Promise<void> {
  for (;;) {
    const unknown = unknownOf(known)
    if (unknown.length === 0) return
    // One by one, since a read of several may spend all it has on the first.
    for (const each of unknown.filter(({ next, end }) => next < end)) {
      const { next } = each
      await readOn([each])
      each.isStuck = !hasRecords(each) && each.next === next
    }
    const ended = unknown.filter(({ next, end }) => next >= end)
    if (ended.length > 0) await readOn(ended)
  }
}

function onFrom({ topic, partition, next }: Ahead): Position {
  return { topic, partition, next }
}

/** What comes first in all, as slices. */
async function inOrder(
  known: readonly Ahead[],
  max: Bounds,
  readOn: ReadOn,
): Promise<readonly Slice[]> {
  const taken = known.map((): LogRecord[] => [])
  let { records, bytes } = max
  while (records > 0) {
    const first = firstOf(known)
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

function firstOf(known: readonly Ahead[]): number {
  let first = -1
  let lowest = Infinity
  for (let at = 0; at < known.length; at += 1) {
    const each = known[at] as Ahead
    const position = each.records[each.at]?.position ?? Infinity
    if (position >= lowest) continue
    lowest = position
    first = at
  }
  return first
}

function sliceOf(each: Ahead, records: readonly LogRecord[]): Slice {
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
