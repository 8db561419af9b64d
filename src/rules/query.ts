import { branded } from '../base/copy.ts'
import type { AnyContract } from '../contract/contract.ts'
import type { AnswerOf, DataOf, QuerySpec, QueryType, WireName } from '../contract/message.ts'
import { querySpec } from '../contract/message.ts'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Entity } from './entity.ts'
import type { Projection } from './projection.ts'
import type { Rule } from './rule.ts'
import { on } from './rule.ts'

/** What a query may read: rows of a projection, states of an entity; of its own service. */
export type Readable = Projection | Entity
type RowOf<T> =
  T extends Projection<string, infer R> ? R : T extends Entity<string, infer S> ? S : never
type IndexOf<T> = T extends Projection<string, unknown, infer I> ? I : never

/** One page of rows, in order of their ids. */
export interface Page<R> {
  readonly rows: readonly { readonly id: string; readonly row: R }[]
  /** Hand it back as `after` for the next page; absent at the end, or on the page after that. */
  readonly after?: string
}

/** The committed rows of one readable. */
export interface Reader<T> {
  /** One row by its id; an entity that has no history yet is `undefined`, too. */
  get(id: string): Promise<RowOf<T> | undefined>
  /** Rows whose indexed field has this value, or all rows; a page of at most 10,000. */
  find(
    where?: { readonly [K in IndexOf<T>]?: string | number },
    page?: { readonly after?: string | undefined; readonly limit?: number | undefined },
  ): Promise<Page<RowOf<T>>>
  /** All of them, one after another, in order of their ids; read in pages as they are needed. */
  all(where?: {
    readonly [K in IndexOf<T>]?: string | number
  }): AsyncIterable<Page<RowOf<T>>['rows'][number]>
}

/** Reads what the query has declared. */
export type Read<T extends Readable> = <E extends T>(readable: E) => Reader<E>

/** The `on` of a query: a query of the contract, and its answer. */
export interface AnswerOn<X, T extends Readable> {
  <Q extends Extract<X[keyof X], QueryType>>(
    query: Q,
    answer: (asked: DataOf<Q>, read: Read<T>) => Promise<AnswerOf<Q>> | AnswerOf<Q>,
  ): Rule
}

/** Answers to a contract's queries; reads only, never changes anything. */
export interface Query<N extends string = string> {
  readonly is: 'query'
  readonly name: N
  readonly of: AnyContract
  readonly reads: readonly Readable[]
  readonly rules: readonly Rule[]
}

/** Declares a query of a contract: a question without effect, and the schema of its answer. */
export function query<S extends StandardSchemaV1, A extends StandardSchemaV1>(
  schema: S,
  options: WireName & { readonly answers: A },
): QuerySpec<S, A>
/** Declares the rules that answer a contract's queries from rows of the same service. */
export function query<const N extends string, X extends AnyContract, T extends Readable>(
  name: N,
  options: { readonly of: X; readonly reads: readonly T[] },
  rules: (on: AnswerOn<X, T>) => readonly Rule[],
): Query<N>
export function query(
  first: string | StandardSchemaV1,
  options: { of: AnyContract; reads: readonly Readable[] } | { answers: StandardSchemaV1 },
  rules?: (on: never) => readonly Rule[],
): Query | QuerySpec {
  if (typeof first !== 'string') return querySpec(first, options as { answers: StandardSchemaV1 })
  const given = options as { of: AnyContract; reads: readonly Readable[] }
  return branded({ ...given, is: 'query', name: first, rules: rules?.(on as never) ?? [] })
}
