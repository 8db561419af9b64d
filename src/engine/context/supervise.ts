import { sleep } from '../../base/time/clock.ts'
import type { EngineContext } from './engine-context.ts'

export interface Supervised {
  /** Its name in hooks and in `health`. */
  readonly name: string
  /** Ends the loop when it aborts. */
  readonly signal: AbortSignal
  /** The pause after a failure. */
  readonly pauseMs: number
  /** The pause after a run without a failure. Default: none. */
  readonly intervalMs?: number
  /** Called before the next run after a failure. If it throws, that is a failure, too. */
  readonly recover?: () => Promise<void>
  /** Called after each failure, before the pause. */
  readonly onFailure?: () => void
}

/**
 * Runs a task in a loop until the signal aborts, or until the task returns `done`. A failure is
 * reported, and the task runs again after a pause. The recovery is reported after `recover`, or
 * without it after the first run that does not fail.
 */
export async function supervise(
  { clock, monitor }: Pick<EngineContext, 'clock' | 'monitor'>,
  { name, signal, pauseMs, intervalMs = 0, recover, onFailure }: Supervised,
  task: () => Promise<void | 'done'>,
): Promise<{ readonly hasFailed: boolean }> {
  let hasFailed = false
  const recovered = (): void => {
    if (hasFailed) monitor.recovered(name)
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
      if (intervalMs > 0) await sleep(clock, intervalMs, signal)
    } catch (cause) {
      hasFailed = true
      monitor.failed(name, cause)
      onFailure?.()
      await sleep(clock, pauseMs, signal)
    }
  return { hasFailed }
}
