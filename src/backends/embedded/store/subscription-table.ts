import type { InspectedRows } from '../../../ports/event-store.ts'
import type { LedgerSubscription } from '../../../ports/status.ts'
import { NO_SENTINEL, damagedTableFault, rowChecksum } from '../sql/index.ts'
import type { Columns, Statements } from '../sql/index.ts'

/** Which consumers read which types of messages, for the ledger. */
export interface SubscriptionTable {
  /** @throws Fault `DATA_DAMAGED` where a row is damaged */
  load(): void
  /** Whether a service has declared the same before. */
  isDeclared(service: string, subscriptions: readonly LedgerSubscription[]): boolean
  declare(service: string, subscriptions: readonly LedgerSubscription[]): void
  all(): readonly LedgerSubscription[]
  inspect(): InspectedRows
}

const COLUMNS = 'owner, consumer, service, topic, type, is_response, sum'
const WIDTH = 7
const SELECT = `SELECT ${COLUMNS} FROM subscription WHERE ${NO_SENTINEL}`

type Values = readonly (string | number)[]

export function createSubscriptionTable(sql: Statements): SubscriptionTable {
  const owned = new Map<string, LedgerSubscription[]>()
  return {
    load() {
      owned.clear()
      for (const row of sql.all(SELECT)) {
        if (!isIntact(row)) throw damagedTableFault('subscription', nameOf(row))
        const owner = row[0] as string
        owned.set(owner, [...(owned.get(owner) ?? []), subscriptionOf(row)])
      }
    },
    isDeclared: (service, subscriptions) => {
      const textsOf = (list: readonly LedgerSubscription[]): string =>
        JSON.stringify(
          [...new Set(list.map((each) => JSON.stringify(valuesOf(service, each))))].toSorted(),
        )
      return textsOf(owned.get(service) ?? []) === textsOf(subscriptions)
    },
    declare(service, subscriptions) {
      sql.run('DELETE FROM subscription WHERE owner = ?', service)
      const values = subscriptions.flatMap((each) => {
        const row = valuesOf(service, each)
        return [...row, rowChecksum(row)]
      })
      sql.insert(`INSERT OR REPLACE INTO subscription (${COLUMNS})`, '', WIDTH, values)
      owned.set(service, [...subscriptions])
    },
    all: () => [...owned.values()].flat(),
    inspect() {
      const rows = sql.all(SELECT)
      const damaged = rows
        .filter((row) => !isIntact(row))
        .map((row) => ({ key: nameOf(row), message: 'is not what was written' }))
      return { rows: rows.length, damaged }
    },
  }
}

const nameOf = (row: Columns): string => row.slice(1, 5).join('/')

const isIntact = (row: Columns): boolean =>
  rowChecksum(row.slice(0, -1) as (string | number)[]) === row[WIDTH - 1]

function valuesOf(owner: string, subscription: LedgerSubscription): Values {
  const { consumer, service, topic, type, isResponse } = subscription
  return [owner, consumer, service, topic, type, isResponse ? 1 : 0]
}

function subscriptionOf(row: Columns): LedgerSubscription {
  const [consumer, service, topic, type, isResponse] = row.slice(1) as [
    string,
    string,
    string,
    string,
    number,
  ]
  return { consumer, service, topic, type, isResponse: isResponse === 1 }
}
