import type { Clock } from '../../base/time/clock.ts'
import { withTimeout } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { EventLog } from '../../ports/event-log.ts'
import type { Backend } from '../../ports/event-store.ts'
import { intercept } from '../../ports/intercept.ts'

/**
 * Wraps a backend so that every call ends in time: a call that exceeds the deadline throws, and its
 * outcome is unknown. A read that waits gets its waiting time on top. Opening, closing and
 * compaction have no deadline.
 *
 * @throws Fault `LOG_UNKNOWN`, `STORE_UNKNOWN`
 */
export function withDeadlines(backend: Backend, clock: Clock, deadlineMs: number): Backend {
  return intercept(backend, async (call, run, args) => {
    if (call === 'log.compact') return run()
    const ms = deadlineMs + (call === 'log.read' ? waitMsOf(args) : 0)
    const answer = await withTimeout(
      clock,
      ms,
      run().then((value) => ({ value })),
    )
    if (answer) return answer.value
    const code = call.startsWith('log.') ? 'LOG_UNKNOWN' : 'STORE_UNKNOWN'
    throw new Fault(code, { detail: `${call} did not answer within ${ms} ms` })
  })
}

function waitMsOf(args: readonly unknown[]): number {
  const [, , wait] = args as Parameters<EventLog['read']>
  return wait.ms
}
