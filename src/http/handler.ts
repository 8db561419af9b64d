import type { OnError } from './problem.ts'
import { problem, problems } from './problem.ts'

/** Answers a request; `undefined` leaves it to the next handler of a chain. */
export type HttpHandler = (request: Request) => Promise<Response | undefined>

/** The first response that a handler of the chain gives. */
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
 * A handler that answers everything, for hosts that speak `Request` and `Response`: Hono, edges,
 * functions, tests. Who may call it, and how long a request may take to arrive, is the host's to say.
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
