import type { Clock } from '../base/clock.ts'
import type { LogRecord, Slice } from '../ports/log.ts'
import type { DelayClock } from './delay-clock.ts'
import { seenEnds } from './seen-ends.ts'

/** What a handler with a delay may see of what was read. */
export interface DelayedReading {
  /** The slices up to what is not due yet, and how long the first record of that waits at most. */
  due(slices: readonly Slice[]): { readonly slices: readonly Slice[]; readonly leftMs: number }
}

/** How finely delayed events are told apart, so that they come in batches. */
export const DELAY_STEP_MS = 20

/**
 * An event is due `delayMs` after it was stored. Times of storing can be ahead of the wall clock, or
 * stand still, once that was wrong: then the time counts from when the event was seen.
 */
export function delayedReading(clock: Clock, delays: DelayClock, delayMs: number): DelayedReading {
  const seen = seenEnds(clock, { stepMs: DELAY_STEP_MS, ageMsMax: delayMs })

  /** How long a record waits yet. */
  function leftOf({ topic, partition, offset, storedAt }: LogRecord): number {
    const place = `${topic}/${partition}`
    if (offset < seen.olderThan(place, delayMs)) return 0
    // The earlier of both clocks: never early, whichever of them the time of storing is of.
    const readAt = Math.min(delays.notAhead(), delays.now())
    const isTimeRight = !delays.hasStepped() || offset < seen.first(place)
    return isTimeRight ? Math.min(delayMs, storedAt + delayMs - readAt) : delayMs
  }

  return {
    due(slices) {
      for (const { topic, partition, end } of slices) seen.note(`${topic}/${partition}`, end)
      let leftMs = Infinity
      const due = slices.map((slice) => {
        const at = slice.records.findIndex((record) => leftOf(record) > 0)
        const first = slice.records[at]
        if (!first) return slice
        leftMs = Math.min(leftMs, leftOf(first))
        return { ...slice, records: slice.records.slice(0, at), next: first.offset }
      })
      return { slices: due, leftMs }
    },
  }
}
