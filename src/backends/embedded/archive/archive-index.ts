import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { FAULTS } from '../../../base/errors/fault.ts'
import type { DamagedRange } from '../../../ports/damage.ts'
import { damageText } from '../../../ports/damage.ts'
import type { ArchiveBlock } from './archive-block.ts'
import { blockHash, decodeBlock } from './archive-block.ts'
import type { StoredRecord, Statements } from '../sql/index.ts'
import { isIntact } from '../sql/index.ts'
import type { RestoreArchived } from '../log/index.ts'

/** The block of an archive file that holds a range of records. */
export interface ArchiveEntry {
  readonly from: number
  /** Excluded. */
  readonly to: number
  /** The absolute path. */
  readonly file: string
  readonly start: number
  readonly bytes: number
  /** SHA-256 of the compressed block, in hex. */
  readonly hash: string
  readonly records: number
}

/** Which archive files hold which records, and reading them. */
export interface ArchiveIndex {
  /** Reloads the in-memory state. */
  load(): void
  readonly look: RestoreArchived
  /** The last failure to read an archive file, until the file changes. */
  readFailure(): string | undefined
  /** The end of the archived range of a partition. */
  end(topic: number, partition: number): number | undefined
  /** The blocks of a partition, the last one first. */
  last(topic: number, partition: number, count: number, below: number): readonly ArchiveEntry[]
  /** Inside a transaction. */
  add(topic: number, partition: number, rows: readonly ArchiveEntry[]): void
}

/** Cached blocks; readers go through a partition block by block. */
const BLOCKS_MAX = 16
const BYTES_MAX = 33_554_432

const COLUMNS = 'from_off, to_off, file, at_byte, bytes, sha, records'
const SELECT_AT = `SELECT ${COLUMNS} FROM archive
  WHERE topic = ? AND part = ? AND from_off <= ? ORDER BY from_off DESC LIMIT 1`
const SELECT_LAST = `SELECT ${COLUMNS} FROM archive
  WHERE topic = ? AND part = ? AND from_off < ? ORDER BY from_off DESC LIMIT ?`
const INSERT = `INSERT INTO archive (topic, part, ${COLUMNS})`
const WIDTH = 9

/** @param directory the data directory, in which moved archive files are looked for */
export function createArchiveIndex(sql: Statements, directory: string): ArchiveIndex {
  let isEmpty = true
  const blocks = createBlockCache()
  /** The last used entry: the next record is most likely in it, too. */
  let found: { readonly topic: number; readonly partition: number; row: ArchiveEntry } | undefined
  const rowAt = (topic: number, partition: number, offset: number): ArchiveEntry | undefined => {
    const isThere = found?.topic === topic && found.partition === partition
    if (found && isThere && found.row.from <= offset && offset < found.row.to) return found.row
    const columns = sql.get(SELECT_AT, topic, partition, offset)
    const row = columns && rowOf(columns)
    if (!row || offset >= row.to) return undefined
    found = { topic, partition, row }
    return row
  }
  let trouble:
    | { readonly text: string; readonly row: ArchiveEntry; readonly stamp: string }
    | undefined
  const noting = (row: ArchiveEntry, { record }: StoredRecord): ArchiveBlock | DamagedRange => {
    const stamp = fileStamps(row, directory)
    const read = readBlock(row, directory)
    if ('code' in read) {
      const text = `${record.topic}/${record.partition} ${damageText(read)}`
      trouble = { text: `${read.code}: ${meaningOf(read)}: ${text}`, row, stamp }
    } else if (trouble?.row.file === row.file) trouble = undefined
    return read
  }
  const last: ArchiveIndex['last'] = (topic, partition, count, below) =>
    sql.all(SELECT_LAST, topic, partition, below, count).map(rowOf)
  return {
    load() {
      found = undefined
      isEmpty = sql.get('SELECT 1 FROM archive WHERE topic > 0 LIMIT 1') === undefined
    },
    look(stub) {
      if (isEmpty) return {}
      const { record, topic } = stub
      const { partition, offset } = record
      const row = rowAt(topic, partition, offset)
      if (!row) return {}
      const block = blocks.get(row.hash) ?? noting(row, stub)
      if ('code' in block) return { damage: block }
      blocks.keep(row.hash, block)
      const body = block.bodies.get(offset)
      if (!body) return {}
      const whole = { ...record, ...body }
      if (isIntact({ ...stub, record: whole, gone: null })) return { record: whole }
      return { damage: damagedFault(row, `offset ${offset} is not what was written`) }
    },
    readFailure() {
      if (trouble && fileStamps(trouble.row, directory) !== trouble.stamp) trouble = undefined
      return trouble?.text
    },
    end: (topic, partition) => last(topic, partition, 1, Number.MAX_SAFE_INTEGER)[0]?.to,
    last,
    add(topic, partition, rows) {
      const values = rows.flatMap(({ from, to, file, start, bytes, hash, records }) => {
        const sha = Buffer.from(hash, 'hex')
        return [topic, partition, from, to, file, start, bytes, sha, records]
      })
      sql.insert(INSERT, '', WIDTH, values)
      isEmpty = false
    },
  }
}

