import { assertKnownOptions } from '../base/options.ts'
import { createToken, ensureToken } from '../control/token.ts'
import type { GatewayOptions } from '../gateway/gateway.ts'
import { gateway, GATEWAY_OPTIONS } from '../gateway/gateway.ts'
import type { ListenOptions } from '../http/listen.ts'
import { listen, LISTEN_OPTIONS } from '../http/listen.ts'
import type { App } from '../runtime/start.ts'
import { systemOf } from '../runtime/running-system.ts'
import type { Board } from './board.ts'
import { admin } from './admin.ts'

export interface ServeOptions extends GatewayOptions, ListenOptions {
  /** Counts of your own for the page. */
  readonly boards?: readonly Board[]
}

/** A server for the gateway and the page of an app. */
export interface AppServer {
  /** The base URL of the gateway, such as `http://127.0.0.1:4400`. */
  readonly gateway: string
  /**
   * The URL of the page, with the token for writes in the fragment, which browsers do not send to
   * servers. Anyone who has this URL can pause services.
   */
  readonly page: string
  /** Stops accepting requests and waits for open ones. Call it before `app.stop`. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const SERVE_OPTIONS = [...GATEWAY_OPTIONS, ...LISTEN_OPTIONS, 'boards']

function pickOptions(known: readonly string[], options: ServeOptions): ServeOptions {
  const picked = Object.entries(options).filter(([name]) => known.includes(name))
  return Object.fromEntries(picked) as unknown as ServeOptions
}

/**
 * Serves an app on one port: its gateway, the admin API and the page. Listens on loopback unless you
 * give a token. Without one, the page uses the token of the data directory, if there is a directory.
 *
 * @throws Fault `OPTION_INVALID`, `PORT_BUSY`
 */
export async function serve(app: App, options: ServeOptions): Promise<AppServer> {
  assertKnownOptions('serve', SERVE_OPTIONS, options)
  const { directory } = systemOf(app).backend
  const token = options.token ?? (directory === undefined ? createToken() : ensureToken(directory))
  const closing = new AbortController()
  const handlers = [
    gateway(app, pickOptions(GATEWAY_OPTIONS, options)),
    admin(app, { ...options, token, signal: closing.signal }),
  ]
  const listening = await listen(handlers, pickOptions(LISTEN_OPTIONS, options)).catch(
    (cause: unknown) => {
      closing.abort()
      throw cause
    },
  )
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
