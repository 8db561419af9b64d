import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpBody, HttpRequest } from './message.ts'

/** What a host keeps of a request that is under way. */
export interface Incoming extends HttpRequest {
  /** Tells whoever listens that nobody waits for the answer any more. */
  abandon(): void
}

/** A request of `node:http` as plain data. What is rarely asked for is only made when it is. */
export function incoming(raw: IncomingMessage, response: ServerResponse): Incoming {
  const url = raw.url ?? '/'
  const mark = url.indexOf('?')
  let query: URLSearchParams | undefined
  let gone: AbortController | undefined
  let isAbandoned = false
  return {
    method: raw.method ?? 'GET',
    path: mark < 0 ? url : url.slice(0, mark),
    get query() {
      return (query ??= new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)))
    },
    header(name) {
      const value = raw.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    body: (bytesMax) => bodyOf(raw, bytesMax),
    get signal() {
      if (!gone) {
        const made = (gone = new AbortController())
        if (isAbandoned || response.destroyed) made.abort()
        else response.once('close', () => made.abort())
      }
      return gone.signal
    },
    abandon() {
      isAbandoned = true
      gone?.abort()
    },
  }
}

const GONE: HttpBody = { is: 'gone' }
const TOO_LARGE: HttpBody = { is: 'too-large' }

function bodyOf(raw: IncomingMessage, bytesMax: number): Promise<HttpBody> {
  return new Promise((resolve) => {
    if (raw.destroyed) return resolve(GONE)
    const chunks: Buffer[] = []
    let length = 0
    raw.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= bytesMax) chunks.push(chunk)
      else {
        // What is still to come is let go by.
        raw.removeAllListeners('data').resume()
        resolve(TOO_LARGE)
      }
    })
    raw.on('end', () => {
      const [only] = chunks
      resolve({ is: 'read', bytes: only && chunks.length === 1 ? only : Buffer.concat(chunks) })
    })
    const gone = (): void => resolve(GONE)
    raw.on('close', gone)
    raw.on('error', gone)
  })
}
