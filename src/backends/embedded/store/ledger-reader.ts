import { compareText } from '../../../base/text/compare-text.ts'
import type { LedgerCursor, LedgerPage, LedgerQuery, LedgerRow } from '../../../ports/ledger.ts'
import { LEDGER_COLUMNS } from '../../../ports/ledger.ts'
import { withDamageFault } from '../sql/index.ts'
import type { Columns, Statements } from '../sql/index.ts'
import { newestPositions } from './ledger-sources.ts'

/** Events that are looked at together. */
const EVENTS_PER_STEP = 200

/** Events that one call looks at. */
const EXAMINED_MAX = 10_000

const SELECT = `SELECT position, ${LEDGER_COLUMNS.map((name) => `"${name}"`).join(', ')}
  FROM ledger_event WHERE position IN (SELECT value FROM json_each(?))`

interface FoundRow {
  readonly row: LedgerRow
  readonly position: number
}

/**
 * Reads the ledger, the newest events first. The events of a query come from indexes, in steps; each step
 * keeps the rows that the query selects.
 */
export function readLedger(sql: Statements, query: LedgerQuery): LedgerPage {
  const { limit, after = { position: Number.MAX_SAFE_INTEGER, consumer: '' } } = query
  return withDamageFault('the ledger', () => {
    const rows: FoundRow[] = []
    let to = after.position
    for (let examined = 0; examined < EXAMINED_MAX; examined += EVENTS_PER_STEP) {
      const positions = newestPositions(sql, query, to, EVENTS_PER_STEP)
      rows.push(...rowsAt(sql, positions, query).filter((found) => isBehind(found, after)))
      const isOver = positions.length < EVENTS_PER_STEP
      if (isOver || rows.length > limit) return page(rows, limit)
      to = (positions.at(-1) as number) - 1
    }
    return page(rows, limit, { position: to, consumer: '' })
  })
}

function isBehind({ row, position }: FoundRow, after: LedgerCursor): boolean {
  if (position !== after.position) return position < after.position
  return compareText(row.consumer, after.consumer) > 0
}

/** A page of rows. If they fit, the next one begins at `end`. */
function page(found: readonly FoundRow[], limit: number, end?: LedgerCursor): LedgerPage {
  const rows = found.slice(0, limit).map(({ row }) => row)
  const last = found.length > limit ? found[limit - 1] : undefined
  const next = last ? { position: last.position, consumer: last.row.consumer } : end
  return next ? { rows, next } : { rows }
}

/** The selected rows of some events, in the order of the ledger. */
function rowsAt(
  sql: Statements,
  positions: readonly number[],
  { view, consumer, status, type, key }: LedgerQuery,
): readonly FoundRow[] {
  if (positions.length === 0) return []
  const filters: Readonly<Record<string, string | undefined>> = {
    view_name: view,
    consumer,
    STATUS: status,
    MESSAGE_TYPE: type,
    key,
  }
  const wanted = Object.entries(filters).filter(([, value]) => value !== undefined)
  const conditions = wanted.map(([name]) => ` AND ${name} = ?`).join('')
  const select = `${SELECT}${conditions} ORDER BY position DESC, consumer`
  const values = wanted.map(([, value]) => value as string)
  return sql.all(select, JSON.stringify(positions), ...values).map(foundRow)
}

function foundRow([position, ...columns]: Columns): FoundRow {
  const row = Object.fromEntries(LEDGER_COLUMNS.map((name, at) => [name, columns[at]]))
  return { position: position as number, row: row as unknown as LedgerRow }
}
