import type { Clock } from '../base/clock.ts'

/**
 * Remembers where partitions ended at times in the past: records below such an end are at least
 * that old, whatever storage time they carry.
 */
export interface SeenEnds {
  /** Records the current end of a partition. */
  note(place: string, next: number): void
  /** The offset below which all records are at least this old; 0 if unknown. */
  olderThan(place: string, ageMs: number): number
  /** Where the partition ended when it was first seen; `Infinity` if it was not. */
  first(place: string): number
}

interface Seen {
  readonly first: number
  readonly ends: { readonly atMs: number; readonly next: number }[]
}

/** Ends are recorded every `stepMs`, and dropped after `ageMsMax`. */
export function seenEnds(
  clock: Pick<Clock, 'elapsed'>,
  { stepMs, ageMsMax }: { readonly stepMs: number; readonly ageMsMax: number },
): SeenEnds {
  const places = new Map<string, Seen>()
  const opened = (place: string, first: number): Seen => {
    const seen: Seen = { first, ends: [] }
    places.set(place, seen)
    return seen
  }
  return {
    note(place, next) {
      const atMs = clock.elapsed()
      const { ends } = places.get(place) ?? opened(place, next)
      const last = ends.at(-1)
      if (!last) ends.push({ atMs, next })
      else if (last.next < next && atMs - last.atMs >= stepMs) ends.push({ atMs, next })
      while (ends[1] && ends[1].atMs <= atMs - ageMsMax) ends.shift()
    },
    olderThan(place, ageMs) {
      const untilMs = clock.elapsed() - ageMs
      return places.get(place)?.ends.findLast(({ atMs }) => atMs <= untilMs)?.next ?? 0
    },
    first: (place) => places.get(place)?.first ?? Infinity,
  }
}
