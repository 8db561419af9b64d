import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import { idMaker } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import type { Files } from './directory.ts'
import { claimDirectory, filesOf, isDamaged, isReady } from './directory.ts'
import { mustBeWhole, own, writeMarker } from './directory.ts'
import { APPLICATION_ID, FORMAT, configure, createTables, identify } from './schema.ts'

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
  claimDirectory(files)
  const ownership = own(files, clock.now())
  try {
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

function connect({ database }: Files, wasReady: boolean, clock: Clock): DatabaseSync {
  const isThere = existsSync(database)
  const db = new DatabaseSync(database, { timeout: 0 })
  try {
    // Asked before anything is written, so that a file that is not ours stays as it is.
    const before = identify(db)
    if (isThere && before.tables > 0) mustBeOurs(before, database)
    else if (wasReady) throw new Fault('DATA_DAMAGED', { detail: `${database} holds no tables` })
    configure(db)
    if (before.tables === 0) createTables(db, idMaker(clock, systemRandom)())
    return db
  } catch (cause) {
    db.close()
    if (!isDamaged(cause)) throw cause
    throw new Fault('DATA_DAMAGED', { detail: `${database} cannot be read`, cause })
  }
}

function mustBeOurs({ applicationId, format }: ReturnType<typeof identify>, path: string): void {
  if (applicationId !== APPLICATION_ID)
    throw new Fault('DATA_FOREIGN', { detail: `${path} is a database of something else` })
  if (format > FORMAT)
    throw new Fault('DATA_NEWER', {
      detail: `${path} has format ${format}, and this version reads up to ${FORMAT}`,
    })
}
