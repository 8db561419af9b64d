// Runs the services on a small disk, fills it, frees space again, and stops and starts on a full one;
// prints the result of each step.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from 'throughline'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import type { Backend } from '../../../src/ports/event-store.ts'
import { depositOf } from '../support/batches.ts'
import type { ReportedError } from '../support/inspection-report.ts'
import { toReportedError } from '../support/inspection-report.ts'
import { Bank, Meters, TOPICS, services } from '../support/scenario.ts'

/** The steps, in their order. */
export type DiskFullStep =
  | 'filled'
  | 'send on a full disk'
  | 'read on a full disk'
  | 'health on a full disk'
  | 'send with room again'
  | 'settled'
  | 'health with room again'
  | 'stop on a full disk'
  | 'start on a full disk'
  | 'read after a start on a full disk'
  | 'start with room again'
  | 'all there'

export type DiskFullOutcome = Readonly<Record<DiskFullStep, string | ReportedError>>

const [directory = '', ballast = ''] = process.argv.slice(2)
const outcome: Partial<Record<DiskFullStep, string | ReportedError>> = {}

async function step(name: DiskFullStep, run: () => Promise<string>): Promise<void> {
  outcome[name] = await run().catch(toReportedError)
}

const post = { tell: async () => undefined }
let sent = 0

/** Fills the disk up. */
function fill(): void {
  const bytes = Buffer.alloc(4_096)
  for (;;)
    try {
      writeFileSync(join(ballast, 'more'), bytes, { flag: 'a' })
    } catch {
      return
    }
}

function free(): void {
  rmSync(join(ballast, 'more'), { force: true })
}

async function begun(backend: Backend): Promise<App> {
  return start(services, backend, {
    tools: { post },
    onRuleError: () => undefined,
    onBackendError: () => undefined,
  })
}

async function send(app: App): Promise<string> {
  const number = sent + 1
  await app.send(Bank.Deposit(depositOf(number)), { id: `deposit-${number}` })
  sent = number
  return 'stored'
}

/** Appends until an append is not stored; returns its result. */
async function untilFull(app: App): Promise<string> {
  const text = 'x'.repeat(8_000)
  for (let number = 1; number < 5_000; number += 1) {
    const message = Meters.Measured({ meter: `m${number % 7}`, number, text })
    const [answer] = await app.append([message])
    if (answer?.status === 'refused') return answer.code
    if (answer?.status !== 'stored') return answer?.status ?? 'nothing'
  }
  return 'never full'
}

const countIn = async ({ log }: Backend): Promise<number> => {
  const ends = await log.ends([TOPICS.commands])
  const slices = await log.read(
    ends.map(({ topic, partition, first }) => ({ topic, partition, next: first })),
    { records: 1_000, bytes: 1_000_000 },
    { ms: 0 },
  )
  const ids = slices.flatMap(({ records }) => records.map(({ id }) => id))
  return ids.filter((id) => id.startsWith('deposit-')).length
}

const isComplete = async (backend: Backend): Promise<string> =>
  (await countIn(backend)) === sent ? 'all' : `${await countIn(backend)} of ${sent}`

async function firstLife(): Promise<void> {
  const backend = embedded({ directory })
  const app = await begun(backend)
  for (let at = 0; at < 5; at += 1) await send(app)
  await app.settled()
  fill()
  await step('filled', () => untilFull(app))
  await step('send on a full disk', () => send(app))
  await step('read on a full disk', () => isComplete(backend))
  await step('health on a full disk', async () => (await app.health()).status)
  free()
  await step('send with room again', () => send(app))
  await step('settled', async () => {
    await app.settled({ signal: AbortSignal.timeout(30_000) })
    return 'settled'
  })
  await step('health with room again', async () => (await app.health()).status)
  fill()
  await untilFull(app)
  await step('stop on a full disk', async () => {
    await app.stop()
    return 'stopped'
  })
}

async function secondLife(): Promise<void> {
  const backend = embedded({ directory })
  let app: App | undefined
  await step('start on a full disk', async () => {
    app = await begun(backend)
    return 'started'
  })
  const reading = app ? backend : embedded({ directory, isReadOnly: true })
  if (!app) await reading.log.open().catch(() => undefined)
  await step('read after a start on a full disk', () => isComplete(reading))
  await (app ? app.stop() : reading.log.close())
  free()
  await step('start with room again', async () => {
    const again = embedded({ directory })
    const running = await begun(again)
    await send(running)
    await running.settled({ signal: AbortSignal.timeout(30_000) })
    await step('all there', () => isComplete(again))
    await running.stop()
    return 'started'
  })
}

if (import.meta.main) {
  if (!existsSync(ballast)) throw new Error(`${ballast} is missing`)
  await firstLife()
  await secondLife()
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}
