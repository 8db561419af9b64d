import { crc32 } from 'node:zlib'
import type { LogEvent, LogRecord } from '../../ports/log.ts'
import { idText } from './ids.ts'
import type { Columns } from './statements.ts'
import { sumOf } from './sums.ts'

/** A record as a row of the log keeps it. */
export interface StoredRecord {
  readonly record: LogRecord & { readonly position: number }
  readonly topic: number
  readonly sum: number
  readonly chain: number
  /** The hash of what it said, where its body is gone. */
  readonly gone: string | null
}

export const COLUMNS = `log.position, log.topic, log.part, log.off, log.id, log.key, log.type,
  log.at, log.stored, log.sum, log.chain, log.head, log.data, log.gone`
export const WIDTH = 14
export const INSERT = `INSERT INTO log (position, topic, part, off, id, key, type, at, stored, sum,
  chain, head, data, gone)`

export function storedRecord(row: Columns, topicName: string): StoredRecord {
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
  // A damaged page may hold anything; what is no text is not what stands for a body.
  const gone = row[13] === null || typeof row[13] === 'string' ? row[13] : ''
  return { record, topic, sum, chain, gone }
}

/** Whether a record is what was written; of one whose body is gone, what is left of it. */
export function isWhole({ record, topic, sum, gone }: StoredRecord): boolean {
  if (gone === null) return sumOf(topic, record) === sum
  const { id, key, type } = record
  return gone === goneText(id, key, type, saidBy(gone))
}

/**
 * What stands for a body that is gone: the hash of what it said, and a sum of all that is left. A
 * loss that was accepted says `lost`.
 */
export function goneText(id: string, key: string, type: string, said: string): string {
  const sum = crc32(`${id}\n${key}\n${type}\n${said}`)
  return `${said}.${sum.toString(16)}`
}

/** The hash of what a body said that is gone. */
export function saidBy(gone: string): string {
  return gone.slice(0, Math.max(0, gone.indexOf('.')))
}

export const LOST = 'lost'

/** The record of an event that is put at a place. */
export function recordAt(
  event: LogEvent,
  offset: number,
  position: number,
  storedAt: number,
): LogRecord & { readonly position: number } {
  const { topic, partition, id, key, type, at, head, data } = event
  return { topic, partition, offset, position, id, key, type, at, storedAt, head, data }
}
