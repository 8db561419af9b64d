// The tables of one exchange, read from the ledger of the store: the rows that `throughline ledger` lists.
import type { EventStore, LedgerRow, LedgerView, PayloadRow } from 'throughline/backend'
import { LEDGER_VIEWS, PAYLOAD_COLUMNS } from 'throughline/backend'

type LedgerStore = Pick<EventStore, 'ledger' | 'payloads'>

const EVENT_COLUMNS = [
  'EVENT_ID',
  'SERVICE_MESSAGE_TYPE',
  'STATUS',
  'CREATED_BY',
  'CREATED_DTTM',
  'UPDATED_BY',
  'UPDATED_DTTM',
] as const satisfies readonly (keyof LedgerRow)[]

/** The external topics, in the order of the exchange. */
const TOPICS = [
  'REQUEST_TOPIC_A1',
  'RESPONSE_TOPIC_A1',
  'REQUEST_TOPIC_B',
  'RESPONSE_TOPIC_B',
] as const

/** Rows per page; an exchange has fewer. */
const LIMIT = 1_000

/** The events of one view with this key, oldest first. */
export async function eventsOf(
  store: LedgerStore,
  view: LedgerView,
  key: string,
): Promise<readonly LedgerRow[]> {
  const page = await store.ledger?.({ view, key, limit: LIMIT })
  return page?.rows.toReversed() ?? []
}

/** The bodies on the wire of both edges with one of these ids, by topic and then oldest first. */
export async function bodiesOf(
  store: LedgerStore,
  ids: readonly string[],
): Promise<readonly PayloadRow[]> {
  const rows: PayloadRow[] = []
  for (const topic of TOPICS)
    for (const eventId of ids) {
      const page = await store.payloads?.({ topic, eventId, limit: LIMIT })
      rows.push(...(page?.rows.toReversed() ?? []))
    }
  return rows
}

/** All tables of an exchange, as Markdown. */
export async function ledgerTables(store: LedgerStore, ids: readonly string[]): Promise<string> {
  const [key = ''] = ids
  const tables: string[] = []
  for (const view of LEDGER_VIEWS)
    tables.push(table(view, EVENT_COLUMNS, await eventsOf(store, view, key)))
  tables.push(table('payload', PAYLOAD_COLUMNS, await bodiesOf(store, ids)))
  return tables.join('\n\n')
}

function table<C extends string>(
  title: string,
  columns: readonly C[],
  rows: readonly Readonly<Record<C, string | null>>[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const lines = rows.map((row) => line(columns.map((name) => nameOnWire(row[name] ?? ''))))
  return [`${title}:`, '', line(columns), line(columns.map(() => '-')), ...lines].join('\n')
}

/** Services have lower-case names inside; the external systems know SERVICE_A. */
const nameOnWire = (cell: string): string =>
  /^service-[a-c]$/.test(cell) ? cell.toUpperCase().replace('-', '_') : cell
