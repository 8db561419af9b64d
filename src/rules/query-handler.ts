import { brand } from '../base/package-copy.ts'
import type { AnyContract } from '../contract/contract.ts'
import type { AnswerOf, DataOf, QueryType } from '../contract/message.ts'
import type { Entity } from './entity.ts'
import type { Projection } from './projection.ts'
import type { Rule } from './rule.ts'
import { on } from './rule.ts'

/** What a query handler may read: rows of a projection or states of an entity, of its own service. */
export type Readable = Projection | Entity
type RowOf<T> =
  T extends Projection<string, infer R> ? R : T extends Entity<string, infer S> ? S : never
type IndexOf<T> = T extends Projection<string, unknown, infer I> ? I : never

/** One page of rows, ordered by id. */
export interface RowPage<R> {
  readonly rows: readonly { readonly id: string; readonly row: R }[]
  /** Pass it as `after` to get the next page. Absent on the last page; that page may be empty. */
  readonly next?: string
}

/** Reads the committed rows of one projection or states of one entity. */
export interface RowReader<T> {
  /** One row by id; `undefined` if there is none, or if an entity has no events yet. */
  get(id: string): Promise<RowOf<T> | undefined>
  /** Rows whose indexed field has this value, or all rows; at most 10,000 per page. */
  find(
    where?: { readonly [K in IndexOf<T>]?: string | number },
    page?: { readonly after?: string | undefined; readonly limit?: number | undefined },
  ): Promise<RowPage<RowOf<T>>>
  /** All such rows one after another, ordered by id; read page by page while you iterate. */
  all(where?: {
    readonly [K in IndexOf<T>]?: string | number
  }): AsyncIterable<RowPage<RowOf<T>>['rows'][number]>
}

/** Gives the reader of a projection or entity that the query handler declares in `reads`. */
export type ReadRows<T extends Readable> = <E extends T>(readable: E) => RowReader<E>

/** The `on` of a query handler: takes a query of the contract, and the function that answers it. */
export interface AnswerOn<X, T extends Readable> {
  <Q extends Extract<X[keyof X], QueryType>>(
    query: Q,
    answer: (asked: DataOf<Q>, read: ReadRows<T>) => Promise<AnswerOf<Q>> | AnswerOf<Q>,
  ): Rule
}

/** Answers queries of a contract. It only reads. */
export interface QueryHandler<N extends string = string> {
  readonly kind: 'query'
  readonly name: N
  readonly of: AnyContract
  readonly reads: readonly Readable[]
  readonly rules: readonly Rule[]
}

/** Declares how a service answers queries of its contract from its own rows. */
export function queryHandler<const N extends string, X extends AnyContract, T extends Readable>(
  name: N,
  options: { readonly of: X; readonly reads: readonly T[] },
  rules: (on: AnswerOn<X, T>) => readonly Rule[],
): QueryHandler<N> {
  return brand({ ...options, kind: 'query', name, rules: rules(on as AnswerOn<X, T>) })
}
