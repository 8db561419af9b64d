import type { Clock } from '../../base/time/clock.ts'
import { readProperty } from '../../base/errors/thrown-error.ts'
import type { RetryAfter } from '../../rules/effect.ts'
import type { HandlerContext } from '../../rules/handler.ts'
import { callRule } from '../../rules/rule.ts'
import type { ComputeBudget, RunningCalls } from '../context/index.ts'
import { ruleFault } from '../execution/index.ts'
import type { Attempt, HandlerCall, HandlerThreads } from '../execution/index.ts'
import { limitAttempt } from './limit-attempt.ts'

/** What is needed to call handlers. */
export interface HandlerRuntime {
  readonly clock: Pick<Clock, 'after'>
  /** The tools of `start`, which handlers use to reach other systems. */
  readonly tools: Readonly<Record<string, unknown>>
  readonly budget: Pick<ComputeBudget, 'begin' | 'end'>
  readonly runningCalls: Pick<RunningCalls, 'begin'>
  /** Absent if there are no threads. */
  readonly threads: Pick<HandlerThreads, 'attempt'> | undefined
}

/**
 * Calls a handler. An error it throws is returned as a result; `undefined` if it was not called
 * before the signal aborted.
 */
export async function callHandler(
  { clock, tools, budget, runningCalls, threads }: HandlerRuntime,
  call: HandlerCall,
  signal: AbortSignal,
  computed: (tookMs: number) => void = () => undefined,
): Promise<Attempt | undefined> {
  const { subscription, inbound } = call
  if (signal.aborted) return undefined
  // Decoding may run upcasters, which count toward the time of the rule.
  budget.begin()
  const { fault } = inbound
  if (fault) {
    computed(budget.end(call))
    return { status: 'failed', cause: fault }
  }
  const { rule: handler } = subscription.consumer
  if (handler.kind !== 'handler') return undefined
  if (threads && handler.thread !== undefined) return threads.attempt(call, signal)
  return limitAttempt(clock, call, signal, (both) =>
    callInProcess({ tools, budget, runningCalls }, call, both, computed),
  )
}

async function callInProcess(
  { tools, budget, runningCalls }: Pick<HandlerRuntime, 'tools' | 'budget' | 'runningCalls'>,
  call: HandlerCall,
  signal: AbortSignal,
  computed: (tookMs: number) => void,
): Promise<Attempt> {
  const { subscription, inbound } = call
  const context: HandlerContext = { ...createHandlerContext(call), signal }
  const end = runningCalls.begin(subscription.consumer.name)
  try {
    let running: unknown
    try {
      running = callRule(subscription.rule, inbound.data, tools, context)
    } finally {
      // Only the synchronous part blocks the event loop, and only that part can be measured.
      computed(budget.end(call))
    }
    const returned: unknown = await running
    return retryAfterIn(returned) ?? { status: 'handled', returned }
  } catch (cause) {
    return retryAfterIn(cause) ?? { status: 'failed', cause }
  } finally {
    end()
  }
}

/** The result, if a handler has asked to be called later. */
export function retryAfterIn(answer: unknown): Attempt | undefined {
  if (readProperty(answer, 'effect') !== 'retry-after') return undefined
  const delayMs = readProperty(answer, 'delayMs') as RetryAfter['delayMs']
  if (Number.isFinite(delayMs) && delayMs >= 0) return { status: 'later', delayMs }
  const cause = ruleFault('retryAfter takes a number of milliseconds, 0 or more')
  return { status: 'failed', cause }
}

/** The context of a handler call, without the signal. */
export function createHandlerContext({
  subscription,
  inbound,
}: HandlerCall): Omit<HandlerContext, 'signal'> {
  const effectKey = `${subscription.consumer.id}:${inbound.envelope.id}`
  return { ...inbound.context, effectKey }
}
