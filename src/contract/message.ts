import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Issue } from '../base/errors/fault.ts'

/** A synchronous Standard Schema that accepts its own output as input. */
export type Schema<D = unknown> = StandardSchemaV1<D, D>
type Out<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>

/**
 * A command asks its owner to do something, an event says what its owner has done, a query asks for
 * data without effect, a refusal is the stored "no" of an owner to a command.
 */
export type MessageKind = 'command' | 'event' | 'query' | 'refusal'

/** A message: created by calling a message type, returned by rules, passed to `send`. */
export interface Message<
  C extends string = string,
  N extends string = string,
  K extends MessageKind = MessageKind,
  D = unknown,
> {
  readonly contract: C
  readonly name: N
  readonly kind: K
  readonly data: D
}

/** A command; its type includes the codes with which it may be refused. */
export interface CommandMessage<
  C extends string = string,
  N extends string = string,
  D = unknown,
  R extends string = string,
> extends Message<C, N, 'command', D> {
  readonly code?: R
}

/** A query; its type includes the type of its answer. */
export interface QueryMessage<
  C extends string = string,
  N extends string = string,
  D = unknown,
  A = unknown,
> extends Message<C, N, 'query', D> {
  readonly answer?: A
}

/** The name of a message on the wire. Aliases are read but never written. */
export interface WireName {
  /** Default: `<contract>.<Name>`. */
  readonly wire?: string
  readonly aliases?: readonly string[]
}

/** An earlier version of a message: its schema, and the function that converts its data to the next version. */
export type Upcaster = readonly [schema: StandardSchemaV1, up: (data: never) => unknown]

type SchemaAfter<W, S, I> = W extends readonly [unknown, ...infer R]
  ? [...R, S][I & keyof [...R, S]]
  : never
type In<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : never

/**
 * The earlier versions of a message, oldest first: `[[v1, upcast], [v2, upcast]]`. Each `upcast` takes
 * data of its version and returns input for the schema of the next version. It must be pure and runs
 * when a message is read: stored data never changes.
 */
export type Upcasters<W extends readonly StandardSchemaV1[], S extends StandardSchemaV1> = {
  readonly [I in keyof W]: readonly [
    schema: W[I],
    up: (data: Out<W[I]>) => In<SchemaAfter<W, S, I>>,
  ]
}

/** The members that all message types have. */
export interface MessageTypeInfo<C extends string, N extends string, K extends MessageKind> {
  readonly contract: C
  readonly name: N
  readonly kind: K
  readonly wire: string
  readonly aliases: readonly string[]
  readonly schema: StandardSchemaV1
  /** The number of earlier versions plus 1. */
  readonly version: number
  readonly upcasters: readonly Upcaster[]
}

/** The constructor of a command. */
export interface CommandType<
  C extends string = string,
  N extends string = string,
  // The widest data type must accept, and be accepted as, every narrower one.
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
  // oxlint-disable-next-line typescript/no-explicit-any
  R extends string = any,
> extends MessageTypeInfo<C, N, 'command'> {
  (data: D): CommandMessage<C, N, D, R>
  readonly refuses: readonly R[]
  /** The type of the refusals of this command; any service may subscribe to it. */
  readonly refused: RefusalType<C, N, D, R>
}

/** The constructor of an event. */
export interface EventType<
  C extends string = string,
  N extends string = string,
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
> extends MessageTypeInfo<C, N, 'event'> {
  (data: D): Message<C, N, 'event', D>
}

/** The constructor of a query; `answers` is the schema of its answer. */
export interface QueryType<
  C extends string = string,
  N extends string = string,
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
  A = unknown,
> extends MessageTypeInfo<C, N, 'query'> {
  (data: D): QueryMessage<C, N, D, A>
  readonly answers: StandardSchemaV1
}

/** The data of a refusal: the code, details, and the refused command. */
export interface RefusalData<D, R extends string> {
  readonly code: R
  readonly issues: readonly Issue[]
  readonly command: D
}

/** The type of the refusals of a command. Only the engine creates them. */
export interface RefusalType<
  C extends string = string,
  N extends string = string,
  // oxlint-disable-next-line typescript/no-explicit-any
  D = any,
  // oxlint-disable-next-line typescript/no-explicit-any
  R extends string = any,
> extends MessageTypeInfo<C, `${N}Refused`, 'refusal'> {
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
/** The message that a message type creates. */
export type MessageOf<T> = T extends (data: never) => infer M ? M : never
/** The refusal codes of a command. */
export type RefusalCodeOf<T> = T extends { readonly refuses: readonly (infer R extends string)[] }
  ? R
  : never
/** The type of the answer to a query. */
export type AnswerOf<T> = T extends { readonly answers: infer S extends StandardSchemaV1 }
  ? Out<S>
  : never

/** The declaration of a command in a contract. */
export interface CommandSpec<
  S extends StandardSchemaV1 = StandardSchemaV1,
  R extends string = string,
> extends WireName {
  readonly kind: 'command'
  readonly schema: S
  readonly upcasters: readonly Upcaster[]
  readonly refuses: readonly R[]
  readonly refusal: WireName
}

/** The declaration of an event in a contract. */
export interface EventSpec<S extends StandardSchemaV1 = StandardSchemaV1> extends WireName {
  readonly kind: 'event'
  readonly schema: S
  readonly upcasters: readonly Upcaster[]
}

/** The declaration of a query in a contract. */
export interface QuerySpec<
  S extends StandardSchemaV1 = StandardSchemaV1,
  A extends StandardSchemaV1 = StandardSchemaV1,
> extends WireName {
  readonly kind: 'query'
  readonly schema: S
  readonly answers: A
}

/** Declares a command: a request to the service that owns the contract. */
export function command<
  S extends StandardSchemaV1,
  const R extends string = never,
  const W extends readonly StandardSchemaV1[] = readonly [],
>(
  schema: S,
  options: WireName & {
    /** The codes with which a decide rule may refuse the command. */
    readonly refuses?: readonly R[]
    /** The name of its refusals on the wire. Default: `<contract>.<Name>Refused`. */
    readonly refusal?: WireName
    /** Its earlier versions, oldest first; never remove one. */
    readonly upcasters?: Upcasters<W, S>
  } = {},
): CommandSpec<S, R> {
  const { refuses = [], refusal = {}, upcasters = [], ...names } = options
  return {
    ...names,
    kind: 'command',
    schema,
    upcasters: upcasters as readonly Upcaster[],
    refuses,
    refusal,
  }
}

/** Declares an event: a fact, published by the service that owns the contract. */
export function event<
  S extends StandardSchemaV1,
  const W extends readonly StandardSchemaV1[] = readonly [],
>(
  schema: S,
  options: WireName & {
    /** Its earlier versions, oldest first; never remove one. */
    readonly upcasters?: Upcasters<W, S>
  } = {},
): EventSpec<S> {
  const { upcasters = [], ...names } = options
  return { ...names, kind: 'event', schema, upcasters: upcasters as readonly Upcaster[] }
}

/** Declares a query and the schema of its answer. The service that owns the contract answers it. */
export function query<S extends StandardSchemaV1, A extends StandardSchemaV1>(
  schema: S,
  options: WireName & { readonly answers: A },
): QuerySpec<S, A> {
  return { ...options, kind: 'query', schema }
}
