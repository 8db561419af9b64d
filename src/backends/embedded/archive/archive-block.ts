import { createHash } from 'node:crypto'
import { gunzipSync, gzip } from 'node:zlib'
import type { LogRecord } from '../../../ports/event-log.ts'

/** The part of an archived record that is no longer in the log. */
export interface ArchivedPayload {
  readonly head: string
  readonly data: string | null
}

/** Bytes of text in a block, unless one record has more. */
export const BLOCK_BYTES = 524_288

/** Limit of an uncompressed block, so that a damaged one cannot exhaust memory. */
const UNPACKED_BYTES_MAX = 268_435_456

/**
 * Encodes a record as a line of an archive. Head and data are embedded as JSON where that reads back as
 * the same text, and otherwise quoted, as `headText` and `dataText`.
 */
export function encodeLine(record: LogRecord): string {
  const { offset, id, key, type, at, storedAt, head, data } = record
  const place = JSON.stringify({ offset, id, key, type, at, storedAt }).slice(0, -1)
  return `${place},${member('head', head)},${data === null ? '"data":null' : member('data', data)}}\n`
}

function member(name: string, text: string): string {
  // A plain null means a tombstone.
  const isSame = text !== 'null' && roundTrips(text)
  return isSame ? `"${name}":${text}` : `"${name}Text":${JSON.stringify(text)}`
}

function roundTrips(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === text
  } catch {
    return false
  }
}

interface Line {
  readonly offset: number
  readonly head?: unknown
  readonly headText?: string
  readonly data?: unknown
  readonly dataText?: string
}

/** Compresses lines into a gzip member; concatenated members are a valid gzip file. */
export function compressBlock(lines: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gzip(lines, (cause, packed) => (cause ? reject(cause) : resolve(packed)))
  })
}

/** The payloads of a block by offset, and their size in memory. */
export interface ArchiveBlock {
  readonly bodies: ReadonlyMap<number, ArchivedPayload>
  readonly bytes: number
}

/** @throws Error where it is not a valid block */
export function decodeBlock(packed: Buffer): ArchiveBlock {
  const text = gunzipSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX }).toString('utf8')
  const bodies = new Map<number, ArchivedPayload>()
  for (const line of text.split('\n'))
    if (line !== '') {
      const { offset, head, headText, data, dataText } = JSON.parse(line) as Line
      bodies.set(offset, {
        head: headText ?? JSON.stringify(head),
        data: dataText ?? (data === null ? null : JSON.stringify(data)),
      })
    }
  return { bodies, bytes: 2 * text.length }
}

/** The SHA-256 of a compressed block, in hex. */
export function blockHash(packed: Buffer): string {
  return createHash('sha256').update(packed).digest('hex')
}
