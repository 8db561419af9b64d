import type { Clock } from '../../base/time/clock.ts'
import type { LogRecord, Slice } from '../../ports/event-log.ts'
import type { DelayClock } from './delay-clock.ts'
import { createOffsetHistory } from './offset-history.ts'

/** Filters what was read for a handler with a delay. */
export interface DelayFilter {
  /** The slices up to the first record that is not due, and how long that record waits at most. */
  due(slices: readonly Slice[]): { readonly slices: readonly Slice[]; readonly leftMs: number }
}

/** Resolution of delayed events, so that they arrive in batches. */
export const DELAY_STEP_MS = 20

/**
 * An event is due `delayMs` after it was stored. If the clock has stepped, storage times may be
 * ahead of it: then the delay counts from when the event was first seen.
 */
export function createDelayFilter(clock: Clock, delays: DelayClock, delayMs: number): DelayFilter {
  const offsetHistory = createOffsetHistory(clock, { stepMs: DELAY_STEP_MS, ageMsMax: delayMs })

  /** The remaining delay of a record. */
  function remainingMs({ topic, partition, offset, storedAt }: LogRecord): number {
    const place = `${topic}/${partition}`
    if (offset < offsetHistory.offsetOlderThan(place, delayMs)) return 0
    // The earlier of both clocks is never early, whichever clock the storage time came from.
    const readAt = Math.min(delays.wallTimeNotAhead(), delays.now())
    const isTimeRight = !delays.hasStepped() || offset < offsetHistory.firstSeen(place)
    return isTimeRight ? Math.min(delayMs, storedAt + delayMs - readAt) : delayMs
  }

  return {
    due(slices) {
      for (const { topic, partition, end } of slices)
        offsetHistory.record(`${topic}/${partition}`, end)
      let leftMs = Infinity
      const due = slices.map((slice) => {
        const at = slice.records.findIndex((record) => remainingMs(record) > 0)
        const first = slice.records[at]
        if (!first) return slice
        leftMs = Math.min(leftMs, remainingMs(first))
        return { ...slice, records: slice.records.slice(0, at), next: first.offset }
      })
      return { slices: due, leftMs }
    },
  }
}
