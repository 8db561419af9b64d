import type { Message } from '../contract/message.ts'
import type { OneOrMany, RetryAfter, Send } from '../rules/effect.ts'
import { listOf } from '../rules/effect.ts'
import type { Handler, Handling } from '../rules/handler.ts'
import type { Reaction } from './plan.ts'
import type { Arrival, Step } from './step.ts'
import { occasionOf, publish, ruleFault } from './step.ts'

/** What became of one attempt to handle a message outside. */
export type Attempt =
  | { readonly is: 'handled'; readonly returned: unknown }
  | { readonly is: 'failed'; readonly cause: unknown }
  /** The handler asked for it: no fault. */
  | { readonly is: 'later'; readonly delayMs: number }
  /** Its ack waits for nobody any more: until it has ended, it is held. */
  | { readonly is: 'under way' }

/** Calls a handler; whatever it throws is an answer here. */
export async function attempt(
  reaction: Reaction,
  arrival: Arrival,
  tools: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Attempt> {
  const { consumer, rule } = reaction
  if (arrival.fault) return { is: 'failed', cause: arrival.fault }
  const effectKey = `${consumer.id}:${arrival.envelope.id}`
  const handling: Handling = { ...occasionOf(arrival), effectKey, signal }
  try {
    const returned: unknown = await rule.run(arrival.data as never, tools as never, handling)
    return laterIn(returned) ?? { is: 'handled', returned }
  } catch (cause) {
    return laterIn(cause) ?? { is: 'failed', cause }
  }
}

/** Whether a handler has asked to be called later. */
function laterIn(answer: unknown): Attempt | undefined {
  if ((answer as Partial<RetryAfter> | null | undefined)?.effect !== 'retry-after') return undefined
  const { delayMs } = answer as RetryAfter
  if (Number.isFinite(delayMs) && delayMs >= 0) return { is: 'later', delayMs }
  const cause = ruleFault('retryAfter takes a number of milliseconds, from 0 on')
  return { is: 'failed', cause }
}

/** Stages what a handler returned, to be sent with its acknowledgement. */
export function handled(step: Step, returned: unknown): void {
  const handler = step.reaction.consumer.rule as Handler
  for (const each of listOf(returned as OneOrMany<Send | Message> | undefined)) {
    if (typeof each !== 'object' || each === null)
      throw ruleFault(`handler ${handler.name} returned ${each === null ? 'null' : typeof each}`)
    const message = 'effect' in each ? each.message : each
    const declared = message.kind === 'command' ? handler.sends : handler.emits
    const { contract, name } = message
    if (!declared.some((type) => type.contract === contract && type.name === name))
      throw ruleFault(`handler ${handler.name} does not declare ${contract}.${name}`)
    publish(step, message)
  }
}
