import { asFault } from '../base/errors/thrown-error.ts'
import { sleep } from '../base/time/clock.ts'
import type { EdgeHost } from './edge-host.ts'

/** Reports failures of an edge, and waits between its attempts. */
export interface BackOff {
  succeeded(): void
  /** Resolves when it is time for the next attempt, or the signal aborts. */
  failed(cause: unknown): Promise<void>
}

const RETRY_MS = 200
const RETRY_MS_MAX = 30_000

export function createBackOff(name: string, host: EdgeHost, signal: AbortSignal): BackOff {
  let delayMs = 0
  return {
    succeeded() {
      if (delayMs > 0) host.recovered(name)
      delayMs = 0
    },
    async failed(cause) {
      if (signal.aborted) return
      // Back-pressure is not a failure: the broker keeps the messages until the consumers have caught up.
      if (asFault(cause)?.code !== 'BACKPRESSURE') host.failed(name, cause)
      delayMs = delayMs === 0 ? RETRY_MS : Math.min(2 * delayMs, RETRY_MS_MAX)
      await sleep(host.clock, delayMs, signal)
    },
  }
}
