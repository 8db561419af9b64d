import { hash } from 'node:crypto'
import type { SQLInputValue } from 'node:sqlite'
import type { DamagedRange } from '../../ports/damage.ts'
import type { Head } from './heads.ts'
import { dropRecent, recentFrom } from './heads.ts'
import type { StoredRecord } from './records.ts'
import { storedId } from './ids.ts'
import { COLUMNS, INSERT, WIDTH, goneText, isWhole, storedRecord } from './records.ts'
import { damagedRecord, isDamaged } from './results.ts'
import type { Reading } from './slices.ts'
import type { Columns, Statements } from './statements.ts'

/**
 * Removes payloads from the log; offset, id, key, type and checksums stay. Inside a transaction. A
 * damaged record stops its partition, and nothing is removed.
 */
export interface Bodies {
  /**
   * Removes the payloads of all records in a range, which were archived. Returns their number.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  strip(head: Head, name: string, from: number, to: number): number
  /**
   * Removes superseded records and old tombstones in a range. Returns their number.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  compact(head: Head, name: string, from: number, to: number, latest: Latest): number
  /**
   * Adds the last offset of each key in a range to `latest`; up to `keysMax` keys.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  addLatest(head: Head, name: string, from: number, to: number, latest: Found): void
}

interface Found {
  readonly offsets: Map<string, number>
  readonly keysMax: number
}

/** The input of compaction. */
export interface Latest {
  /** The last offset of each key. */
  readonly offsets: ReadonlyMap<string, number>
  /** Tombstones stored before this time are removed. */
  readonly tombstonesBefore: number
}

const SELECT_RANGE = `SELECT ${COLUMNS} FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? ORDER BY off`
const SET_FIRST = 'UPDATE head SET first = ? WHERE topic = ? AND part = ?'

export function bodiesIn(reading: Reading): Bodies {
  const { sql } = reading
  const strip = (
    head: Head,
    stored: readonly StoredRecord[],
    isChosen: (record: StoredRecord['record']) => boolean,
  ): number => {
    const chosen = stored.filter(({ gone, record }) => gone === null && isChosen(record))
    const last = chosen.at(-1)
    if (last) {
      replace(sql, head, chosen)
      forget(head, last.record.offset + 1)
    }
    return chosen.length
  }
  return {
    strip: (head, name, from, to) =>
      strip(head, wholeIn(reading, head, name, from, to), () => true),
    compact: (head, name, from, to, { offsets, tombstonesBefore }) =>
      strip(head, wholeIn(reading, head, name, from, to), ({ offset, key, data, storedAt }) => {
        const last = offsets.get(key)
        if (last === undefined) return false
        return offset < last || (data === null && storedAt < tombstonesBefore)
      }),
    addLatest(head, name, from, to, { offsets, keysMax }) {
      for (const { record, gone } of wholeIn(reading, head, name, from, to))
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
function replace(sql: Statements, head: Head, stubs: readonly StoredRecord[]): void {
  const { topic, partition, first, next } = head
  sql.run(SET_FIRST, next, topic, partition)
  for (const { record } of stubs) sql.run('DELETE FROM log WHERE position = ?', record.position)
  const values = stubs.flatMap(({ record, sum, chain }): SQLInputValue[] => {
    const { position, offset, id, key, type, at, storedAt, data } = record
    const gone = goneText(id, key, type, dataHash(data))
    const kept = [position, topic, partition, offset, storedId(id), key, type, at, storedAt]
    return [...kept, sum, chain, '', null, gone]
  })
  sql.insert(INSERT, '', WIDTH, values)
  sql.run(SET_FIRST, first, topic, partition)
}

/** @throws Fault `LOG_DAMAGED` at the first damaged record */
function wholeIn(
  reading: Reading,
  head: Head,
  name: string,
  from: number,
  to: number,
): readonly StoredRecord[] {
  const { sql, damage, nowMs } = reading
  const { topic, partition } = head
  const refuse = (range: DamagedRange): never => {
    damage.found({ topic, partition, ...range, foundMs: nowMs() })
    throw damagedRecord(name, partition, range)
  }
  const stops = damage.stops(topic, partition)
  if (stops) throw damagedRecord(name, partition, stops)
  let rows: readonly Columns[] = []
  try {
    rows = sql.all(SELECT_RANGE, topic, partition, from, to)
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    refuse({ code: 'UNREADABLE', from, to })
  }
  return rows.map((row) => {
    const stored = storedRecord(row, name)
    const { offset } = stored.record
    if (isWhole(stored)) return stored
    return refuse({ code: 'CONTENT_CHANGED', from: offset, to: offset + 1 })
  })
}

/** The hash of a payload: half of its SHA-256, or `tombstone`. It outlives the payload. */
export function dataHash(data: string | null): string {
  return data === null ? 'tombstone' : hash('sha256', data).slice(0, 32)
}

/** Drops cached records whose payloads were removed. */
function forget(head: Head, to: number): void {
  const from = recentFrom(head)
  if (to > from) dropRecent(head.recent, to - from)
}
