import { resolve } from 'node:path'
import { createNotifier } from '../../base/time/notifier.ts'
import type { Clock } from '../../base/time/clock.ts'
import { systemClock } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { Backend } from '../../ports/event-store.ts'
import { archivePartition } from './archive/index.ts'
import { createBackup } from './backup/index.ts'
import {
  createEmbeddedLog,
  ownerMode,
  readOnlyMode,
  shareConnection,
  createEmbeddedStore,
} from './connection/index.ts'

export type { RestoreOptions, RestoreResult } from './backup/index.ts'
export { restore } from './backup/index.ts'

export interface EmbeddedOptions {
  /** The data directory; created when it is missing. */
  readonly directory: string
  /** Default: the machine's clock. */
  readonly clock?: Clock
  /**
   * Opens existing data for reading, without owning the directory; every write throws
   * `DATA_READ_ONLY`. Default: false.
   */
  readonly isReadOnly?: boolean
}

/** How long commits are gathered while a backup is made. */
const BACKUP_GATHER_MS = 2

/**
 * Log and store in one SQLite database, in this process. An ack means that the data was synced to
 * disk. One process owns a data directory at a time, and runs all services on it. After a kill all
 * acked events are there, and each unit of work is there whole or not at all.
 *
 * `open` of log and store throws `DATA_OWNED`, `DATA_FOREIGN`, `DATA_NEWER` or `DATA_DAMAGED` before
 * it changes anything.
 */
export function embedded(options: EmbeddedOptions): Backend {
  const { clock = systemClock(), isReadOnly = false } = options
  // Resolved now, since the working directory may change later.
  const directory = resolve(options.directory)
  const notifier = createNotifier(clock)
  const [logUse, storeUse] = shareConnection(
    directory,
    clock,
    notifier,
    isReadOnly ? readOnlyMode : ownerMode,
  )
  const log = createEmbeddedLog(logUse, notifier, clock)
  /** Archives run one after another: each continues where the one before ended. */
  let archiving: Promise<unknown> = Promise.resolve()
  return {
    directory,
    log,
    store: createEmbeddedStore(storeUse, clock),
    async backup(to, onProgress) {
      const { database, commits } = logUse.connection()
      const source = { directory, database, isShared: isReadOnly, isOpen: logUse.isOpen }
      // SQLite starts a copy between two transactions only, and a busy owner leaves no gap.
      commits.setGatherMs(BACKUP_GATHER_MS)
      try {
        return await createBackup(source, to, clock, onProgress)
      } finally {
        commits.setGatherMs(0)
      }
    },
    archive(request, onProgress) {
      const moved = archiving.then(() => {
        if (isReadOnly) throw new Fault('DATA_READ_ONLY', { detail: 'archiving' })
        return archivePartition({ use: logUse, log, clock }, request, onProgress)
      })
      archiving = moved.catch(() => undefined)
      return moved
    },
  }
}

export type {
  AcceptedDamage,
  Loss,
  RepairResult,
  SalvagedItem,
  Unreadable,
} from './repair/index.ts'
export { repair, salvage } from './repair/index.ts'
