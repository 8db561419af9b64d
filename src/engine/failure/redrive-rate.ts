import type { Clock } from '../../base/time/clock.ts'
import type { FailurePolicy } from './failure-policy.ts'

/** Limits how many dead letters of each consumer policies redrive per second. */
export interface RedriveRate {
  /** Whether one more may be redriven now. */
  take(consumer: string): boolean
}

const WINDOW_MS = 1_000

export function createRedriveRate(
  clock: Pick<Clock, 'elapsed'>,
  policyOf: (consumer: string) => FailurePolicy,
): RedriveRate {
  const windows = new Map<string, { since: number; taken: number }>()
  return {
    take(consumer) {
      const now = clock.elapsed()
      const window = windows.get(consumer)
      if (!window || now - window.since >= WINDOW_MS) {
        windows.set(consumer, { since: now, taken: 1 })
        return true
      }
      if (window.taken >= policyOf(consumer).redrive.perSecond) return false
      window.taken += 1
      return true
    },
  }
}
