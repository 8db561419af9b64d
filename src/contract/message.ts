import type { StandardSchemaV1 } from '@standard-schema/spec'

/** Any synchronous Standard Schema whose output it also accepts as input. */
export type Schema<D = unknown> = StandardSchemaV1<D, D>
type Out<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>

/**
 * A command asks one owner to do something, an event says what its owner has done, a query asks
 * without effect, a refusal is an owner's stored "no" to a command.
 */
export type Kind = 'command' | 'event' | 'query' | 'refusal'

/** A message: what a message type makes, what rules return, what `send` takes. */
export interface Message<
  C extends string = string,
  N extends string = string,
  K extends Kind = Kind,
  D = unknown,
> {
  readonly contract: C
  readonly name: N
  readonly kind: K
  readonly data: D
}

/** A command, which knows by its type how it may be refused. */
export interface CommandMessage<
  C extends string = string,
  N extends string = string,
  D = unknown,
  R extends string = string,
> extends Message<C, N, 'command', D> {
  readonly code?: R
}

/** A query, which knows by its type what it is answered. */
export interface QueryMessage<
  C extends string = string,
  N extends string = string,
  D = unknown,
  A = unknown,
> extends Message<C, N, 'query', D> {
  readonly answer?: A
}

/** How a message is called on the wire. Aliases are still read, never written. */
export interface WireName {
  /** Default: `<contract>.<Name>`. */
  readonly wire?: string
  readonly aliases?: readonly string[]
}

/** An earlier version of a message: its schema, and what makes the next version of its data. */
export type Earlier = readonly [schema: StandardSchemaV1, up: (data: never) => unknown]

type SchemaAfter<W, S, I> = W extends readonly [unknown, ...infer R]
  ? [...R, S][I & keyof [...R, S]]
  : never
type In<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : never

/**
 * The earlier versions of a message, oldest first: `[[v1, up], [v2, up]]`. Each `up` is handed what
 * was stored and returns what the schema of the next version takes. It is pure and runs at read:
 * what is stored never changes.
 */
export type Was<W extends readonly StandardSchemaV1[], S extends StandardSchemaV1> = {
  readonly [I in keyof W]: readonly [
    schema: W[I],
    up: (data: Out<W[I]>) => In<SchemaAfter<W, S, I>>,
  ]
}

/** What every message type says of itself. */
export interface About<C extends string, N extends string, K extends Kind> {
  readonly contract: C
  readonly name: N
  readonly kind: K
  readonly wire: string
  readonly aliases: readonly string[]
  readonly schema: StandardSchemaV1
  /** Counts from 1: one more than there are earlier ones. */
  readonly version: number
  readonly was: readonly Earlier[]
}

/** A command's constructor. Refusal codes are part of the contract. */
export interface CommandType<
  C extends string = string,
  N extends string = string,
  // The widest data type must accept, and be accepted as, every narrower one.
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
  // oxlint-disable-next-line typescript/no-explicit-any
  R extends string = any,
> extends About<C, N, 'command'> {
  (data: D): CommandMessage<C, N, D, R>
  readonly refuses: readonly R[]
  /** The stored "no" to this command, for anyone who listens. */
  readonly refused: RefusalType<C, N, D, R>
}

/** An event's constructor. */
export interface EventType<
  C extends string = string,
  N extends string = string,
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
> extends About<C, N, 'event'> {
  (data: D): Message<C, N, 'event', D>
}

/** A query's constructor; `answers` is the schema of what comes back. */
export interface QueryType<
  C extends string = string,
  N extends string = string,
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
  A = unknown,
> extends About<C, N, 'query'> {
  (data: D): QueryMessage<C, N, D, A>
  readonly answers: StandardSchemaV1
}

/** What a refusal says: the code, what is wrong in detail, and the command that was refused. */
export interface RefusalData<D, R extends string> {
  readonly code: R
  readonly complaints: readonly string[]
  readonly command: D
}

/** The type of a command's refusals. Only the engine makes them. */
export interface RefusalType<
  C extends string = string,
  N extends string = string,
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
  // oxlint-disable-next-line typescript/no-explicit-any
  R extends string = any,
> extends About<C, `${N}Refused`, 'refusal'> {
  (data: RefusalData<D, string>): Message<C, `${N}Refused`, 'refusal', RefusalData<D, R>>
  readonly code?: R
}

export type MessageType = CommandType | EventType | QueryType | RefusalType

/** The data of a message type. */
export type DataOf<T> =
  T extends RefusalType<string, string, infer D, infer R>
    ? RefusalData<D, R>
    : T extends (data: infer D) => unknown
      ? D
      : never
/** The message that a message type makes. */
export type MessageOf<T> = T extends (data: never) => infer M ? M : never
/** The refusal codes of a command. */
export type CodeOf<T> = T extends { readonly refuses: readonly (infer R extends string)[] }
  ? R
  : never
/** What a query answers. */
export type AnswerOf<T> = T extends { readonly answers: infer S extends StandardSchemaV1 }
  ? Out<S>
  : never

/** A command as a contract declares it. */
export interface CommandSpec<
  S extends StandardSchemaV1 = StandardSchemaV1,
  R extends string = string,
> extends WireName {
  readonly kind: 'command'
  readonly schema: S
  readonly was: readonly Earlier[]
  readonly refuses: readonly R[]
  readonly refusal: WireName
}

/** An event as a contract declares it. */
export interface EventSpec<S extends StandardSchemaV1 = StandardSchemaV1> extends WireName {
  readonly kind: 'event'
  readonly schema: S
  readonly was: readonly Earlier[]
}

/** A query as a contract declares it. */
export interface QuerySpec<
  S extends StandardSchemaV1 = StandardSchemaV1,
  A extends StandardSchemaV1 = StandardSchemaV1,
> extends WireName {
  readonly kind: 'query'
  readonly schema: S
  readonly answers: A
}

/** Declares a command: a request to the one service that owns the contract. */
export function command<
  S extends StandardSchemaV1,
  const R extends string = never,
  const W extends readonly StandardSchemaV1[] = readonly [],
>(
  schema: S,
  options: WireName & {
    /** The codes with which a decision may refuse it. */
    readonly refuses?: readonly R[]
    /** How its refusals are called on the wire. Default: `<contract>.<Name>Refused`. */
    readonly refusal?: WireName
    /** Its earlier versions, oldest first; none is ever taken out. */
    readonly was?: Was<W, S>
  } = {},
): CommandSpec<S, R> {
  const { refuses = [], refusal = {}, was = [], ...names } = options
  return { ...names, kind: 'command', schema, was: was as readonly Earlier[], refuses, refusal }
}

/** Declares an event: a fact, published by the one service that owns the contract. */
export function event<
  S extends StandardSchemaV1,
  const W extends readonly StandardSchemaV1[] = readonly [],
>(
  schema: S,
  options: WireName & {
    /** Its earlier versions, oldest first; none is ever taken out. */
    readonly was?: Was<W, S>
  } = {},
): EventSpec<S> {
  const { was = [], ...names } = options
  return { ...names, kind: 'event', schema, was: was as readonly Earlier[] }
}

/** Declares a query: a question without effect, and the schema of its answer. */
export function querySpec<S extends StandardSchemaV1, A extends StandardSchemaV1>(
  schema: S,
  options: WireName & { readonly answers: A },
): QuerySpec<S, A> {
  return { ...options, kind: 'query', schema }
}
