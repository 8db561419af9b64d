// Injects faults into the file calls of a data directory, one call after another, and checks the
// answers.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { spawnChild } from './child-process.ts'
import type { Sweep, SweepPoint } from '../children/disk-sweep.child.ts'
import { expectedIds } from '../children/disk-sweep.child.ts'
import { FILE_NAMES } from './kill-points.ts'
import type { Shim } from './shim.ts'

/** The sweeps, by name. Each injects its fault at every call. */
export const SWEEPS = {
  'a write fails once': { calls: ['write'], act: 'fail', errno: 'EIO', times: 1 },
  'every write fails from there on': { calls: ['write'], act: 'fail', errno: 'EIO' },
  'the disk is full for one write': { calls: ['write'], act: 'fail', errno: 'ENOSPC', times: 1 },
  'the disk is full from there on': { calls: ['write'], act: 'fail', errno: 'ENOSPC' },
  'half a write fits on the disk': { calls: ['write'], act: 'half', errno: 'ENOSPC', times: 1 },
  'a quota is used up': { calls: ['write'], act: 'fail', errno: 'EDQUOT' },
  'a sync fails once': { calls: ['sync'], act: 'fail', errno: 'EIO', times: 1 },
  'every sync fails from there on': { calls: ['sync'], act: 'fail', errno: 'EIO' },
  'the disk turns read-only': {
    calls: ['write', 'truncate', 'remove', 'rename'],
    act: 'fail',
    errno: 'EROFS',
  },
  'no more files can be opened': { calls: ['open'], act: 'fail', errno: 'EMFILE' },
} as const satisfies Readonly<
  Record<string, Pick<Sweep['plan'], 'calls' | 'act' | 'errno' | 'times'>>
>

export type SweepName = keyof typeof SWEEPS
export const SWEEP_NAMES = Object.keys(SWEEPS) as readonly SweepName[]

export interface SweepTally {
  readonly name: SweepName
  /** The number of calls with a fault. */
  readonly points: number
  /** How often each answer came while files failed. */
  readonly answers: Readonly<Record<string, number>>
  readonly violations: readonly string[]
}

/** An open directory opens no more files. */
export const sweepsOnceOpen = SWEEP_NAMES.filter((name) => name !== 'no more files can be opened')

/** Runs one sweep in a process that survives every point of it. */
export async function runSweep(
  name: SweepName,
  {
    root,
    shim,
    isFromStart,
    every = 1,
  }: { root: string; shim: Shim; isFromStart: boolean; every?: number },
): Promise<SweepTally> {
  const place = join(root, 'sweep')
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  const faults = join(root, 'faults')
  const setup: Sweep = {
    directory: place,
    faults,
    plan: { files: FILE_NAMES, ...SWEEPS[name] },
    isFromStart,
    every,
  }
  let errors = ''
  const child = spawnChild<SweepPoint>('disk-sweep.child.ts', [JSON.stringify(setup)], {
    environment: shim.environment(faults, place),
    onStderr: (text) => (errors = (errors + text).slice(-2_000)),
  })
  const answers: Record<string, number> = {}
  const violations: string[] = []
  let points = 0
  for (let swept = await child.next(); swept; swept = await child.next()) {
    if (swept.hit > 0) points += 1
    for (const answer of Object.values(swept.during)) {
      const word = typeof answer === 'string' ? answer : (answer.code ?? 'threw')
      answers[word] = (answers[word] ?? 0) + 1
    }
    for (const what of sweepViolations(swept, name)) violations.push(`call ${swept.nth}: ${what}`)
  }
  const end = await child.ended
  if (end !== 0 || errors !== '') violations.push(`the process ended with ${end}: ${errors}`)
  if (points === 0) violations.push('no call was ever hit')
  return { name, points, answers, violations }
}

const isQuiet = (during: SweepPoint['during']): boolean =>
  Object.values(during).every((answer) => answer === 'stored' || answer === 'done')

/** Errors of `open` reach people and need a code; the engine retries the others. */
const hasCode = (step: string): boolean => step === 'open'

const ANSWERED: ReadonlySet<string> = new Set(['stored', 'done', 'unknown', 'LOG_FULL', 'repeat'])

/** What is wrong after one point of a sweep. */
export function sweepViolations(swept: SweepPoint, name: SweepName): readonly string[] {
  const { during, after, left, hit } = swept
  const violations = [...swept.wrong]
  const hasTopics = during['declare'] === 'done'
  for (const [step, answer] of Object.entries(during))
    if (typeof answer === 'string') {
      const isNoTopic = !hasTopics && answer === 'TOPIC_NOT_FOUND'
      if (!ANSWERED.has(answer) && !isNoTopic) violations.push(`${step} is answered ${answer}`)
    } else if (answer.code === undefined && hasCode(step))
      violations.push(`${step} throws what has no code: ${answer.text}`)
    else if (answer.code === 'DATA_DAMAGED') violations.push(`${step} says that data is damaged`)
  if (hit > 0 && isQuiet(during) && name.includes('every sync'))
    violations.push('failed syncs were not reported')
  for (const [step, answer] of Object.entries(after))
    if (answer !== 'done' && answer !== 'repeat' && answer !== 'stored')
      violations.push(`${step} again is answered ${JSON.stringify(answer)}`)
  if ('text' in left) return [...violations, `it does not open again: ${left.text}`]
  const { ids } = left
  if (new Set(ids).size !== ids.length) violations.push('an event is there twice')
  const missing = expectedIds().filter((id) => !ids.includes(id))
  if (missing.length > 0) violations.push(`${missing.length} events are missing`)
  if (left.version !== 1) violations.push(`the row has version ${left.version}`)
  return violations
}
