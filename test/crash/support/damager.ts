// Damages data directories as a disk, a person or a bad restore may, and judges what the backend
// reports.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { openHighWater } from '../../../src/backends/embedded/files/high-water.ts'
import { readHeadSlots } from '../../../src/backends/embedded/files/head-slots.ts'
import { PAGE_BYTES } from '../../../src/backends/embedded/sql/schema.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { Random } from '../../../src/base/random.ts'
import type { Child } from './child-process.ts'
import { spawnChild } from './child-process.ts'
import type { KillPoint } from './kill-points.ts'
import { nextSetup } from './kill-points.ts'
import type { InspectionReport } from './inspection-report.ts'
import type { ProtocolLine } from './protocol.ts'
import { observe, createObserved } from './protocol.ts'
import type { DamageVerdict } from './damage-verdict.ts'
import { judgeDamage } from './damage-verdict.ts'

export interface DamageOptions {
  readonly runs: number
  /** Default: all. */
  readonly ways?: readonly DamageWay[]
  readonly targets?: readonly Target[]
  readonly onProgress?: (text: string) => void
}

export interface Damager {
  /** Damages copies of two directories; the seed determines how. */
  damage(options: DamageOptions): Promise<DamageTally>
  /** Lets the caller damage a copy of the closed directory. */
  once(
    change: (directory: string) => void | Promise<void>,
  ): Promise<{ verdict: DamageVerdict; found: InspectionReport | undefined }>
  close(): Promise<void>
}

export type Target = 'throughline.db' | 'throughline.db-wal' | 'high-water' | 'throughline.json'

/** Database and write-ahead log are damaged most often. */
const TARGETS: readonly Target[] = [
  ...Array<'throughline.db'>(3).fill('throughline.db'),
  ...Array<'throughline.db-wal'>(3).fill('throughline.db-wal'),
  'high-water',
  'throughline.json',
]

/** Damages one file; returns false where it cannot be applied. */
type Damage = (path: string, random: Random, older: string) => boolean

const bytesChanged =
  (change: (bytes: Buffer, random: Random) => Buffer | undefined): Damage =>
  (path, random) => {
    if (!existsSync(path) || statSync(path).size === 0) return false
    const changed = change(readFileSync(path), random)
    if (changed) writeFileSync(path, changed)
    return changed !== undefined
  }

const upTo = (random: Random, count: number): number => Math.floor(random() * count)

/** The ways of damage, by name. */
const WAYS = {
  'flip a bit': bytesChanged((bytes, random) => {
    const at = upTo(random, bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << upTo(random, 8))
    return bytes
  }),
  'zero a page': bytesChanged((bytes, random) => {
    const at = upTo(random, Math.ceil(bytes.length / PAGE_BYTES)) * PAGE_BYTES
    return bytes.fill(0, at, Math.min(at + PAGE_BYTES, bytes.length))
  }),
  truncate: bytesChanged((bytes, random) => bytes.subarray(0, upTo(random, bytes.length))),
  'swap two pages': bytesChanged((bytes, random) => {
    const pages = Math.floor(bytes.length / PAGE_BYTES)
    const [a, b] = [upTo(random, pages) * PAGE_BYTES, upTo(random, pages) * PAGE_BYTES]
    if (a === b) return undefined
    const page = Buffer.from(bytes.subarray(a, a + PAGE_BYTES))
    bytes.copyWithin(a, b, b + PAGE_BYTES)
    page.copy(bytes, b)
    return bytes
  }),
  delete(path) {
    if (!existsSync(path)) return false
    rmSync(path)
    return true
  },
  'put an older copy back'(path, _, older) {
    if (!existsSync(older) || !existsSync(path)) return false
    cpSync(older, path)
    return true
  },
} as const satisfies Readonly<Record<string, Damage>>

export type DamageWay = keyof typeof WAYS
export const WAY_NAMES = Object.keys(WAYS) as readonly DamageWay[]

/** A directory with its undamaged report, and an older copy of it. */
interface Sample {
  readonly name: string
  readonly directory: string
  readonly older: string
  readonly expected: InspectionReport
}