function rowOf(columns: readonly unknown[]): ArchiveEntry {
  const [from, to, file, start] = columns as [number, number, string, number]
  const [bytes, sha, records] = columns.slice(4) as [number, Uint8Array, number]
  return { from, to, file, start, bytes, hash: Buffer.from(sha).toString('hex'), records }
}

/** A cache of the blocks used last. */
interface BlockCache {
  get(hash: string): ArchiveBlock | undefined
  keep(hash: string, block: ArchiveBlock): void
}

function createBlockCache(): BlockCache {
  const blocks = new Map<string, ArchiveBlock>()
  let bytes = 0
  return {
    get: (hash) => blocks.get(hash),
    keep(hash, block) {
      if (blocks.delete(hash)) bytes -= block.bytes
      blocks.set(hash, block)
      bytes += block.bytes
      for (const [oldest, { bytes: freed }] of blocks) {
        if (blocks.size <= 1 || (blocks.size <= BLOCKS_MAX && bytes <= BYTES_MAX)) return
        blocks.delete(oldest)
        bytes -= freed
      }
    },
  }
}

/** The folder of the data directory in which moved archive files are looked for. */
const FOLDER = 'archive'

/** The possible paths of a file. */
function pathsOf({ file }: ArchiveEntry, directory: string): readonly string[] {
  return [file, join(directory, FOLDER, basename(file))]
}

/** Changes once a file was put back or changed. */
function fileStamps(row: ArchiveEntry, directory: string): string {
  return pathsOf(row, directory).map(fileStamp).join('\n')
}

function fileStamp(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return 'none'
  }
}

function readBlock(row: ArchiveEntry, directory: string): ArchiveBlock | DamagedRange {
  const { start, bytes, hash } = row
  let handle: number | undefined
  try {
    handle = openFirst(pathsOf(row, directory))
    if (handle === undefined) return { ...rangeOf(row), code: 'ARCHIVE_MISSING' }
    if (fstatSync(handle).size < start + bytes) return damagedFault(row, 'the file was cut off')
    const packed = Buffer.alloc(bytes)
    readSync(handle, packed, 0, bytes, start)
    if (blockHash(packed) !== hash) return damagedFault(row, 'the block is not what was written')
    return decodeBlock(packed)
  } catch (cause) {
    return damagedFault(row, cause instanceof Error ? cause.message : 'the file cannot be read')
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}

function openFirst(paths: readonly string[]): number | undefined {
  for (const path of paths)
    try {
      return openSync(path, 'r')
    } catch (cause) {
      const { code } = cause as { code?: string }
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
    }
  return undefined
}

const rangeOf = ({ from, to, file }: ArchiveEntry) => ({ from, to, file })

function damagedFault(row: ArchiveEntry, detail: string): DamagedRange {
  return { ...rangeOf(row), code: 'ARCHIVE_DAMAGED', detail }
}

function meaningOf({ code }: DamagedRange): string {
  return FAULTS[code === 'ARCHIVE_MISSING' ? code : 'ARCHIVE_DAMAGED'].meaning
}
