import { sleep } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { EngineContext } from '../context/index.ts'

const ATTEMPTS = 20

/**
 * Repeats a write that must succeed before anything runs, until `attempt` returns true: other
 * instances may write the same rows, and the store may not answer. Permanent errors are thrown.
 *
 * @throws Fault `STORE_UNKNOWN`
 */
export async function retryUntilWritten(
  { clock, options }: Pick<EngineContext, 'clock' | 'options'>,
  detail: string,
  attempt: () => Promise<boolean>,
): Promise<void> {
  let cause: unknown
  for (let count = 1; count <= ATTEMPTS; count += 1) {
    try {
      if (await attempt()) return
    } catch (thrown) {
      if (thrown instanceof Fault && !thrown.retryable) throw thrown
      cause = thrown
    }
    await sleep(clock, options.retryDelayMs)
  }
  throw new Fault('STORE_UNKNOWN', { detail, cause })
}
