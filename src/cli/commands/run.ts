import type { Served } from '../../admin/index.ts'
import { serve } from '../../admin/index.ts'
import { embedded } from '../../backends/embedded/index.ts'
import { mustBeFree } from '../../http/listen.ts'
import type { App } from '../../runtime/start.ts'
import { start } from '../../runtime/start.ts'
import type { Asked, Command, Flags } from '../command.ts'
import { directoryOf } from '../data.ts'
import type { SystemModule } from '../system-module.ts'
import { importSystem } from '../system-module.ts'
import type { Terminal } from '../terminal.ts'

export const run: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [file = ''] = args
  const stopped = stopOf(terminal)
  const system = await importSystem(terminal, file)
  const where = { port: flags.port, ...whereOf(flags) }
  // Before the app makes data that nobody could reach.
  await mustBeFree(where)
  await using app = await launch(system, asked)
  // Closed first, so that nobody is let in to an app that stops.
  await using served = await serve(app, { ...where, ...reachOf(system, app) })
  announce(asked, app, served)
  await stopped
  if (flags.json) terminal.print('{"event":"stopping"}')
  else terminal.tell('\nStopping: what is in hand ends first.')
  return 0
}

function launch({ services, tools, engine }: SystemModule, asked: Asked): Promise<App> {
  const backend = embedded({ directory: directoryOf(asked) })
  return start(services, backend, {
    // What the handlers need is checked as it starts.
    ...(tools === undefined ? {} : { tools }),
    ...(engine === undefined ? {} : { engine }),
  } as never)
}

/** What can be reached, and what the page shows. */
function reachOf(
  { services, routes, opens, boards }: SystemModule,
  app: App,
): Pick<Parameters<typeof serve>[1], 'routes' | 'opens' | 'boards'> {
  const all = [...new Set(services.flatMap(({ owns }) => owns))]
  return {
    routes: routes ?? [],
    opens: opens ?? (routes === undefined ? all : []),
    boards: typeof boards === 'function' ? boards(app) : (boards ?? []),
  }
}

const whereOf = ({ host, token }: Flags): { host?: string; token?: string } => ({
  ...(host === undefined ? {} : { host }),
  ...(token === undefined ? {} : { token }),
})

function announce({ terminal, flags }: Asked, app: App, { gateway, page }: Served): void {
  if (flags.json) {
    terminal.print(JSON.stringify({ event: 'listening', gateway, page }))
    return
  }
  const names = app.describe().services.map(({ name }) => name)
  terminal.print(`Runs ${names.join(', ')} on ${flags.data}.`)
  terminal.print(`Commands and queries: ${gateway}`)
  terminal.print(`Admin page:           ${page}`)
  terminal.print('Ctrl-C ends it.')
}

const CODES = { SIGINT: 130, SIGTERM: 143 } as const
type Signal = keyof typeof CODES

/** Resolves when it is told to stop. A second signal ends the process at once. */
function stopOf({ signal }: Terminal): Promise<void> {
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
