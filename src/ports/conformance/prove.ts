import type { Clock } from '../../base/clock.ts'
import { systemClock, within } from '../../base/clock.ts'
import type { LogCapabilities } from '../log.ts'
import type { Backend, StoreCapabilities } from '../store.ts'

/** One promise of a port, and how to find out. */
export interface Case<Subject, Can> {
  /** A sentence that is true of a backend which keeps it. */
  readonly promise: string
  /** Whether the backend declares it. Without this, every backend has to keep the promise. */
  readonly needs?: (can: Can) => boolean
  /** Proved where `needs` is not met: that it is absent or refused as declared. */
  readonly otherwise?: (subject: Subject) => Promise<void>
  /** Rejects where the promise is broken. */
  run(subject: Subject): Promise<void>
}

/** What the ports of a backend declare. A port that is not there declares nothing. */
export interface Can {
  readonly log?: LogCapabilities
  readonly store?: StoreCapabilities
}

/** A backend with nothing in it yet, for one case alone. */
export interface Trial<Ports> {
  readonly backend: Ports
  /** Lets go of everything that belongs to this trial; called once, whatever happened. */
  close(): Promise<void>
  /** Closes the backend and gives another over the same data. Needed unless acks mean memory. */
  reopen?(): Promise<Ports>
  /** Gives another one over the same data at the same time, as a second process would have it. */
  beside?(): Promise<Ports>
}

/** `not declared`: the backend does not promise it, and what it declares instead holds. */
export interface Finding {
  readonly promise: string
  readonly is: 'kept' | 'broken' | 'not declared'
  readonly cause?: unknown
}

export interface ProveOptions {
  /** How long one case may take before its promise counts as broken. Default: 30,000. */
  readonly deadlineMs?: number
  /** Default: the machine's clock. The cases wait in real time. */
  readonly clock?: Clock
}

const DEADLINE_MS = 30_000

/** Proves a suite, one case after another, each on a fresh backend. One finding per case. */
export async function prove<Ports extends Partial<Backend>>(
  cases: readonly Case<Trial<Ports>, Can>[],
  open: () => Promise<NoInfer<Trial<Ports>>>,
  options: ProveOptions = {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const each of cases) findings.push(await findingOf(each, open, options))
  return findings
}

async function findingOf<Ports extends Partial<Backend>>(
  each: Case<Trial<Ports>, Can>,
  open: () => Promise<Trial<Ports>>,
  { deadlineMs = DEADLINE_MS, clock = systemClock() }: ProveOptions,
): Promise<Finding> {
  const { promise } = each
  const timely = async (what: string, proof: Promise<void>): Promise<void> => {
    const isDone = await within(
      clock,
      deadlineMs,
      proof.then(() => true),
    )
    if (!isDone) throw new Error(`${what} did not end within ${deadlineMs} ms`)
  }
  try {
    const trial = await open()
    try {
      const can = await opened(trial.backend)
      const isDeclared = each.needs?.(can) ?? true
      const proof = isDeclared ? each.run(trial) : each.otherwise?.(trial)
      if (proof) await timely('the case', proof)
      return { promise, is: isDeclared ? 'kept' : 'not declared' }
    } finally {
      await timely('closing', trial.close())
    }
  } catch (cause) {
    return { promise, is: 'broken', cause }
  }
}

/** Opens what a trial has, and says what it declares. */
async function opened({ log, store }: Partial<Backend>): Promise<Can> {
  await log?.open()
  await store?.open()
  return { ...(log ? { log: log.can } : {}), ...(store ? { store: store.can } : {}) }
}
