import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import { idMaker } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import type { Files } from './directory.ts'
import { beginMaking, filesOf, hasLog, isReady, mustBeOurs } from './directory.ts'
import { mustBeWhole, own, writeMarker } from './directory.ts'
import { isDamaged } from './results.ts'
import { APPLICATION_ID, FORMAT, configure, createTables } from './schema.ts'
import { identify, mustBeSound } from './schema.ts'

export interface OpenDatabase {
  readonly db: DatabaseSync
  /** Closes the database and lets go of the directory. */
  close(): void
}

/**
 * Opens the database of a data directory as its only owner; makes it where it is new, and finishes
 * what a killed start had begun.
 *
 * @throws Fault `DATA_OWNED`, `DATA_FOREIGN`, `DATA_NEWER`, `DATA_DAMAGED`
 */
export function openDatabase(directory: string, clock: Clock): OpenDatabase {
  const files = filesOf(directory)
  mustBeOurs(files)
  const ownership = own(files, clock.now())
  try {
    beginMaking(files)
    const wasReady = isReady(files)
    if (wasReady) mustBeWhole(files)
    const db = connect(files, wasReady, clock)
    if (!wasReady) writeMarker(files, 'ready')
    return {
      db,
      close() {
        db.close()
        ownership.release()
      },
    }
  } catch (cause) {
    ownership.release()
    throw cause
  }
}

/**
 * Opens the database of a data directory for reading, beside its owner or without one.
 *
 * @throws Fault `DATA_MISSING`, `DATA_FOREIGN`, `DATA_NEWER`, `DATA_DAMAGED`
 */
export function openForReading(directory: string): OpenDatabase {
  const files = filesOf(directory)
  if (!existsSync(files.marker)) throw new Fault('DATA_MISSING', { detail: directory })
  mustBeOurs(files)
  if (!isReady(files) || !existsSync(files.database))
    throw new Fault('DATA_MISSING', { detail: `${directory} was never finished` })
  try {
    if (!isOurs(files.database))
      throw new Fault('DATA_DAMAGED', { detail: `${files.database} holds no tables` })
    const db = new DatabaseSync(files.database, { readOnly: true, timeout: BUSY_MS })
    return { db, close: () => db.close() }
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    throw new Fault('DATA_DAMAGED', { detail: `${files.database} cannot be read`, cause })
  }
}

/** How long a reader waits while an owner opens or recovers. */
const BUSY_MS = 1_000

function connect({ database }: Files, wasReady: boolean, clock: Clock): DatabaseSync {
  try {
    const isMade = existsSync(database) && isOurs(database)
    if (wasReady && !isMade)
      throw new Fault('DATA_DAMAGED', { detail: `${database} holds no tables` })
    const db = new DatabaseSync(database, { timeout: 0 })
    try {
      configure(db)
      if (!isMade) createTables(db, idMaker(clock, systemRandom)())
      return db
    } catch (cause) {
      db.close()
      throw cause
    }
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    throw new Fault('DATA_DAMAGED', { detail: `${database} cannot be read`, cause })
  }
}

/**
 * Whether our tables are in a database; false when there are none at all. What is refused has to
 * stay as it is, but closing a connection that may write moves a write-ahead log into the file and
 * deletes it. One that may not would leave an empty log behind where there is none.
 *
 * @throws Fault `DATA_FOREIGN`, `DATA_NEWER`, and the error of SQLite where it is damaged
 */
function isOurs(path: string): boolean {
  const db = new DatabaseSync(path, { readOnly: hasLog(path), timeout: 0 })
  try {
    const { applicationId, format, tables } = identify(db)
    if (tables === 0) return false
    if (applicationId !== APPLICATION_ID)
      throw new Fault('DATA_FOREIGN', { detail: `${path} is a database of something else` })
    if (format > FORMAT)
      throw new Fault('DATA_NEWER', {
        detail: `${path} has format ${format}, and this version reads up to ${FORMAT}`,
      })
    mustBeSound(db)
    return true
  } finally {
    db.close()
  }
}
