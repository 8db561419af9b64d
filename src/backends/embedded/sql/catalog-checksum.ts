import { damagedTableFault } from './sqlite-errors.ts'
import type { Statements } from './statements.ts'
import { rowChecksum } from './checksums.ts'

/** The tables that list all topics, tables and indexes. */
const CATALOG = [
  'SELECT id, name, partitions, strategy, settings FROM topic ORDER BY id',
  'SELECT id, name FROM tbl ORDER BY id',
  'SELECT tbl, name, col FROM idx ORDER BY tbl, name',
]

function catalogChecksum(sql: Statements): string {
  return String(
    rowChecksum(CATALOG.flatMap((select) => sql.all(select).flat() as (string | number)[])),
  )
}

/** Writes the checksum of the catalog; after each change of it, inside the same transaction. */
export function writeCatalogChecksum(sql: Statements): void {
  const insert = "INSERT OR REPLACE INTO meta (name, value) VALUES ('catalog', ?)"
  sql.run(insert, catalogChecksum(sql))
}

/**
 * Checks the catalog: a topic or table missing in it would be created again, empty.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function assertCatalog(sql: Statements): void {
  const row = sql.get("SELECT value FROM meta WHERE name = 'catalog'")
  if (row?.[0] !== catalogChecksum(sql))
    throw damagedTableFault('meta', 'the catalog of topics and tables')
}
