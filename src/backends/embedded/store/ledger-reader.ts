import type { LedgerPage, LedgerQuery, LedgerRow } from '../../../ports/ledger.ts'
import { LEDGER_COLUMNS } from '../../../ports/ledger.ts'
import { withDamageFault } from '../sql/index.ts'
import type { Columns, Statements } from '../sql/index.ts'
import { newestPositions } from './ledger-sources.ts'
import type { NewestRow } from './newest-rows.ts'
import { readNewest } from './newest-rows.ts'

const SELECT = `SELECT position, ${LEDGER_COLUMNS.map((name) => `"${name}"`).join(', ')}
  FROM ledger_event WHERE position IN (SELECT value FROM json_each(?))`

/** Reads the ledger, the newest events first. The events of a query come from indexes. */
export function readLedger(sql: Statements, query: LedgerQuery): LedgerPage {
  const { limit, after } = query
  return withDamageFault('the ledger', () => {
    const { rows, next } = readNewest<LedgerRow>({
      limit,
      after: after && { position: after.position, name: after.consumer },
      positions: (to, count) => newestPositions(sql, query, to, count),
      rowsAt: (positions) => rowsAt(sql, positions, query),
    })
    return next ? { rows, next: { position: next.position, consumer: next.name } } : { rows }
  })
}

/** The selected rows of some events, in the order of the ledger. */
function rowsAt(
  sql: Statements,
  positions: readonly number[],
  { view, consumer, status, isOpen, type, key }: LedgerQuery,
): readonly NewestRow<LedgerRow>[] {
  const filters: Readonly<Record<string, string | undefined>> = {
    view_name: view,
    consumer,
    STATUS: status,
    MESSAGE_TYPE: type,
    key,
  }
  const wanted = Object.entries(filters).filter(([, value]) => value !== undefined)
  const conditions = wanted.map(([name]) => ` AND ${name} = ?`).join('')
  const open = isOpen ? ` AND STATUS <> 'COMPLETED' AND resolution IS NULL` : ''
  const select = `${SELECT}${conditions}${open} ORDER BY position DESC, consumer`
  const values = wanted.map(([, value]) => value as string)
  return sql.all(select, JSON.stringify(positions), ...values).map(foundRow)
}

function foundRow([position, ...columns]: Columns): NewestRow<LedgerRow> {
  const named = Object.fromEntries(LEDGER_COLUMNS.map((name, at) => [name, columns[at]]))
  const row = named as unknown as LedgerRow
  return { position: position as number, name: row.consumer, row }
}
