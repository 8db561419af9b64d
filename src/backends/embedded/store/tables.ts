import type { SQLInputValue } from 'node:sqlite'
import type {
  InspectedRows,
  Row,
  RowCheck,
  RowKey,
  RowWrite,
  Scan,
  ScannedRow,
  TableSpec,
} from '../../../ports/event-store.ts'
import { indexValueOf } from '../../../ports/storable-text.ts'
import { storedValue, valueAsGiven, valueOfStored } from './index-values.ts'
import {
  SENTINEL_KEY,
  assertTableSentinel,
  insertTableSentinel,
  damagedTableFault,
  withDamageFault,
  ROW_COLUMNS,
  tableRowChecksum,
} from '../sql/index.ts'
import type { Columns, Statements } from '../sql/index.ts'

interface Table {
  readonly id: number
  readonly name: string
  /** The column of each index. Names given by users are never part of SQL. */
  readonly columns: ReadonlyMap<string, string>
  readonly sql: TableStatements
}

/** The SQL of one table; built once, since statements are looked up by their text. */
interface TableStatements {
  /** Selects key, version, body, checksum and the columns of all indexes. */
  readonly select: string
  readonly byKey: string
  readonly byKeys: string
  readonly version: string
  readonly remove: string
  readonly insert: string
  readonly onConflict: string
  readonly width: number
}

function describeTable(id: number, name: string, columns: ReadonlyMap<string, string>): Table {
  const names = ['key', 'version', 'body', 'sum', ...columns.values()]
  const sets = names.slice(1).map((each) => `${each} = excluded.${each}`)
  const select = `SELECT ${names.join(', ')} FROM t${id}`
  return {
    id,
    name,
    columns,
    sql: {
      select,
      byKey: `${select} WHERE key = ?`,
      byKeys: `${select} WHERE key IN (${Array.from({ length: KEYS_PER_FETCH }, () => '?').join(', ')})`,
      version: `SELECT version FROM t${id} WHERE key = ?`,
      remove: `DELETE FROM t${id} WHERE key = ?`,
      insert: `INSERT INTO t${id} (${names.join(', ')})`,
      onConflict: `ON CONFLICT (key) DO UPDATE SET ${sets.join(', ')}`,
      width: names.length,
    },
  }
}

/** The declared tables of services: each is a table of the database, with a column per index. */
export interface Tables {
  load(): void
  isDeclared(spec: TableSpec): boolean
  declare(spec: TableSpec): void
  idOf(name: string): number
  names(): readonly string[]
  get(keys: readonly RowKey[]): readonly (Row | undefined)[]
  /** The rows whose version is not the expected one. */
  conflicts(rows: readonly RowCheck[]): readonly RowKey[]
  write(writes: readonly RowWrite[]): void
  scan(query: Scan): readonly ScannedRow[]
  inspect(table: string, after: string | undefined, max: number): InspectedRows
}

export function createTables(sql: Statements): Tables {
  const tables = new Map<string, Table>()
  const versions = createVersionCache()
  const declared = (name: string): Table => {
    const table = tables.get(name)
    if (!table) throw new Error(`the table ${name} was not declared`)
    return table
  }
  const versionOf = ({ table, key }: RowKey): number => {
    const { id } = declared(table)
    const known = versions.get(id, key)
    if (known !== undefined) return known
    const row = withTableFault(table, () => sql.get(declared(table).sql.version, storedValue(key)))
    const version = (row?.[0] ?? 0) as number
    versions.keep(id, key, version)
    return version
  }
  return {
    load() {
      tables.clear()
      versions.clear()
      for (const [id, name] of sql.all('SELECT id, name FROM tbl') as [number, string][]) {
        tables.set(name, describeTable(id, name, loadColumns(sql, id)))
        assertTableSentinel(sql, id, name)
      }
    },
    isDeclared({ name, indexes }) {
      const columns = tables.get(name)?.columns
      return columns !== undefined && indexes.every((index) => columns.has(index))
    },
    declare({ name, indexes }) {
      let table = tables.get(name) ?? createTable(sql, name)
      for (const index of indexes)
        if (!table.columns.has(index)) table = createIndex(sql, table, index)
      tables.set(name, table)
    },
    idOf: (name) => declared(name).id,
    names: () => [...tables.keys()],
    get(keys) {
      const found = byTable(keys)
      for (const [name, rows] of found) {
        const table = declared(name)
        withTableFault(name, () => fetchRows(sql, table, rows))
        for (const [key, row] of rows) versions.keep(table.id, key, row?.version ?? 0)
      }
      return keys.map(({ table, key }) => found.get(table)?.get(key))
    },
    conflicts: (rows) => rows.filter((row) => versionOf(row) !== row.expected).map(keyOf),
    write(writes) {
      const kept = new Map<string, RowWrite[]>()
      for (const write of writes) {
        const { table: name, key, body, version } = write
        const { id } = declared(name)
        versions.keep(id, key, body === null ? 0 : version)
        if (body === null) sql.run(declared(name).sql.remove, key)
        else {
          const ofTable = kept.get(name)
          if (ofTable) ofTable.push(write)
          else kept.set(name, [write])
        }
      }
      for (const [name, rows] of kept) upsert(sql, declared(name), rows)
    },
    scan: (query) => withTableFault(query.table, () => scan(sql, declared(query.table), query)),
    inspect: (name, after, max) =>
      withTableFault(name, () => inspectRows(sql, declared(name), after, max)),
  }
}

