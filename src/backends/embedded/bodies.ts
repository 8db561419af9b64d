import { hash } from 'node:crypto'
import { rangeText } from './damage.ts'
import type { Head } from './heads.ts'
import { dropRecent, recentFrom } from './heads.ts'
import type { StoredRecord } from './records.ts'
import { COLUMNS, goneText, isWhole, storedRecord } from './records.ts'
import { damagedRecord, isDamaged } from './results.ts'
import type { Reading } from './slices.ts'
import type { Columns } from './statements.ts'

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
const STRIP = `UPDATE log SET head = '', data = NULL, gone = ?
  WHERE topic = ? AND part = ? AND off = ?`

export function bodiesIn(reading: Reading): Bodies {
  const { sql } = reading
  const strip = (
    head: Head,
    stored: readonly StoredRecord[],
    isChosen: (record: StoredRecord['record']) => boolean,
  ): number => {
    const chosen = stored.filter(({ gone, record }) => gone === null && isChosen(record))
    for (const { record } of chosen) {
      const { id, key, type, data, offset } = record
      const gone = goneText(id, key, type, dataHash(data))
      sql.run(STRIP, gone, head.topic, head.partition, offset)
    }
    const last = chosen.at(-1)
    if (last) forget(head, last.record.offset + 1)
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
  const refuse = (first: number, end: number, what: string): never => {
    damage.found({ topic, partition, from: first, to: end, what, foundMs: nowMs() })
    throw damagedRecord(name, partition, `${rangeText({ from: first, to: end })} ${what}`)
  }
  const stops = damage.stops(topic, partition)
  if (stops) throw damagedRecord(name, partition, `${rangeText(stops)} ${stops.what}`)
  let rows: readonly Columns[] = []
  try {
    rows = sql.all(SELECT_RANGE, topic, partition, from, to)
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    refuse(from, to, 'cannot be read')
  }
  return rows.map((row) => {
    const stored = storedRecord(row, name)
    const { offset } = stored.record
    return isWhole(stored) ? stored : refuse(offset, offset + 1, 'is not what was written')
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
