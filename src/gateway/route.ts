import type { StandardSchemaV1 } from '@standard-schema/spec'
import { mustBeOneCopy } from '../base/copy.ts'
import type { Complaint } from '../base/fault.ts'
import type { CommandType, DataOf, QueryType } from '../contract/message.ts'
import type { RouteMethod } from '../http/routes.ts'

/** The parts that a path names: `/orders/:orderId` has an `orderId`. */
export type ParamsOf<P extends string> = P extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? { readonly [K in Name]: string } & ParamsOf<`/${Tail}`>
    : { readonly [K in Rest]: string }
  : unknown

/** The names of those parts. */
export function paramsOf(path: string): readonly string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as string)
}

/** What a route may make a message of. */
export interface Asked<B = unknown, P = unknown> {
  /** As the route's schema gave it back; of any shape where it has none. */
  readonly body: B
  readonly params: P
  readonly query: URLSearchParams
  /**
   * The id that the message will have: the same whenever the same `Idempotency-Key` is sent, so
   * that an id made of it is the same, too. Empty for queries.
   */
  readonly id: string
}

/** Complaints of a route's own check: all of them at once; nothing is stored. */
export interface Rejection {
  readonly complaints: readonly Complaint[]
}

/** Known to every copy of the package. */
const REJECTED = Symbol.for('throughline.rejection')

/** Answers 400 with these complaints. */
export function reject(complaints: readonly Complaint[]): Rejection {
  return Object.freeze(Object.defineProperty({ complaints }, REJECTED, { value: true }))
}

export function isRejection(value: unknown): value is Rejection {
  return typeof value === 'object' && value !== null && REJECTED in value
}

/** One path of a gateway and the message that it stands for. */
export interface Route {
  readonly method: RouteMethod
  readonly path: string
  readonly type: CommandType | QueryType
  /** Checks the body before `map` sees it; a synchronous Standard Schema. */
  readonly body?: StandardSchemaV1
  readonly map?: (asked: Asked<never, never>) => unknown
  /** A body, for the description. */
  readonly example?: unknown
  readonly summary?: string
}

/** How a request becomes a message, and what the description says of it. */
export interface RouteOptions<D, B extends StandardSchemaV1, P> {
  /** Checks the body before `map` sees it; a synchronous Standard Schema. Default: no check. */
  readonly body?: B
  /**
   * Makes the message's data; pure, and at once. Default: the body, with the parts of the path in
   * it, which it may repeat but not contradict, and `{}` for the body where there is none; for a
   * query that is asked by GET, the parts of the path and the query string, read as its schema says.
   */
  readonly map?: (asked: Asked<StandardSchemaV1.InferOutput<B>, P>) => D | Rejection
  /** A body, for the description. Default: one that is made from the schema, if that takes it. */
  readonly example?: StandardSchemaV1.InferInput<B>
  readonly summary?: string
}

/** A path of one's own for a message. */
export const route = {
  /** Answers 202 once the command is stored; its operation says what becomes of it. */
  command<T extends CommandType, const P extends string, B extends StandardSchemaV1>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: P,
    type: T,
    options: RouteOptions<DataOf<T>, B, ParamsOf<P>> = {},
  ): Route {
    mustBeOneCopy([[`${method} ${path}`, type]])
    return { ...options, method, path, type } as Route
  },
  /** Answers 200 with what the query answers, and 404 where that is `null`. */
  query<T extends QueryType, const P extends string, B extends StandardSchemaV1>(
    method: 'GET' | 'POST',
    path: P,
    type: T,
    options: RouteOptions<DataOf<T>, B, ParamsOf<P>> = {},
  ): Route {
    mustBeOneCopy([[`${method} ${path}`, type]])
    return { ...options, method, path, type } as Route
  },
} as const
