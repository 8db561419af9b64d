import assert from 'node:assert/strict'
import type { EventStore } from '../event-store.ts'
import type { EventStatus, Status, StatusChange, StatusQuery } from '../status.ts'
import { ORDERS, commitDone } from './fixtures.ts'

export const CONSUMER = 'shop/cart'

/** A change of the status of the event at an offset. */
export function testStatus(offset: number, fields: Partial<StatusChange> = {}): StatusChange {
  return {
    consumer: CONSUMER,
    topic: ORDERS,
    partition: 0,
    offset,
    eventId: `e-${offset}`,
    key: 'customer-1',
    type: 'orders.OrderPlaced',
    from: 'UNPROCESSED',
    status: 'ERROR',
    attempts: 1,
    dueAt: null,
    code: null,
    error: null,
    cause: null,
    resolution: null,
    detail: null,
    updatedBy: 'shop',
    updatedAt: 1_700_000_000_000,
    ...fields,
  }
}

/** What is stored of a change. */
export function statusOf(change: StatusChange): EventStatus {
  const { from: _, ...status } = change
  return status
}

export async function changeStatuses(
  store: EventStore,
  ...statuses: readonly StatusChange[]
): Promise<void> {
  await commitDone(store, { statuses })
}

/** The changes that bring a new event to a status, one unit each. */
const PATHS: Readonly<Record<Status, readonly Status[]>> = {
  UNPROCESSED: [],
  IN_PROGRESS: ['IN_PROGRESS'],
  COMPLETED: ['COMPLETED'],
  ERROR: ['ERROR'],
  RETRY: ['ERROR', 'RETRY'],
  FAILED: ['ERROR', 'FAILED'],
}

/** Brings the event at an offset from its beginning to a status. */
export async function bringTo(
  store: EventStore,
  status: Status,
  offset: number,
  fields: Partial<StatusChange> = {},
): Promise<void> {
  let from: Status = 'UNPROCESSED'
  for (const next of PATHS[status]) {
    await changeStatuses(store, testStatus(offset, { ...fields, from, status: next }))
    from = next
  }
}

/** Reads all pages of statuses, and checks that none is longer than asked for. */
export async function readStatuses(
  store: EventStore,
  query: Omit<StatusQuery, 'limit'> = {},
  limit = 1_000,
): Promise<readonly EventStatus[]> {
  const all: EventStatus[] = []
  for (;;) {
    const last = all.at(-1)
    const page = await store.statuses({ ...query, ...(last ? { after: last } : {}), limit })
    assert.ok(page.length <= limit, 'a page ends at the limit')
    all.push(...page)
    if (page.length < limit) return all
    assert.ok(all.length < 10_000, 'pages come to an end')
  }
}
