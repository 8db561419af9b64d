import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { FastResponse } from 'srvx'
import type { NodeResponse } from 'srvx/node'
import { NodeRequest, sendNodeResponse } from 'srvx/node'
import type { Clock } from '../base/time/clock.ts'
import { withTimeout } from '../base/time/clock.ts'
import { Fault } from '../base/errors/fault.ts'
import type { Guard } from './guard.ts'
import type { ProblemCode, Problems } from './problem.ts'
import { problem } from './problem.ts'
import { isEventStream } from './response.ts'

export interface ServerOptions {
  /** Answers everything, and never rejects. */
  readonly fetch: (request: Request) => Promise<Response>
  readonly guard: Guard
  readonly clock: Clock
  readonly streamsMax: number
  readonly problemOf: Problems
}

/** A server, and how it comes to rest. */
export interface FetchServer {
  readonly server: Server
  /**
   * Answers 503 from now on, tells what is under way that nobody waits for it, and resolves once it
   * has ended, or after `graceMs`.
   */
  drain(graceMs: number): Promise<void>
}

/** How long a client may take, in milliseconds. */
const CLIENT_MS = { headers: 15_000, request: 30_000, idle: 120_000, keepAlive: 65_000 }
/** How often a client that sends too slowly is looked for. */
const CHECK_MS = 5_000
/** Longest body that a handler may read at once. */
const BODY_BYTES_MAX = 16_777_216

/** A handler of `Request` and `Response` on `node:http`. */
export function createFetchServer(options: ServerOptions): FetchServer {
  const { fetch, guard, clock, streamsMax, problemOf } = options
  const closing = new AbortController()
  const underWay = new Set<Promise<void>>()
  let streams = 0

  async function responseTo(request: Request): Promise<Response> {
    if (closing.signal.aborted)
      return problemOf(new Fault('APP_STOPPING', { detail: 'the server is stopping' }))
    const refusal = guard(request)
    if (refusal) return refusal
    if (!isReadable(request))
      return problem('REQUEST_INVALID', { detail: 'the host and the path are no valid URL' })
    return fetch(request)
  }

  async function answer(raw: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let isCounted = false
    try {
      const request = new ServedRequest(raw, outgoing, closing.signal) as unknown as Request
      let response = await responseTo(request)
      if (isStream(response)) {
        if (streams < streamsMax) {
          isCounted = true
          streams += 1
        } else {
          await response.body?.cancel()
          response = problem('STREAMS_EXHAUSTED', {
            detail: `this server holds ${streamsMax} open`,
          })
        }
      }
      await send(outgoing, response)
      // A client that leaves is no error; a stream that throws is.
      if (outgoing.errored) problemOf(outgoing.errored)
    } catch (cause) {
      problemOf(cause)
      outgoing.destroy()
    } finally {
      if (isCounted) streams -= 1
      // What nobody has read is let go by, so that the connection can be used again.
      if (!raw.complete) raw.resume()
    }
  }

  const server = createServer(
    {
      requestTimeout: CLIENT_MS.request,
      headersTimeout: CLIENT_MS.headers,
      keepAliveTimeout: CLIENT_MS.keepAlive,
      connectionsCheckingInterval: CHECK_MS,
      // What has no host is refused by the guard, with a problem.
      requireHostHeader: false,
    },
    (raw, outgoing) => {
      const answered = answer(raw, outgoing).finally(() => underWay.delete(answered))
      underWay.add(answered)
    },
  )
  server.timeout = CLIENT_MS.idle
  server.on('clientError', (error, socket) => void refuseUnparsed(error, socket as Socket))
  return {
    server,
    async drain(graceMs) {
      closing.abort()
      await withTimeout(clock, graceMs, Promise.all(underWay))
    },
  }
}

/** Typed as an object, because TypeScript lets no accessor override what `Request` has as a property. */
const HostRequest = NodeRequest as unknown as new (
  ...given: ConstructorParameters<typeof NodeRequest>
) => object

/** A request whose signal also aborts when the server is closing. */
class ServedRequest extends HostRequest {
  readonly #closing: AbortSignal
  #signal: AbortSignal | undefined

  constructor(raw: IncomingMessage, outgoing: ServerResponse, closing: AbortSignal) {
    super({ req: raw, res: outgoing, maxRequestBodySize: BODY_BYTES_MAX })
    this.#closing = closing
  }

  get signal(): AbortSignal {
    const gone = (): AbortSignal =>
      Reflect.get(HostRequest.prototype, 'signal', this) as AbortSignal
    return (this.#signal ??= AbortSignal.any([gone(), this.#closing]))
  }
}

/**
 * Resolves once the response has been sent or its client is gone: the promise of `sendNodeResponse`
 * never settles where a client leaves before it has read everything.
 */
function send(outgoing: ServerResponse, response: Response): Promise<unknown> {
  if (outgoing.destroyed) return response.body?.cancel() ?? Promise.resolve()
  return new Promise((resolve, reject) => {
    outgoing.once('close', resolve)
    if (!('_toNodeResponse' in response)) {
      sendNodeResponse(outgoing, response).catch(reject)
      return
    }
    const parts = (response as NodeResponse)._toNodeResponse()
    const { status, headers, body } = parts
    // `sendNodeResponse` writes the body apart from the headers, which costs a sixth of a request.
    if (typeof body === 'string' || body instanceof Uint8Array)
      outgoing.writeHead(status, headers).end(body)
    else sendNodeResponse(outgoing, { _toNodeResponse: () => parts } as NodeResponse).catch(reject)
  })
}

/** Whether its URL is one, and its path valid percent-encoding. */
function isReadable({ url }: Request): boolean {
  try {
    decodeURIComponent(new URL(url).pathname)
    return true
  } catch {
    return false
  }
}

/** The headers of our own are looked at by none but this: that costs more than sending them. */
const isStream = (response: Response): boolean =>
  response.constructor !== FastResponse && isEventStream(response)

const UNPARSED: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_SLOW',
}

const DETAILS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'send it faster',
  HPE_HEADER_OVERFLOW: 'all headers together have 16 KiB at most',
}

/** Answers what is no HTTP: it has no request that could be answered, only a connection. */
async function refuseUnparsed(error: NodeJS.ErrnoException, socket: Socket): Promise<void> {
  const { code = '' } = error
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const detail = DETAILS[code] ?? 'it cannot be read as HTTP/1.1'
  const response = problem(UNPARSED[code] ?? 'REQUEST_INVALID', { detail })
  const body = await response.text()
  response.headers.set('content-length', String(Buffer.byteLength(body)))
  response.headers.set('connection', 'close')
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`)
  const { status } = response
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}
