import { createHash } from 'node:crypto'
import { gunzipSync, gzip } from 'node:zlib'
import type { LogRecord } from '../../ports/log.ts'

/** What is gone from the log once a record was moved. */
export interface Body {
  readonly head: string
  readonly data: string | null
}

/** Bytes of text in a block, unless one record has more. */
export const BLOCK_BYTES = 524_288

/** The most that a block may unpack to, so that a damaged one cannot fill the memory. */
const UNPACKED_BYTES_MAX = 268_435_456

/**
 * A record as a line of an archive. Its texts are there as JSON where that comes back as the very
 * same text, and else quoted, as `headText` and `dataText`.
 */
export function lineOf(record: LogRecord): string {
  const { offset, id, key, type, at, storedAt, head, data } = record
  const place = JSON.stringify({ offset, id, key, type, at, storedAt }).slice(0, -1)
  return `${place},${member('head', head)},${data === null ? '"data":null' : member('data', data)}}\n`
}

function member(name: string, text: string): string {
  // The word null is for tombstones.
  const isSame = text !== 'null' && comesBack(text)
  return isSame ? `"${name}":${text}` : `"${name}Text":${JSON.stringify(text)}`
}

function comesBack(text: string): boolean {
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

/** Packs lines into a member of a gzip file: members one after another are such a file again. */
export function pack(lines: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gzip(lines, (cause, packed) => (cause ? reject(cause) : resolve(packed)))
  })
}

/** What a block says of each offset, and how much memory that takes. */
export interface Block {
  readonly bodies: ReadonlyMap<number, Body>
  readonly bytes: number
}

/** @throws Error where it is no block */
export function unpack(packed: Buffer): Block {
  const text = gunzipSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX }).toString('utf8')
  const bodies = new Map<number, Body>()
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

/** The SHA-256 of a block as it lies in its file, in hex. */
export function blockHash(packed: Buffer): string {
  return createHash('sha256').update(packed).digest('hex')
}
