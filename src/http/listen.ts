import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Fastify from 'fastify'
import type { Clock } from '../base/clock.ts'
import { pause, systemClock } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { mayStart } from '../base/without-starting.ts'
import { guardOf, isAllowed } from './guard.ts'
import type { Incoming } from './incoming.ts'
import { incoming } from './incoming.ts'
import type { HttpAnswer, HttpHandler } from './message.ts'
import { firstAnswer } from './message.ts'
import type { Broke, ProblemCode } from './problem.ts'
import { problem, problems } from './problem.ts'
import { rawText, write } from './write.ts'

export interface ListenOptions {
  /** 0 takes any that is free. */
  readonly port: number
  /** Default: 127.0.0.1, which only this machine reaches. Any other needs a token. */
  readonly host?: string
  /** Every request must then carry `Authorization: Bearer` with it. */
  readonly token?: string
  /** Streams that may be open at once. Default: 1,000. */
  readonly streamsMax?: number
  readonly clock?: Clock
  /** Hears what broke, under the id that the client was given. Default: a warning. */
  readonly broke?: Broke
}

/** A server that listens. */
export interface Listening {
  /** Such as `http://127.0.0.1:4500`. */
  readonly url: string
  readonly port: number
  /**
   * Takes no more requests, ends streams and waits, and lets what is under way end; after `graceMs`
   * (default 10,000) it is cut off. Until then new requests are answered 503. Idempotent.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** How long a client may take, in milliseconds. */
const CLIENT_MS = { headers: 15_000, request: 30_000, idle: 120_000, keepAlive: 65_000 }
const GRACE_MS = 10_000
const STREAMS_MAX = 1_000
/** How often a client that sends too slowly is looked for. */
const CHECK_MS = 5_000

/**
 * Serves a chain of handlers over HTTP/1.1: each request goes to the first that answers it, and is
 * a 404 problem where none does.
 *
 * @throws Fault `OPTION_INVALID` for a host that others reach without a token, `PORT_BUSY`
 */
export async function listen(
  handlers: readonly HttpHandler[],
  options: ListenOptions,
): Promise<Listening> {
  await mayStart('listen')
  const { port, host = '127.0.0.1', token } = options
  mustBeSafe(port, host, token)
  const served = serving(handlers, guardOf(host, token), options)
  const fastify = serverOf(served)
  try {
    await fastify.listen({ port, host })
  } catch (cause) {
    throw faultOf(cause, port, host)
  }
  const bound = (fastify.server.address() as AddressInfo).port
  let closed: Promise<void> | undefined
  const close = (graceMs: number): Promise<void> =>
    (closed ??= served.end(graceMs).then(async () => {
      fastify.server.closeAllConnections()
      await fastify.close()
    }))
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: ({ graceMs = GRACE_MS } = {}) => close(graceMs),
    [Symbol.asyncDispose]: () => close(GRACE_MS),
  }
}

/**
 * Holds that it could be listened there, so that nothing is begun that nobody could reach.
 *
 * @throws Fault `OPTION_INVALID`, `PORT_BUSY`
 */
export async function mustBeFree({
  port,
  host = '127.0.0.1',
  token,
}: Pick<ListenOptions, 'port' | 'host' | 'token'>): Promise<void> {
  mustBeSafe(port, host, token)
  const probe = createServer()
  try {
    await once(probe.listen(port, host), 'listening')
  } catch (cause) {
    throw faultOf(cause, port, host)
  }
  await new Promise((resolve) => probe.close(resolve))
}

function mustBeSafe(port: number, host: string, token: string | undefined): void {
  const complaints: Complaint[] = []
  const complain = (path: string, message: string): void => void complaints.push({ path, message })
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    complain('port', 'must be a whole number from 0 to 65535')
  if (!isAllowed(host, token))
    complain('host', `${host} may be reached by others: give a token, or listen on 127.0.0.1`)
  if (token !== undefined && !/^[!-~]{1,512}$/.test(token))
    complain('token', 'must be 1 to 512 visible characters of ASCII')
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: 'listen', complaints })
}

