// Simulates power cuts: stops a process, copies the disk image under it, and continues with the copy.
//
// The image has its own file system. What was written and not synced is only in memory, and so not in
// the copy. Needs root and loop devices.
import { copyFileSync, readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../../../src/base/random.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { Child } from './child-process.ts'
import { spawnChild } from './child-process.ts'
import type { Violation } from './invariants.ts'
import { findViolations } from './invariants.ts'
import type { KillPoint, WorkloadSetup } from './kill-points.ts'
import { CALLS_MAX, nextSetup } from './kill-points.ts'
import { makeImage, mountImage, unmount, whyNoMounts } from './mounts.ts'
import { takeSnapshot } from './snapshot.ts'
import type { Shim } from './shim.ts'
import type { ProtocolLine, Observed } from './protocol.ts'
import { observe, createObserved } from './protocol.ts'

export interface CutOptions {
  readonly runs: number
  readonly seed: number
  /** An empty directory for data. */
  readonly root: string
  readonly shim: Shim
  readonly onProgress?: (text: string) => void
  readonly control?: Pick<WorkloadSetup, 'sync' | 'isUnsynced'>
  /** When to cut. Default: any time, and all kill points. */
  readonly moments?: readonly KillPoint[]
  /** Cuts per disk before a new one is used. Default: 8. */
  readonly cutsPerDisk?: number
}

/** The result of a run, which ends with the first violation. */
export interface CutTally {
  readonly runs: number
  readonly acked: number
  readonly moments: Readonly<Partial<Record<KillPoint, number>>>
  readonly violations: readonly Violation[]
  readonly tookMs: number
}

const IMAGE_BYTES = 64 * 1_048_576
const CUTS_PER_DISK = 8
/** The kill points at which a cut can be planned. */
const NAMED: readonly KillPoint[] = ['start', 'append', 'sync', 'checkpoint', 'create', 'trim']

/** Why power cuts cannot be simulated here; `undefined` where they can. */
export function whyNoPowerCuts(root: string): string | undefined {
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

export async function runPowerCuts(options: CutOptions): Promise<CutTally> {
  const { runs, seed, root, cutsPerDisk = CUTS_PER_DISK, onProgress = () => undefined } = options
  const began = performance.now()
  const moments: Partial<Record<KillPoint, number>> = {}
  let [done, acked] = [0, 0]
  let violations: readonly Violation[] = []
  const [disk, copy] = [join(root, 'disk.img'), join(root, 'copy.img')]
  for (let image = 1; done < runs && violations.length === 0; image += 1) {
    makeDisk(disk)
    const observed = createObserved(seed * 1_000 + image)
    const random = seededRandom(observed.seed)
    // A control must lose acked events, not the new directory.
    if (options.control) await settle(disk, join(root, 'mounted'), observed)
    for (let cut = 0; cut < cutsPerDisk && done < runs && violations.length === 0; cut += 1) {
      const how = await runCut({ ...options, disk, copy, observed, random })
      moments[how] = (moments[how] ?? 0) + 1
      violations = await verifyDisk(copy, join(root, 'mounted'), observed)
      copyFileSync(copy, disk, constants.COPYFILE_FICLONE)
      done += 1
    }
    acked += observed.acked.batch.size + observed.sent.size
    onProgress(`${done} of ${runs} cuts, ${acked} acks`)
  }
  for (const each of [disk, copy]) rmSync(each)
  return { runs: done, acked, moments, violations, tookMs: Math.round(performance.now() - began) }
}

interface Cut extends CutOptions {
  readonly disk: string
  readonly copy: string
  readonly observed: Observed
  readonly random: Random
}

/** Runs a process that works on the disk and ends without a cut. */
async function settle(disk: string, at: string, observed: Observed): Promise<void> {
  mountImage(disk, at)
  try {
    const setup = nextSetup(join(at, 'data'), observed, 'settle')
    const child = spawnChild<ProtocolLine>('workload.child.ts', [JSON.stringify(setup)])
    for (let line = await child.next(); line; line = await child.next()) observe(observed, line)
  } finally {
    unmount(at)
  }
}

/** Acks after which the power is cut, at any time or where the kill point is not reached. */
const ANY_TIME_ACKS_MAX = 25
const MOMENT_ACKS = 60
const CUT_MS_MAX = 5_000

/** Runs one process up to the cut; the state of the disk is in the copy. */
async function runCut(cut: Cut): Promise<KillPoint> {
  const { root, disk, copy, observed, random, shim, control = {} } = cut
  const at = join(root, 'mounted')
  mountImage(disk, at)
  try {
    const moment = control.isUnsynced ? 'any time' : pickKillPoint(random, cut.moments)
    const directory = join(at, 'data')
    const faults = join(root, 'faults')
    const setup: WorkloadSetup = {
      ...nextSetup(directory, observed, moment, 1 + Math.floor(random() * CALLS_MAX[moment])),
      act: 'stop',
      faults,
      ...control,
    }
    const child = spawnChild<ProtocolLine>('workload.child.ts', [JSON.stringify(setup)], {
      environment: shim.environment(faults, directory),
    })
    try {
      const acks = moment === 'any time' ? random() * ANY_TIME_ACKS_MAX : MOMENT_ACKS
      const learnt = observeAll(child, observed)
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

function pickKillPoint(random: Random, moments: readonly KillPoint[] | undefined): KillPoint {
  if (!moments && random() < 0.4) return 'any time'
  const among = moments ?? NAMED
  return among[Math.floor(random() * among.length)] as KillPoint
}

/** Reads every line and counts acks; `all` resolves when the process has ended. */
function observeAll(
  child: Child<ProtocolLine>,
  observed: Observed,
): { readonly acks: () => number; readonly all: Promise<void> } {
  let acks = 0
  const read = async (): Promise<void> => {
    for (let line = await child.next(); line; line = await child.next()) {
      observe(observed, line)
      if (line.kind === 'ack' || line.kind === 'sent') acks += 1
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

async function stop(child: Child<ProtocolLine>): Promise<void> {
  child.kill('SIGSTOP')
  if (!(await until(() => isStopped(child.pid), 20_000)))
    throw new Error('the process does not stop')
}

/** Mounts the copy, as after power came back, and verifies it. */
async function verifyDisk(
  copy: string,
  at: string,
  observed: Observed,
): Promise<readonly Violation[]> {
  mountImage(copy, at)
  try {
    const snapshot = await takeSnapshot(
      join(at, 'data'),
      [...observed.topics.keys()],
      observed.isUp,
    )
    return findViolations({ observed, snapshot, isSettled: false })
  } catch (cause) {
    return [{ check: 'the directory opens again', detail: String(cause) }]
  } finally {
    unmount(at)
  }
}
