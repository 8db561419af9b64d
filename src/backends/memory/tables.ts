import { compareText } from '../../base/text/compare-text.ts'
import type {
  IndexValue,
  Row,
  RowCheck,
  RowKey,
  RowWrite,
  Scan,
  ScannedRow,
  TableSpec,
} from '../../ports/event-store.ts'
import { indexValueOf } from '../../ports/storable-text.ts'

interface KeptRow extends Row {
  readonly index: Readonly<Record<string, IndexValue>>
}

interface Table {
  readonly indexes: Set<string>
  readonly rows: Map<string, KeptRow>
  /** Rows sorted by each index, built on the first scan after a write. */
  readonly ordered: Map<string, readonly ScannedRow[]>
}

export interface Tables {
  declare(spec: TableSpec): void
  get(key: RowKey): Row | undefined
  /** The rows whose version is not the expected one. */
  conflicts(rows: readonly RowCheck[]): readonly RowKey[]
  write(writes: readonly RowWrite[]): void
  scan(query: Scan): readonly ScannedRow[]
  names(): readonly string[]
  /** @throws Error when the table was not declared */
  assertDeclared(name: string): void
  swap(one: string, other: string): void
}

export function createTables(): Tables {
  const tables = new Map<string, Table>()
  const tableOf = (name: string): Table => {
    const table = tables.get(name)
    if (!table) throw new Error(`the table ${name} was not declared`)
    return table
  }
  return {
    declare({ name, indexes }) {
      const table = tables.get(name)
      if (!table)
        tables.set(name, { indexes: new Set(indexes), rows: new Map(), ordered: new Map() })
      else for (const index of indexes) if (!table.indexes.has(index)) fill(table, index)
    },
    get: ({ table, key }) => rowOf(tableOf(table).rows.get(key)),
    conflicts: (rows) =>
      rows
        .filter(({ table, key, expected }) => {
          return (tableOf(table).rows.get(key)?.version ?? 0) !== expected
        })
        .map(({ table, key }) => ({ table, key })),
    write(writes) {
      for (const { table: name, key, version, body, index = {} } of writes) {
        const { rows, ordered } = tableOf(name)
        if (body === null) rows.delete(key)
        else rows.set(key, { table: name, key, version, body, index: keptIndex(index) })
        ordered.clear()
      }
    },
    names: () => [...tables.keys()],
    assertDeclared: (name) => void tableOf(name),
    swap(one, other) {
      const [first, second] = [tableOf(one), tableOf(other)]
      tables.set(one, renamed(second, one))
      tables.set(other, renamed(first, other))
    },
    scan({ table, where, after, limit }) {
      const { index = '', equals, upTo } = where ?? {}
      const rows = orderedBy(tableOf(table), index)
      const isWanted = (row: ScannedRow): boolean =>
        (equals === undefined || row.value === equals) &&
        (upTo === undefined || compareValues(row.value, upTo) <= 0) &&
        (after === undefined || compareRows(row, after) > 0)
      const found: ScannedRow[] = []
      for (let at = 0; at < rows.length && found.length < limit; at += 1) {
        const row = rows[at] as ScannedRow
        if (isWanted(row)) found.push(row)
      }
      return found
    },
  }
}

function keptIndex(index: KeptRow['index']): KeptRow['index'] {
  return Object.fromEntries(
    Object.entries(index).map(([name, value]) => [name, indexValueOf(value)]),
  )
}

function renamed({ indexes, rows }: Table, name: string): Table {
  const moved = new Map([...rows].map(([key, row]) => [key, { ...row, table: name }]))
  return { indexes, rows: moved, ordered: new Map() }
}

function fill({ indexes, rows, ordered }: Table, name: string): void {
  indexes.add(name)
  ordered.delete(name)
  for (const row of rows.values()) {
    const members = JSON.parse(row.body) as Record<string, unknown> | null
    const value = indexValueOf(members?.[name])
    rows.set(row.key, { ...row, index: { ...row.index, [name]: value } })
  }
}

function rowOf(kept: KeptRow | undefined): Row | undefined {
  if (!kept) return undefined
  const { table, key, version, body } = kept
  return { table, key, version, body }
}

function orderedBy(table: Table, index: string): readonly ScannedRow[] {
  const known = table.ordered.get(index)
  if (known) return known
  const rows: ScannedRow[] = []
  for (const { index: values, ...row } of table.rows.values()) {
    const value = values[index]
    if (index === '') rows.push(row)
    else if (value !== null && value !== undefined) rows.push({ ...row, value })
  }
  rows.sort(compareRows)
  table.ordered.set(index, rows)
  return rows
}

interface Ordered {
  readonly key: string
  readonly value?: string | number
}

function compareRows(a: Ordered, b: Ordered): number {
  return compareValues(a.value, b.value) || compareText(a.key, b.key)
}

type Value = string | number | undefined

/** Numbers sort before text, and text with lone surrogates last. */
function compareValues(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const apart = rankOf(a) - rankOf(b)
  if (apart !== 0 || a === b) return apart
  return compareText(String(a), String(b))
}

function rankOf(value: Value): number {
  if (typeof value === 'number') return 1
  return typeof value === 'string' ? (value.isWellFormed() ? 2 : 3) : 0
}
