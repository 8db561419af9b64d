import type { SQLInputValue } from 'node:sqlite'
import type {
  Row,
  RowCheck,
  RowKey,
  RowWrite,
  Scan,
  ScannedRow,
  TableSpec,
} from '../../ports/store.ts'
import type { Statements } from './statements.ts'

interface Table {
  readonly id: number
  /** The column of each index. Names of users never become part of a statement. */
  readonly columns: Map<string, string>
}

/** The tables that services declared: each one a table of the database, with a column per index. */
export interface Tables {
  load(): void
  declare(spec: TableSpec): void
  idOf(name: string): number
  get(key: RowKey): Row | undefined
  /** The rows of another version than was seen. */
  conflicts(rows: readonly RowCheck[]): readonly RowKey[]
  write(writes: readonly RowWrite[]): void
  scan(query: Scan): readonly ScannedRow[]
}

export function tablesIn(sql: Statements): Tables {
  const tables = new Map<string, Table>()
  const tableOf = (name: string): Table => {
    const table = tables.get(name)
    if (!table) throw new Error(`the table ${name} was not declared`)
    return table
  }
  return {
    load() {
      tables.clear()
      for (const [id, name] of sql.all('SELECT id, name FROM tbl') as [number, string][]) {
        const columns = sql.all('SELECT name, col FROM idx WHERE tbl = ?', id) as [string, string][]
        tables.set(name, { id, columns: new Map(columns) })
      }
    },
    declare({ name, indexes }) {
      const table = tables.get(name) ?? createTable(sql, name)
      tables.set(name, table)
      for (const index of indexes) if (!table.columns.has(index)) createIndex(sql, table, index)
    },
    idOf: (name) => tableOf(name).id,
    get({ table, key }) {
      const row = sql.get(`SELECT version, body FROM t${tableOf(table).id} WHERE key = ?`, key)
      return row && { table, key, version: row[0] as number, body: row[1] as string }
    },
    conflicts: (rows) =>
      rows
        .filter(({ table, key, expected }) => {
          const row = sql.get(`SELECT version FROM t${tableOf(table).id} WHERE key = ?`, key)
          return ((row?.[0] ?? 0) as number) !== expected
        })
        .map(({ table, key }) => ({ table, key })),
    write(writes) {
      const kept = new Map<string, RowWrite[]>()
      for (const write of writes) {
        const { table, key, body } = write
        if (body === null) sql.run(`DELETE FROM t${tableOf(table).id} WHERE key = ?`, key)
        else {
          const ofTable = kept.get(table) ?? []
          ofTable.push(write)
          kept.set(table, ofTable)
        }
      }
      for (const [name, rows] of kept) upsert(sql, tableOf(name), rows)
    },
    scan: (query) => scan(sql, tableOf(query.table), query),
  }
}

function createTable(sql: Statements, name: string): Table {
  const id = sql.get('INSERT INTO tbl (name) VALUES (?) RETURNING id', name)?.[0] as number
  sql.run(`CREATE TABLE t${id} (
    key TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT`)
  return { id, columns: new Map() }
}

/** Adds the column of an index, fills it from the rows that are there, then makes the index. */
function createIndex(sql: Statements, { id, columns }: Table, name: string): void {
  const column = `i${columns.size + 1}`
  sql.run('INSERT INTO idx (tbl, name, col) VALUES (?, ?, ?)', id, name, column)
  sql.run(`ALTER TABLE t${id} ADD COLUMN ${column} ANY`)
  for (const [key, body] of sql.all(`SELECT key, body FROM t${id}`) as [string, string][]) {
    const member = (JSON.parse(body) as Record<string, unknown> | null)?.[name]
    if (typeof member === 'string' || typeof member === 'number')
      sql.run(`UPDATE t${id} SET ${column} = ? WHERE key = ?`, member, key)
  }
  sql.run(`CREATE INDEX t${id}_${column} ON t${id} (${column}, key) WHERE ${column} IS NOT NULL`)
  columns.set(name, column)
}

function upsert(sql: Statements, { id, columns }: Table, writes: readonly RowWrite[]): void {
  const names = ['key', 'version', 'body', ...columns.values()]
  const sets = names.slice(1).map((name) => `${name} = excluded.${name}`)
  sql.insert(
    `INSERT INTO t${id} (${names.join(', ')})`,
    `ON CONFLICT (key) DO UPDATE SET ${sets.join(', ')}`,
    writes.map(({ key, version, body, index }) => {
      return [key, version, body, ...[...columns.keys()].map((name) => index?.[name] ?? null)]
    }),
  )
}

function scan(
  sql: Statements,
  { id, columns }: Table,
  { table, where, after, limit }: Scan,
): readonly ScannedRow[] {
  const column = where && columns.get(where.index)
  if (where && !column) throw new Error(`${table} has no index ${where.index}`)
  const order = column ? `${column}, key` : 'key'
  const conditions = [column ? `${column} IS NOT NULL` : 'true']
  const values: SQLInputValue[] = []
  if (where?.equals !== undefined) {
    conditions.push(`${column} = ?`)
    values.push(where.equals)
  }
  if (where?.upTo !== undefined) {
    conditions.push(`${column} <= ?`)
    values.push(where.upTo)
  }
  if (after) {
    conditions.push(column ? `(${column}, key) > (?, ?)` : 'key > ?')
    if (column) values.push(after.value ?? null)
    values.push(after.key)
  }
  const rows = sql.all(
    `SELECT key, version, body${column ? `, ${column}` : ''} FROM t${id}
     WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ?`,
    ...values,
    limit,
  )
  return rows.map(([key, version, body, value]) => ({
    table,
    key: key as string,
    version: version as number,
    body: body as string,
    ...(column ? { value: value as string | number } : {}),
  }))
}
