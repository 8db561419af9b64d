import { existsSync, renameSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import { idMaker } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import { isBackup } from './backup-note.ts'
import type { Files } from './directory.ts'
import { beginMaking, filesOf, formatOf, hasLog, isReady, mustBeOurs } from './directory.ts'
import { mustBeWhole, own, syncDirectory, writeMarker } from './directory.ts'
import type { HighWater } from './high-water.ts'
import { makeHighWater, openHighWater } from './high-water.ts'
import { bringUp } from './migrations.ts'
import { isUnopenable, namingDamage } from './results.ts'
import { APPLICATION_ID, FORMAT, configure, createTables } from './schema.ts'
import { identify, mustBeSound } from './schema.ts'
import type { DatabaseHandle } from './sql/database-handle.ts'

export interface OpenDatabase extends DatabaseHandle {
  readonly path: string
  readonly highWater: HighWater
  /** Whether there was a write-ahead log when the database was opened. */
  readonly hadLog: boolean
  /** Closes the database and unlocks the directory. */
  close(): void
}

/**
 * Opens the database of a data directory as its only owner. Creates it where the directory is new,
 * and completes a creation or migration that was killed.
 *
 * @throws Fault `DATA_OWNED`, `DATA_FOREIGN`, `DATA_NEWER`, `DATA_DAMAGED`
 */
export function openDatabase(directory: string, clock: Clock): OpenDatabase {
  const files = filesOf(directory)
  mustBeOurs(files)
  if (isBackup(directory)) throw new Fault('DATA_IS_BACKUP', { detail: directory })
  const ownership = own(files, clock.now())
  try {
    beginMaking(files)
    const wasReady = isReady(files)
    if (wasReady) mustBeWhole(files)
    const hadLog = hasLog(files.database)
    const opened = connect(files, wasReady, clock)
    try {
      const highWater = highWaterOf(files, opened.db(), wasReady)
      if (!wasReady || formatOf(files) < FORMAT) writeMarker(files, 'ready')
      return {
        ...opened,
        path: files.database,
        hadLog,
        highWater,
        close() {
          try {
            opened.db().close()
          } finally {
            highWater.close()
            ownership.release()
          }
        },
      }
    } catch (cause) {
      opened.db().close()
      throw cause
    }
  } catch (cause) {
    ownership.release()
    throw cause
  }
}

/**
 * Opens the database of a data directory read-only, with or without a running owner.
 *
 * @throws Fault `DATA_MISSING`, `DATA_FOREIGN`, `DATA_NEWER`, `DATA_OLDER`, `DATA_DAMAGED`
 */
export function openForReading(directory: string): OpenDatabase {
  const files = filesOf(directory)
  if (!existsSync(files.marker)) throw new Fault('DATA_MISSING', { detail: directory })
  mustBeOurs(files)
  if (!isReady(files) || !existsSync(files.database))
    throw new Fault('DATA_MISSING', { detail: `the creation of ${directory} was never completed` })
  const open = (): DatabaseSync => openReadOnly(files.database)
  return namingDamage(files.database, (): OpenDatabase => {
    if (!isOurs(files.database, true)) throw noTables(files.database)
    let db = open()
    const { format } = identify(db)
    if (format < FORMAT) {
      db.close()
      const detail = `${files.database} has format ${format}`
      throw new Fault('DATA_OLDER', { detail })
    }
    const highWater = openHighWater(files.highWater, true)
    return {
      path: files.database,
      hadLog: false,
      highWater,
      db: () => db,
      reconnect() {
        db.close()
        db = open()
      },
      close() {
        db.close()
        highWater.close()
      },
    }
  })
}

/**
 * On a read-only file system SQLite cannot create its shared-memory file. Nobody else can write there
 * either, so without a write-ahead log the database file is complete and opened as immutable.
 */
function openReadOnly(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return db
  } catch (cause) {
    db.close()
    if (!isUnopenable(cause) || hasLog(path)) throw cause
    const immutable = pathToFileURL(path)
    immutable.searchParams.set('immutable', '1')
    return new DatabaseSync(immutable, { readOnly: true })
  }
}

/** How long a reader waits while the owner opens or recovers the database. */
const BUSY_MS = 1_000

function connect({ database }: Files, wasReady: boolean, clock: Clock): DatabaseHandle {
  const open = (): DatabaseSync => {
    const db = new DatabaseSync(database, { timeout: 0 })
    configure(db)
    return db
  }
  return namingDamage(database, () => {
    const isMade = existsSync(database) && isOurs(database)
    if (wasReady && !isMade) throw noTables(database)
    let db = open()
    try {
      if (!isMade) createTables(db, idMaker(clock, systemRandom)())
      bringUp(db)
      return {
        db: () => db,
        reconnect() {
          // Open the new connection first: closing the last one would sync again, and a sync after
          // a failed one proves nothing.
          const next = open()
          if (db.isTransaction) db.exec('ROLLBACK')
          db.close()
          db = next
        },
      }
    } catch (cause) {
      db.close()
      throw cause
    }
  })
}

/**
 * Opens the high-water mark of the database. Creates it where the directory is new, or of format 1,
 * which had none.
 *
 * @throws Fault `DATA_DAMAGED` where it is missing or belongs to another database
 */
function highWaterOf(files: Files, db: DatabaseSync, wasReady: boolean): HighWater {
  const row = db.prepare("SELECT value FROM meta WHERE name = 'epoch'").get()
  const epoch = String(row?.['value'])
  if (!existsSync(files.highWater) && (!wasReady || formatOf(files) === 1)) {
    const next = `${files.highWater}.new`
    makeHighWater(next, epoch)
    renameSync(next, files.highWater)
    syncDirectory(files.directory)
  }
  const highWater = openHighWater(files.highWater, false)
  if (highWater.epoch === epoch) return highWater
  highWater.close()
  throw new Fault('DATA_DAMAGED', {
    detail: `${files.highWater} has the epoch ${highWater.epoch}, and the database ${epoch}`,
  })
}

function noTables(database: string): Fault {
  return new Fault('DATA_DAMAGED', { detail: `${database} has no tables` })
}

/**
 * Whether a database has our tables; false when it has none at all. A database that is refused must
 * not change: closing a writable connection would move its write-ahead log into the file, and a
 * read-only one would leave an empty log behind where there was none.
 *
 * @throws Fault `DATA_FOREIGN`, `DATA_NEWER`, and the error of SQLite where it is damaged
 */
function isOurs(path: string, isReadOnly = false): boolean {
  const db = hasLog(path) || isReadOnly ? openReadOnly(path) : new DatabaseSync(path)
  try {
    const { applicationId, format, tables } = identify(db)
    if (tables === 0) return false
    if (applicationId !== APPLICATION_ID)
      throw new Fault('DATA_FOREIGN', { detail: `${path} is a database of another program` })
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
