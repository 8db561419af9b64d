import { STATUS_CODES } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { HttpAnswer } from './message.ts'
import { isStream } from './message.ts'
import { problem } from './problem.ts'

/** How many streams one server holds open. */
export interface Streams {
  open: number
  readonly max: number
}

const BODILESS = new Set([204, 304])

/** Writes an answer; resolves when all of a stream was taken or the client is gone. */
export async function write(
  response: ServerResponse,
  answer: HttpAnswer,
  streams: Streams,
): Promise<void> {
  const { status, headers, body } = answer
  if (isStream(body)) return writeStream(response, answer, body, streams)
  if (BODILESS.has(status)) {
    response.writeHead(status, headers).end()
    return
  }
  // An answer to HEAD says the length of a body that it does not carry.
  const length = headers['content-length'] ?? String(Buffer.byteLength(body))
  response.writeHead(status, { ...headers, 'content-length': length }).end(body)
}

async function writeStream(
  response: ServerResponse,
  { status, headers }: HttpAnswer,
  body: AsyncIterable<string>,
  streams: Streams,
): Promise<void> {
  if (streams.open >= streams.max) {
    const detail = `this server holds ${streams.max} open`
    return write(response, problem('STREAMS_EXHAUSTED', { detail }), streams)
  }
  streams.open += 1
  try {
    response.writeHead(status, headers)
    for await (const text of body) {
      if (response.destroyed) break
      if (!response.write(text)) await drained(response)
    }
    response.end()
  } finally {
    streams.open -= 1
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve()
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

/** An answer as it travels, for a connection that has no request. */
export function rawText({ status, headers, body }: HttpAnswer): string {
  const text = typeof body === 'string' ? body : ''
  const lines = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`
}
