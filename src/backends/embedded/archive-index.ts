import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Fault, FAULTS } from '../../base/fault.ts'
import type { DamagedRange } from '../../ports/damage.ts'
import { damageText } from '../../ports/damage.ts'
import type { LogRecord } from '../../ports/log.ts'
import type { Block } from './archive-block.ts'
import { blockHash, unpack } from './archive-block.ts'
import type { StoredRecord } from './records.ts'
import { isWhole } from './records.ts'
import type { Statements } from './statements.ts'

/** Where the records of a range lie: a block in a file. */
export interface ArchiveRow {
  readonly from: number
  /** Up to and without. */
  readonly to: number
  /** Its whole path. */
  readonly file: string
  readonly start: number
  readonly bytes: number
  /** Of the block as it lies in the file: SHA-256, in hex. */
  readonly hash: string
  readonly records: number
}

/** What was moved out of the log, read as if it had not. */
export interface Archive {
  /** Reads again what memory knows. */
  load(): void
  /** The record whose body was moved; neither where it lies in no file, since compaction took it. */
  look(stub: StoredRecord): Looked
  /** Why a reader stands in front of what was moved, unless its file has changed since. */
  trouble(): string | undefined
  /** The end of what was moved out of a partition. */
  end(topic: number, partition: number): number | undefined
  /** The blocks of a partition, the last one first. */
  last(topic: number, partition: number, count: number, below: number): readonly ArchiveRow[]
  /** Inside a transaction. */
  add(topic: number, partition: number, rows: readonly ArchiveRow[]): void
}

/** A record out of an archive, or the range that its file does not give. */
export interface Looked {
  readonly record?: LogRecord
  readonly damage?: DamagedRange
}

/**
 * The record whose body was moved; nothing where it lies in no file.
 *
 * @throws Fault `ARCHIVE_MISSING`, `ARCHIVE_DAMAGED`, with the range that cannot be read
 */
export function restoredBy(look: Archive['look'], stub: StoredRecord): LogRecord | undefined {
  const { record, damage } = look(stub)
  if (damage === undefined) return record
  const { topic, partition } = stub.record
  const { code, from, to } = damage
  throw new Fault(code === 'ARCHIVE_MISSING' ? code : 'ARCHIVE_DAMAGED', {
    detail: `${topic}/${partition} ${damageText(damage)}`,
    ids: { topic, partition: String(partition), from: String(from), to: String(to) },
  })
}

/** Blocks that memory keeps; readers go through a partition from block to block. */
const BLOCKS_MAX = 16
const BYTES_MAX = 33_554_432

const COLUMNS = 'from_off, to_off, file, at_byte, bytes, sha, records'
const SELECT_AT = `SELECT ${COLUMNS} FROM archive
  WHERE topic = ? AND part = ? AND from_off <= ? ORDER BY from_off DESC LIMIT 1`
const SELECT_LAST = `SELECT ${COLUMNS} FROM archive
  WHERE topic = ? AND part = ? AND from_off < ? ORDER BY from_off DESC LIMIT ?`
const INSERT = `INSERT INTO archive (topic, part, ${COLUMNS})`
const WIDTH = 9

/** @param directory the data directory: files that are not where they were are looked for in it */
export function archiveIn(sql: Statements, directory: string): Archive {
  let isEmpty = true
  const blocks = recentBlocks()
  /** Where the last one was found: the next one is most likely there, too. */
  let found: { readonly topic: number; readonly partition: number; row: ArchiveRow } | undefined
  const rowAt = (topic: number, partition: number, offset: number): ArchiveRow | undefined => {
    const isThere = found?.topic === topic && found.partition === partition
    if (found && isThere && found.row.from <= offset && offset < found.row.to) return found.row
    const columns = sql.get(SELECT_AT, topic, partition, offset)
    const row = columns && rowOf(columns)
    if (!row || offset >= row.to) return undefined
    found = { topic, partition, row }
    return row
  }
  let trouble:
    | { readonly text: string; readonly row: ArchiveRow; readonly stamp: string }
    | undefined
  const noting = (row: ArchiveRow, { record }: StoredRecord): Block | DamagedRange => {
    const stamp = stampOf(row, directory)
    const read = readBlock(row, directory)
    if ('code' in read) {
      const text = `${record.topic}/${record.partition} ${damageText(read)}`
      trouble = { text: `${read.code}: ${meaningOf(read)}: ${text}`, row, stamp }
    } else if (trouble?.row.file === row.file) trouble = undefined
    return read
  }
  const last: Archive['last'] = (topic, partition, count, below) =>
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
      if (isWhole({ ...stub, record: whole, gone: null })) return { record: whole }
      return { damage: damaged(row, `offset ${offset} is not what was written`) }
    },
    trouble() {
      if (trouble && stampOf(trouble.row, directory) !== trouble.stamp) trouble = undefined
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

function rowOf(columns: readonly unknown[]): ArchiveRow {
  const [from, to, file, start] = columns as [number, number, string, number]
  const [bytes, sha, records] = columns.slice(4) as [number, Uint8Array, number]
  return { from, to, file, start, bytes, hash: Buffer.from(sha).toString('hex'), records }
}

/** The blocks that were used last. */
interface RecentBlocks {
  get(hash: string): Block | undefined
  keep(hash: string, block: Block): void
}

function recentBlocks(): RecentBlocks {
  const blocks = new Map<string, Block>()
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

/** The folder of the data directory in which files are looked for that were moved there. */
const FOLDER = 'archive'

/** Where a file may be. */
function pathsOf({ file }: ArchiveRow, directory: string): readonly string[] {
  return [file, join(directory, FOLDER, basename(file))]
}

/** Another one once a file was put back or changed. */
function stampOf(row: ArchiveRow, directory: string): string {
  return pathsOf(row, directory).map(stampOfFile).join('\n')
}

function stampOfFile(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return 'none'
  }
}

function readBlock(row: ArchiveRow, directory: string): Block | DamagedRange {
  const { start, bytes, hash } = row
  let handle: number | undefined
  try {
    handle = opened(pathsOf(row, directory))
    if (handle === undefined) return { ...rangeOf(row), code: 'ARCHIVE_MISSING' }
    if (fstatSync(handle).size < start + bytes) return damaged(row, 'it was cut off')
    const packed = Buffer.alloc(bytes)
    readSync(handle, packed, 0, bytes, start)
    if (blockHash(packed) !== hash) return damaged(row, 'it is not what was written')
    return unpack(packed)
  } catch (cause) {
    return damaged(row, cause instanceof Error ? cause.message : 'it cannot be read')
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}

function opened(paths: readonly string[]): number | undefined {
  for (const path of paths)
    try {
      return openSync(path, 'r')
    } catch (cause) {
      const { code } = cause as { code?: string }
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
    }
  return undefined
}

const rangeOf = ({ from, to, file }: ArchiveRow) => ({ from, to, file })

function damaged(row: ArchiveRow, detail: string): DamagedRange {
  return { ...rangeOf(row), code: 'ARCHIVE_DAMAGED', detail }
}

function meaningOf({ code }: DamagedRange): string {
  return FAULTS[code === 'ARCHIVE_MISSING' ? code : 'ARCHIVE_DAMAGED'].meaning
}
