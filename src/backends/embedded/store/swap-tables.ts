import type { Swap } from '../../../ports/event-store.ts'
import { writeCatalogChecksum } from '../sql/index.ts'
import type { ProgressTable } from './progress-table.ts'
import type { ProgressRanges } from './progress-ranges.ts'
import type { Statements } from '../sql/index.ts'
import type { StatusTable } from './status-table.ts'
import type { Tables } from './tables.ts'

/** A name that no table has: names of services have no spaces. */
const SPARE_NAME = ' '

export interface SwapContext {
  readonly sql: Statements
  readonly tables: Tables
  readonly progress: ProgressTable
  readonly statuses: StatusTable
  readonly ranges: ProgressRanges
}

/**
 * Swaps the names of two tables, which takes constant time, and the progress rows of two consumers.
 * The statuses and ranges of the first consumer go, since they are about the rows that are replaced;
 * those of the second take their place. Inside a transaction.
 */
export function swapTables(parts: SwapContext, { tables: names, consumers }: Swap): void {
  const { sql, tables, progress, statuses, ranges } = parts
  const [one, other] = names
  const rename = (to: string, from: string): void =>
    sql.run('UPDATE tbl SET name = ? WHERE name = ?', to, from)
  rename(SPARE_NAME, one)
  rename(one, other)
  rename(other, SPARE_NAME)
  writeCatalogChecksum(sql)
  tables.load()
  const [first, second] = consumers
  const rows = progress.of(consumers)
  for (const consumer of consumers) sql.run('DELETE FROM progress WHERE consumer = ?', consumer)
  progress.load()
  progress.write(
    rows.map((row) => ({ ...row, consumer: row.consumer === first ? second : first, from: 0 })),
  )
  statuses.replace(first, second)
  ranges.replace(first, second)
}
