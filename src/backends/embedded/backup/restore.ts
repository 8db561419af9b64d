import { existsSync, mkdirSync, promises, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/time/clock.ts'
import { systemClock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import { createIdGenerator } from '../../../base/id-generator.ts'
import { systemRandom } from '../../../base/random.ts'
import type { BackupSummary, ReportProgress } from '../../../ports/backup-and-archive.ts'
import type { BackupManifest, DataFiles, Ownership } from '../files/index.ts'
import {
  hashFile,
  readManifest,
  assertOutside,
  dataFiles,
  lockDirectory,
  syncDirectory,
  writeMarker,
} from '../files/index.ts'
import { writeCopyMarks } from './copy-marks.ts'
import { transaction } from '../sql/index.ts'

export interface RestoreOptions {
  /** The directory of a backup. It is not changed. */
  readonly from: string
  /** The new data directory; must not exist or be empty. */
  readonly directory: string
  readonly clock?: Clock
  /** Called with the progress, in bytes. */
  readonly onProgress?: ReportProgress
}

/** The restored backup. */
export interface RestoreResult extends BackupSummary {
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
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const { clock = systemClock(), onProgress = () => undefined } = options
  const from = resolve(options.from)
  const manifest = readManifest(from)
  const files = dataFiles(resolve(options.directory))
  assertOutside(from, { path: files.directory, option: 'data', of: 'backup' })
  const isNew = !existsSync(files.directory)
  const ownership = lockTarget(files, clock)
  try {
    await copyVerified(dataFiles(from), files, manifest, onProgress)
    const newEpoch = createIdGenerator(clock, systemRandom)()
    startNewEpoch(files, newEpoch)
    writeCopyMarks(files)
    syncDirectory(files.directory)
    writeMarker(files, 'ready')
    rmSync(restoringPath(files), { force: true })
    const { at, epoch, bytes, sha256, ends, archives } = manifest
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
const restoringPath = ({ directory }: DataFiles): string => join(directory, 'restoring.json')

const isUnfinished = (files: DataFiles): boolean =>
  existsSync(restoringPath(files)) && !existsSync(files.marker)

/** Locks the target directory, and removes what a killed restore left in it. */
function lockTarget(files: DataFiles, clock: Clock): Ownership {
  const { directory } = files
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  assertEmpty(files)
  const ownership = lockDirectory(files, clock.now())
  try {
    // Check again: another restore may have completed meanwhile.
    assertEmpty(files)
    clear(files)
    writeFileSync(restoringPath(files), '{"made":"throughline","is":"restoring"}\n', {
      flush: true,
    })
    syncDirectory(directory)
    return ownership
  } catch (cause) {
    ownership.release()
    throw cause
  }
}

/** Files of the lock, which say nothing about the content of a directory. */
const OWNER_NAMES: ReadonlySet<string> = new Set(['owner.lock', 'owner.lock-journal', 'owner.json'])

const namesIn = ({ directory }: DataFiles): readonly string[] =>
  readdirSync(directory).filter((name) => !OWNER_NAMES.has(name))

function assertEmpty(files: DataFiles): void {
  const names = namesIn(files)
  if (names.length === 0 || isUnfinished(files)) return
  throw new Fault('DIRECTORY_TAKEN', {
    detail: `${files.directory} holds ${names.slice(0, 3).join(', ')}`,
  })
}

/** Removes the files of an unfinished restore; its mark last. */
function clear(files: DataFiles): void {
  const paths = namesIn(files).map((name) => join(files.directory, name))
  const notePath = restoringPath(files)
  for (const path of paths) if (path !== notePath) rmSync(path, { recursive: true })
  rmSync(notePath, { force: true })
}

async function copyVerified(
  from: DataFiles,
  to: DataFiles,
  manifest: BackupManifest,
  onProgress: ReportProgress,
): Promise<void> {
  const damaged = (detail: string): Fault => new Fault('BACKUP_DAMAGED', { detail })
  if (!existsSync(from.database)) throw damaged(`${from.database} is missing`)
  const target = await promises.open(to.database, 'wx')
  try {
    let done = 0
    const sha256 = await hashFile(from.database, async (part) => {
      await target.appendFile(part)
      done += part.length
      onProgress({ done, total: manifest.bytes })
    })
    if (done !== manifest.bytes)
      throw damaged(`${from.database} has ${done} bytes of ${manifest.bytes}`)
    if (sha256 !== manifest.sha256)
      throw damaged(`${from.database} does not have the checksum of the backup`)
    await target.sync()
  } finally {
    await target.close()
  }
}

/** Sets the new epoch, and fences all holders of leases. */
function startNewEpoch({ database }: DataFiles, epoch: string): void {
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
