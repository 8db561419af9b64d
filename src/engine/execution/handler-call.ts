import type { Subscription } from '../plan/index.ts'
import type { InboundMessage, RuleRun } from './rule-run.ts'
import type { Handler } from '../../rules/handler.ts'
import { toList } from '../../rules/effect.ts'
import type { OneOrMany, Send } from '../../rules/effect.ts'
import type { Message } from '../../contract/message.ts'
import { ruleFault, publish } from './rule-run.ts'

/** The result of one handler call. */
export type Attempt =
  | { readonly status: 'handled'; readonly returned: unknown }
  | { readonly status: 'failed'; readonly cause: unknown }
  /** The handler asked for a later retry. Not an error. */
  | { readonly status: 'later'; readonly delayMs: number }
  /** Still running when its batch is acknowledged: held until it ends. */
  | { readonly status: 'running' }

/** A handler and the message to call it with. */
export interface HandlerCall {
  readonly subscription: Subscription
  readonly inbound: InboundMessage
}

/** Runs handlers that ask for a thread. */
export interface HandlerThreads {
  /** Calls a handler in a thread; `undefined` where the signal aborts before the call begins. */
  attempt(call: HandlerCall, signal: AbortSignal): Promise<Attempt | undefined>
  /** Ends every thread, in the middle of a call or not. Abort the signals of all calls first. */
  stop(): Promise<void>
}

/** Stages the messages that a handler returned, to be stored with its acknowledgement. */
export function stageHandlerResult(step: RuleRun, handler: Handler, returned: unknown): void {
  for (const each of toList(returned as OneOrMany<Send | Message> | undefined)) {
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
