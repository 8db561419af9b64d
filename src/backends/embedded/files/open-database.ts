import { existsSync, renameSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import { createIdGenerator } from '../../../base/id-generator.ts'
import { systemRandom } from '../../../base/random.ts'
import { isBackup } from './backup-manifest.ts'
import type { DataFiles } from './directory.ts'
import {
  beginCreation,
  dataFiles,
  markerFormat,
  hasWal,
  isReady,
  prepareDirectory,
} from './directory.ts'
import { assertDatabaseFile, lockDirectory, syncDirectory, writeMarker } from './directory.ts'
import type { HighWater } from './high-water.ts'
import { createHighWater, openHighWater } from './high-water.ts'
import {
  migrate,
  isCannotOpen,
  withDamageFault,
  APPLICATION_ID,
  FORMAT,
  configureConnection,
  createTables,
  readIdentity,
  assertReadable,
} from '../sql/index.ts'
import type { DatabaseHandle } from '../sql/index.ts'

export interface OpenDatabase extends DatabaseHandle {
  readonly path: string
  readonly highWater: HighWater
  /** Whether there was a write-ahead log when the database was opened. */
  readonly hadWal: boolean
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
  const files = dataFiles(directory)
  prepareDirectory(files)
  if (isBackup(directory)) throw new Fault('DATA_IS_BACKUP', { detail: directory })
  const ownership = lockDirectory(files, clock.now())
  try {
    beginCreation(files)
    const wasReady = isReady(files)
    if (wasReady) assertDatabaseFile(files)
    const hadLog = hasWal(files.database)
    const opened = connectOwner(files, wasReady, clock)
    try {
      const highWater = openOrCreateHighWater(files, opened.db(), wasReady)
      if (!wasReady || markerFormat(files) < FORMAT) writeMarker(files, 'ready')
      return {
        ...opened,
        path: files.database,
        hadWal: hadLog,
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
export function openReadOnly(directory: string): OpenDatabase {
  const files = dataFiles(directory)
  if (!existsSync(files.marker)) throw new Fault('DATA_MISSING', { detail: directory })
  prepareDirectory(files)
  if (!isReady(files) || !existsSync(files.database))
    throw new Fault('DATA_MISSING', { detail: `the creation of ${directory} was never completed` })
  const open = (): DatabaseSync => connectReadOnly(files.database)
  return withDamageFault(files.database, (): OpenDatabase => {
    if (!hasOurTables(files.database, true)) throw noTablesFault(files.database)
    let db = open()
    const { format } = readIdentity(db)
    if (format < FORMAT) {
      db.close()
      const detail = `${files.database} has format ${format}`
      throw new Fault('DATA_OLDER', { detail })
    }
    const highWater = openHighWater(files.highWater, true)
    return {
      path: files.database,
      hadWal: false,
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
function connectReadOnly(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return db
  } catch (cause) {
    db.close()
    if (!isCannotOpen(cause) || hasWal(path)) throw cause
    const immutable = pathToFileURL(path)
    immutable.searchParams.set('immutable', '1')
    return new DatabaseSync(immutable, { readOnly: true })
  }
}

/** How long a reader waits while the owner opens or recovers the database. */
const BUSY_MS = 1_000

function connectOwner({ database }: DataFiles, wasReady: boolean, clock: Clock): DatabaseHandle {
  const open = (): DatabaseSync => {
    const db = new DatabaseSync(database, { timeout: 0 })
    configureConnection(db)
    return db
  }
  return withDamageFault(database, () => {
    const isMade = existsSync(database) && hasOurTables(database)
    if (wasReady && !isMade) throw noTablesFault(database)
    let db = open()
    try {
      if (!isMade) createTables(db, createIdGenerator(clock, systemRandom)())
      migrate(db)
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
function openOrCreateHighWater(files: DataFiles, db: DatabaseSync, wasReady: boolean): HighWater {
  const row = db.prepare("SELECT value FROM meta WHERE name = 'epoch'").get()
  const epoch = String(row?.['value'])
  if (!existsSync(files.highWater) && (!wasReady || markerFormat(files) === 1)) {
    const next = `${files.highWater}.new`
    createHighWater(next, epoch)
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

function noTablesFault(database: string): Fault {
  return new Fault('DATA_DAMAGED', { detail: `${database} has no tables` })
}

/**
 * Whether a database has our tables; false when it has none at all. A database that is refused must
 * not change: closing a writable connection would move its write-ahead log into the file, and a
 * read-only one would leave an empty log behind where there was none.
 *
 * @throws Fault `DATA_FOREIGN`, `DATA_NEWER`, and the error of SQLite where it is damaged
 */
function hasOurTables(path: string, isReadOnly = false): boolean {
  const db = hasWal(path) || isReadOnly ? connectReadOnly(path) : new DatabaseSync(path)
  try {
    const { applicationId, format, tables } = readIdentity(db)
    if (tables === 0) return false
    if (applicationId !== APPLICATION_ID)
      throw new Fault('DATA_FOREIGN', { detail: `${path} is a database of another program` })
    if (format > FORMAT)
      throw new Fault('DATA_NEWER', {
        detail: `${path} has format ${format}, and this version reads up to ${FORMAT}`,
      })
    assertReadable(db)
    return true
  } finally {
    db.close()
  }
}
