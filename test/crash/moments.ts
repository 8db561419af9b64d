// When a process dies, as a table: at any time, or at the n-th call on its files of some kind.
import type { FaultPlan } from './shim.ts'
import type { Open } from './told.ts'

/** `any time` is killed from outside; `settle` is not killed at all. */
export type Moment =
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

/** What a process is told when it starts. */
export interface Setup {
  readonly directory: string
  readonly seed: number
  /** The number with which it goes on … */
  readonly first: number
  /** … once it has sent these again. */
  readonly open: Open
  readonly moment: Moment
  readonly nth: number
  /** What comes at the moment; default: it is killed. */
  readonly act?: 'stop'
  /** The file of its fault plan. */
  readonly faults?: string
  /** Weaker than promised: a control, which has to be found out. */
  readonly sync?: 'NORMAL' | 'OFF'
  /** No sync is done, and every one is answered as if it were. */
  readonly isUnsynced?: boolean
  /** Keeps ever more in memory, until there is none left. */
  readonly isHoarding?: boolean
  /** From some write on the disk takes nothing any more, and says that it did. */
  readonly isDropping?: boolean
}

type Where = Pick<FaultPlan, 'files' | 'calls'>

/** Every kind of file of a data directory. */
export const FILE_NAMES = ['db', 'wal', 'mark', 'shm', 'json', 'lock', 'other'] as const
const CHANGES = ['write', 'sync', 'truncate', 'remove', 'rename'] as const

/** Where each moment strikes. Only a checkpoint writes into the database itself. */
export const FAULT_OF: Readonly<Partial<Record<Moment, Where>>> = {
  start: { files: FILE_NAMES, calls: CHANGES },
  append: { files: ['wal', 'mark'], calls: ['write'] },
  sync: { files: FILE_NAMES, calls: ['sync'] },
  checkpoint: { files: ['db', 'wal'], calls: CHANGES },
  trim: { files: ['wal'], calls: ['write', 'sync'] },
  compact: { files: ['wal'], calls: ['write', 'sync'] },
  create: { files: ['wal'], calls: ['write', 'sync'] },
  stop: { files: FILE_NAMES, calls: CHANGES },
}

/** Up to which call a moment is likely to come. */
export const CALLS_MAX: Readonly<Record<Moment, number>> = {
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
