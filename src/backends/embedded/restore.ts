import { existsSync, mkdirSync, promises, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import { systemClock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import { idMaker } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import type { BackedUp, Tell } from '../../ports/keeping.ts'
import type { BackupNote } from './backup-note.ts'
import { hashOf, readNote } from './backup-note.ts'
import { mustLieOutside } from './data-path.ts'
import type { Files, Ownership } from './directory.ts'
import { filesOf, own, syncDirectory, writeMarker } from './directory.ts'
import { makeMarks } from './backup-marks.ts'
import { transaction } from './statements.ts'

export interface RestoreOptions {
  /** The directory of a backup. It is not changed. */
  readonly from: string
  /** The new data directory; must not exist or be empty. */
  readonly directory: string
  readonly clock?: Clock
  /** Called with the progress, in bytes. */
  readonly tell?: Tell
}

/** The restored backup. */
export interface Restored extends BackedUp {
  /** The epoch that starts with the restore. */
  readonly newEpoch: string
  /** Archive files that are missing: their records cannot be read until they are put back. */
  readonly missing: readonly string[]
}

/**
 * Restores a backup into a new data directory, after its checksum was verified. The data starts a new
 * epoch (`newEpoch`), since it lacks what was acked after the backup, and all leases are fenced. A
 * failed restore leaves nothing. What a killed one left is refused as a data directory, and removed
 * by the next restore.
 *
 * @throws Fault `BACKUP_MISSING`, `BACKUP_DAMAGED`, `DATA_NEWER`, `DIRECTORY_TAKEN`, `DATA_OWNED`,
 * `OPTION_INVALID`
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { clock = systemClock(), tell = () => undefined } = options
  const from = resolve(options.from)
  const note = readNote(from)
  const files = filesOf(resolve(options.directory))
  mustLieOutside(from, { path: files.directory, option: 'data', of: 'backup' })
  const isNew = !existsSync(files.directory)
  const ownership = begin(files, clock)
  try {
    await copyChecked(filesOf(from), files, note, tell)
    const newEpoch = idMaker(clock, systemRandom)()
    beginNewLife(files, newEpoch)
    makeMarks(files)
    syncDirectory(files.directory)
    writeMarker(files, 'ready')
    rmSync(begunOf(files), { force: true })
    const { at, epoch, bytes, sha256, ends, archives } = note
    const missing = archives.filter((file) => !existsSync(file))
    return { at, epoch, bytes, sha256, ends, archives, newEpoch, missing }
  } catch (cause) {
    clear(files)
    throw cause
  } finally {
    ownership.release()
    if (!existsSync(files.marker)) rmSync(isNew ? files.directory : files.lock, { recursive: true })
  }
}

/** The file that marks an unfinished restore, until the marker of the data directory exists. */
const begunOf = ({ directory }: Files): string => join(directory, 'restoring.json')

const isHalf = (files: Files): boolean => existsSync(begunOf(files)) && !existsSync(files.marker)

/** Locks the target directory, and removes what a killed restore left in it. */
function begin(files: Files, clock: Clock): Ownership {
  const { directory } = files
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  mustBeEmpty(files)
  const ownership = own(files, clock.now())
  try {
    // Check again: another restore may have completed meanwhile.
    mustBeEmpty(files)
    clear(files)
    writeFileSync(begunOf(files), '{"made":"throughline","is":"restoring"}\n', { flush: true })
    syncDirectory(directory)
    return ownership
  } catch (cause) {
    ownership.release()
    throw cause
  }
}

/** Files of the lock, which say nothing about the content of a directory. */
const OWNERS: ReadonlySet<string> = new Set(['owner.lock', 'owner.lock-journal', 'owner.json'])

const namesIn = ({ directory }: Files): readonly string[] =>
  readdirSync(directory).filter((name) => !OWNERS.has(name))

function mustBeEmpty(files: Files): void {
  const names = namesIn(files)
  if (names.length === 0 || isHalf(files)) return
  throw new Fault('DIRECTORY_TAKEN', {
    detail: `${files.directory} holds ${names.slice(0, 3).join(', ')}`,
  })
}

/** Removes the files of an unfinished restore; its mark last. */
function clear(files: Files): void {
  const paths = namesIn(files).map((name) => join(files.directory, name))
  const note = begunOf(files)
  for (const path of paths) if (path !== note) rmSync(path, { recursive: true })
  rmSync(note, { force: true })
}

async function copyChecked(from: Files, to: Files, note: BackupNote, tell: Tell): Promise<void> {
  const damaged = (detail: string): Fault => new Fault('BACKUP_DAMAGED', { detail })
  if (!existsSync(from.database)) throw damaged(`${from.database} is missing`)
  const target = await promises.open(to.database, 'wx')
  try {
    let done = 0
    const sha256 = await hashOf(from.database, async (part) => {
      await target.appendFile(part)
      done += part.length
      tell({ done, total: note.bytes })
    })
    if (done !== note.bytes) throw damaged(`${from.database} has ${done} bytes of ${note.bytes}`)
    if (sha256 !== note.sha256)
      throw damaged(`${from.database} does not have the checksum of the backup`)
    await target.sync()
  } finally {
    await target.close()
  }
}

/** Sets the new epoch, and fences all holders of leases. */
function beginNewLife({ database }: Files, epoch: string): void {
  const db = new DatabaseSync(database)
  try {
    db.exec('PRAGMA synchronous = FULL')
    transaction(db, () => {
      db.prepare("UPDATE meta SET value = ? WHERE name = 'epoch'").run(epoch)
      db.exec('UPDATE lease SET until_ms = 0, generation = generation + 1')
    })
  } finally {
    db.close()
  }
}
