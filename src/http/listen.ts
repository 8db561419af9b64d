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
  /** 0 takes any that is free. */
  readonly port: number
  /** Default: 127.0.0.1, which only this machine reaches. Any other needs a token. */
  readonly host?: string
  /** Every request must then carry `Authorization: Bearer` with it. */
  readonly token?: string
  /** Event streams that may be open at once. Default: 1,000. */
  readonly streamsMax?: number
  readonly clock?: Clock
  /** Receives each internal error, with the id that the client was given. Default: a process warning. */
  readonly onError?: OnError
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

const GRACE_MS = 10_000
const STREAMS_MAX = 1_000

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
  await assertStartAllowed('listen')
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
 * Holds that it could be listened there, so that nothing is begun that nobody could reach.
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
    report('host', `${host} may be reached by others: give a token, or listen on 127.0.0.1`)
  if (token !== undefined && !/^[!-~]{1,512}$/.test(token))
    report('token', 'must be 1 to 512 visible characters of ASCII')
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: 'listen', issues })
}

function faultOf(cause: unknown, port: number, host: string): unknown {
  const { code } = cause as { code?: string }
  if (code === 'EADDRINUSE') return new Fault('PORT_BUSY', { detail: `${host}:${port}`, cause })
  if (code === undefined) return cause
  const path = code === 'EACCES' ? 'port' : 'host'
  const issues = [{ path, message: `cannot be listened on: ${code}` }]
  return new Fault('OPTION_INVALID', { detail: 'listen', issues, cause })
}
