import { damagedTable } from './results.ts'
import type { Statements } from './statements.ts'
import { rowSum } from './sums.ts'

/** The tables that list all topics, tables and indexes. */
const CATALOG = [
  'SELECT id, name, partitions, strategy, settings FROM topic ORDER BY id',
  'SELECT id, name FROM tbl ORDER BY id',
  'SELECT tbl, name, col FROM idx ORDER BY tbl, name',
]

function sumOfCatalog(sql: Statements): string {
  return String(rowSum(CATALOG.flatMap((select) => sql.all(select).flat() as (string | number)[])))
}

/** Writes the checksum of the catalog; after each change of it, inside the same transaction. */
export function sealCatalog(sql: Statements): void {
  const insert = "INSERT OR REPLACE INTO meta (name, value) VALUES ('catalog', ?)"
  sql.run(insert, sumOfCatalog(sql))
}

/**
 * Checks the catalog: a topic or table missing in it would be created again, empty.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function catalogMustBeWhole(sql: Statements): void {
  const row = sql.get("SELECT value FROM meta WHERE name = 'catalog'")
  if (row?.[0] !== sumOfCatalog(sql)) throw damagedTable('meta', 'the catalog of topics and tables')
}
