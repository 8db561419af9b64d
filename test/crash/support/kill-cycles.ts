// Kills a process again and again, and verifies its data directory after each kill.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../../../src/base/random.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { spawnChild } from './child-process.ts'
import type { Violation } from './invariants.ts'
import { findViolations } from './invariants.ts'
import type { KillPoint, WorkloadSetup } from './kill-points.ts'
import { CALLS_MAX, nextSetup } from './kill-points.ts'
import { takeSnapshot } from './snapshot.ts'
import type { Shim } from './shim.ts'
import { countsIn } from './shim.ts'
import type { ProtocolLine, Observed } from './protocol.ts'
import { observe, createObserved } from './protocol.ts'

export interface KillOptions {
  readonly cycles: number
  readonly seed: number
  /** An empty directory for data. */
  readonly root: string
  /** Absent: kills come only from outside, at any time. */
  readonly shim?: Shim
  readonly onProgress?: (text: string) => void
  /** How many processes run at a time; default: one. */
  readonly lanes?: number
  /** Default: all of them, and any time. */
  readonly moments?: readonly KillPoint[]
  readonly control?: Pick<WorkloadSetup, 'isDropping'>
}

/** The result of a run, which ends with the first violation. */
export interface KillTally {
  readonly cycles: number
  /** Kills by kill point. Processes that never reached theirs count as `any time`. */
  readonly died: Readonly<Partial<Record<KillPoint, number>>>
  readonly acked: number
  readonly violations: readonly Violation[]
  readonly tookMs: number
}

/** Kills per directory; one more process then settles it. */
const CYCLES_PER_DIRECTORY = 12

const NAMED: readonly KillPoint[] = [
  'append',
  'checkpoint',
  'trim',
  'compact',
  'create',
  'sync',
  'start',
  'stop',
]

export async function runKillCycles(options: KillOptions): Promise<KillTally> {
  const { cycles, onProgress = () => undefined, lanes = 1 } = options
  const began = performance.now()
  const died: Partial<Record<KillPoint, number>> = {}
  const violations: Violation[] = []
  let [acked, done, begun] = [0, 0, 0]
  const lane = async (): Promise<void> => {
    while (begun * CYCLES_PER_DIRECTORY < cycles && violations.length === 0) {
      const count = Math.min(CYCLES_PER_DIRECTORY, cycles - begun * CYCLES_PER_DIRECTORY)
      begun += 1
      const round = await runRound(options, begun, count)
      violations.push(...round.violations)
      acked += round.acked
      done += round.cycles
      for (const how of round.died) died[how] = (died[how] ?? 0) + 1
      onProgress(`${done} of ${cycles} kills, ${acked} acks`)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { cycles: done, died, acked, violations, tookMs: Math.round(performance.now() - began) }
}

interface Round {
  readonly cycles: number
  readonly acked: number
  readonly died: readonly KillPoint[]
  readonly violations: readonly Violation[]
}

/** Runs the kills of one directory, then lets it settle and verifies it completely. */
async function runRound(options: KillOptions, round: number, count: number): Promise<Round> {
  const { seed, root, onProgress = () => undefined } = options
  const place = join(root, `round-${round}`)
  const directory = join(place, 'data')
  mkdirSync(place, { recursive: true })
  const observed = createObserved(seed * 1_000 + round)
  const random = seededRandom(observed.seed)
  const died: KillPoint[] = []
  const end = (cycles: number, violations: readonly Violation[]): Round => {
    const { acked, sent } = observed
    return { cycles, died, violations, acked: acked.batch.size + acked.trimmed.size + sent.size }
  }
  for (let cycle = 0; cycle <= count; cycle += 1) {
    const moment = cycle === count ? 'settle' : pickKillPoint(random, options)
    const how = await runCycle({ ...options, place, directory, observed, moment, random })
    died.push(how)
    const violations = await verifyDirectory(directory, observed, how === 'settle')
    if (violations.length > 0) {
      onProgress(`round ${round}, cycle ${cycle}, killed at ${how}: ${directory} is kept`)
      return end(cycle, violations)
    }
  }
  rmSync(place, { recursive: true })
  return end(count, [])
}

/** Picks a kill point; 40% of the kills come at any time. */
function pickKillPoint(random: Random, { shim, moments }: KillOptions): KillPoint {
  if (!shim || (!moments && random() < 0.4)) return 'any time'
  const among = moments ?? NAMED
  return among[Math.floor(random() * among.length)] as KillPoint
}

interface Cycle extends KillOptions {
  readonly place: string
  readonly directory: string
  readonly observed: Observed
  readonly moment: KillPoint
  readonly random: Random
}

/** Acks after which a process is killed at the latest, and the delay after the last one. */
const ANY_TIME_ACKS_MAX = 40
const MOMENT_ACKS_MAX = 60
const AFTER_ACK_MS_MAX = 4
/** Deadline of a cycle; processes take far less. */
const CYCLE_MS_MAX = 60_000

/** Runs one process up to its end; returns how it died. */
async function runCycle(cycle: Cycle): Promise<KillPoint> {
  const { place, directory, observed, moment, random, shim, control = {} } = cycle
  const faults = join(place, 'faults')
  const setup: WorkloadSetup = {
    ...nextSetup(directory, observed, moment, 1 + Math.floor(random() * CALLS_MAX[moment])),
    ...(shim ? { faults } : {}),
    ...control,
  }
  const acksMax = moment === 'any time' ? random() * ANY_TIME_ACKS_MAX : MOMENT_ACKS_MAX
  const delayMs = random() * AFTER_ACK_MS_MAX
  let acks = 0
  let errors = ''
  const child = spawnChild<ProtocolLine>('workload.child.ts', [JSON.stringify(setup)], {
    environment: shim?.environment(faults, directory) ?? {},
    onStderr: (text) => (errors = (errors + text).slice(-2_000)),
  })
  const wait = new AbortController()
  pause(CYCLE_MS_MAX, undefined, { signal: wait.signal }).then(
    () => {
      observed.wrong.push(`the process did not end within ${CYCLE_MS_MAX} ms`)
      child.kill()
    },
    () => undefined,
  )
  for (let line = await child.next(); line; line = await child.next()) {
    observe(observed, line)
    if (line.kind === 'ack' || line.kind === 'sent') acks += 1
    if (moment === 'settle' || acks < acksMax || !observed.isUp) continue
    pause(delayMs, undefined, { signal: wait.signal }).then(
      () => child.kill(),
      () => undefined,
    )
  }
  wait.abort()
  const end = await child.ended
  if (end !== 'SIGKILL' && (end !== 0 || errors !== ''))
    observed.wrong.push(`the process ended with ${end}: ${errors}`)
  if (end === 0) return moment === 'settle' ? 'settle' : 'any time'
  return shim && countsIn(faults).hit > 0 ? moment : 'any time'
}

async function verifyDirectory(
  directory: string,
  observed: Observed,
  isSettled: boolean,
): Promise<readonly Violation[]> {
  try {
    const snapshot = await takeSnapshot(directory, [...observed.topics.keys()], observed.isUp)
    return findViolations({ observed, snapshot, isSettled })
  } catch (cause) {
    return [{ check: 'the directory opens again', detail: String(cause) }]
  }
}
