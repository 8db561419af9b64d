// Stores with defects of the bodies that they list.
import type { EventStore } from '../../../src/ports/event-store.ts'
import type { PayloadPage, PayloadQuery, PayloadRow } from '../../../src/ports/payloads.ts'
import type { Defect } from './log-defects.ts'
import { without } from './log-defects.ts'
import { inStore } from './store-defects.ts'

const ALL = 'A body has a row for each service that reads it, the newest first'
const COLUMNS = 'A body has the columns of the view, as it was sent'
const FILTERS = 'Bodies are found by id, topic and service'

const changed =
  (
    alterQuery: (query: PayloadQuery) => PayloadQuery,
    alterRows: (rows: readonly PayloadRow[]) => readonly PayloadRow[] = (rows) => rows,
  ) =>
  (store: EventStore): Partial<EventStore> => ({
    async payloads(query): Promise<PayloadPage> {
      const page = (await store.payloads?.(alterQuery(query))) ?? { rows: [] }
      return { ...page, rows: alterRows(page.rows) }
    },
  })

const showing = (alter: (rows: readonly PayloadRow[]) => readonly PayloadRow[]) =>
  changed((query) => query, alter)

export const payloadDefects: readonly Defect[] = [
  ...(['eventId', 'topic', 'service'] as const).map((name) =>
    inStore(
      `bodies ignore the filter ${name}`,
      FILTERS,
      changed((query) => without(query, name)),
    ),
  ),
  inStore('only the target of a body is looked at', FILTERS, (store) => ({
    async payloads(query) {
      const page = (await store.payloads?.(query)) ?? { rows: [] }
      const { service } = query
      const isOf = ({ TARGET_SERVICE }: PayloadRow): boolean => TARGET_SERVICE === service
      return service === undefined ? page : { ...page, rows: page.rows.filter(isOf) }
    },
  })),
  inStore(
    'bodies begin with the oldest',
    ALL,
    showing((rows) => rows.toReversed()),
  ),
  inStore(
    'a body has one row',
    ALL,
    showing((rows) => rows.filter((row, at) => row.EVENT_ID !== rows[at - 1]?.EVENT_ID)),
  ),
  inStore(
    'every page of bodies begins anew',
    ALL,
    changed((query) => without(query, 'after')),
  ),
  inStore(
    'bodies are parsed and written again',
    COLUMNS,
    showing((rows) =>
      rows.map((row) => ({
        ...row,
        PAYLOAD: row.PAYLOAD === null ? null : JSON.stringify(JSON.parse(row.PAYLOAD)),
      })),
    ),
  ),
  inStore(
    'bodies are created by their sources',
    COLUMNS,
    showing((rows) => rows.map((row) => ({ ...row, CREATED_BY: row.SOURCE_SERVICE }))),
  ),
]
