// Stores with defects of the ledger.
import { HELD_PAGE_TABLE, HELD_TABLE } from '../../../src/ports/ledger.ts'
import type { LedgerQuery, LedgerRow } from '../../../src/ports/ledger.ts'
import type { EventStore, Unit } from '../../../src/ports/event-store.ts'
import type { Defect } from './log-defects.ts'
import { without } from './log-defects.ts'
import { altering, inStore } from './store-defects.ts'

const ALL =
  'The ledger has a row for each event at each consumer that reads its type, the newest first'
const COLUMNS = 'A row has the columns of the ledger, and times in UTC'
const FILTERS = 'Rows are found by every filter, alone and together'
const VIEWS =
  'Messages from outside are inbound, answers are responses, and all others are requests'
const PAGES = 'Events on a page of held events are unprocessed'
const HELD = 'An event that waits behind another one is unprocessed at the consumer that holds it'
const PASSED = 'An event without a stored status is completed once its consumer has passed it'
const CONTINUES = 'A page continues behind the one before, whatever has come since'
const DECLARED = 'A service replaces what it has declared, and nothing of others'

type Change = (store: EventStore) => Partial<EventStore>

const asking =
  (alter: (query: LedgerQuery) => LedgerQuery): Change =>
  (store) => ({ ledger: async (query) => (await store.ledger?.(alter(query))) ?? { rows: [] } })

const showing =
  (alter: (rows: readonly LedgerRow[]) => readonly LedgerRow[]): Change =>
  (store) => ({
    async ledger(query) {
      const page = (await store.ledger?.(query)) ?? { rows: [] }
      return { ...page, rows: alter(page.rows) }
    },
  })

const rowwise = (alter: (row: LedgerRow) => LedgerRow): Change => showing((rows) => rows.map(alter))

const withoutHeld = (unit: Unit): Unit => ({
  ...unit,
  rows: unit.rows.filter(({ table }) => !table.endsWith(HELD_TABLE.suffix)),
})

const withoutPages = (unit: Unit): Unit => ({
  ...unit,
  rows: unit.rows.filter(({ table }) => !table.endsWith(HELD_PAGE_TABLE.suffix)),
})

const filterDefects = (['consumer', 'status', 'isOpen', 'type', 'eventId', 'key'] as const).map(
  (name) =>
    inStore(
      `the ledger ignores the filter ${name}`,
      FILTERS,
      asking((query) => without(query, name)),
    ),
)

export const ledgerDefects: readonly Defect[] = [
  ...filterDefects,
  inStore(
    'the ledger has one view',
    VIEWS,
    asking((query) => without(query, 'view')),
  ),
  inStore(
    'the ledger begins with the oldest',
    ALL,
    showing((rows) => rows.toReversed()),
  ),
  inStore(
    'the ledger has a row for each event',
    ALL,
    showing((rows) => rows.filter((row, at) => row.EVENT_ID !== rows[at - 1]?.EVENT_ID)),
  ),
  inStore('a store that says it has no ledger has one', ALL, (store) => ({
    can: { ...store.can, ledger: false },
  })),
  inStore(
    'times have no milliseconds',
    COLUMNS,
    rowwise((row) => ({ ...row, CREATED_DTTM: row.CREATED_DTTM?.replace(/\.\d+/, '') ?? null })),
  ),
  inStore(
    'rows are updated by their creators',
    COLUMNS,
    rowwise((row) => ({ ...row, UPDATED_BY: row.CREATED_BY })),
  ),
  inStore(
    'rows have no column of errors',
    COLUMNS,
    rowwise((row) => without(row, 'error')),
  ),
  inStore(
    'nothing is completed',
    PASSED,
    rowwise((row) => ({ ...row, STATUS: row.STATUS === 'COMPLETED' ? 'UNPROCESSED' : row.STATUS })),
  ),
  inStore(
    'events are completed for ever',
    PASSED,
    altering((unit) => ({
      ...unit,
      progress: unit.progress.map((each) => ({
        ...each,
        next: Math.max(each.from ?? 0, each.next),
      })),
    })),
  ),
  inStore('held events are not looked at', HELD, altering(withoutHeld)),
  inStore('pages of held events are not looked at', PAGES, altering(withoutPages)),
  inStore('an event is held at all consumers', HELD, (store) => ({
    async ledger(query) {
      const rows = (await store.ledger?.({ ...without(query, 'status'), limit: 100 }))?.rows ?? []
      const ids = new Set(
        rows.filter(({ STATUS }) => STATUS === 'UNPROCESSED').map(({ EVENT_ID }) => EVENT_ID),
      )
      return { rows: rows.filter((row) => ids.has(row.EVENT_ID)) }
    },
  })),
  inStore(
    'every page of the ledger begins anew',
    CONTINUES,
    asking((query) => without(query, 'after')),
  ),
  inStore('a page of the ledger always has a next one', CONTINUES, (store) => ({
    async ledger(query) {
      const page = (await store.ledger?.(query)) ?? { rows: [] }
      return { next: { position: 0, consumer: '' }, ...page }
    },
  })),
  inStore('what a service has declared is added to', DECLARED, (store) => {
    const declared = new Map<string, Parameters<EventStore['declareLedger']>[1]>()
    return {
      declareLedger(service, subscriptions) {
        const all = [...(declared.get(service) ?? []), ...subscriptions]
        declared.set(service, all)
        return store.declareLedger(service, all)
      },
    }
  }),
  inStore('the ledger knows one service', DECLARED, (store) => ({
    declareLedger: (_, subscriptions) => store.declareLedger('one', subscriptions),
  })),
  inStore(
    'the ledger does not outlive the process',
    'The ledger is the same for the next instance',
    (store) => ({ can: { ...store.can, ack: 'disk' } }),
  ),
]
