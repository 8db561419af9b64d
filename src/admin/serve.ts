import { newToken, tokenOf } from '../control/token.ts'
import type { GatewayOptions } from '../gateway/gateway.ts'
import { gateway } from '../gateway/gateway.ts'
import type { ListenOptions } from '../http/listen.ts'
import { listen } from '../http/listen.ts'
import type { App } from '../runtime/start.ts'
import { systemOf } from '../runtime/operating.ts'
import type { Board } from './board.ts'
import { admin } from './admin.ts'

export interface ServeOptions extends GatewayOptions, ListenOptions {
  /** Counts that the page shows. */
  readonly boards?: readonly Board[]
}

/** A system that people can reach. */
export interface Served {
  /** Where messages and operations are, such as `http://127.0.0.1:4400`. */
  readonly gateway: string
  /**
   * The page, with the token for its writes behind the `#`, which no browser sends on. Whoever sees
   * this address may pause services.
   */
  readonly page: string
  /** Takes no more requests, and lets what is under way end; before `app.stop`. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Serves an app on one port: its gateway, and the page with what operators need. On loopback unless
 * a token is given; the token of the page is the one of the data directory where there is one.
 *
 * @throws Fault `OPTION_INVALID`, `PORT_BUSY`
 */
export async function serve(app: App, options: ServeOptions): Promise<Served> {
  const { directory } = systemOf(app).backend
  const token = options.token ?? (directory === undefined ? newToken() : tokenOf(directory))
  const closing = new AbortController()
  const handlers = [
    gateway(app, options),
    admin(app, { ...options, token, signal: closing.signal }),
  ]
  const listening = await listen(handlers, options).catch((cause: unknown) => {
    closing.abort()
    throw cause
  })
  const close = (): Promise<void> => {
    closing.abort()
    return listening.close()
  }
  return {
    gateway: listening.url,
    page: `${listening.url}/page/#token=${token}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}
