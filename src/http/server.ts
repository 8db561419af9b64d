import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { FastResponse } from 'srvx'
import type { NodeResponse } from 'srvx/node'
import { NodeRequest, sendNodeResponse } from 'srvx/node'
import type { Clock } from '../base/time/clock.ts'
import { withTimeout } from '../base/time/clock.ts'
import { Fault } from '../base/errors/fault.ts'
import { createConnections } from './connections.ts'
import type { Guard } from './guard.ts'
import type { ProblemCode, Problems } from './problem.ts'
import { problem } from './problem.ts'
import { isEventStream } from './response.ts'

export interface ServerOptions {
  /** Answers every request and never rejects. */
  readonly fetch: (request: Request) => Promise<Response>
  readonly guard: Guard
  readonly clock: Clock
  readonly streamsMax: number
  readonly problemOf: Problems
}

/** A server that can be shut down gracefully. */
export interface FetchServer {
  readonly server: Server
  /**
   * Answers new requests with 503, aborts the signals of requests in flight, and resolves once these
   * have ended, or after `graceMs`.
   */
  drain(graceMs: number): Promise<void>
}

/** Timeouts for clients, in milliseconds. */
const CLIENT_MS = { headers: 15_000, request: 30_000, idle: 120_000, keepAlive: 65_000 }
/** How often the server checks for timed out clients. */
const CHECK_MS = 5_000
const NODE_OPTIONS = {
  requestTimeout: CLIENT_MS.request,
  headersTimeout: CLIENT_MS.headers,
  keepAliveTimeout: CLIENT_MS.keepAlive,
  connectionsCheckingInterval: CHECK_MS,
  // The guard refuses requests without a host, with a problem.
  requireHostHeader: false,
}
/** Maximum size of a body that a handler reads through the `Request` methods. */
const BODY_BYTES_MAX = 16_777_216

/** Runs a handler of `Request` and `Response` on `node:http`. */
export function createFetchServer(options: ServerOptions): FetchServer {
  const { fetch, guard, clock, streamsMax, problemOf } = options
  const closing = new AbortController()
  const connections = createConnections()
  let streams = 0

  async function responseTo(request: Request): Promise<Response> {
    if (closing.signal.aborted)
      return problemOf(new Fault('APP_STOPPING', { detail: 'the server is stopping' }))
    const refusal = guard(request)
    if (refusal) return refusal
    if (!hasValidUrl(request))
      return problem('REQUEST_INVALID', { detail: 'the host and the path do not form a valid URL' })
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
            detail: `this server allows ${streamsMax} open event streams`,
          })
        }
      }
      await send(outgoing, response)
      // A client that leaves is no error; a stream that throws is.
      if (outgoing.errored && !isDisconnect(outgoing.errored)) problemOf(outgoing.errored)
    } catch (cause) {
      problemOf(cause)
      outgoing.destroy()
    } finally {
      if (isCounted) streams -= 1
      // Discard the unread rest of the body, so that the connection can be reused.
      if (!raw.complete) raw.resume()
    }
  }

  const serve = (raw: IncomingMessage, outgoing: ServerResponse): void =>
    connections.add(raw.socket, outgoing, answer(raw, outgoing))
  const server = createServer(NODE_OPTIONS, serve)
  server.timeout = CLIENT_MS.idle
  // An expectation that Node does not know is ignored: its own 417 has no problem as its body.
  server.on('checkExpectation', serve)
  server.on('clientError', (error, socket: Socket) => {
    if (!connections.endAfterResponses(socket)) void answerParseError(error, socket)
  })
  return {
    server,
    async drain(graceMs) {
      closing.abort()
      await withTimeout(clock, graceMs, connections.allAnswered())
    },
  }
}

const DISCONNECTS = new Set(['ECONNRESET', 'EPIPE'])
const isDisconnect = ({ code = '' }: NodeJS.ErrnoException): boolean => DISCONNECTS.has(code)

/** Typed as an object: TypeScript does not allow an accessor to override a property of `Request`. */
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
    const disconnected = (): AbortSignal =>
      Reflect.get(HostRequest.prototype, 'signal', this) as AbortSignal
    return (this.#signal ??= AbortSignal.any([disconnected(), this.#closing]))
  }
}

/**
 * Resolves once the response is sent or the client has disconnected. The promise of
 * `sendNodeResponse` never settles if a client disconnects before it has read everything.
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
    // `sendNodeResponse` writes headers and body separately, which costs a sixth of a request.
    if (typeof body === 'string' || body instanceof Uint8Array)
      outgoing.writeHead(status, headers).end(body)
    else sendNodeResponse(outgoing, { _toNodeResponse: () => parts } as NodeResponse).catch(reject)
  })
}

/** Whether the URL is valid, and its path is valid percent-encoding. */
function hasValidUrl({ url }: Request): boolean {
  try {
    decodeURIComponent(new URL(url).pathname)
    return true
  } catch {
    return false
  }
}

/** Does not look into the headers of a `FastResponse`, which costs more than sending them. */
const isStream = (response: Response): boolean =>
  response.constructor !== FastResponse && isEventStream(response)

const UNPARSED: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_SLOW',
}

const DETAILS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'the headers must arrive within 15 seconds, the request within 30',
  HPE_HEADER_OVERFLOW: 'all headers together may have at most 16 KiB',
}

/** Answers data that Node cannot parse as HTTP: there is no request, only a connection. */
async function answerParseError(error: NodeJS.ErrnoException, socket: Socket): Promise<void> {
  const { code = '' } = error
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const detail = DETAILS[code] ?? 'the request is not valid HTTP/1.1'
  const response = problem(UNPARSED[code] ?? 'REQUEST_INVALID', { detail })
  const body = await response.text()
  response.headers.set('content-length', String(Buffer.byteLength(body)))
  response.headers.set('connection', 'close')
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`)
  const { status } = response
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}
