import type { Clock } from '../base/clock.ts'
import { systemClock, within } from '../base/clock.ts'
import { mustBeOneCopy } from '../base/copy.ts'
import { idMaker } from '../base/id.ts'
import { completeOptions } from '../base/options.ts'
import { systemRandom } from '../base/random.ts'
import type { AnyContract } from '../contract/contract.ts'
import type { CommandType, QueryType } from '../contract/message.ts'
import type { HttpHandler } from '../http/handler.ts'
import { BODY_BYTES_MAX } from '../http/json.ts'
import type { Broke } from '../http/problem.ts'
import { problem, problems } from '../http/problem.ts'
import { json } from '../http/response.ts'
import type { HttpRoute, RouteCall } from '../http/routes.ts'
import { routes as routesOf } from '../http/routes.ts'
import type { App } from '../runtime/start.ts'
import type { Elsewhere } from './elsewhere.ts'
import { neighboursOf } from './elsewhere.ts'
import { findElsewhere } from './find-elsewhere.ts'
import type { OpenApi } from './openapi.ts'
import { openApiOf } from './openapi.ts'
import { answerOperation } from './operations.ts'
import type { Route } from './route.ts'
import { runOf } from './run.ts'
import { mustBeRoutes, opened } from './table.ts'
import type { GatewayTools } from './tools.ts'

export interface GatewayOptions {
  /** Your own paths: see `route`. */
  readonly routes?: readonly Route[]
  /**
   * Contracts, or single commands and queries, to serve as `POST /messages/{contract}/{Name}` with
   * the data of the message as the body.
   */
  readonly opens?: readonly (AnyContract | CommandType | QueryType)[]
  /**
   * Contracts whose owner runs behind another gateway. Their messages are validated here and
   * forwarded; their operations are looked up there.
   */
  readonly elsewhere?: readonly Elsewhere[]
  readonly clock?: Clock
  /** Longest time for a request, not counting `?wait` and streams. Default: 30,000. */
  readonly deadlineMs?: number
  /** Largest body. Default: 1 MiB; at most 16 MiB. The data of a message is at most 1 MiB. */
  readonly bodyBytesMax?: number
  /** `info.title` of the OpenAPI document at `/openapi.json`. */
  readonly title?: string
  readonly version?: string
  /** Called with an unexpected error and the id that the client got. Default: a warning. */
  readonly broke?: Broke
}

/** An HTTP handler for the messages of an app: a `Request` in, a `Response` out, without a server. */
export interface Gateway {
  (...asked: Parameters<HttpHandler>): ReturnType<HttpHandler>
  /** The OpenAPI 3.1 document, which is also served at `/openapi.json`. */
  description(): OpenApi
}

/** Defaults and bounds of the numeric options. */
const BOUNDS = {
  deadlineMs: { initial: 30_000, min: 1, max: 300_000 },
  bodyBytesMax: { initial: BODY_BYTES_MAX, min: 1, max: 16_777_216 },
} as const
/** Extra time for a forwarded request, so that the deadline of the other gateway ends it first. */
const HANDING_MARGIN_MS = 1_000

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
  const { clock = systemClock(), elsewhere = [], deadlineMs, bodyBytesMax } = options
  const { routes = [], opens = [] } = options
  mustBeOneCopy([
    ['app', app],
    ...routes.map(({ method, path, type }) => [`${method} ${path}`, type] as const),
    ...opens.map((contract, at) => [`expose[${at}]`, contract] as const),
    ...elsewhere.map(({ contract }, at) => [`remote[${at}]`, contract] as const),
  ])
  const tools: GatewayTools = {
    app,
    clock,
    mint: idMaker(clock, systemRandom),
    ...completeOptions('gateway', BOUNDS, {
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(bodyBytesMax === undefined ? {} : { bodyBytesMax }),
    }),
    neighbours: neighboursOf(elsewhere, clock),
    problemOf: problems(options.broke),
  }
  const table = [...routes, ...opened(opens)]
  mustBeRoutes(table, app.describe(), tools.neighbours)
  let description: OpenApi | undefined
  const describe = (): OpenApi => (description ??= openApiOf(table, options))
  const handle = routesOf([
    ...table.map((route): HttpRoute => {
      const marginMs = tools.neighbours.has(route.type.contract) ? HANDING_MARGIN_MS : 0
      const run = inTime(clock, tools.deadlineMs + marginMs, runOf(tools, route))
      return { method: route.method, path: route.path, run }
    }),
    { method: 'GET', path: '/operations/:id', run: (call) => runFind(tools, call) },
    {
      method: 'GET',
      path: '/openapi.json',
      run: async () => json(200, describe(), { 'cache-control': 'no-cache' }),
    },
  ])
  const safely: HttpHandler = (request) => handle(request).catch(tools.problemOf)
  return Object.assign(safely, { description: describe })
}

/** The answer, or a problem once the deadline has passed. */
function inTime(clock: Clock, deadlineMs: number, run: HttpRoute['run']): HttpRoute['run'] {
  return async (call) => (await within(clock, deadlineMs, run(call))) ?? late(deadlineMs)
}

function late(deadlineMs: number): Response {
  const detail = `no answer within ${deadlineMs} ms; retry with the same Idempotency-Key`
  return problem('DEADLINE_PASSED', { detail })
}

async function runFind(tools: GatewayTools, call: RouteCall): Promise<Response> {
  const { id = '' } = call.params
  const { app, clock, deadlineMs } = tools
  // The wrapper tells "no such operation" from "no answer in time".
  const found = await within(
    clock,
    deadlineMs,
    app.find(id).then((operation) => ({ operation })),
  )
  if (!found) return late(deadlineMs)
  if (found.operation) return answerOperation(call, found.operation, clock)
  return (await findElsewhere(tools, call, id)) ?? problem('NOT_FOUND', { detail: 'operation' })
}
