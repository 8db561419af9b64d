import { HELD_PAGE_TABLE, HELD_TABLE } from '../../../ports/ledger.ts'
import type { Statements } from './statements.ts'

/** A table of a service by its number, with the column of each of its indexes. */
interface NumberedTable {
  readonly id: number
  readonly name: string
  readonly columns: ReadonlyMap<string, string>
}

/** The position of a held record; the sentinel row of a table has none. */
const HELD_POSITION = `CASE WHEN json_valid(body) THEN json_extract(body, '$.position') END`

const isHeld = ({ name, columns }: NumberedTable): boolean =>
  name.endsWith(HELD_TABLE.suffix) && columns.has(HELD_TABLE.index)

const isHeldPages = ({ name, columns }: NumberedTable): boolean =>
  name.endsWith(HELD_PAGE_TABLE.suffix) &&
  HELD_PAGE_TABLE.indexes.every((index) => columns.has(index))

/** Tables of sagas have the indexes `open`, since when an instance is, and `operation`. */
const isSaga = ({ columns }: NumberedTable): boolean =>
  columns.has('open') && columns.has('operation')

/**
 * Writes the views over tables of services: events that wait behind a failed one of their key, the places
 * where pages of such events begin, and open instances of sagas. Tables with held events get an index by
 * position, which SQLite keeps up to date: a table beside them would have to be written and repaired
 * together with them. Names given by users are never part of SQL. Inside a transaction, after each new
 * table or index.
 */
export function writeServiceViews(sql: Statements): void {
  const tables = readTables(sql)
  const held = tables.filter(isHeld)
  for (const { id } of held)
    sql.run(`CREATE INDEX IF NOT EXISTS t${id}_position ON t${id} (${HELD_POSITION})
      WHERE version > 0`)
  replaceView(sql, 'held_event', ['position', 'hold'], held.map(heldSelect))
  const pages = tables.filter(isHeldPages)
  for (const { id, columns } of pages)
    sql.run(`CREATE INDEX IF NOT EXISTS t${id}_from ON t${id} (${pageColumns(columns)})`)
  const pageMembers = ['hold', 'topic', 'off', 'position']
  replaceView(sql, 'held_page', pageMembers, pages.map(pageSelect))
  const members = ['service', 'key', 'operation', 'since', 'body']
  replaceView(sql, 'saga_instance', members, tables.filter(isSaga).map(sagaSelect))
}

function heldSelect({ id, columns }: NumberedTable): string {
  const hold = columns.get(HELD_TABLE.index)
  return `SELECT ${HELD_POSITION} AS position, ${hold} AS hold FROM t${id} WHERE version > 0`
}

const pageColumns = (columns: NumberedTable['columns']): string =>
  HELD_PAGE_TABLE.indexes.map((index) => columns.get(index)).join(', ')

function pageSelect({ id, columns }: NumberedTable): string {
  const [hold, topic, from, position] = pageColumns(columns).split(', ')
  return `SELECT ${hold} AS hold, ${topic} AS topic, ${from} AS off, ${position} AS position
    FROM t${id} WHERE version > 0`
}

function sagaSelect({ id, columns }: NumberedTable): string {
  const [open, operation] = [columns.get('open'), columns.get('operation')]
  const name = `(SELECT name FROM tbl WHERE id = ${id})`
  return `SELECT substr(${name}, 1, instr(${name}, '.') - 1) AS service, key,
    ${operation} AS operation, ${open} AS since, body FROM t${id}
    WHERE ${open} IS NOT NULL AND json_extract(body, '$.is') = 'open'`
}

function replaceView(
  sql: Statements,
  name: string,
  columns: readonly string[],
  selects: readonly string[],
): void {
  const empty = `SELECT ${columns.map((each) => `NULL AS ${each}`).join(', ')} WHERE 0`
  sql.run(`DROP VIEW IF EXISTS ${name}`)
  sql.run(`CREATE VIEW ${name} AS ${selects.length === 0 ? empty : selects.join(' UNION ALL ')}`)
}

function readTables(sql: Statements): readonly NumberedTable[] {
  const columns = new Map<number, Map<string, string>>()
  for (const [table, index, column] of sql.all('SELECT tbl, name, col FROM idx') as [
    number,
    string,
    string,
  ][])
    columns.set(table, (columns.get(table) ?? new Map<string, string>()).set(index, column))
  const tables = sql.all('SELECT id, name FROM tbl ORDER BY id') as [number, string][]
  return tables.map(([id, name]) => ({ id, name, columns: columns.get(id) ?? new Map() }))
}
