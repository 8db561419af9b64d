// Simulates power cuts: stops a process, copies the disk image under it, and continues with the copy.
//
// The image has its own file system. What was written and not synced is only in memory, and so not in
// the copy. Needs root and loop devices.
import { copyFileSync, readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../../src/base/random.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Child } from './child.ts'
import { spawned } from './child.ts'
import type { Complaint } from './check.ts'
import { complaintsOf } from './check.ts'
import type { Moment, Setup } from './moments.ts'
import { CALLS_MAX } from './moments.ts'
import { makeImage, mountImage, unmount, whyNoMounts } from './mounts.ts'
import { lookInto } from './seen.ts'
import type { Shim } from './shim.ts'
import type { Line, Told } from './told.ts'
import { learn, nothingTold, openOf } from './told.ts'

export interface CutOptions {
  readonly runs: number
  readonly seed: number
  /** An empty directory for data. */
  readonly root: string
  readonly shim: Shim
  readonly tell?: (text: string) => void
  readonly control?: Pick<Setup, 'sync' | 'isUnsynced'>
  /** When to cut. Default: any time, and all kill points. */
  readonly moments?: readonly Moment[]
  /** Cuts per disk before a new one is used. Default: 8. */
  readonly cutsPerDisk?: number
}

/** The result of a run, which ends with the first violation. */
export interface CutTally {
  readonly runs: number
  readonly acked: number
  readonly moments: Readonly<Partial<Record<Moment, number>>>
  readonly complaints: readonly Complaint[]
  readonly tookMs: number
}

const IMAGE_BYTES = 64 * 1_048_576
const CUTS_PER_DISK = 8
/** The kill points at which a cut can be planned. */
const NAMED: readonly Moment[] = ['start', 'append', 'sync', 'checkpoint', 'create', 'trim']

/** Why power cuts cannot be simulated here; `undefined` where they can. */
export function whyNoCuts(root: string): string | undefined {
  const why = whyNoMounts()
  if (why !== undefined) return why
  const image = join(root, 'probe.img')
  try {
    makeDisk(image)
    mountImage(image, join(root, 'probe'))
    unmount(join(root, 'probe'))
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'an image cannot be mounted'
  } finally {
    rmSync(image, { force: true })
  }
  return undefined
}

function makeDisk(image: string): void {
  writeFileSync(image, '')
  truncateSync(image, IMAGE_BYTES)
  makeImage(image)
}

export async function cutAgainAndAgain(options: CutOptions): Promise<CutTally> {
  const { runs, seed, root, cutsPerDisk = CUTS_PER_DISK, tell = () => undefined } = options
  const began = performance.now()
  const moments: Partial<Record<Moment, number>> = {}
  let [done, acked] = [0, 0]
  let complaints: readonly Complaint[] = []
  const [disk, copy] = [join(root, 'disk.img'), join(root, 'copy.img')]
  for (let image = 1; done < runs && complaints.length === 0; image += 1) {
    makeDisk(disk)
    const told = nothingTold(seed * 1_000 + image)
    const random = seededRandom(told.seed)
    // A control must lose acked events, not the new directory.
    if (options.control) await settle(disk, join(root, 'mounted'), told)
    for (let cut = 0; cut < cutsPerDisk && done < runs && complaints.length === 0; cut += 1) {
      const how = await oneCut({ ...options, disk, copy, told, random })
      moments[how] = (moments[how] ?? 0) + 1
      complaints = await look(copy, join(root, 'mounted'), told)
      copyFileSync(copy, disk, constants.COPYFILE_FICLONE)
      done += 1
    }
    acked += told.acked.batch.size + told.sent.size
    tell(`${done} of ${runs} cuts, ${acked} acks`)
  }
  for (const each of [disk, copy]) rmSync(each)
  return { runs: done, acked, moments, complaints, tookMs: Math.round(performance.now() - began) }
}

interface Cut extends CutOptions {
  readonly disk: string
  readonly copy: string
  readonly told: Told
  readonly random: Random
}

