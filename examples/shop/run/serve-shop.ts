// Serves the gateway and the page of the shop, and stops both on a signal.
import type { App } from 'throughline'
import { Fault } from 'throughline'
import type { AppServer } from 'throughline/admin'
import { serve } from 'throughline/admin'
import { boards } from '../gateway/boards.ts'
import { routes } from '../gateway/routes.ts'

/** Listens on the first of the ports that is free. */
export async function serveOn(
  app: App,
  [port = 0, ...others]: readonly number[],
): Promise<AppServer> {
  try {
    return await serve(app, { port, routes, boards: boards(app), title: 'The shop' })
  } catch (cause) {
    const isBusy = cause instanceof Fault && cause.code === 'PORT_BUSY'
    if (!isBusy || others.length === 0) throw cause
    return serveOn(app, others)
  }
}

/** Stops the app on the first signal; a second signal ends the process immediately. */
export function stopOnSignal(app: App, served: AppServer): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      process.once('SIGINT', () => process.exit(130))
      process.once('SIGTERM', () => process.exit(143))
      process.stderr.write('\nStopping …\n')
      void served
        .close()
        .then(() => app.stop())
        .then(resolve)
    }
    process.once('SIGINT', onSignal)
    process.once('SIGTERM', onSignal)
  })
}
