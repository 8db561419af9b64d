import { existsSync, mkdirSync, promises, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { backup } from 'node:sqlite'
import type { Clock } from '../../../base/time/clock.ts'
import { sleep } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { BackupSummary, ReportProgress } from '../../../ports/backup-and-archive.ts'
import {
  hashFile,
  writeManifest,
  assertOutside,
  dataFiles,
  lockDirectory,
  syncDirectory,
  writeMarker,
} from '../files/index.ts'
import type { DatabaseHandle } from '../sql/index.ts'
import type { DataFiles, Ownership } from '../files/index.ts'
import { writeCopyMarks } from './copy-marks.ts'

/**
 * Pages that one step copies. Commits wait for a step, so it is small: 256 KiB. The source is the
 * owner's own connection, so that commits between two steps go into the copy and do not restart it.
 */
const PAGES_PER_STEP = 32

/**
 * Pages after which the copy is synced in the background. The last step syncs the rest while commits
 * wait; without this it took 600 ms for 1.5 GB.
 */
const PAGES_PER_SYNC = 128

export interface BackupSource {
  readonly directory: string
  readonly database: DatabaseHandle
  /** Another process may write meanwhile: the copy is of the moment when it began. */
  readonly isShared: boolean
  /** False once the data was closed, which ends the copy. */
  readonly isOpen: () => boolean
}

/**
 * Copies the database of an open data directory into a new directory. The copy is written under a
 * temporary name and renamed once it is complete and synced, so that a killed backup leaves none.
 *
 * @throws Fault `DIRECTORY_TAKEN`, `OPTION_INVALID`, and `DATA_OWNED` while another backup is made there
 */
export async function createBackup(
  source: BackupSource,
  to: string,
  clock: Clock,
  onProgress: ReportProgress = () => undefined,
): Promise<BackupSummary> {
  const at = clock.now()
  const target = resolve(to)
  assertOutside(source.directory, { path: target, option: 'to', of: 'data' })
  assertFree(target)
  mkdirSync(dirname(target), { recursive: true })
  const part = dataFiles(`${target}.part`)
  const ownership = lockPart(part, at)
  try {
    await copy(source, part.database, clock, onProgress)
    const { epoch, ends, archives } = writeCopyMarks(part)
    const sha256 = await hashFile(part.database)
    const { size: bytes } = statSync(part.database)
    onProgress({ done: bytes, total: bytes })
    const summary: BackupSummary = { at, epoch, bytes, sha256, ends, archives }
    writeMarker(part, 'ready')
    writeManifest(part.directory, summary)
    ownership.release()
    rmSync(part.lock, { force: true })
    assertFree(target)
    renameSync(part.directory, target)
    syncDirectory(dirname(target))
    return summary
  } catch (cause) {
    ownership.release()
    rmSync(part.directory, { recursive: true, force: true })
    throw cause
  }
}

function assertFree(target: string): void {
  if (existsSync(target)) throw new Fault('DIRECTORY_TAKEN', { detail: target })
}

/** Files that a killed backup may have left. */
const BACKUP_NAMES = /^(throughline\.(db|json)|backup\.json|owner\.(lock|json)|high-water)/

/** Locks the temporary directory, and removes what a killed backup left in it. */
function lockPart(part: DataFiles, at: number): Ownership {
  const { directory } = part
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const names = readdirSync(directory)
  const others = names.filter((name) => !BACKUP_NAMES.test(name))
  if (others.length > 0)
    throw new Fault('DIRECTORY_TAKEN', {
      detail: `${directory} holds ${others.slice(0, 3).join(', ')}`,
    })
  const ownership = lockDirectory(part, at)
  for (const name of names)
    if (!name.startsWith('owner.')) rmSync(join(directory, name), { force: true })
  return ownership
}

/**
 * Attempts to start a copy. SQLite starts none while the owner is inside a transaction, which a busy
 * owner is for much of the time, but never for long.
 */
const BEGINS_MAX = 1_000
const BEGIN_AGAIN_MS = 1

async function copy(
  source: BackupSource,
  to: string,
  clock: Clock,
  onProgress: ReportProgress,
): Promise<void> {
  const { database, isShared } = source
  // The connection is replaced when a sync fails; then this copy ends.
  const db = database.db()
  // Hold a read transaction, so that commits of the owner do not restart the copy each time.
  if (isShared) db.exec('BEGIN; SELECT count(*) FROM meta')
  try {
    for (let begins = 1; ; begins += 1)
      try {
        return await copyOnce(source, db, to, onProgress)
      } catch (cause) {
        if (!isNotStarted(cause) || begins === BEGINS_MAX) throw cause
        await sleep(clock, BEGIN_AGAIN_MS)
      }
  } finally {
    if (isShared && db.isOpen && db.isTransaction) db.exec('COMMIT')
  }
}

/** Node reports a copy that could not start as an error without a result code. */
function isNotStarted(cause: unknown): boolean {
  const { code, errcode } = cause as { code?: string; errcode?: number }
  return code === 'ERR_SQLITE_ERROR' && errcode === 0
}

async function copyOnce(
  { isOpen }: BackupSource,
  db: DatabaseSync,
  to: string,
  onProgress: ReportProgress,
): Promise<void> {
  const mustBeOpen = (): void => {
    if (!isOpen() || !db.isOpen) throw new Error('the data directory was closed during the backup')
  }
  mustBeOpen()
  const pageBytes = Number(Object.values(db.prepare('PRAGMA page_size').get() ?? {})[0])
  const syncs = createFileSyncer(to)
  try {
    await backup(db, to, {
      rate: PAGES_PER_STEP,
      progress({ totalPages, remainingPages }) {
        mustBeOpen()
        const done = totalPages - remainingPages
        onProgress({ done: done * pageBytes, total: totalPages * pageBytes })
        syncs.reached(done)
      },
    })
    await syncs.last()
  } finally {
    await syncs.close()
  }
}

/** Syncs a growing file, one sync at a time, and once at the end. */
interface FileSyncer {
  reached(pages: number): void
  last(): Promise<void>
  close(): Promise<void>
}

function createFileSyncer(path: string): FileSyncer {
  let handle: promises.FileHandle | undefined
  let synced = 0
  let syncing: Promise<void> | undefined
  const sync = async (): Promise<void> => {
    handle ??= await promises.open(path, 'r+')
    await handle.datasync()
  }
  return {
    reached(pages) {
      if (syncing || pages - synced < PAGES_PER_SYNC) return
      synced = pages
      syncing = sync()
        // A failed sync fails again at the end.
        .catch(() => undefined)
        .finally(() => (syncing = undefined))
    },
    async last() {
      await syncing
      await sync()
    },
    async close() {
      await syncing
      await handle?.close()
    },
  }
}
