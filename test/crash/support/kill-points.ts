// The kill points of a process, as a table: any time, or the n-th call of a kind on its files.
import type { FaultPlan } from './shim.ts'
import type { Observed, Unfinished } from './protocol.ts'
import { unfinishedOf } from './protocol.ts'

/** `any time` is a kill from outside; at `settle` the process is not killed. */
export type KillPoint =
  | 'any time'
  | 'start'
  | 'append'
  | 'sync'
  | 'checkpoint'
  | 'trim'
  | 'compact'
  | 'create'
  | 'stop'
  | 'settle'

/** The argument of the workload process. */
export interface WorkloadSetup {
  readonly directory: string
  readonly seed: number
  /** The number of its first new batch … */
  readonly first: number
  /** … after it has sent these again. */
  readonly open: Unfinished
  readonly moment: KillPoint
  readonly nth: number
  /** What happens at the kill point. Default: the process is killed. */
  readonly act?: 'stop'
  /** The file of its fault plan. */
  readonly faults?: string
  /** A weaker sync than promised, as a control that must be detected. */
  readonly sync?: 'NORMAL' | 'OFF'
  /** Syncs are skipped and reported as done. */
  readonly isUnsynced?: boolean
  /** Allocates memory until none is left. */
  readonly isHoarding?: boolean
  /** From some write on, writes are dropped and reported as done. */
  readonly isDropping?: boolean
}

type Where = Pick<FaultPlan, 'files' | 'calls'>

/** Every kind of file of a data directory. */
export const FILE_NAMES = ['db', 'wal', 'mark', 'shm', 'json', 'lock', 'other'] as const
const CHANGES = ['write', 'sync', 'truncate', 'remove', 'rename'] as const

/** The fault of each kill point. Only a checkpoint writes into the database file. */
export const FAULT_AT: Readonly<Partial<Record<KillPoint, Where>>> = {
  start: { files: FILE_NAMES, calls: CHANGES },
  append: { files: ['wal', 'mark'], calls: ['write'] },
  sync: { files: FILE_NAMES, calls: ['sync'] },
  checkpoint: { files: ['db', 'wal'], calls: CHANGES },
  trim: { files: ['wal'], calls: ['write', 'sync'] },
  compact: { files: ['wal'], calls: ['write', 'sync'] },
  create: { files: ['wal'], calls: ['write', 'sync'] },
  stop: { files: FILE_NAMES, calls: CHANGES },
}

/** The highest call at which a kill point is likely to be reached. */
export const CALLS_MAX: Readonly<Record<KillPoint, number>> = {
  'any time': 1,
  start: 20,
  append: 100,
  sync: 40,
  checkpoint: 40,
  trim: 6,
  compact: 6,
  create: 4,
  stop: 30,
  settle: 1,
}

/** The setup of a process that continues after everything that was observed before. */
export function nextSetup(
  directory: string,
  observed: Observed,
  moment: KillPoint,
  nth = 1,
): WorkloadSetup {
  const first = Math.max(0, ...observed.tried.batch) + 1
  return { directory, seed: observed.seed, first, open: unfinishedOf(observed), moment, nth }
}
