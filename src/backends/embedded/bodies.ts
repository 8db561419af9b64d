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
 * Takes bodies out of the log; offset, id, key, type and sums stay. Inside a transaction. What is
 * not what was written is not believed: its partition stands, and nothing of it goes.
 */
export interface Bodies {
  /**
   * Every record in a range that still has a body; how many. For what was moved elsewhere.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  strip(head: Head, name: string, from: number, to: number): number
  /**
   * Superseded records and old tombstones in a range, by what `latest` knows of its keys.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  compact(head: Head, name: string, from: number, to: number, latest: Latest): number
  /**
   * The last offset of each key in a range, added to what is known; up to `keysMax` keys.
   *
   * @throws Fault `LOG_DAMAGED`
   */
  addLatest(head: Head, name: string, from: number, to: number, latest: Found): void
}

interface Found {
  readonly offsets: Map<string, number>
  readonly keysMax: number
}

/** What compaction knows of a partition. */
export interface Latest {
  /** The last offset of each key. */
  readonly offsets: ReadonlyMap<string, number>
  /** Tombstones that were stored before this go. */
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
 * Rows go and come again without their bodies. SQLite joins pages that are empty for the most part
 * only where rows go: with an update in place the file would keep all of its room, used by nothing.
 * A trigger lets records go only that lie before the first one, so that is moved for the moment.
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

/** @throws Fault `LOG_DAMAGED` at the first that is not what was written */
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

/** What an event said, as a hash that outlives it: half of its SHA-256. A tombstone has its own. */
export function dataHash(data: string | null): string {
  return data === null ? 'tombstone' : hash('sha256', data).slice(0, 32)
}

/** What memory keeps of records whose bodies are gone now goes, too. */
function forget(head: Head, to: number): void {
  const from = recentFrom(head)
  if (to > from) dropRecent(head.recent, to - from)
}
