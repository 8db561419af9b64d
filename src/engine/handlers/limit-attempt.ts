import type { Clock } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { Attempt, HandlerCall } from '../execution/index.ts'

/**
 * Ends an attempt that takes longer than its handler may: its signal aborts, and it counts as an error.
 * What the handler still does has no effect here.
 */
export async function limitAttempt(
  clock: Pick<Clock, 'after'>,
  { subscription, inbound }: HandlerCall,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<Attempt | undefined>,
): Promise<Attempt | undefined> {
  const { name, rule } = subscription.consumer
  if (rule.kind !== 'handler') return undefined
  const { timeoutMs } = rule
  const late = new AbortController()
  let cancel = (): void => undefined
  const timedOut = new Promise<Attempt>((resolve) => {
    cancel = clock.after(timeoutMs, () => {
      const ids = { id: inbound.context.messageId, consumer: name }
      const cause = new Fault('HANDLER_TIMEOUT', { detail: `${name} after ${timeoutMs} ms`, ids })
      late.abort(cause)
      resolve({ status: 'failed', cause })
    })
  })
  try {
    return await Promise.race([attempt(AbortSignal.any([signal, late.signal])), timedOut])
  } finally {
    cancel()
  }
}
