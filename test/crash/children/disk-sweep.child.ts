// Works in one directory after another while a fault is injected, at the first call, the second and so
// on; prints the answers of each run, and the content that is left.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { LogAppendResult, LogEvent } from '../../../src/ports/event-log.ts'
import type { Backend } from '../../../src/ports/event-store.ts'
import {
  ORDERS,
  PAYMENTS,
  testEvents,
  idsOf,
  readAll,
  testRow,
  testTopic,
  testUnit,
  resultCode,
} from '../../../src/ports/conformance/fixtures.ts'
import type { ReportedError } from '../support/inspection-report.ts'
import { toReportedError } from '../support/inspection-report.ts'
import type { FaultPlan } from '../support/shim.ts'
import { faultsIn } from '../support/shim.ts'

/** The plan is run for each `nth` from 1 on, until no call is hit any more. */
export interface Sweep {
  readonly directory: string
  readonly faults: string
  readonly plan: Omit<FaultPlan, 'nth'>
  /** Whether faults start before the directory is opened, or after. */
  readonly isFromStart: boolean
  /** Step between two values of `nth`; 1 for every call. */
  readonly every: number
}

/** The result of one `nth`. */
export interface SweepPoint {
  readonly nth: number
  readonly hit: number
  /** The answer or error of each step while faults were injected. */
  readonly during: Readonly<Record<string, string | ReportedError>>
  /** Answers that contradict the content of the log. */
  readonly wrong: readonly string[]
  /** The same steps again without faults. */
  readonly after: Readonly<Record<string, string | ReportedError>>
  /** The content after opening again. */
  readonly left: { readonly ids: readonly string[]; readonly version: number } | ReportedError
}

const TABLE = 'shop.orders'
const SCRATCH = 'scratch'
const APPENDS = ['a', 'b', 'c', 'd']
const COUNT = 6

const eventsIn = (name: string): readonly LogEvent[] => [
  ...testEvents(name, COUNT, { data: JSON.stringify('x'.repeat(3_000)) }),
  ...testEvents(`${name}-paid`, 2, { topic: PAYMENTS }),
]

/** The distinct results, in words. */
function wordOf(answers: readonly LogAppendResult[]): string {
  return [...new Set(answers.map(resultCode))].join(' and ')
}

/** All steps of the workload; each may be repeated. */
async function steps({ log, store }: Backend): Promise<Record<string, string | ReportedError>> {
  const answers: Record<string, string | ReportedError> = {}
  const step = async (name: string, run: () => Promise<string>): Promise<void> => {
    answers[name] = await run().catch(toReportedError)
  }
  await step('declare', () => declared({ log, store }))
  for (const name of APPENDS)
    await step(name, async () => wordOf(await log.append(eventsIn(name), { isAtomic: true })))
  await step('unit', async () => {
    const rows = [testRow(TABLE, 'k', { expected: 0, version: 1 })]
    const { status } = await store.commit(testUnit({ rows }))
    return status === 'conflict' ? 'done' : status
  })
  await step('trim', async () => {
    await log.trim(SCRATCH, 0, 3)
    return 'done'
  })
  return answers
}

async function declared({ log, store }: Backend): Promise<string> {
  await log.declare([testTopic(ORDERS), testTopic(PAYMENTS), testTopic(SCRATCH, 1)])
  await store.declare([{ name: TABLE, indexes: [] }])
  return 'done'
}

/** Prepares the directory before faults are injected. */
async function prepare(backend: Backend): Promise<void> {
  await declared(backend)
  await backend.log.append(testEvents('scratch', COUNT, { topic: SCRATCH, partition: 0 }))
}

/** Checks under faults that stored events are there and refused ones are not. */
async function wrongAnswers(
  { log }: Backend,
  answers: Readonly<Record<string, string | ReportedError>>,
): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const name of APPENDS) {
    const answer = answers[name]
    const first = await log.find?.(PAYMENTS, `${name}-paid-0`).catch(toReportedError)
    if (first && 'text' in first) wrong.push(`a read fails: ${first.text}`)
    else if (answer === 'stored' && !first) wrong.push(`${name} was stored and is not there`)
    else if (answer === 'LOG_FULL' && first) wrong.push(`${name} was refused and is there`)
  }
  return wrong
}

async function opened(backend: Backend): Promise<ReportedError | undefined> {
  try {
    await backend.log.open()
    await backend.store.open()
    return undefined
  } catch (cause) {
    await closed(backend)
    return toReportedError(cause)
  }
}

async function closed({ log, store }: Backend): Promise<ReportedError | undefined> {
  try {
    await log.close()
    await store.close()
    return undefined
  } catch (cause) {
    return toReportedError(cause)
  }
}

async function attempt(
  { plan, faults: path, isFromStart }: Sweep,
  nth: number,
  directory: string,
): Promise<SweepPoint> {
  const faults = faultsIn(path)
  let backend = embedded({ directory })
  if (isFromStart) faults.plan({ ...plan, nth })
  const during: Record<string, string | ReportedError> = {}
  const wrong: string[] = []
  const refused = await opened(backend)
  if (!isFromStart) {
    await prepare(backend)
    faults.plan({ ...plan, nth })
  }
  if (refused) during['open'] = refused
  else {
    Object.assign(during, await steps(backend))
    // Without its topics nothing can be appended or read.
    if (during['declare'] === 'done') wrong.push(...(await wrongAnswers(backend, during)))
  }
  const { hit } = faults.counts()
  faults.heal()
  faults.close()
  if (refused) {
    backend = embedded({ directory })
    const still = await opened(backend)
    if (still) wrong.push(`it does not open any more: ${still.text}`)
  }
  const after = await steps(backend).catch(() => ({}))
  const health = await backend.log.health()
  if (health.status !== 'well') wrong.push(`its health stays failing: ${health.detail}`)
  const late = await closed(backend)
  if (late) wrong.push(`it does not close: ${late.text}`)
  return { nth, hit, during, wrong, after, left: await readLeft(directory) }
}

async function readLeft(directory: string): Promise<SweepPoint['left']> {
  const backend = embedded({ directory })
  const refused = await opened(backend)
  if (refused) return refused
  try {
    const records = [...(await readAll(backend.log)), ...(await readAll(backend.log, PAYMENTS))]
    const [row] = await backend.store.get([{ table: TABLE, key: 'k' }])
    return { ids: idsOf(records), version: row?.version ?? 0 }
  } catch (cause) {
    return toReportedError(cause)
  } finally {
    await closed(backend)
  }
}

/** All ids that must be there in the end. */
export function expectedIds(): readonly string[] {
  return APPENDS.flatMap((name) => idsOf(eventsIn(name)))
}

if (import.meta.main) {
  const sweep = JSON.parse(process.argv[2] ?? '') as Sweep
  for (let nth = 1, hit = 1; hit > 0; nth += sweep.every) {
    const directory = join(sweep.directory, String(nth))
    const swept = await attempt(sweep, nth, directory)
    process.stdout.write(`${JSON.stringify(swept)}\n`)
    rmSync(directory, { recursive: true, force: true })
    hit = swept.hit
  }
}
