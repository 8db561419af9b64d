import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { readdirSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '../../../base/errors/fault.ts'
import { isBusy, FORMAT } from '../sql/index.ts'

/** The paths of the files in a data directory. */
export interface DataFiles {
  readonly directory: string
  /** Identifies a data directory and whether its creation is complete; written before the database. */
  readonly marker: string
  readonly database: string
  /** The acknowledged end of each partition: see `HighWater`. */
  readonly highWater: string
  readonly lock: string
  /** The process that holds the lock; only for error messages. */
  readonly owner: string
}

/** The content of the marker file. */
interface Marker {
  readonly made: 'throughline'
  readonly format: number
  readonly is: 'creating' | 'ready'
}

export function dataFiles(directory: string): DataFiles {
  return {
    directory,
    marker: join(directory, 'throughline.json'),
    database: join(directory, 'throughline.db'),
    highWater: join(directory, 'high-water'),
    lock: join(directory, 'owner.lock'),
    owner: join(directory, 'owner.json'),
  }
}

/** Files that may exist before the marker: the first process takes the lock, then writes it. */
const NAMES_BEFORE_MARKER: ReadonlySet<string> = new Set([
  'owner.lock',
  'owner.lock-journal',
  'owner.json',
  'throughline.json.new',
])

/**
 * Creates the directory where it is new, and checks an existing one before anything is changed. A
 * directory whose creation was killed, or that another process creates now, is accepted.
 *
 * @throws Fault `DATA_FOREIGN`, `DATA_NEWER`, `DATA_DAMAGED`
 */
export function prepareDirectory(files: DataFiles): void {
  const { directory, marker } = files
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // List before the marker is checked: our own files in the list were created after the marker.
  const others = readdirSync(directory).filter((name) => !NAMES_BEFORE_MARKER.has(name))
  if (existsSync(marker)) assertFormat(readMarker(files), directory)
  else if (others.length > 0)
    throw new Fault('DATA_FOREIGN', {
      detail: `${directory} holds ${others.slice(0, 3).join(', ')}`,
    })
}

/** Writes the first marker, unless there is one. Only for the owner. */
export function beginCreation(files: DataFiles): void {
  if (!existsSync(files.marker)) writeMarker(files, 'creating')
}

/** The format of the version that wrote the marker. */
export function markerFormat(files: DataFiles): number {
  return readMarker(files).format
}

export function isReady(files: DataFiles): boolean {
  return readMarker(files).is === 'ready'
}

/** Writes the marker atomically, also with respect to power cuts. */
export function writeMarker({ directory, marker }: DataFiles, state: Marker['is']): void {
  const content: Marker = { made: 'throughline', format: FORMAT, is: state }
  const next = `${marker}.new`
  writeFileSync(next, `${JSON.stringify(content)}\n`, { flush: true })
  renameSync(next, marker)
  syncDirectory(directory)
}

/** Syncs the entries of a directory to disk. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function readMarker({ marker, directory }: DataFiles): Marker {
  // Outside of `try`: an error of the system, such as too many open files, is no damage.
  const text = readFileSync(marker, 'utf8')
  try {
    const read = JSON.parse(text) as Marker
    if (read.made === 'throughline' && Number.isInteger(read.format)) return read
  } catch (cause) {
    throw new Fault('DATA_DAMAGED', { detail: `${marker} cannot be read`, cause })
  }
  throw new Fault('DATA_FOREIGN', {
    detail: `${directory} holds a throughline.json of another program`,
  })
}

function assertFormat({ format }: Marker, directory: string): void {
  if (format > FORMAT)
    throw new Fault('DATA_NEWER', {
      detail: `${directory} has format ${format}, and this version reads up to ${FORMAT}`,
    })
}

/**
 * Checks a database file by its header and size. Only before SQLite opens it: when a process opens
 * and closes the file itself, it drops the locks that SQLite holds on it for that process.
 *
 * @throws Fault `DATA_DAMAGED` when the file of a finished directory is missing or cut off
 */
export function assertDatabaseFile({ database }: DataFiles): void {
  const damaged = (detail: string): Fault => new Fault('DATA_DAMAGED', { detail })
  if (!existsSync(database)) throw damaged(`${database} is missing`)
  const { size } = statSync(database)
  if (size === 0) throw damaged(`${database} is empty`)
  const header = Buffer.alloc(100)
  const handle = openSync(database, 'r')
  const read = readSync(handle, header, 0, header.length, 0)
  closeSync(handle)
  if (read < header.length || header.toString('latin1', 0, 15) !== 'SQLite format 3')
    throw damaged(`${database} is no longer a SQLite database`)
  // A write-ahead log may hold the pages that the file lacks.
  if (hasWal(database)) return
  const pageBytes = header.readUInt16BE(16)
  const expected = header.readUInt32BE(28) * (pageBytes === 1 ? 65_536 : pageBytes)
  if (size < expected) throw damaged(`${database} is cut off: it has ${size} bytes of ${expected}`)
}

/** Whether a database has a write-ahead log that is not empty. */
export function hasWal(database: string): boolean {
  const wal = `${database}-wal`
  return existsSync(wal) && statSync(wal).size > 0
}

/** The exclusive lock of a directory; the death of the process releases it. */
export interface Ownership {
  release(): void
}

/**
 * Locks a directory by an open exclusive transaction on an otherwise empty database. The operating
 * system releases it when the process ends, however it ends.
 *
 * @throws Fault `DATA_OWNED`
 */
export function lockDirectory(files: DataFiles, startedAt: number): Ownership {
  const lock = new DatabaseSync(files.lock, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    if (!isBusy(cause)) throw cause
    const { pid, startedAt: since } = readOwner(files)
    const self = pid === process.pid ? ' which is this one,' : ''
    const who = pid === undefined ? 'another process' : `process ${pid}, up since ${since},${self}`
    throw new Fault('DATA_OWNED', {
      detail: `${who} owns ${files.directory}`,
      ids: pid === undefined ? {} : { pid: String(pid) },
      cause,
    })
  }
  const owner = { pid: process.pid, startedAt: new Date(startedAt).toISOString() }
  try {
    writeFileSync(files.owner, `${JSON.stringify(owner)}\n`)
  } catch (cause) {
    lock.close()
    throw cause
  }
  return {
    release() {
      rmSync(files.owner, { force: true })
      lock.close()
    },
  }
}

function readOwner({ owner }: DataFiles): { pid?: number; startedAt?: string } {
  try {
    return JSON.parse(readFileSync(owner, 'utf8')) as { pid: number; startedAt: string }
  } catch {
    return {}
  }
}
