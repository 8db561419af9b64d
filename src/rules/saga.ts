import { branded } from '../base/copy.ts'
import { frozen } from '../base/frozen.ts'
import type { CodeOf, CommandType, DataOf, EventType, MessageOf } from '../contract/message.ts'
import type { After, Become, Compensate, Finish, OneOrMany, Send } from './effect.ts'
import type { Heard } from './projection.ts'
import type { ConsumerOptions, NamedBy, Occasion, Rule } from './rule.ts'
import { on } from './rule.ts'

/** What a step of a saga may do; the sends are those that it declares. */
type Step<S, T, E> = OneOrMany<
  | Become<S>
  | Send<MessageOf<T>>
  | Compensate<MessageOf<T>>
  | After<MessageOf<T> | MessageOf<E>>
  | Finish
>

/** The `on` of a saga: what it hears, and the effects of the step. */
export interface SagaOn<S, T extends CommandType, E extends EventType, B extends string> {
  /** An event of any contract; its `by` field names the instance. */
  <H extends Heard>(
    event: H & NamedBy<H, B>,
    step: (event: DataOf<H>, state: S, occasion: Occasion) => Step<S, T, E>,
  ): Rule
  /** The owner refused a command of this instance. */
  refused<C extends T>(
    command: C,
    step: (
      refusal: {
        readonly code: CodeOf<C>
        readonly complaints: readonly string[]
        readonly command: DataOf<C>
      },
      state: S,
      occasion: Occasion,
    ) => Step<S, T, E>,
  ): Rule
  /** A command of this instance has become a dead letter: wait for a redrive, or undo it. */
  failed<C extends T>(
    command: C,
    step: (
      failure: { readonly reason: string; readonly command: DataOf<C> },
      state: S,
      occasion: Occasion,
    ) => Step<S, T, E>,
  ): Rule
}

/** Long-running coordination over services: the process manager. */
export interface Saga<N extends string = string, S = unknown> extends ConsumerOptions {
  readonly is: 'saga'
  readonly name: N
  readonly by: string
  readonly initial: S
  readonly sends: readonly CommandType[]
  readonly emits: readonly EventType[]
  readonly rules: readonly Rule[]
}

/**
 * Declares a saga: one instance for each value of the field `by`. A step returns effects as
 * values; the engine commits state, sends and timers together with the acknowledgement, so each
 * step happens once. Steps of one instance run one after another. After `finish` nothing revives
 * the instance.
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
    /** The events of its own service that a timer may publish. */
    readonly emits?: readonly E[]
  } & ConsumerOptions,
  rules: (on: SagaOn<S, T, E, B>) => readonly Rule[],
): Saga<N, S> {
  const { sends = [], emits = [] } = options as Partial<typeof options>
  const initial = frozen(options.initial)
  const answers = {
    refused: (command: CommandType, run: Rule['run']): Rule => ({
      on: command,
      hears: 'refused',
      run,
    }),
    failed: (command: CommandType, run: Rule['run']): Rule => ({
      on: command,
      hears: 'failed',
      run,
    }),
  }
  const sagaOn = Object.assign(
    (message: Heard, step: unknown): Rule => on(message, step),
    answers,
  ) as unknown as SagaOn<S, T, E, B>
  return branded({ ...options, is: 'saga', name, initial, sends, emits, rules: rules(sagaOn) })
}
