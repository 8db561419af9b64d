// Shows the progress of a run: on one line of a terminal, otherwise as a line every two seconds.
import type { App } from 'throughline'
import type { Fed } from './feed.ts'

const everyMs = { terminal: 200, file: 2_000 }

/** Shows progress on stderr until the returned function is called. */
export function showProgress(
  app: App,
  fed: Fed,
  { total, handledBefore }: { readonly total: number; readonly handledBefore: number },
): () => Promise<void> {
  const { isTTY } = process.stderr
  let before = { at: performance.now(), handled: handledBefore }
  let showing: Promise<void> = Promise.resolve()
  const show = async (): Promise<void> => {
    const status = await app.status()
    const at = performance.now()
    const handled = status.reduce((sum, { completed }) => sum + completed, 0)
    const lag = status.reduce((sum, each) => sum + each.lag, 0)
    const rate = ((handled - before.handled) / Math.max(1, at - before.at)) * 1_000
    before = { at, handled }
    const line =
      `orders ${fed.sent}/${total} sent · ${handled} events handled · ` +
      `${Math.round(rate)} events/s · lag ${lag}`
    process.stderr.write(isTTY ? `\r\u001b[2K${line}` : `${line}\n`)
  }
  const timer = setInterval(
    () => {
      // `status` throws while the app stops; ignore that.
      showing = showing.then(show).catch(() => undefined)
    },
    isTTY ? everyMs.terminal : everyMs.file,
  )
  return async () => {
    clearInterval(timer)
    await showing.then(show).catch(() => undefined)
    if (isTTY) process.stderr.write('\n')
  }
}
