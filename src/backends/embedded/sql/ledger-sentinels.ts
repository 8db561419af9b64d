import { rowChecksum } from './checksums.ts'
import { damagedTableFault } from './sqlite-errors.ts'
import type { Statements } from './statements.ts'

/** The values of a row, without its checksum. */
type Values = readonly (string | number | null)[]

const NULLS = [null, null, null, null, null, null] as const

/** No consumer and no service has an empty name. */
const SENTINELS: Readonly<Record<string, Values>> = {
  status: ['', '', 0, 0, '', '', '', 'COMPLETED', 0, ...NULLS, '', 0, 0],
  progress_range: ['', '', 0, 0, '', 0],
  subscription: ['', '', '', '', '', 0],
}

/** Excludes the sentinel row from a read of a table of the ledger. */
export const NO_SENTINEL = "consumer > ''"

/** Inserts the sentinel rows of the ledger's tables; inside a transaction. */
export function insertLedgerSentinels(sql: Statements): void {
  for (const [table, values] of Object.entries(SENTINELS))
    sql.insert(`INSERT INTO ${table}`, '', values.length + 1, [...values, rowChecksum(values)])
}

/**
 * Checks the sentinel rows. Otherwise dead letters on lost pages would count as completed.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function assertLedgerSentinels(sql: Statements): void {
  for (const [table, values] of Object.entries(SENTINELS)) {
    const row = sql.get(`SELECT sum FROM ${table} WHERE consumer = ''`)
    if (row?.[0] !== rowChecksum(values)) throw damagedTableFault(table, 'its sentinel row')
  }
}
