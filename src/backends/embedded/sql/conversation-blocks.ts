import { crc32 } from 'node:zlib'
import { correlationIn } from '../../../contract/envelope.ts'
import { isCorrupt } from './sqlite-errors.ts'
import type { Statements } from './statements.ts'

/** Records of a block: two rows fit in a page. */
export const BLOCK_RECORDS = 500
const HASH_BYTES = 4

/**
 * The table of conversation blocks. A block has one hash of the correlation for each of the records from
 * `from_pos` on. An index with an entry for each record would cost the append 20% of its time; a block
 * costs one row for 500 records, and a lookup reads 4 bytes for each record behind the first message.
 * Blocks only make a lookup faster: positions without an intact block are read from the log.
 */
export const CONVERSATION_TABLE = `
CREATE TABLE conversation (
  from_pos INTEGER PRIMARY KEY, hashes BLOB NOT NULL, sum INTEGER NOT NULL
) STRICT;
`

const INSERT = 'INSERT OR REPLACE INTO conversation (from_pos, hashes, sum)'
const SELECT_LAST =
  'SELECT from_pos, length(hashes) FROM conversation ORDER BY from_pos DESC LIMIT 1'
// Never more than a block, even where blocks were lost.
const SELECT_HEADS = `SELECT position, head FROM log WHERE position >= ?
  AND position > (SELECT max(position) FROM log) - ${BLOCK_RECORDS - 1} ORDER BY position`

/** Writes the blocks of appended records, each once it is full. */
export interface ConversationBlocks {
  /** Reloads the hashes of records behind the last block. */
  load(): void
  /** Adds a record; inside a transaction. */
  add(position: number, head: string): void
}

export function createConversationBlocks(sql: Statements): ConversationBlocks {
  let from = 0
  let hashes: number[] = []
  const collect = (position: number, head: string): void => {
    // Trimmed records leave a gap; those before it stay without a block.
    if (position !== from + hashes.length) [from, hashes] = [position, []]
    hashes.push(correlationHash(correlationIn(head)))
  }
  return {
    load() {
      hashes = []
      // Records on a damaged page stop their partition when they are read, and no one else.
      ignoringCorruption(() => {
        const [start = 0, bytes = 0] = (sql.get(SELECT_LAST) ?? []) as number[]
        for (const [position, head] of sql.all(SELECT_HEADS, start + bytes / HASH_BYTES))
          collect(position as number, head as string)
      })
    },
    add(position, head) {
      collect(position, head)
      if (hashes.length < BLOCK_RECORDS) return
      const block = encodeHashes(hashes)
      sql.insert(INSERT, '', 3, [from, block, blockChecksum(from, block)])
      ;[from, hashes] = [position + 1, []]
    },
  }
}

function ignoringCorruption(read: () => void): void {
  try {
    read()
  } catch (cause) {
    if (!isCorrupt(cause)) throw cause
  }
}

/** A record that may have a correlation; `isLikely` if its hash is the same. */
export interface Candidate {
  readonly position: number
  readonly isLikely: boolean
}

const SELECT_BLOCKS = `SELECT from_pos, hashes, sum FROM conversation WHERE from_pos > ?
  ORDER BY from_pos LIMIT 64`
const SELECT_POSITIONS = `SELECT position FROM log WHERE position >= ? AND position < ?
  ORDER BY position LIMIT ?`

/** The records, from a position on, that may have a correlation; in the order of the log. */
export function* candidatesFrom(
  sql: Statements,
  correlation: string,
  start: number,
): Generator<Candidate> {
  const needle = encodeHashes([correlationHash(correlation)])
  let at = start
  for (let after = start - BLOCK_RECORDS; ;) {
    const blocks = sql.all(SELECT_BLOCKS, after) as unknown as readonly Block[]
    for (const [from, bytes, sum] of blocks) {
      after = from
      const end = from + bytes.length / HASH_BYTES
      if (end <= at || blockChecksum(from, bytes) !== sum) continue
      yield* recordsBetween(sql, at, from)
      for (const each of candidatesIn(bytes, needle, from)) if (each.position >= at) yield each
      at = Math.max(at, end)
    }
    if (blocks.length === 0) return yield* recordsBetween(sql, at, Number.MAX_SAFE_INTEGER)
  }
}

type Block = readonly [from: number, hashes: Uint8Array, sum: number]

/** Records that no block has. */
function* recordsBetween(sql: Statements, from: number, to: number): Generator<Candidate> {
  for (let next = from; next < to;) {
    const rows = sql.all(SELECT_POSITIONS, next, to, BLOCK_RECORDS) as unknown as [number][]
    for (const [position] of rows) yield { position, isLikely: false }
    const last = rows.at(-1)?.[0]
    if (last === undefined || rows.length < BLOCK_RECORDS) return
    next = last + 1
  }
}

function candidatesIn(bytes: Uint8Array, needle: Buffer, from: number): readonly Candidate[] {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const find = (hash: Buffer, isLikely: boolean): Candidate[] => {
    const found: Candidate[] = []
    for (let at = block.indexOf(hash); at >= 0; at = block.indexOf(hash, at + 1))
      if (at % HASH_BYTES === 0) found.push({ position: from + at / HASH_BYTES, isLikely })
    return found
  }
  return [...find(needle, true), ...find(UNKNOWN, false)].toSorted(
    (a, b) => a.position - b.position,
  )
}

function encodeHashes(hashes: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(hashes.length * HASH_BYTES)
  for (const [at, hash] of hashes.entries()) bytes.writeUInt32LE(hash, at * HASH_BYTES)
  return bytes
}

const blockChecksum = (from: number, bytes: Uint8Array): number =>
  crc32(bytes, from % 0x1_0000_0000)

/** The hash of a record without a head, such as an archived one, which a lookup has to look at. */
const UNKNOWN = Buffer.alloc(HASH_BYTES)

/** FNV-1a over the characters; 0 where the correlation is unknown, and only there. */
function correlationHash(correlation: string | undefined): number {
  if (correlation === undefined) return 0
  let hash = 0x811c9dc5
  for (let at = 0; at < correlation.length; at += 1)
    hash = Math.imul(hash ^ correlation.charCodeAt(at), 0x01000193)
  return hash >>> 0 || 1
}
