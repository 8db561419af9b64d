import type { Clock } from '../../base/time/clock.ts'
import { systemClock, withTimeout } from '../../base/time/clock.ts'
import type { LogCapabilities } from '../event-log.ts'
import type { Backend, StoreCapabilities } from '../event-store.ts'

/** One promise of a port, and its test. */
export interface Case<Subject, Can> {
  /** A sentence that is true of a conforming backend. */
  readonly promise: string
  /** Whether a backend with these capabilities promises it. Absent: every backend does. */
  readonly needs?: (can: Can) => boolean
  /** Runs where `needs` is not met: checks that the capability is absent or refused. */
  readonly otherwise?: (subject: Subject) => Promise<void>
  /** Rejects where the promise is broken. */
  run(subject: Subject): Promise<void>
}

/** The capabilities of a backend's ports; absent for a missing port. */
export interface Capabilities {
  readonly log?: LogCapabilities
  readonly store?: StoreCapabilities
}

/** An empty backend for one case. */
export interface Trial<Ports> {
  readonly backend: Ports
  /** Releases everything of this trial; called once, also after a failure. */
  close(): Promise<void>
  /** Closes the backend and opens another over the same data. Required of durable backends. */
  reopen?(): Promise<Ports>
  /** Opens a second backend over the same data at the same time, as another process would. */
  beside?(): Promise<Ports>
}

/** The result of one case. `not declared`: the backend does not promise it, and says so. */
export interface Finding {
  readonly promise: string
  readonly status: 'kept' | 'broken' | 'not declared'
  readonly cause?: unknown
}

export interface ProveOptions {
  /** Time after which a case counts as broken. Default: 30,000. */
  readonly deadlineMs?: number
  /** Default: the machine's clock. The cases wait in real time. */
  readonly clock?: Clock
}

const DEADLINE_MS = 30_000

/** Runs a suite, one case after another, each on a new backend. Returns one finding per case. */
export async function prove<Ports extends Partial<Backend>>(
  cases: readonly Case<Trial<Ports>, Capabilities>[],
  open: () => Promise<NoInfer<Trial<Ports>>>,
  options: ProveOptions = {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const each of cases) findings.push(await proveCase(each, open, options))
  return findings
}

async function proveCase<Ports extends Partial<Backend>>(
  each: Case<Trial<Ports>, Capabilities>,
  open: () => Promise<Trial<Ports>>,
  { deadlineMs = DEADLINE_MS, clock = systemClock() }: ProveOptions,
): Promise<Finding> {
  const { promise } = each
  const withinDeadline = async (what: string, proof: Promise<void>): Promise<void> => {
    const isDone = await withTimeout(
      clock,
      deadlineMs,
      proof.then(() => true),
    )
    if (!isDone) throw new Error(`${what} did not end within ${deadlineMs} ms`)
  }
  try {
    const trial = await open()
    try {
      const can = await openAndReadCapabilities(trial.backend)
      const isDeclared = each.needs?.(can) ?? true
      const proof = isDeclared ? each.run(trial) : each.otherwise?.(trial)
      if (proof) await withinDeadline('the case', proof)
      return { promise, status: isDeclared ? 'kept' : 'not declared' }
    } finally {
      await withinDeadline('closing', trial.close())
    }
  } catch (cause) {
    return { promise, status: 'broken', cause }
  }
}

/** Opens the ports of a trial, and returns their capabilities. */
async function openAndReadCapabilities({ log, store }: Partial<Backend>): Promise<Capabilities> {
  await log?.open()
  await store?.open()
  return { ...(log ? { log: log.can } : {}), ...(store ? { store: store.can } : {}) }
}
