import type { AppServer } from '../../../admin/index.ts'
import { serve } from '../../../admin/index.ts'
import { embedded } from '../../../backends/embedded/index.ts'
import { assertAddressFree } from '../../../http/listen.ts'
import type { App } from '../../../runtime/start.ts'
import { start } from '../../../runtime/start.ts'
import type { Invocation, Command, Flags } from '../../shared/command.ts'
import { dataDirectory } from '../../shared/open-system.ts'
import type { SystemModule } from '../../shared/system-module.ts'
import { importSystem } from '../../shared/system-module.ts'
import type { Terminal } from '../../terminal/terminal.ts'

export const run: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [file = ''] = args
  const stopped = untilStopped(terminal)
  const system = await importSystem(terminal, file)
  const where = { port: flags.port, ...listenOptions(flags) }
  // Check the port before the app creates data.
  await assertAddressFree(where)
  await using app = await startApp(system, asked)
  // Disposed first, so that the server closes before the app stops.
  await using served = await serve(app, { ...where, ...servedOptions(system, app) })
  announce(asked, app, served)
  await stopped
  if (flags.json) terminal.print('{"event":"stopping"}')
  else terminal.notice('\nStopping: waiting for work in progress.')
  return 0
}

function startApp({ services, tools, engine }: SystemModule, asked: Invocation): Promise<App> {
  const backend = embedded({ directory: dataDirectory(asked) })
  return start(services, backend, {
    // `start` checks the tools that the handlers need.
    ...(tools === undefined ? {} : { tools }),
    ...(engine === undefined ? {} : { engine }),
  } as never)
}

/** The options of `serve` that come from the module. */
function servedOptions(
  { services, routes, expose, boards }: SystemModule,
  app: App,
): Pick<Parameters<typeof serve>[1], 'routes' | 'expose' | 'boards'> {
  const all = [...new Set(services.flatMap(({ owns }) => owns))]
  return {
    routes: routes ?? [],
    expose: expose ?? (routes === undefined ? all : []),
    boards: typeof boards === 'function' ? boards(app) : (boards ?? []),
  }
}

const listenOptions = ({ host, token }: Flags): { host?: string; token?: string } => ({
  ...(host === undefined ? {} : { host }),
  ...(token === undefined ? {} : { token }),
})

function announce({ terminal, flags }: Invocation, app: App, { gateway, page }: AppServer): void {
  if (flags.json) {
    terminal.print(JSON.stringify({ event: 'listening', gateway, page }))
    return
  }
  const names = app.describe().services.map(({ name }) => name)
  terminal.print(`Running ${names.join(', ')} on ${flags.data}.`)
  terminal.print(`Gateway: ${gateway}`)
  terminal.print(`Page:    ${page}`)
  terminal.print('Stop with Ctrl-C.')
}

const CODES = { SIGINT: 130, SIGTERM: 143 } as const
type Signal = keyof typeof CODES

/** Resolves on the first signal. A second signal ends the process at once. */
function untilStopped({ signal }: Terminal): Promise<void> {
  return new Promise((resolve) => {
    if (signal) {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve())
      return
    }
    const end = (name: Signal): void => void process.exit(CODES[name])
    const stop = (): void => {
      for (const name of SIGNALS) {
        process.removeListener(name, stop)
        process.on(name, end)
      }
      resolve()
    }
    for (const name of SIGNALS) process.on(name, stop)
  })
}

const SIGNALS = Object.keys(CODES) as readonly Signal[]
