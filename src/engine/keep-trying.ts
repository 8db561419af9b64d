import { pause } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { EngineTools } from './tools.ts'

const ATTEMPTS = 20

/**
 * Tries to write what must stand before anything runs, until `attempt` says that it does: others may
 * write the same at the same time, and a store may not answer. What will not change is thrown.
 *
 * @throws Fault `STORE_UNKNOWN`
 */
export async function keepTrying(
  { clock, options }: Pick<EngineTools, 'clock' | 'options'>,
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
    await pause(clock, options.retryDelayMs)
  }
  throw new Fault('STORE_UNKNOWN', { detail, cause })
}
