import type { DamageCode, DamagedRange } from '../../../ports/damage.ts'
import type { LogRecord, Position, Slice } from '../../../ports/event-log.ts'
import type { ReadBudget } from '../../../ports/round-robin.ts'
import { bytesOf } from '../../../ports/round-robin.ts'
import type { RestoreArchived } from './restore-archived.ts'
import type { DamageRegistry } from './damage-registry.ts'
import type { PartitionHead } from './partition-heads.ts'
import { firstRecentOffset } from './partition-heads.ts'
import type { StoredRecord, Columns, Statements } from '../sql/index.ts'
import { RECORD_COLUMNS, isIntact, decodeRecord, isCorrupt } from '../sql/index.ts'

/** What reading needs beside the head of a partition. */
export interface ReadContext {
  readonly sql: Statements
  readonly damage: DamageRegistry
  /** Restores an archived record; returns no record where compaction removed it. */
  readonly restoreArchived: RestoreArchived
  readonly nowMs: () => number
}

/** Rows that one statement fetches; those beyond the budget are read again later. */
const RECORDS_PER_FETCH = 64

const SELECT_SLICE = `SELECT ${RECORD_COLUMNS} FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? ORDER BY off LIMIT ?`
const SELECT_ONE = `SELECT ${RECORD_COLUMNS} FROM log WHERE topic = ? AND part = ? AND off = ?`

/** Offsets that are tried one by one behind a damaged page. */
const PROBES_MAX = 10_000

/** The state of a read of one partition. */
interface ReadCursor {
  readonly records: LogRecord[]
  at: number
  bytes: number
  /** Set where the read has to end. */
  isOver: boolean
  damage?: DamagedRange
}

/** Reads a partition from a position. Offsets are dense here, so a gap is damage. */
export function readPartition(
  reading: ReadContext,
  head: PartitionHead,
  { topic, partition, next }: Position,
  left: ReadBudget,
  isFirst: boolean,
): Slice {
  const { first, next: end } = head
  const start = skipAcceptedLosses(reading, head, Math.max(next, first))
  const cursor: ReadCursor = { records: [], at: start, bytes: left.bytes, isOver: false }
  const lost = next < start ? { lost: { from: next, to: start } } : {}
  const take = (record: LogRecord): boolean => {
    cursor.bytes -= bytesOf(record)
    if (cursor.bytes < 0 && !(isFirst && cursor.records.length === 0)) return false
    cursor.records.push(record)
    return true
  }
  while (!cursor.isOver && cursor.at < end && cursor.records.length < left.records) {
    const count = Math.min(RECORDS_PER_FETCH, left.records - cursor.records.length)
    if (cursor.at >= firstRecentOffset(head)) takeRecent(cursor, head, left.records, take)
    else takeStored(reading, head, topic, cursor, count, take)
  }
  const { records, at } = cursor
  const damage = cursor.damage ?? knownDamageAt(reading, head, at)
  return { topic, partition, records, next: at, end, ...lost, ...(damage ? { damage } : {}) }
}

function takeRecent(
  cursor: ReadCursor,
  { next, recent: { records } }: PartitionHead,
  recordsMax: number,
  take: (record: LogRecord) => boolean,
): void {
  const first = next - records.length
  while (cursor.at < next && cursor.records.length < recordsMax) {
    if (!take(records[cursor.at - first] as LogRecord)) {
      cursor.isOver = true
      return
    }
    cursor.at += 1
  }
}

function takeStored(
  reading: ReadContext,
  head: PartitionHead,
  topic: string,
  cursor: ReadCursor,
  count: number,
  take: (record: LogRecord) => boolean,
): void {
  const rows = fetch(reading, head, cursor.at, count)
  for (const row of rows ?? []) {
    const stored = decodeRecord(row, topic)
    const { offset } = stored.record
    if (reading.damage.acceptedAt(head.topic, head.partition, cursor.at)) {
      cursor.isOver = true
      return
    }
    if (offset > cursor.at) return stopAtDamage(reading, head, cursor, offset, 'MISSING')
    if (!isIntact(stored)) return stopAtDamage(reading, head, cursor, offset + 1, 'CONTENT_CHANGED')
    const record = restorePayload(reading, stored, cursor)
    if (cursor.isOver) return
    if (record && !take(record)) {
      cursor.isOver = true
      return
    }
    cursor.at += 1
  }
  if (!rows)
    stopAtDamage(reading, head, cursor, readableFrom(reading, head, cursor.at), 'UNREADABLE')
  else if (rows.length === 0 && cursor.at < head.next)
    stopAtDamage(reading, head, cursor, head.next, 'MISSING')
}

/** Restores an archived payload; where that fails, only this read ends. */
function restorePayload(
  { restoreArchived }: ReadContext,
  stored: StoredRecord,
  cursor: ReadCursor,
): LogRecord | undefined {
  if (stored.gone === null) return stored.record
  const { record, damage } = restoreArchived(stored)
  if (damage) Object.assign(cursor, { isOver: true, damage })
  return record
}

/** Reads rows up to a damaged page; nothing where the first row is on it. */
function fetch(
  { sql }: ReadContext,
  { topic, partition, next }: PartitionHead,
  from: number,
  count: number,
): readonly Columns[] | undefined {
  try {
    return sql.all(SELECT_SLICE, topic, partition, from, next, count)
  } catch (cause) {
    if (!isCorrupt(cause)) throw cause
  }
  try {
    const row = sql.get(SELECT_ONE, topic, partition, from)
    return row && [row]
  } catch (cause) {
    if (!isCorrupt(cause)) throw cause
    return undefined
  }
}

/** The first readable offset behind a damaged page. */
export function readableFrom(
  { sql }: ReadContext,
  { topic, partition, next }: PartitionHead,
  from: number,
): number {
  const end = Math.min(next, from + PROBES_MAX)
  for (let offset = from + 1; offset < end; offset += 1)
    try {
      if (sql.get(SELECT_ONE, topic, partition, offset)) return offset
    } catch (cause) {
      if (!isCorrupt(cause)) throw cause
    }
  return end
}

/** Ends the read in front of damage, and reports it unless it was accepted. */
function stopAtDamage(
  reading: ReadContext,
  head: PartitionHead,
  cursor: ReadCursor,
  to: number,
  code: DamageCode,
): void {
  const { topic, partition } = head
  cursor.isOver = true
  if (reading.damage.acceptedAt(topic, partition, cursor.at)) return
  cursor.damage = { code, from: cursor.at, to }
  reading.damage.report({ topic, partition, ...cursor.damage, foundMs: reading.nowMs() })
}

/** Known damage that stops a partition at an offset, such as a cut off end. */
function knownDamageAt(
  { damage }: ReadContext,
  head: PartitionHead,
  at: number,
): DamagedRange | undefined {
  const known = damage.firstUnaccepted(head.topic, head.partition)
  if (!known || known.from > at) return undefined
  const { code, from, to } = known
  return { code, from, to }
}

/** Skips accepted losses at an offset. */
function skipAcceptedLosses(
  { damage }: ReadContext,
  { topic, partition }: PartitionHead,
  from: number,
): number {
  let at = from
  for (let lost = damage.acceptedAt(topic, partition, at); lost;) {
    at = lost.to
    lost = damage.acceptedAt(topic, partition, at)
  }
  return at
}
