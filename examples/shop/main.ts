// Starts the shop on the embedded backend and feeds it the orders of a file.
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { App } from 'throughline'
import type { AppServer } from 'throughline/admin'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { readInvoices } from './intake/file.ts'
import { stockOnFirstSight } from './inventory.ts'
import { printLine, runProgram } from './run/command-line.ts'
import { logDirectory, prepare, startOver } from './run/directory.ts'
import type { Fed } from './run/feed.ts'
import { feed } from './run/feed.ts'
import type { RunOptions } from './run/options.ts'
import { readOptions } from './run/options.ts'
import { showProgress } from './run/progress.ts'
import { serveOn, stopOnSignal } from './run/serve-shop.ts'
import { handledBy, imbalances, placedBeside, sumUp, table } from './run/summary.ts'
import { shop } from './services.ts'

const excerpt = fileURLToPath(new URL('data/orders.csv', import.meta.url))

async function main(options: RunOptions): Promise<number> {
  const began = performance.now()
  const { orders = excerpt, openingStock, once, json } = options
  const { invoices, malformedRows, contentHash } = await readInvoices(orders)
  // Copies, since substrings would keep the text of the whole file in memory.
  const inFile = new Set(structuredClone(invoices.map(({ invoiceId }) => invoiceId)))
  const directory = options.data ?? join('.throughline', `shop-${contentHash.slice(0, 12)}`)
  if (options.fresh) await startOver(directory)
  await prepare(directory, { contentHash, openingStock })

  const backend = embedded({ directory: logDirectory(directory) })
  const app = await start(shop(openingStock), backend, {
    onRuleError: ({ consumer, messageId, error }) =>
      printLine(`${consumer} on ${messageId}: ${error}`),
    onBackendError: (group, cause) => printLine(`${group}: ${String(cause)}`),
  })
  const served = await serveShop(app, options)
  const stopped = stopOnSignal(app, served)

  const fed: Fed = { sent: 0, repeated: 0 }
  const handledBefore = await handledBy(app)
  const endProgress = showProgress(app, fed, { total: inFile.size, handledBefore })
  const { ratePerSecond } = options
  try {
    await feed(app, {
      invoices,
      fed,
      pause,
      elapsed: () => performance.now(),
      ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    })
    await app.settled()
  } finally {
    await endProgress()
  }

  const elapsedMs = Math.round(performance.now() - began)
  const peakMemoryBytes = process.resourceUsage().maxRSS * 1_024
  const read = inFile.size + (await placedBeside(app, inFile))
  const measured = { read, malformedRows, handledBefore, elapsedMs, peakMemoryBytes }
  const summary = await sumUp(app, measured)
  const broken = imbalances(summary)
  printLine('')
  if (inFile.size > 0 && fed.repeated === inFile.size)
    printLine(
      `All orders in ${directory} had settled already. To start over: npm start -- --fresh\n`,
    )
  if (!json) process.stdout.write(`${table(summary)}\n`)
  for (const sentence of broken) printLine(`The books do not balance: ${sentence}`)
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (once) {
    await served.close()
    await app.stop()
  } else {
    printLine(nextSteps(directory, served))
    await stopped
  }
  return broken.length === 0 ? 0 : 1
}

/** Starts gateway and page, and prints their addresses before anything else. */
async function serveShop(app: App, { ports, json }: RunOptions): Promise<AppServer> {
  try {
    const served = await serveOn(app, ports)
    const { gateway, page } = served
    if (json) process.stdout.write(`${JSON.stringify({ event: 'listening', gateway, page })}\n`)
    else printLine(`The page is at    ${page}\nThe gateway is at ${gateway}/openapi.json\n`)
    return served
  } catch (cause) {
    await app.stop()
    throw cause
  }
}

function nextSteps(directory: string, { gateway, page }: AppServer): string {
  return `
The shop is running; Ctrl-C stops it. Its log is in ${logDirectory(directory)}. What to try next:
  open ${page}
  curl -i ${gateway}/orders -H 'content-type: application/json' -H 'idempotency-key: my-first' \\
    -d '{"customerId":"17850","country":"France","lines":[{"sku":"85123A","quantity":6,"unitPrice":2.55}]}'
  curl '${gateway}/operations/ordering.ConfirmOrder:my-first?wait=10'
  stop it with Ctrl-C and start it again: all orders have settled already
  npm start -- --fresh --rate 50, then kill -9 its process: started again, it continues
  npm start -- --stock 50 --data .throughline/scarce --once     what happens when stock is short
  npm start -- --help                              all options`
}

const options = readOptions(process.argv.slice(2), stockOnFirstSight)
await runProgram(options, main, 'Stopped. Start it again to continue.')
