// Cuts the power of a process: stops it, copies the disk under it as it is, and goes on with the copy.
//
// The disk is an image with a file system of its own. What the process has written and nobody has
// synced is in memory, and so not in the copy. That needs root and loop devices.
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
  /** A directory that may be filled. */
  readonly root: string
  readonly shim: Shim
  readonly tell?: (text: string) => void
  readonly control?: Pick<Setup, 'sync' | 'isUnsynced'>
  /** When it is cut; default: any time, and each of the moments that can be named. */
  readonly moments?: readonly Moment[]
  /** How often one disk is cut before a new one takes its place; default: 8. */
  readonly cutsPerDisk?: number
}

/** What a run came to; it ends with the first cut after which something is wrong. */
export interface CutTally {
  readonly runs: number
  readonly acked: number
  readonly moments: Readonly<Partial<Record<Moment, number>>>
  readonly complaints: readonly Complaint[]
  readonly tookMs: number
}

const IMAGE_BYTES = 64 * 1_048_576
const CUTS_PER_DISK = 8
/** Where a cut can be planned; the rest comes at any time. */
const NAMED: readonly Moment[] = ['start', 'append', 'sync', 'checkpoint', 'create', 'trim']

/** Why power cannot be cut here; nothing where it can. */
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
    // What a control loses shall be acked events, not the directory that was just made.
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

/** A process that works on the disk as it should, and ends. */
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

/** After how many acks the power goes: at any time up to the first, where no moment comes earlier. */
const ANY_TIME_ACKS_MAX = 25
const MOMENT_ACKS = 60
const CUT_MS_MAX = 5_000

/** One process on a disk, up to the cut; what is left is in the copy. */
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
      // Not a clone: that would give what is in memory of the file, which is the disk here, too.
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

/** Learns every line, and counts the acks; `all` resolves when the process is gone. */
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

/** Whether every thread of a process is stopped, so that it writes nothing any more. */
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

/** Whether it came to be so in time. */
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

/** Mounts what is left, as after the power came back, and looks at it. */
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
