import Router from 'find-my-way'
import type { HTTPMethod } from 'find-my-way'
import type { HttpAnswer, HttpHandler, HttpRequest } from './message.ts'
import { isStream } from './message.ts'
import { problem } from './problem.ts'

export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** The parts of a path that a route names by `:name`, decoded. */
export type RouteParams = Readonly<Record<string, string | undefined>>

/** What answers one method of one path. */
export interface HttpRoute {
  readonly method: RouteMethod
  /** Such as `/orders/:orderId`; a last `*` takes all the rest. */
  readonly path: string
  readonly run: (request: HttpRequest, params: RouteParams) => Promise<HttpAnswer>
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
    const { method, path } = request
    const isHead = method === 'HEAD'
    const found = router.find((isHead ? 'GET' : method) as HTTPMethod, path)
    if (found) {
      const answer = await (found.store as HttpRoute).run(request, found.params)
      return isHead ? withoutBody(answer) : answer
    }
    const allow = allowed(path).join(', ')
    if (allow === '') return undefined
    if (method === 'OPTIONS') return { status: 204, headers: { allow }, body: '' }
    return problem('METHOD_NOT_ALLOWED', { detail: `use ${allow}`, headers: { allow } })
  }
}

const encoder = new TextEncoder()

/** A stream that nobody begins to read has nothing to end. */
function withoutBody({ status, headers, body }: HttpAnswer): HttpAnswer {
  if (isStream(body)) return { status, headers, body: '' }
  const length = typeof body === 'string' ? encoder.encode(body).length : body.length
  return { status, headers: { ...headers, 'content-length': String(length) }, body: '' }
}
