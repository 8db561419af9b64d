// Kills a process again and again, and verifies its data directory after each kill.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../../src/base/random.ts'
import { seededRandom } from '../../src/base/random.ts'
import { spawned } from './child.ts'
import type { Complaint } from './check.ts'
import { complaintsOf } from './check.ts'
import type { Moment, Setup } from './moments.ts'
import { CALLS_MAX } from './moments.ts'
import { lookInto } from './seen.ts'
import type { Shim } from './shim.ts'
import { countsIn } from './shim.ts'
import type { Line, Told } from './told.ts'
import { learn, nothingTold, openOf } from './told.ts'

export interface KillOptions {
  readonly cycles: number
  readonly seed: number
  /** An empty directory for data. */
  readonly root: string
  /** Absent: kills come only from outside, at any time. */
  readonly shim?: Shim
  readonly tell?: (text: string) => void
  /** How many processes run at a time; default: one. */
  readonly lanes?: number
  /** Default: all of them, and any time. */
  readonly moments?: readonly Moment[]
  readonly control?: Pick<Setup, 'isDropping'>
}

/** The result of a run, which ends with the first violation. */
export interface KillTally {
  readonly cycles: number
  /** Kills by kill point. Processes that never reached theirs count as `any time`. */
  readonly died: Readonly<Partial<Record<Moment, number>>>
  readonly acked: number
  readonly complaints: readonly Complaint[]
  readonly tookMs: number
}

/** Kills per directory; one more process then settles it. */
const CYCLES_PER_DIRECTORY = 12

const NAMED: readonly Moment[] = [
  'append',
  'checkpoint',
  'trim',
  'compact',
  'create',
  'sync',
  'start',
  'stop',
]

export async function killAgainAndAgain(options: KillOptions): Promise<KillTally> {
  const { cycles, tell = () => undefined, lanes = 1 } = options
  const began = performance.now()
  const died: Partial<Record<Moment, number>> = {}
  const complaints: Complaint[] = []
  let [acked, done, begun] = [0, 0, 0]
  const lane = async (): Promise<void> => {
    while (begun * CYCLES_PER_DIRECTORY < cycles && complaints.length === 0) {
      const count = Math.min(CYCLES_PER_DIRECTORY, cycles - begun * CYCLES_PER_DIRECTORY)
      begun += 1
      const round = await oneRound(options, begun, count)
      complaints.push(...round.complaints)
      acked += round.acked
      done += round.cycles
      for (const how of round.died) died[how] = (died[how] ?? 0) + 1
      tell(`${done} of ${cycles} kills, ${acked} acks`)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { cycles: done, died, acked, complaints, tookMs: Math.round(performance.now() - began) }
}

interface Round {
  readonly cycles: number
  readonly acked: number
  readonly died: readonly Moment[]
  readonly complaints: readonly Complaint[]
}

/** Runs the kills of one directory, then lets it settle and verifies it completely. */
async function oneRound(options: KillOptions, round: number, count: number): Promise<Round> {
  const { seed, root, tell = () => undefined } = options
  const place = join(root, `round-${round}`)
  const directory = join(place, 'data')
  mkdirSync(place, { recursive: true })
  const told = nothingTold(seed * 1_000 + round)
  const random = seededRandom(told.seed)
  const died: Moment[] = []
  const end = (cycles: number, complaints: readonly Complaint[]): Round => {
    const { acked, sent } = told
    return { cycles, died, complaints, acked: acked.batch.size + acked.trimmed.size + sent.size }
  }
  for (let cycle = 0; cycle <= count; cycle += 1) {
    const moment = cycle === count ? 'settle' : momentOf(random, options)
    const how = await oneCycle({ ...options, place, directory, told, moment, random })
    died.push(how)
    const complaints = await look(directory, told, how === 'settle')
    if (complaints.length > 0) {
      tell(`round ${round}, cycle ${cycle}, killed at ${how}: ${directory} is kept`)
      return end(cycle, complaints)
    }
  }
  rmSync(place, { recursive: true })
  return end(count, [])
}

/** Picks a kill point; 40% of the kills come at any time. */
function momentOf(random: Random, { shim, moments }: KillOptions): Moment {
  if (!shim || (!moments && random() < 0.4)) return 'any time'
  const among = moments ?? NAMED
  return among[Math.floor(random() * among.length)] as Moment
}

interface Cycle extends KillOptions {
  readonly place: string
  readonly directory: string
  readonly told: Told
  readonly moment: Moment
  readonly random: Random
}

/** Acks after which a process is killed at the latest, and the delay after the last one. */
const ANY_TIME_ACKS_MAX = 40
const MOMENT_ACKS_MAX = 60
const AFTER_ACK_MS_MAX = 4
/** Deadline of a cycle; processes take far less. */
const CYCLE_MS_MAX = 60_000

/** Runs one process up to its end; returns how it died. */
async function oneCycle(cycle: Cycle): Promise<Moment> {
  const { place, directory, told, moment, random, shim, control = {} } = cycle
  const faults = join(place, 'faults')
  const setup: Setup = {
    directory,
    seed: told.seed,
    first: Math.max(0, ...told.tried.batch) + 1,
    open: openOf(told),
    moment,
    nth: 1 + Math.floor(random() * CALLS_MAX[moment]),
    ...(shim ? { faults } : {}),
    ...control,
  }
  const acksMax = moment === 'any time' ? random() * ANY_TIME_ACKS_MAX : MOMENT_ACKS_MAX
  const delayMs = random() * AFTER_ACK_MS_MAX
  let acks = 0
  let errors = ''
  const child = spawned<Line>('victim.ts', [JSON.stringify(setup)], {
    environment: shim?.environment(faults, directory) ?? {},
    complained: (text) => (errors = (errors + text).slice(-2_000)),
  })
  const wait = new AbortController()
  pause(CYCLE_MS_MAX, undefined, { signal: wait.signal }).then(
    () => {
      told.wrong.push(`the process did not end within ${CYCLE_MS_MAX} ms`)
      child.kill()
    },
    () => undefined,
  )
  for (let line = await child.next(); line; line = await child.next()) {
    learn(told, line)
    if (line.is === 'ack' || line.is === 'sent') acks += 1
    if (moment === 'settle' || acks < acksMax || !told.isUp) continue
    pause(delayMs, undefined, { signal: wait.signal }).then(
      () => child.kill(),
      () => undefined,
    )
  }
  wait.abort()
  const end = await child.ended
  if (end !== 'SIGKILL' && (end !== 0 || errors !== ''))
    told.wrong.push(`the process ended with ${end}: ${errors}`)
  if (end === 0) return moment === 'settle' ? 'settle' : 'any time'
  return shim && countsIn(faults).hit > 0 ? moment : 'any time'
}

async function look(
  directory: string,
  told: Told,
  isSettled: boolean,
): Promise<readonly Complaint[]> {
  try {
    const seen = await lookInto(directory, [...told.topics.keys()], told.isUp)
    return complaintsOf({ told, seen, isSettled })
  } catch (cause) {
    return [{ check: 'the directory opens again', what: String(cause) }]
  }
}
