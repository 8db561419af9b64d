import Router from 'find-my-way'
import type { HTTPMethod } from 'find-my-way'
import type { HttpHandler } from './handler.ts'
import { problem } from './problem.ts'
import { isEventStream, respond } from './response.ts'

export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** The parts of a path that a route names by `:name`, decoded. */
export type RouteParams = Readonly<Record<string, string | undefined>>

/** A request, and what its route has found in it. */
export interface RouteCall {
  readonly request: Request
  readonly url: URL
  readonly params: RouteParams
}

/** What answers one method of one path. */
export interface HttpRoute {
  readonly method: RouteMethod
  /** Such as `/orders/:orderId`; a last `*` takes all the rest. */
  readonly path: string
  readonly run: (call: RouteCall) => Promise<Response>
}

/** Longest part of a path that a name may stand for. */
const PARAM_LENGTH_MAX = 1_024

/**
 * A handler over a table of routes. HEAD is answered as GET without the body, OPTIONS with the
 * methods of the path, a method that the path lacks with 405; a path without routes is not ours.
 */
export function routes(table: readonly HttpRoute[]): HttpHandler {
  const router = Router({ maxParamLength: PARAM_LENGTH_MAX })
  const methods = new Set<RouteMethod>()
  for (const route of table) {
    methods.add(route.method)
    router.on(route.method, route.path, () => undefined, route)
  }
  const allowed = (path: string): readonly string[] => {
    const found = [...methods].filter((method) => router.find(method, path))
    const more = found.includes('GET') ? ['HEAD'] : []
    return found.length === 0 ? [] : [...found, ...more, 'OPTIONS']
  }
  return async (request) => {
    const { method } = request
    const url = new URL(request.url)
    const isHead = method === 'HEAD'
    const found = router.find((isHead ? 'GET' : method) as HTTPMethod, url.pathname)
    if (found) {
      const response = await (found.store as HttpRoute).run({ request, url, params: found.params })
      return isHead ? withoutBody(response) : response
    }
    const allow = allowed(url.pathname).join(', ')
    if (allow === '') return undefined
    if (method === 'OPTIONS') return respond(204, { allow }, null)
    return problem('METHOD_NOT_ALLOWED', { detail: `use ${allow}`, headers: { allow } })
  }
}

async function withoutBody(response: Response): Promise<Response> {
  const headers = new Headers(response.headers)
  if (isEventStream(response)) await response.body?.cancel()
  else headers.set('content-length', String((await response.arrayBuffer()).byteLength))
  return new Response(null, { status: response.status, headers })
}
