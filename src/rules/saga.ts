import { brand } from '../base/package-copy.ts'
import type { Issue } from '../base/errors/fault.ts'
import { deepFreeze } from '../base/deep-freeze.ts'
import type {
  RefusalCodeOf,
  CommandType,
  DataOf,
  EventType,
  MessageOf,
} from '../contract/message.ts'
import type { After, Become, Compensate, Finish, OneOrMany, Send } from './effect.ts'
import type { SubscribableType } from './projection.ts'
import type { ConsumerOptions, NamedBy, MessageContext, Rule } from './rule.ts'
import { on } from './rule.ts'

/** What a step of a saga may return; it may send only what the saga declares. */
type StepResult<S, T, E> = OneOrMany<
  | Become<S>
  | Send<MessageOf<T>>
  | Compensate<MessageOf<T>>
  | After<MessageOf<T> | MessageOf<E>>
  | Finish
>

/** The `on` of a saga: takes a message, and the function that returns the effects of the step. */
export interface SagaOn<S, T extends CommandType, E extends EventType, B extends string> {
  /** An event of any contract; its `by` field holds the instance id. */
  <H extends SubscribableType>(
    event: H & NamedBy<H, B>,
    step: (event: DataOf<H>, state: S, context: MessageContext) => StepResult<S, T, E>,
  ): Rule
  /** The owner refused a command that this instance sent. */
  refused<C extends T>(
    command: C,
    step: (
      refusal: {
        readonly code: RefusalCodeOf<C>
        readonly issues: readonly Issue[]
        readonly command: DataOf<C>
      },
      state: S,
      context: MessageContext,
    ) => StepResult<S, T, E>,
  ): Rule
  /** A command that this instance sent has become a dead letter: wait for a redrive, or compensate. */
  failed<C extends T>(
    command: C,
    step: (
      failure: { readonly reason: string; readonly command: DataOf<C> },
      state: S,
      context: MessageContext,
    ) => StepResult<S, T, E>,
  ): Rule
}

/** A process manager: long-running coordination across services. */
export interface Saga<N extends string = string, S = unknown> extends ConsumerOptions {
  readonly kind: 'saga'
  readonly name: N
  readonly by: string
  readonly initial: S
  readonly sends: readonly CommandType[]
  readonly emits: readonly EventType[]
  readonly rules: readonly Rule[]
}

/**
 * Declares a saga: one instance for each value of the field `by`. A step returns effects as values;
 * the engine commits state, sent messages and timers together with the progress, so each step takes
 * effect once. Steps of one instance run one after another. After `finish`, later messages do not
 * start the instance again.
 */
export function saga<
  const N extends string,
  const B extends string,
  S,
  T extends CommandType,
  E extends EventType = never,
>(
  name: N,
  options: {
    readonly by: B
    readonly initial: S
    /** The commands that it may send. */
    readonly sends: readonly T[]
    /** The events of its own service that a timer (`after`) may publish. */
    readonly emits?: readonly E[]
  } & ConsumerOptions,
  rules: (on: SagaOn<S, T, E, B>) => readonly Rule[],
): Saga<N, S> {
  const { sends = [], emits = [] } = options as Partial<typeof options>
  const initial = deepFreeze(options.initial)
  const answers = {
    refused: (command: CommandType, run: Rule['run']): Rule => ({
      on: command,
      trigger: 'refused',
      run,
    }),
    failed: (command: CommandType, run: Rule['run']): Rule => ({
      on: command,
      trigger: 'failed',
      run,
    }),
  }
  const sagaOn = Object.assign(
    (message: SubscribableType, step: unknown): Rule => on(message, step),
    answers,
  ) as unknown as SagaOn<S, T, E, B>
  return brand({ ...options, kind: 'saga', name, initial, sends, emits, rules: rules(sagaOn) })
}
