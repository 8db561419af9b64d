import Router from 'find-my-way'
import type { HTTPMethod } from 'find-my-way'
import type { HttpHandler } from './handler.ts'
import { problem } from './problem.ts'
import { isEventStream, respond } from './response.ts'

export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** The decoded values of the `:name` parameters of a path. */
export type RouteParams = Readonly<Record<string, string | undefined>>

/** A request with its parsed URL and path parameters. */
export interface RouteCall {
  readonly request: Request
  readonly url: URL
  readonly params: RouteParams
}

/** The handler of one method of one path. */
export interface HttpRoute {
  readonly method: RouteMethod
  /** Such as `/orders/:orderId`; a `*` at the end matches the rest of the path. */
  readonly path: string
  readonly run: (call: RouteCall) => Promise<Response>
}

/** Maximum length of a path parameter. */
const PARAM_LENGTH_MAX = 1_024

/**
 * Creates a handler from a table of routes. HEAD is answered like GET without the body, OPTIONS with
 * the methods of the path, and an unsupported method with 405. Other paths go to the next handler.
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