function faultOf(cause: unknown, port: number, host: string): unknown {
  const { code } = cause as { code?: string }
  if (code === 'EADDRINUSE') return new Fault('PORT_BUSY', { detail: `${host}:${port}`, cause })
  if (code === undefined) return cause
  const path = code === 'EACCES' ? 'port' : 'host'
  const complaints = [{ path, message: `cannot be listened on: ${code}` }]
  return new Fault('OPTION_INVALID', { detail: 'listen', complaints, cause })
}

interface Serving {
  serve(raw: IncomingMessage, response: ServerResponse): Promise<void>
  end(graceMs: number): Promise<void>
}

const END_LOOK_MS = 10

function serving(
  handlers: readonly HttpHandler[],
  guard: ReturnType<typeof guardOf>,
  { clock = systemClock(), broke, streamsMax = STREAMS_MAX }: ListenOptions,
): Serving {
  const problemOf = problems(broke)
  const underWay = new Set<Incoming>()
  const streams = { open: 0, max: streamsMax }
  const closing = problem503('the server is stopping')
  let isClosing = false

  async function answerOf(request: Incoming): Promise<HttpAnswer> {
    try {
      const answer = await firstAnswer(handlers, request)
      return answer ?? problem('NOT_FOUND', { detail: request.path })
    } catch (cause) {
      return problemOf(cause)
    }
  }

  return {
    async serve(raw, response) {
      if (isClosing) return write(response, closing, streams)
      const refused = guard(raw.headers)
      if (refused) return write(response, refused, streams)
      const request = incoming(raw, response)
      underWay.add(request)
      try {
        const answer = await answerOf(request)
        // Whoever left before the whole request had arrived is told nothing, and nothing broke.
        await write(response, answer, streams)
      } catch (cause) {
        problemOf(cause)
        response.destroy()
      } finally {
        underWay.delete(request)
      }
    },
    async end(graceMs) {
      isClosing = true
      for (const request of underWay) request.abandon()
      const endsAt = clock.elapsed() + graceMs
      while (underWay.size > 0 && clock.elapsed() < endsAt) await pause(clock, END_LOOK_MS)
    },
  }
}

function problem503(detail: string): HttpAnswer {
  return problems()(new Fault('APP_STOPPING', { detail }))
}

function serverOf({ serve }: Serving): FastifyInstance {
  const fastify = Fastify({
    requestTimeout: CLIENT_MS.request,
    connectionTimeout: CLIENT_MS.idle,
    keepAliveTimeout: CLIENT_MS.keepAlive,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    http: {
      headersTimeout: CLIENT_MS.headers,
      connectionsCheckingInterval: CHECK_MS,
      requireHostHeader: false,
    },
    clientErrorHandler: refuseUnparsed,
    frameworkErrors: (error, _request, reply) => {
      reply.hijack()
      void write(reply.raw, problem('REQUEST_INVALID', { detail: said(error.code) }), NO_STREAMS)
    },
  })
  // Before the host looks at anything: the handler that answers a path knows what it takes.
  fastify.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack()
    void serve(request.raw, reply.raw)
  })
  return fastify
}

const NO_STREAMS = { open: 0, max: 0 }

const UNPARSED: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_SLOW',
}

const SAID: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'send it faster',
  FST_ERR_BAD_URL: 'the path is not valid percent-encoding',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the path is too long',
  HPE_HEADER_OVERFLOW: 'all headers together have 16 KiB at most',
}

/** What a host's own code means, for those who do not know the host. */
const said = (code: string): string => SAID[code] ?? 'it cannot be read as HTTP/1.1'

/** What is no HTTP has no request that could be answered, only a connection. */
function refuseUnparsed(error: { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const code = UNPARSED[error.code ?? ''] ?? 'REQUEST_INVALID'
  socket.end(rawText(problem(code, { detail: said(error.code ?? '') })))
}
