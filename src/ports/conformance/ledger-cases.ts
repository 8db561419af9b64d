import assert from 'node:assert/strict'
import type { EventStore } from '../event-store.ts'
import { LEDGER_COLUMNS, LEDGER_VIEWS } from '../ledger.ts'
import type { LedgerRow } from '../ledger.ts'
import type { StatusChange } from '../status.ts'
import { STATUSES } from '../status.ts'
import type { StoreCase } from './fixtures.ts'
import { ORDERS, PAYMENTS, appendStored, reopenTrial } from './fixtures.ts'
import { AT, AT_TEXT, CHARGED, PLACED, SUBSCRIPTIONS, appendTen } from './ledger-fixtures.ts'
import {
  declareLedgerOf,
  hold,
  holdPage,
  message,
  nameOf,
  pass,
  readLedger,
  release,
} from './ledger-fixtures.ts'
import { bringTo, changeStatuses, testStatus } from './status-fixtures.ts'

/** Every row of the ten messages, the newest first. */
const ALL = [
  ['m-9', 'books/sums'],
  ['m-9', 'shop/cart'],
  ['m-8', 'shop/cart'],
  ['m-8', 'shop/mail'],
  ['m-7', 'shop/cart'],
  ['m-7', 'shop/mail'],
  ['m-6', 'books/sums'],
  ['m-6', 'shop/cart'],
  ['m-5', 'shop/mail'],
  ['m-3', 'shop/cart'],
  ['m-3', 'shop/mail'],
  ['m-2', 'books/sums'],
  ['m-2', 'shop/cart'],
  ['m-1', 'shop/cart'],
  ['m-1', 'shop/mail'],
  ['m-0', 'shop/cart'],
  ['m-0', 'shop/mail'],
].map((pair) => pair.join(' '))

/** A backend without a ledger does not have the method. */
const otherwise: NonNullable<StoreCase['otherwise']> = async ({ backend }) =>
  assert.equal(backend.store.ledger, undefined)

const ledgerCase = (promise: string, run: StoreCase['run']): StoreCase => {
  return { promise, needs: ({ store }) => store?.ledger === true, otherwise, run }
}

const rowOf = async (store: EventStore, eventId: string): Promise<LedgerRow | undefined> =>
  (await readLedger(store, { eventId, consumer: 'shop/cart' }))[0]

/** Some rows of every status, and one that waits behind another one. */
async function fillStatuses(store: EventStore): Promise<void> {
  const consumer = 'shop/cart'
  const of = (offset: number, fields: Partial<StatusChange>): StatusChange =>
    testStatus(offset, { consumer, eventId: `s-${offset}`, ...fields })
  await pass(store, consumer, 5)
  await bringTo(store, 'ERROR', 0, { consumer })
  await bringTo(store, 'RETRY', 1, { consumer })
  await bringTo(store, 'FAILED', 2, { consumer })
  await changeStatuses(store, of(2, { from: 'FAILED', status: 'FAILED', resolution: 'DISCARDED' }))
  await bringTo(store, 'IN_PROGRESS', 4, { consumer })
  await bringTo(store, 'FAILED', 5, { consumer })
  await pass(store, consumer, 1, { topic: PAYMENTS })
  await pass(store, 'shop/mail', 6)
  await pass(store, 'books/sums', 2, { topic: PAYMENTS })
}

