import { pause } from '../base/clock.ts'
import type { EngineTools } from './tools.ts'

export interface Supervised {
  /** What the hooks and `health` call it. */
  readonly name: string
  /** Ends the loop. */
  readonly signal: AbortSignal
  /** How long to sleep after a failure. */
  readonly retryDelayMs: number
  /** How long to sleep after a run without a failure. Default: not at all. */
  readonly intervalMs?: number
  /** Called before the next run after a failure; what it throws is a failure as well. */
  readonly recover?: () => Promise<void>
  /** Called with each failure, before the sleep. */
  readonly onFailure?: () => void
}

/**
 * Runs a task again and again until the signal aborts, or until the task answers `done`. A failure is
 * reported, and the task is run again after a sleep; the first run without one reports the recovery,
 * or `recover` where there is one.
 */
export async function supervise(
  { clock, watch }: Pick<EngineTools, 'clock' | 'watch'>,
  { name, signal, retryDelayMs, intervalMs = 0, recover, onFailure }: Supervised,
  task: () => Promise<void | 'done'>,
): Promise<{ readonly hasFailed: boolean }> {
  let hasFailed = false
  const recovered = (): void => {
    if (hasFailed) watch.mended(name)
    hasFailed = false
  }
  while (!signal.aborted)
    try {
      if (hasFailed && recover) {
        await recover()
        recovered()
      }
      const answer = await task()
      recovered()
      if (answer === 'done') break
      if (intervalMs > 0) await pause(clock, intervalMs, signal)
    } catch (cause) {
      hasFailed = true
      watch.broke(name, cause)
      onFailure?.()
      await pause(clock, retryDelayMs, signal)
    }
  return { hasFailed }
}
