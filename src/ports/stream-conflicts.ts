import { rowId } from './composite-keys.ts'
import type { RowKey, StreamEntry, Unit } from './event-store.ts'

/** The last version of the stream of a row; 0 where there is no stream. */
export type StreamEndOf = (row: RowKey) => number

/** Entries of a unit that already exist: their rows were lost, or are older than their streams. */
export function takenEntries(
  entries: readonly StreamEntry[],
  isTaken: (entry: StreamEntry) => boolean,
): readonly RowKey[] {
  return entries.filter(isTaken).map(rowOf)
}

/**
 * Rows that a unit writes or checks at a version lower than their stream, and to whose stream it adds
 * no entry. They conflict like rows of another version; otherwise an entity whose row was lost would
 * be treated as new.
 */
export function rowsBehindStreams(
  { rows, checks, streams }: Pick<Unit, 'rows' | 'checks' | 'streams'>,
  endOf: StreamEndOf,
): readonly RowKey[] {
  const growing = new Set(streams.map(rowId))
  const left = rows.filter((row) => !growing.has(rowId(row)))
  const written = left.filter((row) => endOf(row) > (row.body === null ? 0 : row.version))
  const checked = checks.filter((row) => endOf(row) > row.expected)
  return [...written, ...checked].map(rowOf)
}

/** Removes duplicate rows. */
export function distinctRows(rows: readonly RowKey[]): readonly RowKey[] {
  return rows.length < 2 ? rows : [...new Map(rows.map((row) => [rowId(row), row])).values()]
}

const rowOf = ({ table, key }: RowKey): RowKey => ({ table, key })