/** Runs a process that works on the disk and ends without a cut. */
async function settle(disk: string, at: string, told: Told): Promise<void> {
  mountImage(disk, at)
  try {
    const setup: Setup = {
      directory: join(at, 'data'),
      seed: told.seed,
      first: 1,
      open: openOf(told),
      moment: 'settle',
      nth: 1,
    }
    const child = spawned<Line>('victim.ts', [JSON.stringify(setup)])
    for (let line = await child.next(); line; line = await child.next()) learn(told, line)
  } finally {
    unmount(at)
  }
}

/** Acks after which the power is cut, at any time or where the kill point is not reached. */
const ANY_TIME_ACKS_MAX = 25
const MOMENT_ACKS = 60
const CUT_MS_MAX = 5_000

/** Runs one process up to the cut; the state of the disk is in the copy. */
async function oneCut(cut: Cut): Promise<Moment> {
  const { root, disk, copy, told, random, shim, control = {} } = cut
  const at = join(root, 'mounted')
  mountImage(disk, at)
  try {
    const moment = control.isUnsynced ? 'any time' : momentOf(random, cut.moments)
    const directory = join(at, 'data')
    const faults = join(root, 'faults')
    const setup: Setup = {
      directory,
      seed: told.seed,
      first: Math.max(0, ...told.tried.batch) + 1,
      open: openOf(told),
      moment,
      nth: 1 + Math.floor(random() * CALLS_MAX[moment]),
      act: 'stop',
      faults,
      ...control,
    }
    const child = spawned<Line>('victim.ts', [JSON.stringify(setup)], {
      environment: shim.environment(faults, directory),
    })
    try {
      const acks = moment === 'any time' ? random() * ANY_TIME_ACKS_MAX : MOMENT_ACKS
      const learnt = learnAll(child, told)
      const isDue = (): boolean => learnt.acks() >= acks || isStopped(child.pid)
      await until(isDue, CUT_MS_MAX)
      const wasStopped = isStopped(child.pid)
      if (!wasStopped) await stop(child)
      // Not a clone: that would include unsynced pages in memory.
      copyFileSync(disk, copy)
      child.kill()
      await learnt.all
      return wasStopped ? moment : 'any time'
    } finally {
      child.kill()
      await child.ended
    }
  } finally {
    unmount(at)
  }
}

function momentOf(random: Random, moments: readonly Moment[] | undefined): Moment {
  if (!moments && random() < 0.4) return 'any time'
  const among = moments ?? NAMED
  return among[Math.floor(random() * among.length)] as Moment
}

/** Reads every line and counts acks; `all` resolves when the process has ended. */
function learnAll(
  child: Child<Line>,
  told: Told,
): { readonly acks: () => number; readonly all: Promise<void> } {
  let acks = 0
  const read = async (): Promise<void> => {
    for (let line = await child.next(); line; line = await child.next()) {
      learn(told, line)
      if (line.is === 'ack' || line.is === 'sent') acks += 1
    }
  }
  return { acks: () => acks, all: read() }
}

/** Whether all threads of a process are stopped, so that it writes nothing. */
function isStopped(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => {
      const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
      return text.slice(text.lastIndexOf(')') + 2).startsWith('T')
    })
  } catch {
    return true
  }
}

const LOOK_MS = 3

/** Polls a condition; returns whether it became true in time. */
async function until(isSo: () => boolean, ms: number): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < ms; await pause(LOOK_MS))
    if (isSo()) return true
  return false
}

async function stop(child: Child<Line>): Promise<void> {
  child.kill('SIGSTOP')
  if (!(await until(() => isStopped(child.pid), 20_000)))
    throw new Error('the process does not stop')
}

/** Mounts the copy, as after power came back, and verifies it. */
async function look(copy: string, at: string, told: Told): Promise<readonly Complaint[]> {
  mountImage(copy, at)
  try {
    const seen = await lookInto(join(at, 'data'), [...told.topics.keys()], told.isUp)
    return complaintsOf({ told, seen, isSettled: false })
  } catch (cause) {
    return [{ check: 'the directory opens again', what: String(cause) }]
  } finally {
    unmount(at)
  }
}