/** One damage and its verdict. */
interface Run {
  readonly sample: string
  readonly target: Target
  readonly way: DamageWay
  readonly verdict: DamageVerdict
}

export interface DamageTally {
  readonly runs: number
  /** The number of runs per verdict. */
  readonly verdicts: Readonly<Record<string, number>>
  /** The first run of each kind of violation, and the number of runs with any, also of repairs. */
  readonly wrong: readonly string[]
  readonly wrongCount: number
  /** The number of runs that a repair did not fix. */
  readonly unrepairedCount: number
  readonly tookMs: number
}

/** Copies a directory, without its socket. */
function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => basename(path) !== 'admin.sock' })
}

/** Runs the workload in a directory until it settles or is killed. */
async function runWorkload(
  directory: string,
  moment: KillPoint,
  observed: ReturnType<typeof createObserved>,
): Promise<void> {
  const setup = nextSetup(directory, observed, moment)
  const child = spawnChild<ProtocolLine>('workload.child.ts', [JSON.stringify(setup)])
  let acks = 0
  for (let line = await child.next(); line; line = await child.next()) {
    observe(observed, line)
    if (line.kind === 'ack') acks += 1
    // Between two checkpoints, so that a write-ahead log is left.
    if (moment === 'any time' && acks === KILLED_AFTER_ACKS) child.kill()
  }
  await child.ended
}

const KILLED_AFTER_ACKS = 24
const KILLS_MAX = 20

/**
 * Whether the high-water mark covers all of the log. A kill between a commit and its mark leaves
 * unacknowledged records, which may be lost without a report; such directories are not used here.
 */
function isFullyMarked(directory: string, at: string): boolean {
  copy(directory, at)
  const db = new DatabaseSync(join(at, 'throughline.db'))
  const marks = openHighWater(join(at, 'high-water'), true)
  try {
    return readHeadSlots(db).every(({ slot, next }) => (marks.mark(slot)?.next ?? 0) === next)
  } finally {
    marks.close()
    db.close()
    rmSync(at, { recursive: true })
  }
}

/** Creates a closed directory and a killed one, each with its report. */
async function createSamples(
  root: string,
  seed: number,
  reporter: Reporter,
): Promise<readonly Sample[]> {
  const observed = createObserved(seed)
  const closed = join(root, 'closed')
  const older = join(root, 'older')
  const killed = join(root, 'killed')
  await runWorkload(closed, 'settle', observed)
  copy(closed, older)
  await runWorkload(closed, 'settle', observed)
  copy(closed, killed)
  // An older copy of a directory that was killed has a write-ahead log, too.
  await runWorkload(killed, 'any time', observed)
  const olderKilled = join(root, 'older-killed')
  copy(killed, olderKilled)
  let kills = 0
  do {
    await runWorkload(killed, 'any time', observed)
    kills += 1
  } while (!isFullyMarked(killed, join(root, 'looked-at')) && kills < KILLS_MAX)
  const sample = async (name: string, directory: string, olderOne: string): Promise<Sample> => {
    const undamaged = join(root, 'undamaged')
    copy(directory, undamaged)
    const expected = await reporter.report(undamaged)
    rmSync(undamaged, { recursive: true })
    if (!expected) throw new Error(`the ${name} directory cannot be read even undamaged`)
    const { kind, violations } = judgeDamage(expected, expected)
    if (kind !== 'whole' || violations.length > 0)
      throw new Error(`the ${name} directory is not whole: ${violations.join('; ')}`)
    return { name, directory, older: olderOne, expected }
  }
  return [await sample('closed', closed, older), await sample('killed', killed, olderKilled)]
}

/** A process that inspects directories; restarted when it dies. */
interface Reporter {
  report(directory: string): Promise<InspectionReport | undefined>
  close(): Promise<void>
}

const REPORT_MS_MAX = 20_000

