import { FastResponse } from 'srvx'

/**
 * Creates a `Response` that is cheap to send: on Node, it builds its `Headers` and its stream only when
 * they are read.
 */
export function respond(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array<ArrayBuffer> | null,
): Response {
  return new FastResponse(body, { status, headers })
}

/** Creates a JSON response. */
export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = JSON.stringify(value) ?? 'null'
  return respond(status, { 'content-type': 'application/json', ...headers }, body)
}

export function isEventStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
}
