import type { Clock } from '../base/time/clock.ts'
import { systemClock, withTimeout } from '../base/time/clock.ts'
import { assertSinglePackageCopy } from '../base/package-copy.ts'
import { createIdGenerator } from '../base/id-generator.ts'
import { assertKnownOptions, resolveOptions } from '../base/options.ts'
import { systemRandom } from '../base/random.ts'
import type { AnyContract } from '../contract/contract.ts'
import type { CommandType, QueryType } from '../contract/message.ts'
import type { HttpHandler } from '../http/handler.ts'
import { BODY_BYTES_MAX } from '../http/json.ts'
import type { OnError } from '../http/problem.ts'
import { problem, problems } from '../http/problem.ts'
import { json } from '../http/response.ts'
import type { HttpRoute, RouteCall } from '../http/routes.ts'
import { routes as routesOf } from '../http/routes.ts'
import type { App } from '../runtime/start.ts'
import type { RemoteContract } from './handlers/remote-gateway.ts'
import { createRemoteGateways } from './handlers/remote-gateway.ts'
import { findRemoteOperation } from './handlers/find-remote-operation.ts'
import type { OpenApi } from './openapi/openapi.ts'
import { describeRoutes } from './openapi/openapi.ts'
import { answerOperation } from './handlers/operations.ts'
import type { Route } from './routing/route.ts'
import { createRouteHandler } from './handlers/route-handler.ts'
import { validateRoutes, exposedRoutes } from './routing/route-table.ts'
import type { GatewayContext } from './handlers/gateway-context.ts'

export interface GatewayOptions {
  /** Your own paths: see `route`. */
  readonly routes?: readonly Route[]
  /**
   * Contracts, or single commands and queries, to serve as `POST /messages/{contract}/{Name}` with
   * the data of the message as the body.
   */
  readonly expose?: readonly (AnyContract | CommandType | QueryType)[]
  /**
   * Contracts whose owner runs behind another gateway. Their messages are validated here and
   * forwarded; their operations are looked up there.
   */
  readonly remote?: readonly RemoteContract[]
  readonly clock?: Clock
  /** Longest time for a request, not counting `?wait` and streams. Default: 30,000. */
  readonly deadlineMs?: number
  /** Largest body. Default: 1 MiB; at most 16 MiB. The data of a message is at most 1 MiB. */
  readonly bodyBytesMax?: number
  /** `info.title` of the OpenAPI document at `/openapi.json`. */
  readonly title?: string
  readonly version?: string
  /** Called with an unexpected error and the id that the client got. Default: a warning. */
  readonly onError?: OnError
}

const KNOWN: Readonly<Record<keyof GatewayOptions, true>> = {
  routes: true,
  expose: true,
  remote: true,
  clock: true,
  deadlineMs: true,
  bodyBytesMax: true,
  title: true,
  version: true,
  onError: true,
}
/** The names of all options of `gateway`. */
export const GATEWAY_OPTIONS: readonly string[] = Object.keys(KNOWN)

/** An HTTP handler for the messages of an app: a `Request` in, a `Response` out, without a server. */
export interface Gateway {
  (...args: Parameters<HttpHandler>): ReturnType<HttpHandler>
  /** The OpenAPI 3.1 document, which is also served at `/openapi.json`. */
  description(): OpenApi
}

/** Defaults and bounds of the numeric options. */
const BOUNDS = {
  deadlineMs: { default: 30_000, min: 1, max: 300_000 },
  bodyBytesMax: { default: BODY_BYTES_MAX, min: 1, max: 16_777_216 },
} as const
/** Extra time for a forwarded request, so that the deadline of the other gateway ends it first. */
const FORWARD_MARGIN_MS = 1_000

/**
 * Serves the messages of an app over HTTP. A command is answered 202 once it is stored, with the
 * path of its operation; a query is answered 200. Errors are problem details (RFC 9457).
 *
 * @throws Fault `OPTION_INVALID` with all issues: paths that clash or are reserved, messages whose
 * contract is neither owned here nor listed in `remote`; `TWO_COPIES`
 */
export function gateway(
  app: Pick<App, 'send' | 'ask' | 'find' | 'describe'>,
  options: GatewayOptions = {},
): Gateway {
  assertKnownOptions('gateway', GATEWAY_OPTIONS, options)
  const { clock = systemClock(), remote = [], deadlineMs, bodyBytesMax } = options
  const { routes = [], expose = [] } = options
  assertSinglePackageCopy([
    ['app', app],
    ...routes.map(({ method, path, type }) => [`${method} ${path}`, type] as const),
    ...expose.map((contract, at) => [`expose[${at}]`, contract] as const),
    ...remote.map(({ contract }, at) => [`remote[${at}]`, contract] as const),
  ])
  const context: GatewayContext = {
    app,
    clock,
    createId: createIdGenerator(clock, systemRandom),
    ...resolveOptions('gateway', BOUNDS, {
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(bodyBytesMax === undefined ? {} : { bodyBytesMax }),
    }),
    remotes: createRemoteGateways(remote, clock),
    problemOf: problems(options.onError),
  }
  const table = [...routes, ...exposedRoutes(expose)]
  validateRoutes(table, app.describe(), context.remotes)
  let description: OpenApi | undefined
  const describe = (): OpenApi => (description ??= describeRoutes(table, options))
  const handle = routesOf([
    ...table.map((route): HttpRoute => {
      const marginMs = context.remotes.has(route.type.contract) ? FORWARD_MARGIN_MS : 0
      const run = withDeadline(
        clock,
        context.deadlineMs + marginMs,
        createRouteHandler(context, route),
      )
      return { method: route.method, path: route.path, run }
    }),
    { method: 'GET', path: '/operations/:id', run: (call) => findOperation(context, call) },
    {
      method: 'GET',
      path: '/openapi.json',
      run: async () => json(200, describe(), { 'cache-control': 'no-cache' }),
    },
  ])
  const safely: HttpHandler = (request) => handle(request).catch(context.problemOf)
  return Object.assign(safely, { description: describe })
}

/** The answer, or a problem once the deadline has passed. */
function withDeadline(clock: Clock, deadlineMs: number, run: HttpRoute['run']): HttpRoute['run'] {
  return async (call) =>
    (await withTimeout(clock, deadlineMs, run(call))) ?? deadlinePassed(deadlineMs)
}

function deadlinePassed(deadlineMs: number): Response {
  const detail = `no answer within ${deadlineMs} ms; retry with the same Idempotency-Key`
  return problem('DEADLINE_PASSED', { detail })
}

async function findOperation(context: GatewayContext, call: RouteCall): Promise<Response> {
  const { id = '' } = call.params
  const { app, clock, deadlineMs } = context
  // The wrapper tells "no such operation" from "no answer in time".
  const found = await withTimeout(
    clock,
    deadlineMs,
    app.find(id).then((operation) => ({ operation })),
  )
  if (!found) return deadlinePassed(deadlineMs)
  if (found.operation) return answerOperation(call, found.operation, clock)
  return (
    (await findRemoteOperation(context, call, id)) ?? problem('NOT_FOUND', { detail: 'operation' })
  )
}
