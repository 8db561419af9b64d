import { resolve } from 'node:path'
import { bell } from '../../base/bell.ts'
import type { Clock } from '../../base/clock.ts'
import { systemClock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { Backend } from '../../ports/store.ts'
import { moveOut } from './archive.ts'
import { backUp } from './backup.ts'
import { embeddedLog } from './log.ts'
import { owning, reading, usesOf } from './connection.ts'
import { embeddedStore } from './store.ts'

export type { RestoreOptions, Restored } from './restore.ts'
export { restore } from './restore.ts'

export interface EmbeddedOptions {
  /** The data directory; made when it is missing. */
  readonly directory: string
  /** Default: the machine's clock. */
  readonly clock?: Clock
  /**
   * Opens what is there for reading, without owning it; every write throws `DATA_READ_ONLY`. What an
   * owner writes meanwhile is not seen. Default: false.
   */
  readonly isReadOnly?: boolean
}

/** How long commits gather while a backup is made. */
const BACKUP_GATHER_MS = 2

/**
 * Log and store in one SQLite database, in this process. An ack means that the data was synced to
 * disk. One process owns a data directory at a time; services run in that process. A killed process
 * leaves nothing half done: what was acked is there, a unit is there whole or not at all.
 *
 * `open` of log and store throws `DATA_OWNED`, `DATA_FOREIGN`, `DATA_NEWER` or `DATA_DAMAGED`, and
 * then has changed nothing.
 */
export function embedded(options: EmbeddedOptions): Backend {
  const { clock = systemClock(), isReadOnly = false } = options
  // A relative path means the same however the working directory changes.
  const directory = resolve(options.directory)
  const news = bell(clock)
  const [logUse, storeUse] = usesOf(directory, clock, news, isReadOnly ? reading : owning)
  const log = embeddedLog(logUse, news, clock)
  /** One after another, since each goes on where the one before has ended. */
  let archiving: Promise<unknown> = Promise.resolve()
  return {
    directory,
    log,
    store: embeddedStore(storeUse, clock),
    async backup(to, tell) {
      const { database, commits } = logUse.connection()
      const source = { directory, database, isShared: isReadOnly, isOpen: logUse.isOpen }
      // A copy is begun between two transactions only, and a busy owner leaves no gap by itself.
      commits.pace(BACKUP_GATHER_MS)
      try {
        return await backUp(source, to, clock, tell)
      } finally {
        commits.pace(0)
      }
    },
    archive(wish, tell) {
      const moved = archiving.then(() => {
        if (isReadOnly) throw new Fault('DATA_READ_ONLY', { detail: 'an archive' })
        return moveOut({ use: logUse, log, clock }, wish, tell)
      })
      archiving = moved.catch(() => undefined)
      return moved
    },
  }
}

export type { Accepted, Loss, Repaired } from './repair.ts'
export { repair } from './repair.ts'
export type { Salvaged, Unreadable } from './salvage.ts'
export { salvage } from './salvage.ts'
