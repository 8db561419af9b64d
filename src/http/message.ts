/** A request as plain data, so that one handler serves every kind of host. */
export interface HttpRequest {
  /** In upper case. */
  readonly method: string
  /** As it was sent: percent-encoded, without the query string. */
  readonly path: string
  readonly query: URLSearchParams
  /** A header by its lower-case name; several of one name are joined by a comma. */
  header(name: string): string | undefined
  /** The body; may be read once. */
  body(bytesMax: number): Promise<HttpBody>
  /** Aborts when the client is gone, or the host is closing. */
  readonly signal: AbortSignal
}

/** A body; nothing of it where it is longer than it may be, or the client left before its end. */
export type HttpBody =
  | { readonly is: 'read'; readonly bytes: Uint8Array }
  | { readonly is: 'too-large' }
  | { readonly is: 'gone' }

/** An answer as plain data. An iterable body is sent in pieces, as fast as the client reads. */
export interface HttpAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | AsyncIterable<string>
}

/** Answers a request; `undefined` says that the path is not its own, so that handlers chain. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer | undefined>

/** An answer of JSON. */
export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value) ?? 'null',
  }
}

/** The first answer that a handler of the chain gives. */
export async function firstAnswer(
  handlers: readonly HttpHandler[],
  request: HttpRequest,
): Promise<HttpAnswer | undefined> {
  for (const handler of handlers) {
    const answer = await handler(request)
    if (answer) return answer
  }
  return undefined
}

export function isStream(body: HttpAnswer['body']): body is AsyncIterable<string> {
  return typeof body === 'object' && Symbol.asyncIterator in body
}
