import { hash } from 'node:crypto'
import type { Head } from './heads.ts'
import { dropRecent, recentFrom } from './heads.ts'
import type { Statements } from './statements.ts'

/** Takes bodies out of the log; offset, id, key, type and sums stay. Inside a transaction. */
export interface Bodies {
  /** Every record in a range that still has a body; how many. For what was moved elsewhere. */
  strip(head: Head, from: number, to: number): number
  /** Superseded records and old tombstones in a range, by what `latest` knows of its keys. */
  compact(head: Head, from: number, to: number, latest: Latest): number
}

/** What compaction knows of a partition. */
export interface Latest {
  /** The last offset of each key. */
  readonly offsets: ReadonlyMap<string, number>
  /** Tombstones that were stored before this go. */
  readonly tombstonesBefore: number
}

const SELECT_KEYS = `SELECT off, key FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? ORDER BY off`
const SELECT_RANGE = `SELECT off, key, data, stored FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? AND gone IS NULL ORDER BY off`
const STRIP = `UPDATE log SET head = '', data = NULL, gone = ?
  WHERE topic = ? AND part = ? AND off = ?`

export function bodiesIn(sql: Statements): Bodies {
  const strip = (
    head: Head,
    from: number,
    to: number,
    isChosen: (offset: number, key: string, data: string | null, storedAt: number) => boolean,
  ): number => {
    const rows = sql.all(SELECT_RANGE, head.topic, head.partition, from, to)
    let count = 0
    for (const row of rows) {
      const [offset, key, data, storedAt] = row as [number, string, string | null, number]
      if (!isChosen(offset, key, data, storedAt)) continue
      sql.run(STRIP, dataHash(data), head.topic, head.partition, offset)
      count += 1
    }
    if (count > 0) forget(head, to)
    return count
  }
  return {
    strip: (head, from, to) => strip(head, from, to, () => true),
    compact: (head, from, to, { offsets, tombstonesBefore }) =>
      strip(head, from, to, (offset, key, data, storedAt) => {
        const last = offsets.get(key)
        if (last === undefined) return false
        return offset < last || (data === null && storedAt < tombstonesBefore)
      }),
  }
}

/** What an event said, as a hash that outlives it: half of its SHA-256. A tombstone has its own. */
export function dataHash(data: string | null): string {
  return data === null ? 'tombstone' : hash('sha256', data).slice(0, 32)
}

/** The last offset of each key in a range, added to what is known; up to `keysMax` keys. */
export function addLatest(
  sql: Statements,
  head: Head,
  from: number,
  to: number,
  offsets: Map<string, number>,
  keysMax: number,
): void {
  for (const [offset, key] of sql.all(SELECT_KEYS, head.topic, head.partition, from, to) as [
    number,
    string,
  ][])
    if (offsets.has(key) || offsets.size < keysMax) offsets.set(key, offset)
}

/** What memory keeps of records whose bodies are gone now goes, too. */
function forget(head: Head, to: number): void {
  const from = recentFrom(head)
  if (to > from) dropRecent(head.recent, to - from)
}
