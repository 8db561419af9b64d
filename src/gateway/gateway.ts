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
  /** Paths of one's own: see `route`. */
  readonly routes?: readonly Route[]
  /**
   * Contracts, or some of their commands and queries, that are asked by
   * `POST /messages/{contract}/{Name}` with the message's data as the body.
   */
  readonly opens?: readonly (AnyContract | CommandType | QueryType)[]
  /**
   * Contracts whose owner runs behind another gateway. Their messages are checked here and handed
   * on; their operations are found through it.
   */
  readonly elsewhere?: readonly Elsewhere[]
  readonly clock?: Clock
  /** Longest that a request may take, but for waiting and streams. Default: 30,000. */
  readonly deadlineMs?: number
  /** Longest body. Default: 1 MiB; at most 16 MiB, and a message's data at most 1 MiB. */
  readonly bodyBytesMax?: number
  /** Of the description at `/openapi.json`. */
  readonly title?: string
  readonly version?: string
  /** Hears what broke, under the id that the client was given. Default: a warning. */
  readonly broke?: Broke
}

/** Serves an app's messages over HTTP: `Request` in, `Response` out. */
export interface Gateway {
  (...asked: Parameters<HttpHandler>): ReturnType<HttpHandler>
  /** What it serves, as OpenAPI 3.1; also at `/openapi.json`. */
  description(): OpenApi
}

/** Bounds of the options that are numbers. */
const BOUNDS = {
  deadlineMs: { initial: 30_000, min: 1, max: 300_000 },
  bodyBytesMax: { initial: BODY_BYTES_MAX, min: 1, max: 16_777_216 },
} as const
/** What another gateway has its deadline for is answered by what came of that. */
const HANDING_MARGIN_MS = 1_000

/**
 * An app over HTTP. Commands are answered 202 once they are stored, with the path of their
 * operation; queries 200. Whatever is wrong is a problem by RFC 9457.
 *
 * @throws Fault `OPTION_INVALID` with all complaints: paths that clash or are not ours to give,
 * messages whose contract runs neither here nor elsewhere; `TWO_COPIES`
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
    ...opens.map((contract, at) => [`opens[${at}]`, contract] as const),
    ...elsewhere.map(({ contract }, at) => [`elsewhere[${at}]`, contract] as const),
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
  const detail = `there was no answer within ${deadlineMs} ms; the same Idempotency-Key is safe`
  return problem('DEADLINE_PASSED', { detail })
}

async function runFind(tools: GatewayTools, call: RouteCall): Promise<Response> {
  const { id = '' } = call.params
  const { app, clock, deadlineMs } = tools
  // What was not found is told apart from an answer that did not come.
  const found = await within(
    clock,
    deadlineMs,
    app.find(id).then((operation) => ({ operation })),
  )
  if (!found) return late(deadlineMs)
  if (found.operation) return answerOperation(call, found.operation, clock)
  return (await findElsewhere(tools, call, id)) ?? problem('NOT_FOUND', { detail: 'operation' })
}
