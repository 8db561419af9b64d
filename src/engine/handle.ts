import { memberOf } from '../base/thrown.ts'
import type { Message } from '../contract/message.ts'
import type { OneOrMany, RetryAfter, Send } from '../rules/effect.ts'
import { listOf } from '../rules/effect.ts'
import type { Handler, Handling } from '../rules/handler.ts'
import { callRule } from '../rules/rule.ts'
import type { Budget } from './budget.ts'
import type { Calls } from './calls.ts'
import type { Reaction } from './plan.ts'
import type { Arrival, Step } from './step.ts'
import { publish, ruleFault } from './step.ts'

/** The result of one handler call. */
export type Attempt =
  | { readonly is: 'handled'; readonly returned: unknown }
  | { readonly is: 'failed'; readonly cause: unknown }
  /** The handler asked for a later retry. Not an error. */
  | { readonly is: 'later'; readonly delayMs: number }
  /** Still running when its batch is acknowledged: held until it ends. */
  | { readonly is: 'running' }

/** A handler and the message to call it with. */
export interface Call {
  readonly reaction: Reaction
  readonly arrival: Arrival
}

/** What is needed to call handlers. */
export interface Calling {
  /** The tools of `start`, which handlers use to reach other systems. */
  readonly tools: Readonly<Record<string, unknown>>
  readonly budget: Pick<Budget, 'begin' | 'end'>
  readonly calls: Pick<Calls, 'begin'>
  /** Runs handlers that ask for a thread. Absent if there are no threads. */
  readonly threads:
    | { attempt(call: Call, signal: AbortSignal): Promise<Attempt | undefined> }
    | undefined
}

/**
 * Calls a handler. An error it throws is returned as a result; `undefined` if it was not called
 * before the signal aborted.
 */
export async function attempt(
  { tools, budget, calls, threads }: Calling,
  call: Call,
  signal: AbortSignal,
  computed: (tookMs: number) => void = () => undefined,
): Promise<Attempt | undefined> {
  const { reaction, arrival } = call
  if (signal.aborted) return undefined
  // Decoding may run upcasters, which count toward the time of the rule.
  budget.begin()
  const { fault } = arrival
  if (fault) {
    computed(budget.end(call))
    return { is: 'failed', cause: fault }
  }
  const { rule: handler } = reaction.consumer
  if (threads && handler.is === 'handler' && handler.thread !== undefined)
    return threads.attempt(call, signal)
  const handling: Handling = { ...handlingOf(call), signal }
  const end = calls.begin(reaction.consumer.name)
  try {
    let running: unknown
    try {
      running = callRule(reaction.rule, arrival.data, tools, handling)
    } finally {
      // Only the synchronous part blocks the event loop, and only that part can be measured.
      computed(budget.end(call))
    }
    const returned: unknown = await running
    return laterIn(returned) ?? { is: 'handled', returned }
  } catch (cause) {
    return laterIn(cause) ?? { is: 'failed', cause }
  } finally {
    end()
  }
}

/** The result, if a handler has asked to be called later. */
export function laterIn(answer: unknown): Attempt | undefined {
  if (memberOf(answer, 'effect') !== 'retry-after') return undefined
  const delayMs = memberOf(answer, 'delayMs') as RetryAfter['delayMs']
  if (Number.isFinite(delayMs) && delayMs >= 0) return { is: 'later', delayMs }
  const cause = ruleFault('retryAfter takes a number of milliseconds, 0 or more')
  return { is: 'failed', cause }
}

/** The context of a handler call, without the signal. */
export function handlingOf({ reaction, arrival }: Call): Omit<Handling, 'signal'> {
  const effectKey = `${reaction.consumer.id}:${arrival.envelope.id}`
  return { ...arrival.occasion, effectKey }
}

/** Stages the messages that a handler returned, to be stored with its acknowledgement. */
export function handled(step: Step, handler: Handler, returned: unknown): void {
  for (const each of listOf(returned as OneOrMany<Send | Message> | undefined)) {
    if (typeof each !== 'object' || each === null)
      throw ruleFault(
        `handler ${handler.name} returned ${each === null ? 'null' : typeof each}: return messages or nothing`,
      )
    const message = 'effect' in each ? each.message : each
    const declared = message.kind === 'command' ? handler.sends : handler.emits
    const { contract, name } = message
    if (!declared.some((type) => type.contract === contract && type.name === name))
      throw ruleFault(
        `handler ${handler.name} returned ${contract}.${name} without declaring it: add it to its sends, ` +
          `or to its emits if it is an event of its own service`,
      )
    publish(step, message)
  }
}
