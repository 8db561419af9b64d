import { brand } from '../base/package-copy.ts'
import { deepFreeze } from '../base/deep-freeze.ts'
import type { AnyContract } from '../contract/contract.ts'
import type {
  RefusalCodeOf,
  CommandType,
  DataOf,
  EventType,
  MessageOf,
} from '../contract/message.ts'
import type { OneOrMany, Refusal } from './effect.ts'
import type { ConsumerOptions, NamedBy, MessageContext, Rule, IdSelector } from './rule.ts'
import { on } from './rule.ts'

/** The commands and the events of a contract. */
export type CommandsOf<X> = Extract<X[keyof X], CommandType>
export type EventsOf<X> = Extract<X[keyof X], EventType>

/** What a decide rule may return: events of its contract, an empty array, or a declared refusal. */
type Decision<X, T> = OneOrMany<MessageOf<EventsOf<X>>> | Refusal<RefusalCodeOf<T>>

/** A decide rule, with the type of what it returns. */
export interface DecideRule<R = unknown> extends Rule {
  readonly decides?: R
}

/** An evolve rule: an item of `evolve`. */
export interface EvolveRule extends Rule {
  readonly evolves?: true
}

/** The `on` of decide rules: takes a command of the contract, and the function that decides. */
export interface DecideOn<X, S, I extends string> {
  /** Decides on the one entity that the id field of the command names. */
  <T extends CommandsOf<X>, R extends Decision<X, T>>(
    command: T & NamedBy<T, I>,
    decide: (command: DataOf<T>, state: S, context: MessageContext) => R,
  ): DecideRule<R>
  /** Decides on several entities at once, all or nothing. */
  <T extends CommandsOf<X>, R extends Decision<X, T>>(
    command: T,
    several: IdSelector<DataOf<T>>,
    decide: (command: DataOf<T>, states: ReadonlyMap<string, S>, context: MessageContext) => R,
  ): DecideRule<R>
}

/** The `on` of evolve rules: takes an event, and the function that returns the next state. */
export interface EvolveOn<E extends EventType, S, I extends string> {
  <T extends E>(
    event: T & NamedBy<T, I>,
    evolve: (event: DataOf<T>, state: S, id: string) => S,
  ): EvolveRule
  /** For an event that concerns several entities; the rule runs once for each. */
  <T extends E>(
    event: T,
    several: IdSelector<DataOf<T>>,
    evolve: (event: DataOf<T>, state: S, id: string) => S,
  ): EvolveRule
}

type Flattened<R> = R extends readonly (infer M)[] ? M : R
/** The event types of the contract that a list of decide rules may return. */
type DecidedBy<X, D> = D extends readonly DecideRule<infer R>[]
  ? Extract<EventsOf<X>, { readonly name: Extract<Flattened<R>, { name: string }>['name'] }>
  : never

/** The options of `entity`. */
export interface EntityOptions<
  X extends AnyContract,
  S,
  H extends EventType,
  M extends EventType,
  I extends string = string,
> extends ConsumerOptions {
  /** The contract whose commands the entity decides and whose events it publishes. */
  readonly of: X
  /** The field that holds the entity's id in every message; a rule for several entities gives `ids` instead. */
  readonly id: I
  readonly initial: S
  /** The events that it may publish. Default: every event of the contract. */
  readonly emits?: readonly M[]
  /** Events that other entities of the contract publish and that change this one, too. */
  readonly receives?: readonly H[]
  /**
   * Raise it when functions that the evolve rules call have changed: every state is then folded again.
   * A change of the rules themselves is detected. Default 1.
   */
  readonly version?: number
}

/** An event-sourced entity: an id, a state, and rules that decide commands and fold events. */
export interface Entity<N extends string = string, S = unknown> extends ConsumerOptions {
  readonly kind: 'entity'
  readonly name: N
  readonly of: AnyContract
  readonly id: string
  readonly initial: S
  readonly version: number
  readonly emits?: readonly EventType[]
  readonly receives: readonly EventType[]
  readonly decide: readonly DecideRule[]
  readonly evolve: readonly EvolveRule[]
}

/**
 * Declares an entity. `decide` rules answer a command with events or a refusal, given the current
 * state; `evolve` rules fold each event into the state. Both must be pure. The state is plain JSON
 * data and is never changed in place.
 *
 * The engine commits events, states and the progress of the command in one unit of work. Two units
 * that decide on the same entity cannot both commit: the second decides again on the new state. When
 * the evolve rules have changed, a state is folded again from the entity's events before it is read.
 */
export function entity<
  const N extends string,
  X extends AnyContract,
  S,
  D extends readonly DecideRule[],
  H extends EventsOf<X> = never,
  M extends EventsOf<X> = EventsOf<X>,
  const I extends string = string,
>(
  name: N,
  options: EntityOptions<X, S, H, M, I>,
  rules: {
    readonly decide: (on: DecideOn<X, S, I>) => D
    readonly evolve: (on: EvolveOn<DecidedBy<X, D> | H, S, I>) => readonly EvolveRule[]
  },
): Entity<N, S> {
  const { receives = [], version = 1, ...rest } = options
  return brand({
    kind: 'entity',
    name,
    ...rest,
    initial: deepFreeze(options.initial),
    version,
    receives,
    decide: rules.decide(on as DecideOn<X, S, I>),
    evolve: rules.evolve(on as EvolveOn<DecidedBy<X, D> | H, S, I>),
  })
}