export const ledgerCases: readonly StoreCase[] = [
  ledgerCase(
    'The ledger has a row for each event at each consumer that reads its type, the newest first',
    async ({ backend }) => {
      const store = await declareLedgerOf(backend)
      await appendTen(backend)
      for (const limit of [1, 2, 5, 100])
        assert.deepEqual((await readLedger(store, {}, limit)).map(nameOf), ALL)
      await appendStored(backend.log, [message('m-10', { type: 'nobody.Reads' })])
      assert.equal((await readLedger(store)).length, ALL.length)
    },
  ),
  ledgerCase('A row has the columns of the ledger, and times in UTC', async ({ backend }) => {
    const store = await declareLedgerOf(backend)
    await appendStored(backend.log, [message('m-0', { at: AT + 52 }), message('m-1', { at: 0 })])
    await pass(store, 'shop/cart', 1, { by: 'shop-1' })
    const made = { MESSAGE_TYPE: PLACED, SERVICE_MESSAGE_TYPE: PLACED, CREATED_BY: 'door' }
    const rest = { consumer: 'shop/cart', attempts: 0, due: null, error: null, resolution: null }
    const created = '2023-11-14T22:13:20.052Z'
    const row = await rowOf(store, 'm-0')
    assert.deepEqual(row, {
      EVENT_ID: 'm-0',
      ...made,
      STATUS: 'COMPLETED',
      CREATED_DTTM: created,
      UPDATED_BY: 'shop-1',
      UPDATED_DTTM: '2023-11-14T22:14:20.000Z',
      ...rest,
      topic: ORDERS,
      partition: 0,
      offset: 0,
    })
    assert.deepEqual(Object.keys(row ?? {}).toSorted(), LEDGER_COLUMNS.toSorted())
    assert.deepEqual(await rowOf(store, 'm-1'), {
      EVENT_ID: 'm-1',
      ...made,
      STATUS: 'UNPROCESSED',
      CREATED_DTTM: '1970-01-01T00:00:00.000Z',
      UPDATED_BY: 'door',
      UPDATED_DTTM: '1970-01-01T00:00:00.000Z',
      ...rest,
      topic: ORDERS,
      partition: 0,
      offset: 1,
    })
    await changeStatuses(
      store,
      testStatus(1, { status: 'RETRY', attempts: 2, dueAt: AT, error: 'no', updatedBy: 'shop-2' }),
    )
    const retried = await rowOf(store, 'm-1')
    assert.deepEqual(
      [retried?.STATUS, retried?.attempts, retried?.due, retried?.error, retried?.resolution],
      ['RETRY', 2, AT_TEXT, 'no', null],
    )
    assert.deepEqual([retried?.UPDATED_BY, retried?.UPDATED_DTTM], ['shop-2', AT_TEXT])
    assert.equal(retried?.CREATED_BY, 'door')
  }),
  ledgerCase(
    'An event without a stored status is completed once its consumer has passed it',
    async ({ backend }) => {
      const store = await declareLedgerOf(backend)
      await appendTen(backend)
      const completed = async (): Promise<readonly string[]> => {
        const rows = await readLedger(store, { status: 'COMPLETED' })
        assert.ok(rows.every(({ STATUS }) => STATUS === 'COMPLETED'))
        return rows.map(nameOf)
      }
      assert.deepEqual(await completed(), [])
      await pass(store, 'shop/cart', 2)
      await pass(store, 'books/sums', 1, { topic: PAYMENTS })
      assert.deepEqual(await completed(), ['m-2 books/sums', 'm-1 shop/cart', 'm-0 shop/cart'])
      // Without a range nobody knows more than the service.
      assert.equal((await rowOf(store, 'm-1'))?.UPDATED_BY, 'shop')
      await pass(store, 'shop/cart', 0, { from: 2 })
      assert.deepEqual(await completed(), ['m-2 books/sums'])
    },
  ),
  ledgerCase(
    'An event that waits behind another one is unprocessed at the consumer that holds it',
    async ({ backend }) => {
      const store = await declareLedgerOf(backend)
      await appendTen(backend)
      for (const consumer of ['shop/cart', 'shop/mail'])
        await pass(store, consumer, 6, { by: 'shop' })
      const unprocessed = async (): Promise<readonly string[]> =>
        (await readLedger(store, { status: 'UNPROCESSED', type: PLACED })).map(nameOf)
      assert.deepEqual(await unprocessed(), [])
      await hold(backend, 'shop/cart', 'm-1')
      await hold(backend, 'shop/cart', 'm-7')
      await hold(backend, 'shop/mail', 'm-7')
      const held = ['m-7 shop/cart', 'm-7 shop/mail', 'm-1 shop/cart']
      assert.deepEqual(await unprocessed(), held)
      assert.equal((await rowOf(store, 'm-7'))?.UPDATED_BY, 'door')
      await bringTo(store, 'FAILED', 1)
      assert.deepEqual(await unprocessed(), held.slice(0, 2), 'a stored status comes first')
      await release(store, 'shop/cart', 'b', 'm-7')
      assert.deepEqual(await unprocessed(), ['m-7 shop/mail'])
      assert.equal((await rowOf(store, 'm-7'))?.STATUS, 'COMPLETED')
    },
  ),
  ledgerCase('Events on a page of held events are unprocessed', async ({ backend }) => {
    const store = await declareLedgerOf(backend)
    await appendTen(backend)
    for (const consumer of ['shop/cart', 'shop/mail'])
      await pass(store, consumer, 6, { by: 'shop' })
    await holdPage(backend, 'shop/mail', ['m-7'])
    const unprocessed = async (): Promise<readonly string[]> =>
      (await readLedger(store, { status: 'UNPROCESSED', type: PLACED })).map(nameOf)
    assert.deepEqual(await unprocessed(), ['m-7 shop/mail'])
    assert.equal((await rowOf(store, 'm-1'))?.STATUS, 'COMPLETED')
    await holdPage(backend, 'shop/cart', ['m-1', 'm-7'])
    assert.deepEqual(await unprocessed(), ['m-7 shop/cart', 'm-7 shop/mail', 'm-1 shop/cart'])
    assert.equal((await rowOf(store, 'm-7'))?.UPDATED_BY, 'door')
  }),
  ledgerCase(
    'Messages from outside are inbound, answers are responses, and all others are requests',
    async ({ backend }) => {
      const store = await declareLedgerOf(backend)
      await appendTen(backend)
      const found: Record<string, readonly string[]> = {}
      for (const view of LEDGER_VIEWS) found[view] = (await readLedger(store, { view })).map(nameOf)
      const isOf = (ids: readonly string[], consumers: string): string[] =>
        ALL.filter((name) => ids.some((id) => name.startsWith(id)) && name.includes(consumers))
      assert.deepEqual(found, {
        inbound: ALL.filter((name) => /^m-[0178]/.test(name) || name === 'm-6 books/sums'),
        request: ALL.filter((name) => name.startsWith('m-3') || /^m-[29] books/.test(name)),
        response: [...isOf(['m-9', 'm-6'], 'shop'), 'm-5 shop/mail', 'm-2 shop/cart'],
      })
    },
  ),
  ledgerCase('Rows are found by every filter, alone and together', async ({ backend }) => {
    const store = await declareLedgerOf(backend)
    await appendTen(backend)
    await fillStatuses(store)
    await hold(backend, 'shop/mail', 'm-3')
    const all = await readLedger(store)
    assert.equal(all.length, ALL.length)
    const keys: Readonly<Record<string, string>> = { 'm-0': 'a', 'm-3': 'a', 'm-2': 'a' }
    const check = async (
      query: Parameters<typeof readLedger>[1],
      isWanted: (row: LedgerRow) => boolean,
    ): Promise<void> => {
      for (const limit of [1, 3, 100])
        assert.deepEqual(await readLedger(store, query, limit), all.filter(isWanted))
    }
    for (const status of STATUSES) {
      await check({ status }, (row) => row.STATUS === status)
      await check(
        { status, consumer: 'shop/cart', type: PLACED },
        (row) =>
          row.STATUS === status && row.consumer === 'shop/cart' && row.MESSAGE_TYPE === PLACED,
      )
      await check(
        { status, key: 'a' },
        (row) => row.STATUS === status && keys[row.EVENT_ID] === 'a',
      )
    }
    for (const consumer of ['shop/cart', 'shop/mail', 'books/sums', 'nobody'])
      await check({ consumer }, (row) => row.consumer === consumer)
    const isOpen = ({ STATUS, resolution }: LedgerRow): boolean =>
      STATUS !== 'COMPLETED' && resolution === null
    await check({ isOpen: true }, isOpen)
    await check(
      { isOpen: true, consumer: 'shop/cart' },
      (row) => isOpen(row) && row.consumer === 'shop/cart',
    )
    await check({ type: CHARGED }, (row) => row.MESSAGE_TYPE === CHARGED)
    await check({ key: 'a' }, (row) => keys[row.EVENT_ID] === 'a')
    for (const eventId of ['m-0', 'm-9', 'm-4', 'm'])
      await check({ eventId }, (row) => row.EVENT_ID === eventId)
    await check(
      { eventId: 'm-0', consumer: 'shop/mail' },
      (row) => row.EVENT_ID === 'm-0' && row.consumer === 'shop/mail',
    )
    assert.equal(all.filter(({ resolution }) => resolution === 'DISCARDED').length, 1)
  }),
  ledgerCase(
    'A page continues behind the one before, whatever has come since',
    async ({ backend }) => {
      const store = await declareLedgerOf(backend)
      await appendTen(backend)
      assert.ok(store.ledger)
      const first = await store.ledger({ limit: 5 })
      await appendStored(backend.log, [message('m-10'), message('m-11')])
      await bringTo(store, 'FAILED', 3)
      assert.ok(first.next)
      const rest = await readLedger(store, { after: first.next }, 4)
      assert.deepEqual([...first.rows, ...rest].map(nameOf), ALL)
      const end = await store.ledger({ limit: ALL.length + 4 })
      assert.equal(end.next, undefined, 'a page that just fits is the last one')
    },
  ),
  ledgerCase(
    'A service replaces what it has declared, and nothing of others',
    async ({ backend }) => {
      const store = await declareLedgerOf(backend)
      await appendTen(backend)
      const [cart] = SUBSCRIPTIONS['shop'] ?? []
      assert.ok(cart)
      await store.declareLedger('shop', [{ ...cart, service: 'store', isResponse: true }])
      await store.declareLedger('shop', [{ ...cart, service: 'store', isResponse: true }])
      await pass(store, 'shop/cart', 1)
      const rows = await readLedger(store)
      const wanted = ALL.filter((name) => name.endsWith('books/sums'))
      assert.deepEqual(rows.filter(({ consumer }) => consumer === 'books/sums').map(nameOf), wanted)
      const others = rows.filter(({ consumer }) => consumer !== 'books/sums')
      assert.deepEqual(
        others.map(({ EVENT_ID }) => EVENT_ID),
        ['m-8', 'm-7', 'm-3', 'm-1', 'm-0'],
      )
      assert.equal(others.at(-1)?.UPDATED_BY, 'store')
      assert.equal((await readLedger(store, { view: 'response' })).length, 5)
      await store.declareLedger('shop', [])
      assert.deepEqual((await readLedger(store)).map(nameOf), wanted)
    },
  ),
  {
    promise: 'The ledger is the same for the next instance',
    needs: ({ store }) => store?.ledger === true && store.ack !== 'memory',
    async run(trial) {
      const store = await declareLedgerOf(trial.backend)
      await appendTen(trial.backend)
      await fillStatuses(store)
      const before = await readLedger(store)
      const next = await reopenTrial(trial)
      assert.deepEqual(await readLedger(next.store), before)
      assert.deepEqual(
        await readLedger(next.store, { status: 'UNPROCESSED' }),
        before.filter(({ STATUS }) => STATUS === 'UNPROCESSED'),
      )
    },
  },
]
