import { FastResponse } from 'srvx'

/**
 * A `Response` that is cheap to send: on Node, its headers and its stream are built only for those who
 * read them.
 */
export function respond(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array<ArrayBuffer> | null,
): Response {
  return new FastResponse(body, { status, headers })
}

/** A response of JSON. */
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
