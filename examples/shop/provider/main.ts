// Runs the shop through bad days of its payment provider, and says what went wrong and how it was settled.
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { App, DeadLetterEntry } from 'throughline'
import { seconds, start } from 'throughline'
import { inProcess } from 'throughline/edges'
import { embedded } from 'throughline/embedded'
import { seededRandom } from 'throughline/testing'
import { differencesOf, imbalancesOf } from '../check-books.ts'
import { readInvoices } from '../intake/file.ts'
import { stockOnFirstSight } from '../inventory.ts'
import { booksOfFile } from '../oracle.ts'
import { printLine, runProgram } from '../run/command-line.ts'
import { logDirectory, prepare, startOver } from '../run/directory.ts'
import type { Fed } from '../run/feed.ts'
import { feed } from '../run/feed.ts'
import { serveOn, stopOnSignal } from '../run/serve-shop.ts'
import type { Summary } from '../run/summary.ts'
import { sumUp, table } from '../run/summary.ts'
import { cardsOf, mistypeOne } from './cards.ts'
import { notificationTopic, shopThroughProvider } from './charging.ts'
import { correct, isOnlyDeadLeft, withCard } from './operator.ts'
import type { OutageOptions } from './options.ts'
import { readOptions } from './options.ts'
import { incidents, providerDifferences } from './report.ts'
import type { Behaviour, SimulatedProvider } from './simulated-provider.ts'
import { simulateProvider } from './simulated-provider.ts'

const excerpt = fileURLToPath(new URL('../data/orders.csv', import.meta.url))

const badDays = [
  { behaviour: 'well', calls: 20, lastsMs: seconds(4) },
  { behaviour: 'down', calls: 60, lastsMs: seconds(12) },
  { behaviour: 'answers-twice', calls: 40, lastsMs: seconds(8) },
  { behaviour: 'slow', calls: 40, lastsMs: seconds(8) },
  { behaviour: 'well', calls: 0, lastsMs: 0 },
] as const
const [invoicesPerSecond, timeoutMs, slowMs] = [12, seconds(1), seconds(2.5)]
/** The longest delay is shorter than by default, so that nobody has to wait for it. */
const retry = { attempts: 40, delayMs: 200, factor: 2, delayMsMax: seconds(5) }
const progressMs = seconds(2)
const pollMs = 100

const news: Readonly<Record<Behaviour, string>> = {
  well: 'The payment provider answers well.',
  down: 'The payment provider is down: every call fails.',
  'answers-twice': 'It is back, and answers each payment a second time by a notification.',
  slow: 'It is slow: half of the answers come after the shop has stopped waiting.',
}

async function main(options: OutageOptions): Promise<number> {
  const { invoices, malformedRows, contentHash } = await readInvoices(excerpt)
  const read = invoices.length
  const card = mistypeOne(invoices)
  const cardOf = cardsOf(invoices, card)
  const { data, speed, byHand, json } = options
  await startOver(data)
  await prepare(data, { contentHash, openingStock: stockOnFirstSight })

  const broker = inProcess()
  const provider = createProvider(options, (body) => broker.publish(notificationTopic, body))
  const fast = { timeoutMs: Math.ceil(timeoutMs / speed), retry: quicker(speed) }
  const backend = embedded({ directory: logDirectory(data) })
  let timedOut = 0
  const app = await start(shopThroughProvider(fast), backend, {
    tools: { provider, transport: broker },
    onRuleError: ({ code }) => void (timedOut += code === 'HANDLER_TIMEOUT' ? 1 : 0),
    onBackendError: (group, cause) => printLine(`${group}: ${String(cause)}`),
  })
  const served = await serveOn(app, options.ports)
  const stopped = stopOnSignal(app, served)
  printLine(`The page is at ${served.page}\n\n${news.well}`)

  const began = performance.now()
  const fed: Fed = { sent: 0, repeated: 0 }
  const endProgress = showProgress(app, { fed, provider, total: read, speed })
  const ratePerSecond = invoicesPerSecond * speed
  await feed(app, { invoices, fed, pause, elapsed: () => performance.now(), cardOf, ratePerSecond })
  // Somebody may have been quick.
  const [letter] = await waitForDeadLetters(app)
  await endProgress()
  if (letter) {
    printLine(aboutLetter(letter))
    if (byHand) printLine(whatToDo(letter, card.correct, data, served.page))
    else await operate(app, letter, card.correct)
  }
  while ((await waitForDeadLetters(app)).length > 0) await pause(pollMs)

  const elapsedMs = Math.round(performance.now() - began)
  const peakMemoryBytes = process.resourceUsage().maxRSS * 1_024
  const measured = { read, malformedRows, handledBefore: 0, elapsedMs, peakMemoryBytes }
  const summary = await sumUp(app, measured)
  const seen = {
    provider,
    edges: await app.edges(),
    timedOut,
    card,
    heldBehind: letter?.heldBehind ?? 0,
  }
  const wrong = differences(summary, provider)
  printLine(`\n${table(summary)}\n\n${incidents(seen).join('\n')}\n`)
  for (const sentence of wrong) printLine(`The books do not balance: ${sentence}`)
  if (wrong.length === 0) printLine('The books balance, and the provider has moved the same money.')
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (byHand) {
    printLine('The shop is running; Ctrl-C stops it.')
    await stopped
  } else {
    await served.close()
    await app.stop()
  }
  return wrong.length === 0 ? 0 : 1
}

