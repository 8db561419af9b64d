import type { DamageCode, DamagedRange } from '../../ports/damage.ts'
import type { LogRecord, Position, Slice } from '../../ports/log.ts'
import type { Budget } from '../../ports/turns.ts'
import { bytesOf } from '../../ports/turns.ts'
import type { Archive } from './archive-index.ts'
import type { DamageBook } from './damage.ts'
import type { Head } from './heads.ts'
import { recentFrom } from './heads.ts'
import type { StoredRecord } from './records.ts'
import { COLUMNS, isWhole, storedRecord } from './records.ts'
import { isDamaged } from './results.ts'
import type { Columns, Statements } from './statements.ts'

/** What reading needs beside the head of a partition. */
export interface Reading {
  readonly sql: Statements
  readonly damage: DamageBook
  /** Restores an archived record; returns no record where compaction removed it. */
  readonly archived: Archive['look']
  readonly nowMs: () => number
}

/** Rows that one statement fetches; those beyond the budget are read again later. */
const RECORDS_PER_FETCH = 64

const SELECT_SLICE = `SELECT ${COLUMNS} FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? ORDER BY off LIMIT ?`
const SELECT_ONE = `SELECT ${COLUMNS} FROM log WHERE topic = ? AND part = ? AND off = ?`

/** Offsets that are tried one by one behind a damaged page. */
const PROBES_MAX = 10_000

/** The state of a read of one partition. */
interface Walk {
  readonly records: LogRecord[]
  at: number
  bytes: number
  /** Set where the read has to end. */
  isOver: boolean
  damage?: DamagedRange
}

/** Reads a partition from a position. Offsets are dense here, so a gap is damage. */
export function readSlice(
  reading: Reading,
  head: Head,
  { topic, partition, next }: Position,
  left: Budget,
  isFirst: boolean,
): Slice {
  const { first, next: end } = head
  const start = skipLost(reading, head, Math.max(next, first))
  const walk: Walk = { records: [], at: start, bytes: left.bytes, isOver: false }
  const lost = next < start ? { lost: { from: next, to: start } } : {}
  const take = (record: LogRecord): boolean => {
    walk.bytes -= bytesOf(record)
    if (walk.bytes < 0 && !(isFirst && walk.records.length === 0)) return false
    walk.records.push(record)
    return true
  }
  while (!walk.isOver && walk.at < end && walk.records.length < left.records) {
    const count = Math.min(RECORDS_PER_FETCH, left.records - walk.records.length)
    if (walk.at >= recentFrom(head)) takeRecent(walk, head, left.records, take)
    else takeStored(reading, head, topic, walk, count, take)
  }
  const { records, at } = walk
  const damage = walk.damage ?? standsAt(reading, head, at)
  return { topic, partition, records, next: at, end, ...lost, ...(damage ? { damage } : {}) }
}

function takeRecent(
  walk: Walk,
  { next, recent: { records } }: Head,
  recordsMax: number,
  take: (record: LogRecord) => boolean,
): void {
  const first = next - records.length
  while (walk.at < next && walk.records.length < recordsMax) {
    if (!take(records[walk.at - first] as LogRecord)) {
      walk.isOver = true
      return
    }
    walk.at += 1
  }
}

function takeStored(
  reading: Reading,
  head: Head,
  topic: string,
  walk: Walk,
  count: number,
  take: (record: LogRecord) => boolean,
): void {
  const rows = fetch(reading, head, walk.at, count)
  for (const row of rows ?? []) {
    const stored = storedRecord(row, topic)
    const { offset } = stored.record
    if (reading.damage.accepted(head.topic, head.partition, walk.at)) {
      walk.isOver = true
      return
    }
    if (offset > walk.at) return stop(reading, head, walk, offset, 'MISSING')
    if (!isWhole(stored)) return stop(reading, head, walk, offset + 1, 'CONTENT_CHANGED')
    const record = wholeOf(reading, stored, walk)
    if (walk.isOver) return
    if (record && !take(record)) {
      walk.isOver = true
      return
    }
    walk.at += 1
  }
  if (!rows) stop(reading, head, walk, readableFrom(reading, head, walk.at), 'UNREADABLE')
  else if (rows.length === 0 && walk.at < head.next) stop(reading, head, walk, head.next, 'MISSING')
}

/** Restores an archived payload; where that fails, only this read ends. */
function wholeOf({ archived }: Reading, stored: StoredRecord, walk: Walk): LogRecord | undefined {
  if (stored.gone === null) return stored.record
  const { record, damage } = archived(stored)
  if (damage) Object.assign(walk, { isOver: true, damage })
  return record
}

/** Reads rows up to a damaged page; nothing where the first row is on it. */
function fetch(
  { sql }: Reading,
  { topic, partition, next }: Head,
  from: number,
  count: number,
): readonly Columns[] | undefined {
  try {
    return sql.all(SELECT_SLICE, topic, partition, from, next, count)
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
  }
  try {
    const row = sql.get(SELECT_ONE, topic, partition, from)
    return row && [row]
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    return undefined
  }
}

/** The first readable offset behind a damaged page. */
export function readableFrom(
  { sql }: Reading,
  { topic, partition, next }: Head,
  from: number,
): number {
  const end = Math.min(next, from + PROBES_MAX)
  for (let offset = from + 1; offset < end; offset += 1)
    try {
      if (sql.get(SELECT_ONE, topic, partition, offset)) return offset
    } catch (cause) {
      if (!isDamaged(cause)) throw cause
    }
  return end
}

/** Ends the read in front of damage, and reports it unless it was accepted. */
function stop(reading: Reading, head: Head, walk: Walk, to: number, code: DamageCode): void {
  const { topic, partition } = head
  walk.isOver = true
  if (reading.damage.accepted(topic, partition, walk.at)) return
  walk.damage = { code, from: walk.at, to }
  reading.damage.found({ topic, partition, ...walk.damage, foundMs: reading.nowMs() })
}

/** Known damage that stops a partition at an offset, such as a cut off end. */
function standsAt({ damage }: Reading, head: Head, at: number): DamagedRange | undefined {
  const known = damage.stops(head.topic, head.partition)
  if (!known || known.from > at) return undefined
  const { code, from, to } = known
  return { code, from, to }
}

/** Skips accepted losses at an offset. */
function skipLost({ damage }: Reading, { topic, partition }: Head, from: number): number {
  let at = from
  for (let lost = damage.accepted(topic, partition, at); lost;) {
    at = lost.to
    lost = damage.accepted(topic, partition, at)
  }
  return at
}
