// Sends random requests to the operator API of a busy app, in blocks: in every other one, no request has
// the token, and afterwards nothing may have changed.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { adminRoutes } from '../../src/admin/admin.ts'
import { seededRandom } from '../../src/base/random.ts'
import { adminFlaw } from './admin-flaws.ts'
import type { AdminRequest } from './admin-requests.ts'
import { createAdminRequest } from './admin-requests.ts'
import type { Defect } from './admin-scenario.ts'
import { openAdminScenario } from './admin-scenario.ts'
import type { FuzzAnswer, FuzzReport } from './send-fuzz.ts'
import { fuzz } from './send-fuzz.ts'

export interface AdminFuzzOptions {
  readonly seed: number
  readonly requests: number
  /** Where the data of the app is put. */
  readonly directory: string
  /** Requests of a block. Default: 1,000. */
  readonly block?: number
  readonly slowMs?: number
  readonly plant?: Defect
  readonly onProgress?: (text: string) => void
}

export interface AdminFuzzReport extends FuzzReport {
  /** The number of answers of each path of the table by status, of requests that had its method. */
  readonly answered: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** What the app and its server have reported. */
  readonly faults: readonly string[]
  /** Entries of the audit trail: the writes that were let through. */
  readonly writes: number
  /** After the first block with everything warm, and at the end, both after a collection. */
  readonly heapMb: { readonly first: number; readonly last: number }
}

/** Operators that ask at the same time, none of whom pauses. Client and server share a process. */
const OPERATORS = 8
/** What the app itself may take on: more operations, sagas and held keys than at the beginning. */
const HEAP_GROWTH_MB_MAX = 64

export async function fuzzAdmin({
  seed,
  requests,
  directory,
  block = 1_000,
  plant,
  onProgress = () => undefined,
  ...options
}: AdminFuzzOptions): Promise<AdminFuzzReport> {
  await using scenario = await openAdminScenario(directory, plant)
  const { app, origin, token, faults } = scenario
  const random = seededRandom(seed)
  const routes = adminRoutes(app, { token, signal: AbortSignal.abort() })
  const reports: FuzzReport[] = []
  const changes: string[] = []
  const heaps: number[] = []
  const answered: Record<string, Record<string, number>> = {}
  for (let sent = 0; sent < requests; sent += block) {
    const hasToken = reports.length % 2 === 1
    await scenario.prepare()
    const known = { names: await scenario.names(), letters: await scenario.letters() }
    const before = await scenario.writtenState()
    const target = {
      createRequest: () => createAdminRequest(random, { ...known, routes, token, hasToken }),
      flawOf(request: AdminRequest, answer: FuzzAnswer) {
        count(answered, request, answer)
        return adminFlaw(request, answer)
      },
    }
    const size = Math.min(block, requests - sent)
    const run = { random, requests: size, width: OPERATORS, ...options }
    reports.push(await fuzz<AdminRequest>(origin, target, run))
    if (!hasToken) changes.push(...changedLines(before, await scenario.writtenState()))
    heaps.push(heapMb())
    const { findings, slowest } = merged(reports)
    const found = `${findings.length + changes.length + faults.length} findings`
    onProgress(
      `${sent + size} requests, ${found}, slowest ${slowest.ms} ms, heap ${heaps.at(-1)} MB`,
    )
  }
  const { findings, ...report } = merged(reports)
  const memory = { first: heaps[1] ?? heaps[0] ?? 0, last: heaps.at(-1) ?? 0 }
  const grown = memory.last - memory.first
  const leaks = grown > HEAP_GROWTH_MB_MAX ? [`the heap has grown by ${grown} MB`] : []
  return {
    ...report,
    answered,
    findings: [...findings, ...changes, ...leaks],
    faults,
    writes: await scenario.writes(),
    heapMb: memory,
  }
}

function count(
  answered: Record<string, Record<string, number>>,
  { route, method }: AdminRequest,
  { status }: FuzzAnswer,
): void {
  if (!route || method !== route.method) return
  const ofPath = (answered[route.path] ??= {})
  ofPath[status] = (ofPath[status] ?? 0) + 1
}

/** The lines that a block without the token has changed; there should be none. */
function changedLines(before: string, later: string): readonly string[] {
  if (before === later) return []
  const known = new Set(before.split('\n'))
  const lines = later.split('\n').filter((line) => !known.has(line))
  return [`changed without the token: ${lines.join(' ').slice(0, 500)}`]
}

function merged(reports: readonly FuzzReport[]): FuzzReport {
  const statuses: Record<string, number> = {}
  for (const report of reports)
    for (const [status, count] of Object.entries(report.statuses))
      statuses[status] = (statuses[status] ?? 0) + count
  const [slowest = { ms: 0, request: '' }] = reports
    .map((report) => report.slowest)
    .toSorted((one, other) => other.ms - one.ms)
  return {
    requests: reports.reduce((sum, report) => sum + report.requests, 0),
    statuses,
    findings: reports.flatMap((report) => report.findings),
    slowest,
  }
}

/** What is in use after a collection, buffers included. */
function heapMb(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const { heapUsed, external } = process.memoryUsage()
  return Math.round((heapUsed + external) / 1_048_576)
}
