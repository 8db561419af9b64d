import { compareText } from '../../base/text/compare-text.ts'
import { rowId } from '../../ports/composite-keys.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { RowKey, StreamEnd, StreamEntry } from '../../ports/event-store.ts'

interface Stream extends RowKey {
  end: number
  readonly entries: Map<number, LogRecord>
}

/** The streams of entities: their events by version. */
export interface EntityStreams {
  enter(entry: StreamEntry, record: LogRecord): void
  has(entry: StreamEntry): boolean
  end(row: RowKey): number
  ends(table: string, after: string | undefined, limit: number): readonly StreamEnd[]
  /** In version order. */
  records(row: RowKey, fromVersion: number): readonly LogRecord[]
}

export function createEntityStreams(): EntityStreams {
  const streams = new Map<string, Stream>()
  const find = (row: RowKey): Stream | undefined => streams.get(rowId(row))
  return {
    enter({ table, key, version }, record) {
      const stream = find({ table, key }) ?? { table, key, end: 0, entries: new Map() }
      stream.entries.set(version, record)
      stream.end = Math.max(stream.end, version)
      streams.set(rowId(stream), stream)
    },
    has: (entry) => find(entry)?.entries.has(entry.version) === true,
    end: (row) => find(row)?.end ?? 0,
    ends: (table, after, limit) =>
      [...streams.values()]
        .filter((each) => each.table === table)
        .filter(({ key }) => after === undefined || compareText(key, after) > 0)
        .toSorted((a, b) => compareText(a.key, b.key))
        .slice(0, limit)
        .map(({ key, end, entries }) => ({ key, version: end, entries: entries.size })),
    records: (row, fromVersion) =>
      [...(find(row)?.entries ?? [])]
        .filter(([version]) => version >= fromVersion)
        .toSorted(([a], [b]) => a - b)
        .map(([, record]) => record),
  }
}