/**
 * A cache of the versions of rows that were read or written last. It is always current, since no other
 * process writes this database.
 */
interface VersionCache {
  get(table: number, key: string): number | undefined
  keep(table: number, key: string, version: number): void
  clear(): void
}

const VERSIONS_MAX = 50_000

function createVersionCache(): VersionCache {
  const versions = new Map<string, number>()
  return {
    get: (table, key) => versions.get(`${table} ${key}`),
    keep(table, key, version) {
      versions.set(`${table} ${key}`, version)
      if (versions.size <= VERSIONS_MAX) return
      for (const oldest of versions.keys()) {
        versions.delete(oldest)
        return
      }
    },
    clear: () => versions.clear(),
  }
}

/** Keys that one statement looks up, which halves the cost per key. */
const KEYS_PER_FETCH = 16

type Rows = Map<string, Row | undefined>

function byTable(keys: readonly RowKey[]): ReadonlyMap<string, Rows> {
  const tables = new Map<string, Rows>()
  for (const { table, key } of keys) {
    const rows = tables.get(table)
    if (rows) rows.set(key, undefined)
    else tables.set(table, new Map([[key, undefined]]))
  }
  return tables
}

/** Reads the rows of a table by their keys into `rows`. */
function fetchRows(sql: Statements, table: Table, rows: Rows): void {
  const keys = [...rows.keys()]
  for (let at = 0; at < keys.length; at += KEYS_PER_FETCH) {
    const some = keys.slice(at, at + KEYS_PER_FETCH)
    const isWhole = some.length === KEYS_PER_FETCH
    const found = isWhole
      ? sql.all(table.sql.byKeys, ...some.map(storedValue))
      : some.map((key) => sql.get(table.sql.byKey, storedValue(key)))
    for (const row of found) if (row) rows.set(row[0] as string, rowOf(table, row))
  }
}

/** @throws Fault `DATA_DAMAGED` where the row is damaged */
function rowOf(table: Table, row: Columns): Row {
  const [key, version, body] = row as unknown as [string, number, string]
  if (!isIntact(table, row)) throw damagedTableFault(table.name, `the row ${key}`)
  return { table: table.name, key, version, body }
}

function inspectRows(
  sql: Statements,
  table: Table,
  after: string | undefined,
  max: number,
): InspectedRows {
  const from = after === undefined ? '' : 'key > ? AND'
  const select = `${table.sql.select} WHERE ${from} key < ${SENTINEL_KEY} ORDER BY key LIMIT ?`
  const rows = after === undefined ? sql.all(select, max) : sql.all(select, after, max)
  const damaged = rows
    .filter((row) => !isIntact(table, row))
    .map(([key]) => {
      return { key: key as string, message: 'is not what was written' }
    })
  const last = rows.length === max ? { after: rows.at(-1)?.[0] as string } : {}
  return { rows: rows.length, damaged, ...last }
}

function isIntact({ id, columns }: Table, row: Columns): boolean {
  const [key, version, body, sum] = row as unknown as [string, number, string, number]
  if (columns.size === 0) return tableRowChecksum(id, key, version, body, []) === sum
  const indexed = row.slice(4).map(valueOfStored)
  if (tableRowChecksum(id, key, version, body, indexed) === sum) return true
  const given = indexedAsGiven(columns, body, indexed)
  return given !== undefined && tableRowChecksum(id, key, version, body, given) === sum
}

/** The index values that an older version may have used for the checksum of a row. */
function indexedAsGiven(
  columns: Table['columns'],
  body: unknown,
  indexed: readonly unknown[],
): readonly unknown[] | undefined {
  if (typeof body !== 'string' || !indexed.some(hasReplacement)) return undefined
  try {
    const members = JSON.parse(body) as Readonly<Record<string, unknown>> | null
    const names = [...columns.keys()]
    return indexed.map((value, at) => valueAsGiven(value, members?.[names[at] as string]))
  } catch {
    return undefined
  }
}

