import { rowsBehindStreams, takenEntries } from '../../../ports/stream-conflicts.ts'
import type { RowKey, StreamEnd, StreamEntry, Unit } from '../../../ports/event-store.ts'
import { storedValue } from './index-values.ts'
import type { Statements } from '../sql/index.ts'
import { streamEntryChecksum } from '../sql/index.ts'

/** The streams of entities: entries that map versions to records. */
export interface EntityStreams {
  /** Reloads the in-memory state. */
  load(): void
  /** See `rowsBehindStreams`. */
  rowsBehind(unit: Unit): readonly RowKey[]
  /** See the function `takenEntries`. */
  takenEntries(entries: readonly StreamEntry[]): readonly RowKey[]
  /**
   * Writes entries for appends that follow a position. The primary key refuses a taken version: most
   * are free, and looking each up first would cost as much as writing it.
   */
  write(entries: readonly StreamEntry[], position: number): void
  end(row: RowKey): number
  ends(table: string, after: string | undefined, limit: number): readonly StreamEnd[]
}

const INSERT = 'INSERT INTO stream (tbl, key, version, position, sum)'
const SELECT_ENTRY = 'SELECT 1 FROM stream WHERE tbl = ? AND key = ? AND version = ?'
const SELECT_END = `SELECT version FROM stream WHERE tbl = ? AND key = ?
  ORDER BY version DESC LIMIT 1`
const SELECT_ENDS = `SELECT key, max(version), count(*) FROM stream WHERE tbl = ?`
const WITH_STREAMS = `SELECT id FROM tbl
  WHERE EXISTS (SELECT 1 FROM stream WHERE stream.tbl = tbl.id)`

export function createEntityStreams(
  sql: Statements,
  idOf: (table: string) => number,
): EntityStreams {
  /** The tables that have streams: those of entities. */
  const growing = new Set<number>()
  const end = ({ table, key }: RowKey): number => {
    const id = idOf(table)
    if (!growing.has(id)) return 0
    return (sql.get(SELECT_END, id, storedValue(key))?.[0] ?? 0) as number
  }
  return {
    load() {
      growing.clear()
      for (const [id] of sql.all(WITH_STREAMS)) growing.add(id as number)
    },
    rowsBehind({ rows, checks, streams }) {
      const mayBe = ({ table }: RowKey): boolean => growing.has(idOf(table))
      const left = { rows: rows.filter(mayBe), checks: checks.filter(mayBe), streams }
      return left.rows.length + left.checks.length === 0 ? [] : rowsBehindStreams(left, end)
    },
    takenEntries: (entries) =>
      takenEntries(entries, ({ table, key, version }) => {
        return sql.get(SELECT_ENTRY, idOf(table), key, version) !== undefined
      }),
    write(entries, position) {
      const values = entries.flatMap(({ table, key, version, append }) => {
        const id = idOf(table)
        growing.add(id)
        const at = position + append + 1
        return [id, key, version, at, streamEntryChecksum(id, key, version, at)]
      })
      sql.insert(INSERT, '', 5, values)
    },
    end,
    ends(table, after, limit) {
      const from = after === undefined ? '' : ' AND key > ?'
      const select = `${SELECT_ENDS}${from} GROUP BY key ORDER BY key LIMIT ?`
      const bounds = after === undefined ? [limit] : [storedValue(after), limit]
      const rows = sql.all(select, idOf(table), ...bounds) as [string, number, number][]
      return rows.map(([key, version, entries]) => ({ key, version, entries }))
    },
  }
}