function createProvider(
  { seed, speed }: OutageOptions,
  publish: (body: string) => Promise<void>,
): SimulatedProvider {
  return simulateProvider({
    phases: badDays.map((phase) => ({ ...phase, lastsMs: phase.lastsMs / speed })),
    slowMs: slowMs / speed,
    random: seededRandom(seed),
    elapsed: () => performance.now(),
    pause: (delayMs, signal) => pause(delayMs, undefined, { signal }),
    notify: (notification) => publish(JSON.stringify(notification)),
    onPhase: (behaviour) => printLine(news[behaviour]),
  })
}

const quicker = (speed: number) => ({
  ...retry,
  delayMs: Math.ceil(retry.delayMs / speed),
  delayMsMax: Math.ceil(retry.delayMsMax / speed),
})

interface Progress {
  readonly fed: Fed
  readonly provider: SimulatedProvider
  readonly total: number
  readonly speed: number
}

/** Prints a line now and then, until the returned function is called. */
function showProgress(app: App, { fed, provider, total, speed }: Progress): () => Promise<void> {
  const ended = new AbortController()
  const { signal } = ended
  const began = performance.now()
  const show = async (): Promise<void> => {
    while (!signal.aborted) {
      await pause(progressMs / speed, undefined, { signal })
      const status = await app.status()
      const [held, dead] = [
        status.reduce((sum, each) => sum + each.pending, 0),
        status.reduce((sum, each) => sum + each.dead, 0),
      ]
      const charged = provider.movements().filter(({ kind }) => kind === 'charge').length
      const at = ((performance.now() - began) / 1_000).toFixed(0).padStart(3)
      printLine(
        `${at} s  ${fed.sent}/${total} invoices sent · ${charged} charged · ${held} held · ${dead} dead`,
      )
    }
  }
  // Aborted by its end, or `status` throws because the app stops.
  const shown = show().catch(() => undefined)
  return async () => {
    ended.abort()
    await shown
  }
}

/**
 * Waits until only dead letters are left, with what waits behind them, and returns them. Not `settled`:
 * the orders of a letter that is discarded stay open.
 */
async function waitForDeadLetters(app: App): Promise<readonly DeadLetterEntry[]> {
  for (;;) {
    const { items } = await app.deadLetters.list()
    if (isOnlyDeadLeft(await app.status(), items)) return items
    await pause(pollMs)
  }
}

async function operate(app: App, letter: DeadLetterEntry, card: string): Promise<void> {
  const { refusedIssues, redriven } = await correct(app.deadLetters, letter, card)
  for (const { path, message } of refusedIssues)
    printLine(`An edit without a number is refused: ${path}: ${message}`)
  printLine(`The operator corrects the number to ${card} and redrives it (${redriven}).`)
}

const aboutLetter = ({ consumer, key, event, heldBehind, error }: DeadLetterEntry): string => `
All settled but one: the provider refuses a card for ever. ${consumer} has a dead letter:
  ${event.type} ${event.id} of ${key}: ${error.message.split('\n')[0]}
  Messages of ${key} behind it: ${heldBehind}. All other customers went on.`

function whatToDo(letter: DeadLetterEntry, card: string, data: string, page: string): string {
  const { id } = letter.event
  const edited = JSON.stringify(withCard(letter, card))
  const dead = 'npm run throughline -- dead'
  const at = `--data ${logDirectory(data)}`
  const why = `--by you --reason 'a mistyped card'`
  return `
Correct it on the page, in the list Dead letters, or from another terminal:
  open ${page}
  ${dead} show ${id} ${at}
  ${dead} edit ${id} --new-data '${edited}' ${at} ${why}
  ${dead} redrive ${id} ${at} ${why}
Then the rest settles, and the books are printed here.`
}

/** What is wrong with the totals: against those of the file, in themselves, and against the provider. */
function differences(summary: Summary, provider: SimulatedProvider): string[] {
  return [
    ...differencesOf(booksOfFile(excerpt, {}), summary),
    ...imbalancesOf(summary),
    ...providerDifferences(provider.movements(), summary.money),
  ]
}

const options = readOptions(process.argv.slice(2))
await runProgram(options, main, 'Stopped.')