function startReporter(): Reporter {
  let child: Child<InspectionReport> | undefined
  return {
    async report(directory) {
      child ??= spawnChild<InspectionReport>('inspection-report.child.ts', [])
      const it = child
      it.send(directory)
      const waiting = new AbortController()
      const late = pause(REPORT_MS_MAX, undefined, { signal: waiting.signal }).catch(
        () => undefined,
      )
      const found = await Promise.race([it.next(), late])
      waiting.abort()
      if (found) return found
      it.kill()
      await it.ended
      child = undefined
      return undefined
    },
    async close() {
      child?.kill()
      await child?.ended
    },
  }
}

/** Creates the sample directories below `root`. */
export async function createDamager(root: string, seed: number): Promise<Damager> {
  mkdirSync(root, { recursive: true })
  const reporter = startReporter()
  const samples = await createSamples(root, seed, reporter)
  let run = 0
  return {
    async damage(options) {
      const began = performance.now()
      const tally = emptyTally()
      for (let done = 0; done < options.runs; done += 1) {
        run += 1
        const random = seededRandom(seed * 1_000_003 + run)
        count(tally, root, await oneDamage(options, root, random, samples, reporter))
        if (done % 100 === 99)
          options.onProgress?.(`${done + 1} of ${options.runs} damages, ${tally.wrongCount} wrong`)
      }
      const { verdicts, wrong, wrongCount, unrepairedCount } = tally
      const tookMs = Math.round(performance.now() - began)
      return { runs: options.runs, verdicts, wrong, wrongCount, unrepairedCount, tookMs }
    },
    async once(change) {
      const [sample] = samples as [Sample]
      const directory = join(root, 'damaged')
      copy(sample.directory, directory)
      await change(directory)
      const found = await reporter.report(directory)
      rmSync(directory, { recursive: true })
      return { verdict: judgeDamage(sample.expected, found), found }
    },
    close: () => reporter.close(),
  }
}

interface Counting {
  readonly verdicts: Record<string, number>
  readonly wrong: string[]
  readonly kinds: Set<string>
  wrongCount: number
  unrepairedCount: number
}

function emptyTally(): Counting {
  return { verdicts: {}, wrong: [], kinds: new Set(), wrongCount: 0, unrepairedCount: 0 }
}

function count(tally: Counting, root: string, { sample, target, way, verdict }: Run): void {
  const { verdicts, wrong, kinds } = tally
  verdicts[verdict.kind] = (verdicts[verdict.kind] ?? 0) + 1
  if (verdict.unrepaired.length > 0) tally.unrepairedCount += 1
  const [violation] = [...verdict.violations, ...verdict.unrepaired]
  if (violation === undefined) return
  tally.wrongCount += 1
  const kind = violation.replaceAll(/[\d.]+/g, '#')
  if (kinds.has(kind)) return
  kinds.add(kind)
  const kept = join(root, `kept-${kinds.size}`)
  copy(join(root, AS_DAMAGED), kept)
  wrong.push(`${sample}, ${target}: ${way} (${kept}): ${violation}`)
}

const AS_DAMAGED = 'as-damaged'

async function oneDamage(
  { ways = WAY_NAMES, targets = TARGETS }: DamageOptions,
  root: string,
  random: Random,
  samples: readonly Sample[],
  reporter: Reporter,
): Promise<Run> {
  const directory = join(root, 'damaged')
  for (;;) {
    const sample = samples[upTo(random, samples.length)] as Sample
    const target = targets[upTo(random, targets.length)] as Target
    const way = ways[upTo(random, ways.length)] as DamageWay
    copy(sample.directory, directory)
    const isDone = WAYS[way](join(directory, target), random, join(sample.older, target))
    if (isDone) {
      // Inspection changes the directory, so keep a copy to reproduce a failure.
      rmSync(join(root, AS_DAMAGED), { recursive: true, force: true })
      copy(directory, join(root, AS_DAMAGED))
      const found = await reporter.report(directory)
      const verdict = judgeDamage(sample.expected, found)
      rmSync(directory, { recursive: true })
      return { sample: sample.name, target, way, verdict }
    }
    rmSync(directory, { recursive: true })
  }
}
