import type { HttpAnswer, HttpBody, HttpHandler, HttpRequest } from './message.ts'
import { isStream } from './message.ts'
import type { Broke } from './problem.ts'
import { problem, problems } from './problem.ts'

/**
 * A handler for hosts that speak `Request` and `Response`: Hono, edges, functions, tests. Who may
 * call it, and how long a request may take to arrive, is the host's to say.
 */
export function fetchHandler(
  handler: HttpHandler,
  options: { readonly broke?: Broke } = {},
): (request: Request) => Promise<Response> {
  const problemOf = problems(options.broke)
  return async (request) => {
    let answer: HttpAnswer
    try {
      answer =
        (await handler(requestOf(request))) ??
        problem('NOT_FOUND', { detail: new URL(request.url).pathname })
    } catch (cause) {
      answer = problemOf(cause)
    }
    return responseOf(answer, request.method)
  }
}

function requestOf(request: Request): HttpRequest {
  const { pathname, searchParams } = new URL(request.url)
  return {
    method: request.method,
    path: pathname,
    query: searchParams,
    header: (name) => request.headers.get(name) ?? undefined,
    body: (bytesMax) => bodyOf(request, bytesMax),
    signal: request.signal,
  }
}

async function bodyOf({ body }: Request, bytesMax: number): Promise<HttpBody> {
  try {
    const bytes = await bytesOf(body, bytesMax)
    return bytes ? { is: 'read', bytes } : { is: 'too-large' }
  } catch {
    return { is: 'gone' }
  }
}

/** All of a body, or `undefined` once it is longer than `bytesMax`. */
export async function bytesOf(
  body: ReadableStream<Uint8Array> | null,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop cancels the rest.
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > bytesMax) return undefined
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

const BODILESS = new Set([204, 205, 304])

function responseOf({ status, headers, body }: HttpAnswer, method: string): Response {
  const init = { status, headers }
  if (method === 'HEAD' || BODILESS.has(status)) return new Response(null, init)
  if (isStream(body)) return new Response(streamOf(body), init)
  return new Response(typeof body === 'string' ? body : Uint8Array.from(body), init)
}

function streamOf(body: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
