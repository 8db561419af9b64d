import { assertKnownOptions } from '../base/options.ts'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import type { Clock } from '../base/time/clock.ts'
import { systemClock } from '../base/time/clock.ts'
import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { assertStartAllowed } from '../base/start-guard.ts'
import { guardOf, isAllowed } from './guard.ts'
import type { HttpHandler } from './handler.ts'
import { fetchHandler, firstResponse } from './handler.ts'
import type { OnError } from './problem.ts'
import { problems } from './problem.ts'
import { createFetchServer } from './server.ts'

export interface ListenOptions {
  /** 0 picks a free port. */
  readonly port: number
  /** Default: 127.0.0.1, which only this machine can reach. Other hosts need a token. */
  readonly host?: string
  /** If set, every request must send `Authorization: Bearer` with it. */
  readonly token?: string
  /** Maximum number of open event streams. Default: 1,000. */
  readonly streamsMax?: number
  readonly clock?: Clock
  /** Receives each internal error, with the id that the client got. Default: a process warning. */
  readonly onError?: OnError
}

const KNOWN: Readonly<Record<keyof ListenOptions, true>> = {
  port: true,
  host: true,
  token: true,
  streamsMax: true,
  clock: true,
  onError: true,
}
/** The names of all options of `listen`. */
export const LISTEN_OPTIONS: readonly string[] = Object.keys(KNOWN)

/** A listening server. */
export interface Listening {
  /** Such as `http://127.0.0.1:4500`. */
  readonly url: string
  readonly port: number
  /**
   * Shuts down gracefully: answers new requests with 503, ends event streams and long polls, and
   * waits up to `graceMs` (default 10,000) for requests in flight. Then it closes all connections.
   * Idempotent.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const GRACE_MS = 10_000
const STREAMS_MAX = 1_000

/**
 * Serves a chain of handlers over HTTP/1.1. The first handler that answers a request wins; if none
 * does, the answer is a 404 problem.
 *
 * @throws Fault `OPTION_INVALID`, also for a non-loopback host without a token; `PORT_BUSY`
 */
export async function listen(
  handlers: readonly HttpHandler[],
  options: ListenOptions,
): Promise<Listening> {
  await assertStartAllowed('listen')
  assertKnownOptions('listen', LISTEN_OPTIONS, options)
  const { port, host = '127.0.0.1', token, onError } = options
  assertListenAllowed(port, host, token)
  const { server, drain } = createFetchServer({
    fetch: fetchHandler((request) => firstResponse(handlers, request), options),
    guard: guardOf(host, token),
    clock: options.clock ?? systemClock(),
    streamsMax: options.streamsMax ?? STREAMS_MAX,
    problemOf: problems(onError),
  })
  try {
    await once(server.listen(port, host), 'listening')
  } catch (cause) {
    throw faultOf(cause, port, host)
  }
  const bound = (server.address() as AddressInfo).port
  let closed: Promise<void> | undefined
  const close = (graceMs: number): Promise<void> =>
    (closed ??= drain(graceMs).then(async () => {
      const ended = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await ended
    }))
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: ({ graceMs = GRACE_MS } = {}) => close(graceMs),
    [Symbol.asyncDispose]: () => close(GRACE_MS),
  }
}

/**
 * Checks that a server could listen on this address, before anything else is started.
 *
 * @throws Fault `OPTION_INVALID`, `PORT_BUSY`
 */
export async function assertAddressFree({
  port,
  host = '127.0.0.1',
  token,
}: Pick<ListenOptions, 'port' | 'host' | 'token'>): Promise<void> {
  assertListenAllowed(port, host, token)
  const probe = createServer()
  try {
    await once(probe.listen(port, host), 'listening')
  } catch (cause) {
    throw faultOf(cause, port, host)
  }
  await new Promise((resolve) => probe.close(resolve))
}

function assertListenAllowed(port: number, host: string, token: string | undefined): void {
  const issues: Issue[] = []
  const report = (path: string, message: string): void => void issues.push({ path, message })
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    report('port', 'must be a whole number from 0 to 65535')
  if (!isAllowed(host, token))
    report('host', `${host} is reachable from other machines: set a token, or listen on 127.0.0.1`)
  if (token !== undefined && !/^[!-~]{1,512}$/.test(token))
    report('token', 'must be 1 to 512 visible ASCII characters')
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: 'listen', issues })
}

function faultOf(cause: unknown, port: number, host: string): unknown {
  const { code } = cause as { code?: string }
  if (code === 'EADDRINUSE') return new Fault('PORT_BUSY', { detail: `${host}:${port}`, cause })
  if (code === undefined) return cause
  const path = code === 'EACCES' ? 'port' : 'host'
  const issues = [{ path, message: `cannot be bound: ${code}` }]
  return new Fault('OPTION_INVALID', { detail: 'listen', issues, cause })
}
