// The units that the killed process commits, so that the test can compute what must be there.
import { NO_COUNTS } from '../../../src/ports/progress.ts'
import { testStatus } from '../../../src/ports/conformance/status-fixtures.ts'
import type { LogEvent, Place } from '../../../src/ports/event-log.ts'
import {
  ORDERS,
  PAYMENTS,
  testEvent,
  testRow,
  testUnit,
} from '../../../src/ports/conformance/fixtures.ts'
import type { Lease, Unit } from '../../../src/ports/event-store.ts'

export const CARTS = 'shop.carts'
export const TOTALS = 'shop.totals'
export const TABLES = [
  { name: CARTS, indexes: ['version'] },
  { name: TOTALS, indexes: [] },
]
export const RESOURCE = 'everything'
export const UNIT_KEYS = ['a', 'b', 'c', 'd', 'e', 'f']

/** One line of the process. */
export type WorkloadLine =
  | { readonly kind: 'claimed'; readonly claim: Lease }
  | { readonly kind: 'tried'; readonly writer: string; readonly ids: readonly string[] }
  | { readonly kind: 'stored'; readonly ids: readonly string[]; readonly places: readonly Place[] }
  | { readonly kind: 'done'; readonly key: string; readonly version: number }
  | { readonly kind: 'wrong'; readonly what: string }

/** The event of an id. All events of a writer have the same key, and so keep their order. */
export function eventWithId(id: string): LogEvent {
  return testEvent(id, { key: writerOf(id), data: `{"id":"${id}","text":"${'x'.repeat(300)}"}` })
}

/** `<writer>/<count>` */
export function writerOf(id: string): string {
  return id.slice(0, id.indexOf('/'))
}

/** Some units append more events than one INSERT statement holds. */
export function unitAppends(key: string, version: number): readonly LogEvent[] {
  const count = version % 5 === 0 ? 60 : 2
  return Array.from({ length: count }, (_, at) =>
    testEvent(`unit-${key}/${version}/${at}`, { topic: PAYMENTS, key: `unit-${key}` }),
  )
}

export function consumerOf(key: string): string {
  return `shop.${key}`
}

/** The unit that raises a row to a version, with progress, appends, a stream entry and a status. */
export function unitToVersion(key: string, version: number, fences: readonly Lease[] = []): Unit {
  const body = JSON.stringify({ version })
  const row = { expected: version - 1, version, body }
  const progress = { consumer: consumerOf(key), topic: ORDERS, partition: 0 }
  const counts = { ...NO_COUNTS, accepted: 1, completed: 1 }
  return testUnit({
    fences,
    progress: [{ ...progress, from: version - 1, next: version, ...counts }],
    rows: [testRow(CARTS, key, { ...row, index: { version } }), testRow(TOTALS, key, row)],
    appends: unitAppends(key, version),
    streams: [{ table: CARTS, key, version, append: 0 }],
    statuses: [testStatus(version - 1, { consumer: consumerOf(key), status: 'COMPLETED' })],
  })
}
