import type { LogRecord, Position, Slice } from './event-log.ts'

/** How much one read may still return. */
export interface ReadBudget {
  readonly records: number
  readonly bytes: number
}

/** The size of a record for read limits and retention. */
export function bytesOf({ key, head, data }: LogRecord): number {
  return key.length + head.length + (data?.length ?? 0)
}

/**
 * Reads all positions within one budget, round robin. The first position is a hash of the offsets
 * already read, so that repeated reads starve no partition and the log needs no state per reader.
 * The slices are in the order of the positions.
 */
export function readRoundRobin(
  from: readonly Position[],
  max: ReadBudget,
  readOne: (position: Position, left: ReadBudget, isFirst: boolean) => Slice,
): readonly Slice[] {
  const slices: Slice[] = []
  const begin = startIndex(from)
  let { records, bytes } = max
  let isFirst = true
  for (let step = 0; step < from.length; step += 1) {
    const at = (begin + step) % from.length
    const slice = readOne(from[at] as Position, { records, bytes }, isFirst)
    slices[at] = slice
    if (slice.records.length > 0) isFirst = false
    records -= slice.records.length
    for (const record of slice.records) bytes -= bytesOf(record)
  }
  return slices
}

/** Uses the finaliser of murmur3, so that steps of any size reach every partition. */
function startIndex(from: readonly Position[]): number {
  let sum = 0
  for (const { next } of from) sum = (sum + next) >>> 0
  let mixed = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) % Math.max(1, from.length)
}

/** Whether a read has found nothing yet and may wait. */
export function isEmpty(slices: readonly Slice[]): boolean {
  return slices.every(({ records, lost }) => records.length === 0 && !lost)
}
