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

/** What became of one attempt to handle a message outside. */
export type Attempt =
  | { readonly is: 'handled'; readonly returned: unknown }
  | { readonly is: 'failed'; readonly cause: unknown }
  /** The handler asked for it: no fault. */
  | { readonly is: 'later'; readonly delayMs: number }
  /** Its ack waits for nobody any more: until it has ended, it is held. */
  | { readonly is: 'under way' }

/** A handler and the message that it is called with. */
export interface Call {
  readonly reaction: Reaction
  readonly arrival: Arrival
}

/** What handlers are called with, and where. */
export interface Calling {
  /** What they touch the outside with. */
  readonly tools: Readonly<Record<string, unknown>>
  readonly budget: Pick<Budget, 'begin' | 'end'>
  readonly calls: Pick<Calls, 'begin'>
  /** Where those run that ask for a thread; absent where there are no threads. */
  readonly threads:
    | { attempt(call: Call, signal: AbortSignal): Promise<Attempt | undefined> }
    | undefined
}

/** Calls a handler; whatever it throws is an answer here. Nothing where it was not called in time. */
export async function attempt(
  { tools, budget, calls, threads }: Calling,
  call: Call,
  signal: AbortSignal,
  computed: (tookMs: number) => void = () => undefined,
): Promise<Attempt | undefined> {
  const { reaction, arrival } = call
  if (signal.aborted) return undefined
  // Reading the message may run upcasters, which take their time as the rule does.
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
      // Once it waits for something others have their turns, and it cannot be told apart.
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

/** Whether a handler has asked to be called later. */
export function laterIn(answer: unknown): Attempt | undefined {
  if (memberOf(answer, 'effect') !== 'retry-after') return undefined
  const delayMs = memberOf(answer, 'delayMs') as RetryAfter['delayMs']
  if (Number.isFinite(delayMs) && delayMs >= 0) return { is: 'later', delayMs }
  const cause = ruleFault('retryAfter takes a number of milliseconds, from 0 on')
  return { is: 'failed', cause }
}

/** What a handler is told beside the event, but for the signal, which is its caller's. */
export function handlingOf({ reaction, arrival }: Call): Omit<Handling, 'signal'> {
  const effectKey = `${reaction.consumer.id}:${arrival.envelope.id}`
  return { ...arrival.occasion, effectKey }
}

/** Stages what a handler returned, to be sent with its acknowledgement. */
export function handled(step: Step, handler: Handler, returned: unknown): void {
  for (const each of listOf(returned as OneOrMany<Send | Message> | undefined)) {
    if (typeof each !== 'object' || each === null)
      throw ruleFault(`handler ${handler.name} returned ${each === null ? 'null' : typeof each}`)
    const message = 'effect' in each ? each.message : each
    const declared = message.kind === 'command' ? handler.sends : handler.emits
    const { contract, name } = message
    if (!declared.some((type) => type.contract === contract && type.name === name))
      throw ruleFault(
        `handler ${handler.name} does not declare ${contract}.${name}: add it to its sends, or to its ` +
          `emits where it is an event of its own service`,
      )
    publish(step, message)
  }
}
