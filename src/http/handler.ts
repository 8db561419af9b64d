import type { OnError } from './problem.ts'
import { problem, problems } from './problem.ts'

/** Answers a request; `undefined` passes it to the next handler of the chain. */
export type HttpHandler = (request: Request) => Promise<Response | undefined>

/** Tries the handlers in order and returns the first response. */
export async function firstResponse(
  handlers: readonly HttpHandler[],
  request: Request,
): Promise<Response | undefined> {
  for (const handler of handlers) {
    const response = await handler(request)
    if (response) return response
  }
  return undefined
}

/**
 * Wraps a handler so that it answers every request, for hosts that use `Request` and `Response`: Hono,
 * edge and serverless functions, tests. Authentication and request timeouts are up to the host.
 */
export function fetchHandler(
  handler: HttpHandler,
  options: { readonly onError?: OnError } = {},
): (request: Request) => Promise<Response> {
  const problemOf = problems(options.onError)
  return async (request) => {
    try {
      const response = await handler(request)
      return response ?? problem('NOT_FOUND', { detail: new URL(request.url).pathname })
    } catch (cause) {
      return problemOf(cause)
    }
  }
}
