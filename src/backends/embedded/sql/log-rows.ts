import { crc32 } from 'node:zlib'
import type { LogEvent, LogRecord } from '../../../ports/event-log.ts'
import { idText } from './event-ids.ts'
import type { Columns } from './statements.ts'
import { recordChecksum } from './checksums.ts'

/** A row of the log, decoded. */
export interface StoredRecord {
  readonly record: LogRecord & { readonly position: number }
  readonly topic: number
  readonly sum: number
  readonly chain: number
  /** The payload's hash, where the payload was removed. */
  readonly gone: string | null
}

export const RECORD_COLUMNS = `log.position, log.topic, log.part, log.off, log.id, log.key, log.type,
  log.at, log.stored, log.sum, log.chain, log.head, log.data, log.gone`
export const RECORD_WIDTH = 14
export const INSERT_RECORD = `INSERT INTO log (position, topic, part, off, id, key, type, at, stored, sum,
  chain, head, data, gone)`

export function decodeRecord(row: Columns, topicName: string): StoredRecord {
  const record = {
    topic: topicName,
    partition: row[2] as number,
    offset: row[3] as number,
    position: row[0] as number,
    id: idText(row[4]),
    key: row[5] as string,
    type: row[6] as string,
    at: row[7] as number,
    storedAt: row[8] as number,
    head: row[11] as string,
    data: row[12] as string | null,
  }
  const [topic, sum, chain] = [row[1], row[9], row[10]] as [number, number, number]
  // A damaged page may hold any value; one that is no text fails the check of `gone`.
  const gone = row[13] === null || typeof row[13] === 'string' ? row[13] : ''
  return { record, topic, sum, chain, gone }
}

/** Whether a record is as it was written; of one without payload, whether the rest is. */
export function isIntact({ record, topic, sum, gone }: StoredRecord): boolean {
  if (gone === null) return recordChecksum(topic, record) === sum
  const { id, key, type } = record
  return gone === encodeGone(id, key, type, payloadHashIn(gone))
}

/**
 * The value of `gone` for a removed payload: the payload's hash, and a checksum of what is left. For an
 * accepted loss the hash is `lost`.
 */
export function encodeGone(id: string, key: string, type: string, payloadHash: string): string {
  const sum = crc32(`${id}\n${key}\n${type}\n${payloadHash}`)
  return `${payloadHash}.${sum.toString(16)}`
}

/** The hash of a removed payload. */
export function payloadHashIn(gone: string): string {
  return gone.slice(0, Math.max(0, gone.indexOf('.')))
}

export const LOST_PAYLOAD = 'lost'

/** The record of an event at a place in the log. */
export function createRecord(
  event: LogEvent,
  offset: number,
  position: number,
  storedAt: number,
): LogRecord & { readonly position: number } {
  const { topic, partition, id, key, type, at, head, data } = event
  return { topic, partition, offset, position, id, key, type, at, storedAt, head, data }
}
