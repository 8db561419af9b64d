import type { Swap } from '../../ports/store.ts'
import { sealCatalog } from './catalog-sum.ts'
import type { ProgressRows } from './progress.ts'
import type { Statements } from './statements.ts'
import type { Tables } from './tables.ts'

/** A name that no table has: names of services have no spaces. */
const NOBODY = ' '

export interface SwapParts {
  readonly sql: Statements
  readonly tables: Tables
  readonly progress: ProgressRows
}

/**
 * Swaps the names of two tables, which takes constant time, and the progress rows of two consumers.
 * Inside a transaction.
 */
export function swapIn(parts: SwapParts, { tables: names, consumers }: Swap): void {
  const { sql, tables, progress } = parts
  const [one, other] = names
  const rename = (to: string, from: string): void =>
    sql.run('UPDATE tbl SET name = ? WHERE name = ?', to, from)
  rename(NOBODY, one)
  rename(one, other)
  rename(other, NOBODY)
  sealCatalog(sql)
  tables.load()
  const [first, second] = consumers
  const rows = progress.of(consumers)
  for (const consumer of consumers) sql.run('DELETE FROM progress WHERE consumer = ?', consumer)
  progress.load()
  progress.write(
    rows.map((row) => ({ ...row, consumer: row.consumer === first ? second : first, from: 0 })),
  )
}