const hasReplacement = (value: unknown): boolean =>
  typeof value === 'string' && value.includes('\ufffd')

/** In the order in which they were added, which is their order in the checksums. */
function loadColumns(sql: Statements, id: number): ReadonlyMap<string, string> {
  const select = 'SELECT name, col FROM idx WHERE tbl = ? ORDER BY length(col), col'
  return new Map(sql.all(select, id) as [string, string][])
}

/** @throws Fault `DATA_DAMAGED` where a page of the table cannot be read */
function withTableFault<T>(name: string, read: () => T): T {
  return withDamageFault(`the table ${name}`, read)
}

function keyOf({ table, key }: RowKey): RowKey {
  return { table, key }
}

function createTable(sql: Statements, name: string): Table {
  const id = sql.get('INSERT INTO tbl (name) VALUES (?) RETURNING id', name)?.[0] as number
  sql.run(`CREATE TABLE t${id} (${ROW_COLUMNS}) STRICT, WITHOUT ROWID`)
  insertTableSentinel(sql, id)
  return describeTable(id, name, new Map())
}

/** Adds the column of an index, fills it from existing rows, and creates the index. */
function createIndex(sql: Statements, table: Table, name: string): Table {
  const { id, columns } = table
  const column = `i${columns.size + 1}`
  const known = columns.size
  sql.run('INSERT INTO idx (tbl, name, col) VALUES (?, ?, ?)', id, name, column)
  const rows = sql.all(`${table.sql.select} WHERE key < ${SENTINEL_KEY}`)
  sql.run(`ALTER TABLE t${id} ADD COLUMN ${column} ANY`)
  for (const row of rows) {
    const { key, version, body } = rowOf(table, row)
    const members = JSON.parse(body) as Record<string, unknown> | null
    const value = indexValueOf(members?.[name])
    const indexed = row.slice(4, 4 + known).map(valueOfStored)
    const sum = tableRowChecksum(id, key, version, body, [...indexed, value])
    const update = `UPDATE t${id} SET ${column} = ?, sum = ? WHERE key = ?`
    sql.run(update, storedValue(value), sum, key)
  }
  sql.run(`CREATE INDEX t${id}_${column} ON t${id} (${column}, key) WHERE ${column} IS NOT NULL`)
  return describeTable(id, table.name, new Map([...columns, [name, column]]))
}

function upsert(
  sql: Statements,
  { id, columns, sql: { insert, onConflict, width } }: Table,
  writes: readonly RowWrite[],
): void {
  const indexes = [...columns.keys()]
  const values: SQLInputValue[] = []
  for (const { key, version, body, index } of writes as readonly (RowWrite & { body: string })[]) {
    const indexed = indexes.map((name) => indexValueOf(index?.[name]))
    values.push(key, version, body, tableRowChecksum(id, key, version, body, indexed))
    for (const value of indexed) values.push(storedValue(value))
  }
  sql.insert(insert, onConflict, width, values)
}

function scan(
  sql: Statements,
  table: Table,
  { table: name, where, after, limit }: Scan,
): readonly ScannedRow[] {
  const { columns } = table
  const column = where && columns.get(where.index)
  if (where && !column) throw new Error(`${name} has no index ${where.index}`)
  const order = column ? `${column}, key` : 'key'
  const conditions = [column ? `${column} IS NOT NULL` : `key < ${SENTINEL_KEY}`]
  const values: SQLInputValue[] = []
  if (where?.equals !== undefined) {
    conditions.push(`${column} = ?`)
    values.push(storedValue(where.equals))
  }
  if (where?.upTo !== undefined) {
    conditions.push(`${column} <= ?`)
    values.push(storedValue(where.upTo))
  }
  if (after) {
    conditions.push(column ? `(${column}, key) > (?, ?)` : 'key > ?')
    if (column) values.push(storedValue(after.value ?? null))
    values.push(storedValue(after.key))
  }
  const conditionsText = conditions.join(' AND ')
  const rows = sql.all(
    `${table.sql.select} WHERE ${conditionsText} ORDER BY ${order} LIMIT ?`,
    ...values,
    limit,
  )
  const at = column ? 4 + [...columns.values()].indexOf(column) : 0
  return rows.map((row) => {
    const value = column ? { value: valueOfStored(row[at]) as string | number } : {}
    return { ...rowOf(table, row), ...value }
  })
}
