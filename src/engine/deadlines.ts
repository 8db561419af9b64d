import type { Clock } from '../base/clock.ts'
import { within } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { EventLog } from '../ports/log.ts'
import type { Backend } from '../ports/store.ts'
import { through } from '../ports/through.ts'

/**
 * A backend of which every call ends in time: one that does not answer within the deadline throws,
 * and what it was to do counts as unknown. A read that may wait has that time on top. Opening and
 * closing may take as long as they take, and so may compaction, which nobody waits for.
 *
 * @throws Fault `LOG_UNKNOWN`, `STORE_UNKNOWN`
 */
export function withDeadlines(backend: Backend, clock: Clock, deadlineMs: number): Backend {
  return through(backend, async (call, run, args) => {
    if (call === 'log.compact') return run()
    const ms = deadlineMs + (call === 'log.read' ? waitMsOf(args) : 0)
    const answer = await within(
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
