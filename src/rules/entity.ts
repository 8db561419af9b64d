import { branded } from '../base/copy.ts'
import { frozen } from '../base/frozen.ts'
import type { AnyContract } from '../contract/contract.ts'
import type { CodeOf, CommandType, DataOf, EventType, MessageOf } from '../contract/message.ts'
import type { OneOrMany, Refusal } from './effect.ts'
import type { ConsumerOptions, NamedBy, Occasion, Rule, Several } from './rule.ts'
import { on } from './rule.ts'

/** The commands and the events of a contract. */
export type CommandsOf<X> = Extract<X[keyof X], CommandType>
export type EventsOf<X> = Extract<X[keyof X], EventType>

/** What a decision may be: events of its own contract, nothing at all, or a refusal by contract. */
type Decision<X, T> = OneOrMany<MessageOf<EventsOf<X>>> | Refusal<CodeOf<T>>

/** A decide rule that remembers what it may return. */
export interface DecideRule<R = unknown> extends Rule {
  readonly decides?: R
}

/** An evolve rule: what `evolve` lists. */
export interface EvolveRule extends Rule {
  readonly evolves?: true
}

/** The `on` of decide rules: a command of the contract, and what is decided. */
export interface DecideOn<X, S, I extends string> {
  /** Decides over the one entity that the command's id names. */
  <T extends CommandsOf<X>, R extends Decision<X, T>>(
    command: T & NamedBy<T, I>,
    decide: (command: DataOf<T>, state: S, occasion: Occasion) => R,
  ): DecideRule<R>
  /** Decides over several entities at once, all or nothing. */
  <T extends CommandsOf<X>, R extends Decision<X, T>>(
    command: T,
    several: Several<DataOf<T>>,
    decide: (command: DataOf<T>, states: ReadonlyMap<string, S>, occasion: Occasion) => R,
  ): DecideRule<R>
}

/** The `on` of evolve rules: an event, and the next state. */
export interface EvolveOn<E extends EventType, S, I extends string> {
  <T extends E>(
    event: T & NamedBy<T, I>,
    evolve: (event: DataOf<T>, state: S, id: string) => S,
  ): EvolveRule
  /** One event that is about several entities; the rule runs once for each. */
  <T extends E>(
    event: T,
    several: Several<DataOf<T>>,
    evolve: (event: DataOf<T>, state: S, id: string) => S,
  ): EvolveRule
}

type Flat<R> = R extends readonly (infer M)[] ? M : R
/** The events that a list of decide rules may return, as types of the contract. */
type DecidedBy<X, D> = D extends readonly DecideRule<infer R>[]
  ? Extract<EventsOf<X>, { readonly name: Extract<Flat<R>, { name: string }>['name'] }>
  : never

/** What `entity` is given beside its rules. */
export interface EntityOptions<
  X extends AnyContract,
  S,
  H extends EventType,
  M extends EventType,
  I extends string = string,
> extends ConsumerOptions {
  /** The contract whose commands it decides and whose events it may publish. */
  readonly of: X
  /** The field that names the entity in every message; a rule about several gives `ids` instead. */
  readonly id: I
  readonly initial: S
  /** The events it may publish. Default: every event of the contract. */
  readonly emits?: readonly M[]
  /** Events that other entities of the contract decide, and that change this one as well. */
  readonly hears?: readonly H[]
  /**
   * Raise it when what the evolve rules call has changed: then every state is folded again. A change
   * of the rules themselves is seen without. Default 1.
   */
  readonly version?: number
}

/** A thing with an id, a state and rules; its events are its history. */
export interface Entity<N extends string = string, S = unknown> extends ConsumerOptions {
  readonly is: 'entity'
  readonly name: N
  readonly of: AnyContract
  readonly id: string
  readonly initial: S
  readonly version: number
  readonly emits?: readonly EventType[]
  readonly hears: readonly EventType[]
  readonly decide: readonly DecideRule[]
  readonly evolve: readonly EvolveRule[]
}

/**
 * Declares an entity. `decide` answers a command with events or a refusal, knowing the state;
 * `evolve` folds each event into the state. Both are pure: same input, same result. The state is
 * plain JSON data and is never changed in place.
 *
 * The engine commits events, states and the command's acknowledgement in one unit. Two units that
 * decide over the same entity cannot both commit: the second decides again on the new state. When
 * the evolve rules have changed, a state is folded again from the entity's own events before it is
 * looked at.
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
  const { hears = [], version = 1, ...rest } = options
  return branded({
    is: 'entity',
    name,
    ...rest,
    initial: frozen(options.initial),
    version,
    hears,
    decide: rules.decide(on as DecideOn<X, S, I>),
    evolve: rules.evolve(on as EvolveOn<DecidedBy<X, D> | H, S, I>),
  })
}
