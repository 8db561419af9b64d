import type { StandardSchemaV1 } from '@standard-schema/spec'
import { assertSinglePackageCopy } from '../../base/package-copy.ts'
import type { Issue } from '../../base/errors/fault.ts'
import type { CommandType, DataOf, QueryType } from '../../contract/message.ts'
import type { RouteMethod } from '../../http/routes.ts'

/** The parameters of a path: `/orders/:orderId` has `orderId`. */
export type ParamsOf<P extends string> = P extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? { readonly [K in Name]: string } & ParamsOf<`/${Tail}`>
    : { readonly [K in Rest]: string }
  : unknown

/** The names of the parameters of a path. */
export function paramsOf(path: string): readonly string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as string)
}

/** The request as `map` of a route sees it. */
export interface RouteRequest<B = unknown, P = unknown> {
  /** The output of the route's body schema; without a schema, any JSON. */
  readonly body: B
  readonly params: P
  readonly query: URLSearchParams
  /**
   * The id that the message will have. The same `Idempotency-Key` always gives the same id, so ids
   * that you derive from it are stable, too. Empty for queries.
   */
  readonly id: string
}

/** The issues that a route's own check has found. Nothing is stored. */
export interface Rejection {
  readonly issues: readonly Issue[]
}

/** `Symbol.for`, so that every copy of the package recognises it. */
const REJECTED = Symbol.for('throughline.rejection')

/** Returned from `map`, answers 400 with these issues. */
export function reject(issues: readonly Issue[]): Rejection {
  return Object.freeze(Object.defineProperty({ issues }, REJECTED, { value: true }))
}

export function isRejection(value: unknown): value is Rejection {
  return typeof value === 'object' && value !== null && REJECTED in value
}

/** A path of a gateway and the message that it sends. */
export interface Route {
  readonly method: RouteMethod
  readonly path: string
  readonly type: CommandType | QueryType
  /** Validates the body before `map` sees it; a synchronous Standard Schema. */
  readonly body?: StandardSchemaV1
  readonly map?: (request: RouteRequest<never, never>) => unknown
  /** An example body for the OpenAPI document. */
  readonly example?: unknown
  readonly summary?: string
}

/** How a request becomes a message, and how the OpenAPI document describes it. */
export interface RouteOptions<D, B extends StandardSchemaV1, P> {
  /** Validates the body before `map` sees it; a synchronous Standard Schema. Default: none. */
  readonly body?: B
  /**
   * Creates the data of the message; pure and synchronous. Default: the body (`{}` if there is none)
   * with the path parameters added; the body may repeat them, but not contradict them. For a query
   * by GET: the path parameters and the query string, read as the schema says.
   */
  readonly map?: (request: RouteRequest<StandardSchemaV1.InferOutput<B>, P>) => D | Rejection
  /** An example body for the OpenAPI document. Default: generated, if the schema accepts it. */
  readonly example?: StandardSchemaV1.InferInput<B>
  readonly summary?: string
}

/** Creates a path of your own for a command or a query. */
export const route = {
  /** Answers 202 once the command is stored; its operation shows the outcome. */
  command<T extends CommandType, const P extends string, B extends StandardSchemaV1>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: P,
    type: T,
    options: RouteOptions<DataOf<T>, B, ParamsOf<P>> = {},
  ): Route {
    assertSinglePackageCopy([[`${method} ${path}`, type]])
    return { ...options, method, path, type } as Route
  },
  /** Answers 200 with the result of the query, and 404 if that is `null`. */
  query<T extends QueryType, const P extends string, B extends StandardSchemaV1>(
    method: 'GET' | 'POST',
    path: P,
    type: T,
    options: RouteOptions<DataOf<T>, B, ParamsOf<P>> = {},
  ): Route {
    assertSinglePackageCopy([[`${method} ${path}`, type]])
    return { ...options, method, path, type } as Route
  },
} as const
