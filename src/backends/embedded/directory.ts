import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { readdirSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '../../base/fault.ts'
import { isBusy } from './results.ts'
import { FORMAT } from './schema.ts'

/** The files of a data directory. */
export interface Files {
  readonly directory: string
  /** Says that the directory is ours and whether its making was finished; comes before the database. */
  readonly marker: string
  readonly database: string
  /** How far everything had come: see `HighWater`. */
  readonly highWater: string
  readonly lock: string
  /** Who holds the lock: for the message only. */
  readonly owner: string
}

interface Marker {
  readonly made: 'throughline'
  readonly format: number
  readonly is: 'creating' | 'ready'
}

export function filesOf(directory: string): Files {
  return {
    directory,
    marker: join(directory, 'throughline.json'),
    database: join(directory, 'throughline.db'),
    highWater: join(directory, 'high-water'),
    lock: join(directory, 'owner.lock'),
    owner: join(directory, 'owner.json'),
  }
}

/** What may be there before the marker: who comes first takes the lock, then begins to make. */
const BEFORE_MARKER: ReadonlySet<string> = new Set([
  'owner.lock',
  'owner.lock-journal',
  'owner.json',
  'throughline.json.new',
])

/**
 * Makes the directory where it is new, and looks at what is in it before anything is touched. A
 * directory whose making was killed is ours, too, and so is one that another process makes now.
 *
 * @throws Fault `DATA_FOREIGN`, `DATA_NEWER`, `DATA_DAMAGED`
 */
export function mustBeOurs(files: Files): void {
  const { directory, marker } = files
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // Listed before the marker is asked for: whatever of ours is in the list came after the marker.
  const others = readdirSync(directory).filter((name) => !BEFORE_MARKER.has(name))
  if (existsSync(marker)) mustBeReadable(readMarker(files), directory)
  else if (others.length > 0)
    throw new Fault('DATA_FOREIGN', {
      detail: `${directory} holds ${others.slice(0, 3).join(', ')}`,
    })
}

/** Begins to make the directory, unless that was begun before. Only for its owner. */
export function beginMaking(files: Files): void {
  if (!existsSync(files.marker)) writeMarker(files, 'creating')
}

/** The format that the marker names: that of the version which wrote it. */
export function formatOf(files: Files): number {
  return readMarker(files).format
}

export function isReady(files: Files): boolean {
  return readMarker(files).is === 'ready'
}

/** Writes the marker so that it is there whole or not at all, also after a power cut. */
export function writeMarker({ directory, marker }: Files, is: Marker['is']): void {
  const made: Marker = { made: 'throughline', format: FORMAT, is }
  const next = `${marker}.new`
  writeFileSync(next, `${JSON.stringify(made)}\n`, { flush: true })
  renameSync(next, marker)
  syncDirectory(directory)
}

/** Brings the names of a directory's files to the disk. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function readMarker({ marker, directory }: Files): Marker {
  // What the system refuses, such as one more open file, says nothing of what is in it.
  const text = readFileSync(marker, 'utf8')
  try {
    const read = JSON.parse(text) as Marker
    if (read.made === 'throughline' && Number.isInteger(read.format)) return read
  } catch (cause) {
    throw new Fault('DATA_DAMAGED', { detail: `${marker} cannot be read`, cause })
  }
  throw new Fault('DATA_FOREIGN', {
    detail: `${directory} holds a throughline.json of something else`,
  })
}

function mustBeReadable({ format }: Marker, directory: string): void {
  if (format > FORMAT)
    throw new Fault('DATA_NEWER', {
      detail: `${directory} has format ${format}, and this version reads up to ${FORMAT}`,
    })
}

/**
 * What can be seen of a database file from outside. Only before it is opened: a process that opens
 * and closes the file by itself drops the locks that SQLite holds on it for that process.
 *
 * @throws Fault `DATA_DAMAGED` when the file of a finished directory is missing or cut off
 */
export function mustBeWhole({ database }: Files): void {
  const damaged = (detail: string): Fault => new Fault('DATA_DAMAGED', { detail })
  if (!existsSync(database)) throw damaged(`${database} is missing`)
  const { size } = statSync(database)
  if (size === 0) throw damaged(`${database} is empty`)
  const header = Buffer.alloc(100)
  const handle = openSync(database, 'r')
  const read = readSync(handle, header, 0, header.length, 0)
  closeSync(handle)
  if (read < header.length || header.toString('latin1', 0, 15) !== 'SQLite format 3')
    throw damaged(`${database} is not a database any more`)
  // While a write-ahead log is there, it may hold what the file itself lacks.
  if (hasLog(database)) return
  const pageBytes = header.readUInt16BE(16)
  const expected = header.readUInt32BE(28) * (pageBytes === 1 ? 65_536 : pageBytes)
  if (size < expected) throw damaged(`${database} has ${size} bytes of ${expected}`)
}

/** Whether a write-ahead log with anything in it lies beside a database. */
export function hasLog(database: string): boolean {
  const wal = `${database}-wal`
  return existsSync(wal) && statSync(wal).size > 0
}

/** The right to a directory, held by one process at a time; a kill lets go of it. */
export interface Ownership {
  release(): void
}

/**
 * An open exclusive transaction on a database of its own, that holds nothing: the system drops it
 * with the process, however that ends.
 *
 * @throws Fault `DATA_OWNED`
 */
export function own(files: Files, startedAt: number): Ownership {
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

function readOwner({ owner }: Files): { pid?: number; startedAt?: string } {
  try {
    return JSON.parse(readFileSync(owner, 'utf8')) as { pid: number; startedAt: string }
  } catch {
    return {}
  }
}
