import assert from 'node:assert/strict'
import type { Backend, EventStore } from '../event-store.ts'
import type { LogEvent, LogRecord } from '../event-log.ts'
import type { LedgerQuery, LedgerRow } from '../ledger.ts'
import { HELD_PAGE_TABLE, HELD_TABLE } from '../ledger.ts'
import type { LedgerSubscription } from '../status.ts'
import { testAdvance } from './commit-cases.ts'
import { ORDERS, PAYMENTS, appendStored, commitDone, testEvent, testTopic } from './fixtures.ts'

export const PLACED = 'orders.OrderPlaced'
export const CHARGED = 'payments.Charged'
export const REPLIES = 'shop.replies'
export const REPLY = 'throughline.refused'

const HELD = `shop${HELD_TABLE.suffix}`
const HELD_PAGES = `shop${HELD_PAGE_TABLE.suffix}`

function subscription(
  consumer: string,
  topic: string,
  type: string,
  isResponse = false,
): LedgerSubscription {
  const service = consumer.slice(0, consumer.indexOf('/'))
  return { consumer, service, topic, type, isResponse }
}

/** The consumers of the tests, by service. */
export const SUBSCRIPTIONS: Readonly<Record<string, readonly LedgerSubscription[]>> = {
  shop: [
    subscription('shop/cart', ORDERS, PLACED),
    subscription('shop/mail', ORDERS, PLACED),
    subscription('shop/cart', PAYMENTS, CHARGED, true),
    subscription('shop/mail', REPLIES, REPLY),
  ],
  books: [subscription('books/sums', PAYMENTS, CHARGED)],
}

/** Declares topics of one partition, a table of held events, and all consumers. */
export async function declareLedgerOf({ log, store }: Backend): Promise<EventStore> {
  await log.declare([ORDERS, PAYMENTS, REPLIES].map((name) => testTopic(name, 1)))
  await store.declare([
    { name: HELD, indexes: [HELD_TABLE.index] },
    { name: HELD_PAGES, indexes: HELD_PAGE_TABLE.indexes },
  ])
  for (const [service, subscriptions] of Object.entries(SUBSCRIPTIONS))
    await store.declareLedger(service, subscriptions)
  return store
}

/** A message of a service, or from outside. */
export function message(id: string, fields: Partial<LogEvent> & { hops?: number } = {}): LogEvent {
  const { hops = 0, ...rest } = fields
  const source = hops === 0 ? 'door' : 'shop'
  const head = JSON.stringify({ source, correlation: hops === 0 ? id : 'first', hops })
  return testEvent(id, { partition: 0, head, ...rest })
}

export const AT = 1_700_000_000_000
export const AT_TEXT = '2023-11-14T22:13:20.000Z'

/** Ten messages of the three topics; the number of each is that of its position. */
export async function appendTen({ log }: Pick<Backend, 'log'>): Promise<void> {
  const charged = { topic: PAYMENTS, type: CHARGED }
  await appendStored(log, [
    message('m-0', { key: 'a' }),
    message('m-1', { key: 'b' }),
    message('m-2', { ...charged, hops: 1, key: 'a' }),
    message('m-3', { key: 'a', hops: 2 }),
    message('m-4', { type: 'orders.OrderLost' }),
    message('m-5', { topic: REPLIES, type: REPLY, hops: 2, key: 'b' }),
    message('m-6', { ...charged, key: 'b' }),
    message('m-7', { key: 'b' }),
    message('m-8', { key: 'c', data: null }),
    message('m-9', { ...charged, hops: 1, key: 'c' }),
  ])
}

/** Stores a copy of an event that waits at a consumer. */
export async function hold(backend: Backend, consumer: string, id: string): Promise<void> {
  const { store } = backend
  const [record] = await recordsOf(backend, [id])
  assert.ok(record)
  const index = { [HELD_TABLE.index]: `${consumer}:${record.key}` }
  const row = { table: HELD, key: `${consumer}:${record.key}:${id}`, expected: 0, version: 1 }
  await commitDone(store, { rows: [{ ...row, body: JSON.stringify(record), index }] })
}

/** Stores a page with copies of events of one key that wait at a consumer. */
export async function holdPage(
  backend: Backend,
  consumer: string,
  ids: readonly string[],
): Promise<void> {
  const records = await recordsOf(backend, ids)
  const [first] = records
  assert.ok(first)
  const holdKey = `${consumer}:${first.key}`
  const { topic, offset: from, position = 0 } = first
  const index = { hold: holdKey, topic, from, position }
  const row = { table: HELD_PAGES, key: `${holdKey}:page`, expected: 0, version: 1 }
  const rows = [{ ...row, body: JSON.stringify(records), index }]
  await commitDone(backend.store, { rows })
}

async function recordsOf({ log }: Backend, ids: readonly string[]): Promise<readonly LogRecord[]> {
  const [slice] = await log.read(
    [{ topic: ORDERS, partition: 0, next: 0 }],
    { records: 100, bytes: 1e6 },
    { ms: 0 },
  )
  return (slice?.records ?? []).filter(({ id }) => ids.includes(id))
}

/** Removes the copy again. */
export async function release(
  store: EventStore,
  consumer: string,
  key: string,
  id: string,
): Promise<void> {
  const row = { table: HELD, key: `${consumer}:${key}:${id}`, expected: 1, version: 2, body: null }
  await commitDone(store, { rows: [row] })
}

/** Moves the progress of a consumer in a topic from the beginning. */
export async function pass(
  store: EventStore,
  consumer: string,
  next: number,
  fields: { readonly topic?: string; readonly from?: number; readonly by?: string } = {},
): Promise<void> {
  const { topic = ORDERS, from = 0, by } = fields
  const range = by === undefined ? {} : { range: { by, at: AT + 60_000 } }
  await commitDone(store, { progress: [testAdvance(from, next, { consumer, topic, ...range })] })
}

/** Reads all pages; checks that none is longer than asked for, and that they end. */
export async function readLedger(
  store: EventStore,
  query: Omit<LedgerQuery, 'limit'> = {},
  limit = 100,
): Promise<readonly LedgerRow[]> {
  assert.ok(store.ledger, 'the method is there')
  const rows: LedgerRow[] = []
  let after = query.after
  for (let pages = 0; pages < 1_000; pages += 1) {
    const page = await store.ledger({ ...query, ...(after ? { after } : {}), limit })
    assert.ok(page.rows.length <= limit, 'a page ends at the limit')
    rows.push(...page.rows)
    after = page.next
    if (!after) return rows
  }
  throw new assert.AssertionError({ message: 'pages come to an end' })
}

export const nameOf = ({ EVENT_ID, consumer }: LedgerRow): string => `${EVENT_ID} ${consumer}`
