import { hash } from 'node:crypto'
import type { SQLInputValue } from 'node:sqlite'
import type { DamagedRange } from '../../../ports/damage.ts'
import type { PartitionHead } from './partition-heads.ts'
import { dropRecent, firstRecentOffset } from './partition-heads.ts'
import type { StoredRecord, Columns, Statements } from '../sql/index.ts'
import {
  storedId,
  RECORD_COLUMNS,
  INSERT_RECORD,
  RECORD_WIDTH,
  encodeGone,
  isIntact,
  decodeRecord,
  damagedRecordFault,
  isCorrupt,
} from '../sql/index.ts'
import type { ReadContext } from './read-partition.ts'

/**
 * Removes payloads from the log; offset, id, key, type and checksums stay. Inside a transaction. A
 * damaged record stops its partition, and nothing is removed.
 */
export interface Payloads {
  /**
   * Removes the payloads of all records in a range, which were archived. Returns their number.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  strip(head: PartitionHead, name: string, from: number, to: number): number
  /**
   * Removes superseded records and old tombstones in a range. Returns their number.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  compact(
    head: PartitionHead,
    name: string,
    from: number,
    to: number,
    latest: LatestOffsets,
  ): number
  /**
   * Adds the last offset of each key in a range to `latest`; up to `keysMax` keys.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  addLatest(head: PartitionHead, name: string, from: number, to: number, latest: LatestScan): void
}

interface LatestScan {
  readonly offsets: Map<string, number>
  readonly keysMax: number
}

/** The input of compaction. */
export interface LatestOffsets {
  /** The last offset of each key. */
  readonly offsets: ReadonlyMap<string, number>
  /** Tombstones stored before this time are removed. */
  readonly tombstonesBefore: number
}

const SELECT_RANGE = `SELECT ${RECORD_COLUMNS} FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? ORDER BY off`
const SET_FIRST = 'UPDATE head SET first = ? WHERE topic = ? AND part = ?'

export function createPayloads(reading: ReadContext): Payloads {
  const { sql } = reading
  const strip = (
    head: PartitionHead,
    stored: readonly StoredRecord[],
    isChosen: (record: StoredRecord['record']) => boolean,
  ): number => {
    const chosen = stored.filter(({ gone, record }) => gone === null && isChosen(record))
    const last = chosen.at(-1)
    if (last) {
      replaceWithStubs(sql, head, chosen)
      dropFromCache(head, last.record.offset + 1)
    }
    return chosen.length
  }
  return {
    strip: (head, name, from, to) =>
      strip(head, readIntact(reading, head, name, from, to), () => true),
    compact: (head, name, from, to, { offsets, tombstonesBefore }) =>
      strip(head, readIntact(reading, head, name, from, to), ({ offset, key, data, storedAt }) => {
        const last = offsets.get(key)
        if (last === undefined) return false
        return offset < last || (data === null && storedAt < tombstonesBefore)
      }),
    addLatest(head, name, from, to, { offsets, keysMax }) {
      for (const { record, gone } of readIntact(reading, head, name, from, to))
        if (gone === null && (offsets.has(record.key) || offsets.size < keysMax))
          offsets.set(record.key, record.offset)
    },
  }
}

/**
 * Deletes the rows and inserts them without their payloads. SQLite merges mostly empty pages only when
 * rows are deleted; after an update in place the file would keep its size. A trigger forbids deleting
 * records from the first offset on, so that offset is raised for the moment.
 */
function replaceWithStubs(
  sql: Statements,
  head: PartitionHead,
  stubs: readonly StoredRecord[],
): void {
  const { topic, partition, first, next } = head
  sql.run(SET_FIRST, next, topic, partition)
  for (const { record } of stubs) sql.run('DELETE FROM log WHERE position = ?', record.position)
  const values = stubs.flatMap(({ record, sum, chain }): SQLInputValue[] => {
    const { position, offset, id, key, type, at, storedAt, data } = record
    const gone = encodeGone(id, key, type, payloadHash(data))
    const kept = [position, topic, partition, offset, storedId(id), key, type, at, storedAt]
    return [...kept, sum, chain, '', null, gone]
  })
  sql.insert(INSERT_RECORD, '', RECORD_WIDTH, values)
  sql.run(SET_FIRST, first, topic, partition)
}

/** @throws Fault `LOG_DAMAGED` at the first damaged record */
function readIntact(
  reading: ReadContext,
  head: PartitionHead,
  name: string,
  from: number,
  to: number,
): readonly StoredRecord[] {
  const { sql, damage, nowMs } = reading
  const { topic, partition } = head
  const refuse = (range: DamagedRange): never => {
    damage.report({ topic, partition, ...range, foundMs: nowMs() })
    throw damagedRecordFault(name, partition, range)
  }
  const stops = damage.firstUnaccepted(topic, partition)
  if (stops) throw damagedRecordFault(name, partition, stops)
  let rows: readonly Columns[] = []
  try {
    rows = sql.all(SELECT_RANGE, topic, partition, from, to)
  } catch (cause) {
    if (!isCorrupt(cause)) throw cause
    refuse({ code: 'UNREADABLE', from, to })
  }
  return rows.map((row) => {
    const stored = decodeRecord(row, name)
    const { offset } = stored.record
    if (isIntact(stored)) return stored
    return refuse({ code: 'CONTENT_CHANGED', from: offset, to: offset + 1 })
  })
}

/** The hash of a payload: half of its SHA-256, or `tombstone`. It outlives the payload. */
export function payloadHash(data: string | null): string {
  return data === null ? 'tombstone' : hash('sha256', data).slice(0, 32)
}

/** Drops cached records whose payloads were removed. */
function dropFromCache(head: PartitionHead, to: number): void {
  const from = firstRecentOffset(head)
  if (to > from) dropRecent(head.recent, to - from)
}
