import type { Clock } from '../../base/time/clock.ts'

/**
 * Remembers where partitions ended at times in the past: records below such an end are at least
 * that old, whatever storage time they carry.
 */
export interface OffsetHistory {
  /** Records the current end of a partition. */
  record(partition: string, next: number): void
  /** The offset below which all records are at least this old; 0 if unknown. */
  offsetOlderThan(partition: string, ageMs: number): number
  /** Where the partition ended when it was first seen; `Infinity` if it was not. */
  firstSeen(partition: string): number
}

interface PartitionHistory {
  readonly first: number
  readonly ends: { readonly atMs: number; readonly next: number }[]
}

/** Ends are recorded every `stepMs`, and dropped after `ageMsMax`. */
export function createOffsetHistory(
  clock: Pick<Clock, 'elapsed'>,
  { stepMs, ageMsMax }: { readonly stepMs: number; readonly ageMsMax: number },
): OffsetHistory {
  const places = new Map<string, PartitionHistory>()
  const openHistory = (place: string, first: number): PartitionHistory => {
    const seen: PartitionHistory = { first, ends: [] }
    places.set(place, seen)
    return seen
  }
  return {
    record(place, next) {
      const atMs = clock.elapsed()
      const { ends } = places.get(place) ?? openHistory(place, next)
      const last = ends.at(-1)
      if (!last) ends.push({ atMs, next })
      else if (last.next < next && atMs - last.atMs >= stepMs) ends.push({ atMs, next })
      while (ends[1] && ends[1].atMs <= atMs - ageMsMax) ends.shift()
    },
    offsetOlderThan(place, ageMs) {
      const untilMs = clock.elapsed() - ageMs
      return places.get(place)?.ends.findLast(({ atMs }) => atMs <= untilMs)?.next ?? 0
    },
    firstSeen: (place) => places.get(place)?.first ?? Infinity,
  }
}
