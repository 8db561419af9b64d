import { rowId } from './composite-keys.ts'
import type { RowKey, StreamEntry, Unit } from './store.ts'

/** The version at which the stream of a row ends; 0 for none. */
export type EndOf = (row: RowKey) => number

/** Entries of a unit that are there already: their rows were lost, or are older than their streams. */
export function takenEntries(
  entries: readonly StreamEntry[],
  isTaken: (entry: StreamEntry) => boolean,
): readonly RowKey[] {
  return entries.filter(isTaken).map(rowOf)
}

/**
 * Rows without an entry that a unit would leave, or has looked at, behind their streams. They are a
 * conflict as well as those of another version, so that nobody takes an entity for new that has a
 * history.
 */
export function rowsBehind(
  { rows, checks, streams }: Pick<Unit, 'rows' | 'checks' | 'streams'>,
  endOf: EndOf,
): readonly RowKey[] {
  const growing = new Set(streams.map(rowId))
  const left = rows.filter((row) => !growing.has(rowId(row)))
  const written = left.filter((row) => endOf(row) > (row.body === null ? 0 : row.version))
  const checked = checks.filter((row) => endOf(row) > row.expected)
  return [...written, ...checked].map(rowOf)
}

/** Each row once. */
export function distinctRows(rows: readonly RowKey[]): readonly RowKey[] {
  return rows.length < 2 ? rows : [...new Map(rows.map((row) => [rowId(row), row])).values()]
}

const rowOf = ({ table, key }: RowKey): RowKey => ({ table, key })
