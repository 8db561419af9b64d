import type { EventStore, InspectedRows } from '../../../ports/event-store.ts'
import { assertStorableLedger } from '../../../ports/storable-text.ts'
import { withDamageFault } from '../sql/index.ts'
import { readLedger, readPayloads } from '../store/index.ts'
import { commitOrThrow } from '../commit/index.ts'
import type { Connection, SharedConnection } from './connection.ts'

/** Rows that one transaction prunes, so that no commit waits long for maintenance. */
const PRUNED_MAX = 1_000

/** Tables of the store itself; names of other tables have a dot. */
export const LEDGER_TABLES = ['status', 'progress_range', 'subscription'] as const

/** Inspects a declared table, or one of the store itself. */
export function inspectTable(
  { tables, statuses, ranges, subscriptions }: Connection,
  table: string,
  after: string | undefined,
  max: number,
): InspectedRows {
  if (table === 'status') return statuses.inspect(after, max)
  // Read whole: opening reads them, too.
  if (table === 'progress_range') return ranges.inspect()
  if (table === 'subscription') return subscriptions.inspect()
  return tables.inspect(table, after, max)
}

/** The methods of the store about statuses and progress ranges. */
export function createLedgerMethods(
  shared: SharedConnection,
): Pick<
  EventStore,
  'statuses' | 'ranges' | 'declareLedger' | 'ledger' | 'payloads' | 'pruneLedger'
> {
  return {
    statuses: async (query) => shared.connection().statuses.read(query),
    ranges: async (events) => {
      const { ranges } = shared.connection()
      return withDamageFault('the table progress_range', () => events.map(ranges.find))
    },
    async declareLedger(service, subscriptions) {
      assertStorableLedger(service, subscriptions)
      const { subscriptions: table, commits } = shared.connection()
      // What is declared needs no write, which also works on a full disk.
      if (table.isDeclared(service, subscriptions)) return
      await commitOrThrow(commits, () => table.declare(service, subscriptions))
    },
    ledger: async (query) => readLedger(shared.connection().sql, query),
    payloads: async (query) => readPayloads(shared.connection().sql, query),
    async pruneLedger({ statusesBefore, rangesMax }) {
      const { statuses, ranges, commits } = shared.connection()
      return commitOrThrow(commits, () => {
        const removed = statuses.prune(statusesBefore, PRUNED_MAX)
        return removed + ranges.prune(rangesMax, PRUNED_MAX - removed)
      })
    },
  }
}
