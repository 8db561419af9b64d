import { existsSync, mkdirSync, promises, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { backup } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import { pause } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { BackedUp, Tell } from '../../ports/keeping.ts'
import { hashOf, writeNote } from './backup-note.ts'
import { mustLieOutside } from './data-path.ts'
import type { DatabaseHandle } from './sql/database-handle.ts'
import type { Files, Ownership } from './directory.ts'
import { filesOf, own, syncDirectory, writeMarker } from './directory.ts'
import { makeMarks } from './backup-marks.ts'

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
export async function backUp(
  source: BackupSource,
  to: string,
  clock: Clock,
  tell: Tell = () => undefined,
): Promise<BackedUp> {
  const at = clock.now()
  const target = resolve(to)
  mustLieOutside(source.directory, { path: target, option: 'to', of: 'data' })
  mustBeFree(target)
  mkdirSync(dirname(target), { recursive: true })
  const part = filesOf(`${target}.part`)
  const ownership = ownPart(part, at)
  try {
    await copy(source, part.database, clock, tell)
    const { epoch, ends, archives } = makeMarks(part)
    const sha256 = await hashOf(part.database)
    const { size: bytes } = statSync(part.database)
    tell({ done: bytes, total: bytes })
    const backedUp: BackedUp = { at, epoch, bytes, sha256, ends, archives }
    writeMarker(part, 'ready')
    writeNote(part.directory, backedUp)
    ownership.release()
    rmSync(part.lock, { force: true })
    mustBeFree(target)
    renameSync(part.directory, target)
    syncDirectory(dirname(target))
    return backedUp
  } catch (cause) {
    ownership.release()
    rmSync(part.directory, { recursive: true, force: true })
    throw cause
  }
}

function mustBeFree(target: string): void {
  if (existsSync(target)) throw new Fault('DIRECTORY_TAKEN', { detail: target })
}

/** Files that a killed backup may have left. */
const OURS = /^(throughline\.(db|json)|backup\.json|owner\.(lock|json)|high-water)/

/** Locks the temporary directory, and removes what a killed backup left in it. */
function ownPart(part: Files, at: number): Ownership {
  const { directory } = part
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const names = readdirSync(directory)
  const others = names.filter((name) => !OURS.test(name))
  if (others.length > 0)
    throw new Fault('DIRECTORY_TAKEN', {
      detail: `${directory} holds ${others.slice(0, 3).join(', ')}`,
    })
  const ownership = own(part, at)
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

async function copy(source: BackupSource, to: string, clock: Clock, tell: Tell): Promise<void> {
  const { database, isShared } = source
  // The connection is replaced when a sync fails; then this copy ends.
  const db = database.db()
  // Hold a read transaction, so that commits of the owner do not restart the copy each time.
  if (isShared) db.exec('BEGIN; SELECT count(*) FROM meta')
  try {
    for (let begins = 1; ; begins += 1)
      try {
        return await copyOnce(source, db, to, tell)
      } catch (cause) {
        if (!isNotBegun(cause) || begins === BEGINS_MAX) throw cause
        await pause(clock, BEGIN_AGAIN_MS)
      }
  } finally {
    if (isShared && db.isOpen && db.isTransaction) db.exec('COMMIT')
  }
}

/** Node reports a copy that could not start as an error without a result code. */
function isNotBegun(cause: unknown): boolean {
  const { code, errcode } = cause as { code?: string; errcode?: number }
  return code === 'ERR_SQLITE_ERROR' && errcode === 0
}

async function copyOnce(
  { isOpen }: BackupSource,
  db: DatabaseSync,
  to: string,
  tell: Tell,
): Promise<void> {
  const mustBeOpen = (): void => {
    if (!isOpen() || !db.isOpen) throw new Error('the data directory was closed during the backup')
  }
  mustBeOpen()
  const pageBytes = Number(Object.values(db.prepare('PRAGMA page_size').get() ?? {})[0])
  const syncs = syncsOf(to)
  try {
    await backup(db, to, {
      rate: PAGES_PER_STEP,
      progress({ totalPages, remainingPages }) {
        mustBeOpen()
        const done = totalPages - remainingPages
        tell({ done: done * pageBytes, total: totalPages * pageBytes })
        syncs.reached(done)
      },
    })
    await syncs.last()
  } finally {
    await syncs.close()
  }
}

/** Syncs a growing file, one sync at a time, and once at the end. */
interface Syncs {
  reached(pages: number): void
  last(): Promise<void>
  close(): Promise<void>
}

function syncsOf(path: string): Syncs {
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
