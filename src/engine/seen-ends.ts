import type { Clock } from '../base/clock.ts'

/**
 * How far partitions went at moments that have passed: what lies below such an end is at least that
 * old, whatever time its records say that they were stored at.
 */
export interface SeenEnds {
  /** A partition ends at this offset now. */
  note(place: string, next: number): void
  /** The offset below which everything was there already when the age began; 0 where that is not known. */
  olderThan(place: string, ageMs: number): number
  /** Where the partition ended when it was seen first; `Infinity` for one that was not seen. */
  first(place: string): number
}

interface Seen {
  readonly first: number
  readonly ends: { readonly atMs: number; readonly next: number }[]
}

/** Ends are told apart every `stepMs`, and forgotten after `ageMsMax`. */
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
