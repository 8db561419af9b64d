import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { testAdvance } from '../../src/ports/conformance/commit-cases.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import {
  ORDERS,
  appendStored,
  commitDone,
  testEvent,
  testRow,
  testUnit,
} from '../../src/ports/conformance/fixtures.ts'
import {
  REPLIES,
  REPLY,
  appendTen,
  declareLedgerOf,
  hold,
  message,
  pass,
  readLedger,
} from '../../src/ports/conformance/ledger-fixtures.ts'
import { bringTo, readStatuses, testStatus } from '../../src/ports/conformance/status-fixtures.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { LEDGER_COLUMNS, LEDGER_VIEWS, WIRE_RECORD_TYPES } from '../../src/ports/ledger.ts'
import { STATUSES, isStatusChange } from '../../src/ports/status.ts'
import { repair, restore } from '../../src/backends/embedded/index.ts'
import { close, destroyLeaf, opened, place, tamper } from './support/data-directory.ts'

/** Another client of the database, which may not write. */
function client(t: TestContext, directory: string): (sql: string) => readonly unknown[] {
  const db = new DatabaseSync(join(directory, 'throughline.db'), { readOnly: true })
  t.after(() => db.close())
  return (sql) =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }))
}

const UUID = '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'

/** Every kind of row: all statuses, held events, views and ranges. */
async function fill(backend: Backend): Promise<void> {
  const store = await declareLedgerOf(backend)
  await appendTen(backend)
  await appendStored(backend.log, [message(UUID, { key: 'd' })])
  await pass(store, 'shop/cart', 7, { by: 'shop-1' })
  await hold(backend, 'shop/cart', 'm-7')
  await bringTo(store, 'RETRY', 1, { dueAt: 1_700_000_000_123, error: 'no' })
  await bringTo(store, 'FAILED', 2)
  await bringTo(store, 'COMPLETED', 3)
}

suite('the views of the ledger', () => {
  test('say what the store says, to another client while the owner runs', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    await fill(backend)
    const rows = client(t, directory)
    for (const view of LEDGER_VIEWS) {
      const found = rows(`SELECT * FROM ${view}`)
      assert.deepEqual(found, await readLedger(backend.store, { view }))
      assert.deepEqual(Object.keys(found[0] ?? {}), [...LEDGER_COLUMNS])
    }
    assert.deepEqual(
      rows(`SELECT STATUS, consumer FROM inbound WHERE EVENT_ID = '${UUID}'`),
      ['shop/cart', 'shop/mail'].map((consumer) => {
        return { STATUS: consumer === 'shop/cart' ? 'COMPLETED' : 'UNPROCESSED', consumer }
      }),
    )
    await bringTo(backend.store, 'FAILED', 5)
    assert.deepEqual(rows("SELECT EVENT_ID FROM inbound WHERE STATUS = 'FAILED'"), [
      { EVENT_ID: 'm-8' },
    ])
  })

  test('payload has a row for each body on the wire of an edge, as it was', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    await declareLedgerOf(backend)
    const record = (direction: 'in' | 'out', source: string, target: string, body: string) =>
      testEvent(`wire-${direction}`, {
        partition: 0,
        type: direction === 'in' ? WIRE_RECORD_TYPES.received : WIRE_RECORD_TYPES.sent,
        data: JSON.stringify({ eventId: 'a3', topic: 'TOPIC_A1', source, target, body }),
      })
    await appendStored(backend.log, [
      record('in', 'UPSTREAM_A1', 'SERVICE_A', '{"event_id": "a3"}'),
      record('out', 'SERVICE_A', 'UPSTREAM_A1', '{"status":"ACCEPTED"}'),
    ])
    const rows = client(t, directory)("SELECT * FROM payload WHERE TOPIC = 'TOPIC_A1'")
    const time = { CREATED_DTTM: '2023-11-14T22:13:20.000Z' }
    const ofBoth = { EVENT_ID: 'a3', TOPIC: 'TOPIC_A1', CREATED_BY: 'SERVICE_A', ...time }
    assert.deepEqual(rows, [
      {
        ...ofBoth,
        SOURCE_SERVICE: 'SERVICE_A',
        TARGET_SERVICE: 'UPSTREAM_A1',
        PAYLOAD: '{"status":"ACCEPTED"}',
      },
      {
        ...ofBoth,
        SOURCE_SERVICE: 'UPSTREAM_A1',
        TARGET_SERVICE: 'SERVICE_A',
        PAYLOAD: '{"event_id": "a3"}',
      },
    ])
  })

  test('payload has a row for each event and service that reads it', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    await fill(backend)
    const rows = client(t, directory)
    const select = 'SELECT EVENT_ID, TOPIC, SOURCE_SERVICE, TARGET_SERVICE, PAYLOAD FROM payload'
    const made = { EVENT_ID: 'm-2', TOPIC: 'payments.events', SOURCE_SERVICE: 'shop' }
    assert.deepEqual(
      rows(`${select} WHERE EVENT_ID = 'm-2' ORDER BY TARGET_SERVICE`),
      ['books', 'shop'].map((service) => {
        return { ...made, TARGET_SERVICE: service, PAYLOAD: '{"order":"m-2"}' }
      }),
    )
    assert.deepEqual(rows(`${select} WHERE EVENT_ID = 'm-8'`), [
      {
        EVENT_ID: 'm-8',
        TOPIC: ORDERS,
        SOURCE_SERVICE: 'door',
        TARGET_SERVICE: 'shop',
        PAYLOAD: null,
      },
    ])
    assert.equal(rows("SELECT * FROM payload WHERE EVENT_ID = 'm-4'").length, 1)
    await backend.log.compact(ORDERS, 0, 100, 0)
    assert.deepEqual(rows(`SELECT PAYLOAD FROM payload WHERE EVENT_ID = 'm-0'`), [
      { PAYLOAD: null },
    ])
  })

  test('working_data has open sagas, commands without a result and unread replies', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    const { log, store } = backend
    await fill(backend)
    const [topic, type] = ['orders.commands', 'orders.Place']
    await log.declare([{ name: topic, partitions: 1, strategy: 'murmur2' }])
    const consumer = { consumer: 'orders/order', service: 'orders', topic, type, isResponse: false }
    await store.declareLedger('orders', [consumer])
    await appendStored(log, [
      message('c-0', { topic, type }),
      message('c-1', { topic, type, key: 'k' }),
      message('c-2', { topic, type, hops: 1 }),
    ])
    await pass(store, 'orders/order', 1, { topic })
    await store.declare([{ name: 'orders.saga', indexes: ['operation', 'open'] }])
    const saga = { is: 'open', operation: 'c-0' }
    const index = { operation: 'c-0', open: 1_700_000_000_000 }
    await commitDone(store, {
      rows: [
        testRow('orders.saga', 'closed', { body: '{"is":"closed"}', index: { operation: 'c-9' } }),
        testRow('orders.saga', 'x', { body: JSON.stringify(saga), index }),
      ],
    })
    const rows = client(t, directory)
    const since = '2023-11-14T22:13:20.000Z'
    const found = rows('SELECT * FROM working_data ORDER BY kind, key')
    assert.deepEqual(found, [
      {
        kind: 'operation',
        service: 'orders',
        key: 'k',
        operation: 'c-1',
        since,
        body: '{"order":"c-1"}',
      },
      {
        kind: 'reply',
        service: 'shop',
        key: 'b',
        operation: 'first',
        since,
        body: '{"order":"m-5"}',
      },
      {
        kind: 'saga',
        service: 'orders',
        key: 'x',
        operation: 'c-0',
        since,
        body: JSON.stringify(saga),
      },
    ])
    await commitDone(store, {
      progress: [testAdvance(0, 1, { consumer: 'shop/mail', topic: REPLIES })],
    })
    assert.equal(rows(`SELECT * FROM working_data WHERE kind = 'reply'`).length, 0, REPLY)
  })

  test('have tables that were declared before and after the ledger', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    await fill(backend)
    await close(backend)
    const again = await opened(t, directory)
    await again.store.declare([{ name: 'books.held', indexes: ['hold'] }])
    const statuses = (await readLedger(again.store, { eventId: 'm-7' })).map((row) => row.STATUS)
    assert.deepEqual(statuses, ['UNPROCESSED', 'UNPROCESSED'])
  })
})

suite('a status in the database', () => {
  test('changes as the table of changes allows, whoever changes it', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    const store = await declareLedgerOf(backend)
    for (const [offset, status] of STATUSES.entries()) await bringTo(store, status, offset)
    await close(backend)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    t.after(() => db.close())
    for (const [offset, from] of STATUSES.entries()) {
      // An unprocessed event has no row yet.
      if (from === 'UNPROCESSED') continue
      for (const to of STATUSES) {
        const change = (): unknown => {
          db.exec('BEGIN')
          try {
            return db.exec(
              `UPDATE status SET status = '${to}' WHERE off = ${offset} AND consumer > ''`,
            )
          } finally {
            db.exec('ROLLBACK')
          }
        }
        // A completed event may begin again.
        const begins = from === 'COMPLETED' ? 'UNPROCESSED' : from
        if (isStatusChange(begins, to)) change()
        else assert.throws(change, /does not change like this/, `${from} to ${to}`)
      }
    }
    const insert = (status: string): unknown =>
      db.exec(`INSERT INTO status SELECT consumer, topic, part, off + 100, id, key, type, '${status}',
        attempts, due, code, error, cause, resolution, detail, updated_by, updated, position, sum
        FROM status WHERE off = 1 AND consumer > ''`)
    assert.throws(() => insert('FAILED'), /no first status/)
    assert.throws(() => insert('DONE'), /CHECK/)
    insert('ERROR')
  })

  test('that is not what was written is refused when it is read, and found by inspection', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    const store = await declareLedgerOf(backend)
    await bringTo(store, 'FAILED', 0)
    await bringTo(store, 'ERROR', 1)
    await close(backend)
    tamper(directory, "UPDATE status SET error = 'other' WHERE off = 1 AND consumer > ''")
    const { store: found } = await opened(t, directory)
    await assert.rejects(found.statuses({ limit: 9 }), { code: 'DATA_DAMAGED', message: /status/ })
    const inspected = await found.inspect?.('status', undefined, 10)
    assert.deepEqual(
      inspected?.damaged.map(({ key }) => key),
      [JSON.stringify(['shop/cart', ORDERS, 0, 1])],
    )
    assert.equal(inspected?.rows, 2)
    assert.ok((await found.tables?.())?.includes('status'))
    const first = await found.inspect?.('status', undefined, 1)
    assert.equal((await found.inspect?.('status', first?.after, 1))?.rows, 1)
  })

  for (const [what, table, sql] of [
    ['lost statuses are', 'status', 'DELETE FROM status'],
    ['lost ranges are', 'progress_range', 'DELETE FROM progress_range'],
    ['lost subscriptions are', 'subscription', 'DELETE FROM subscription'],
    ['a changed range is', 'progress_range', 'UPDATE progress_range SET since = 5'],
    ['a changed subscription is', 'subscription', "UPDATE subscription SET service = 'x'"],
  ] as const)
    test(`${what} refused at the start`, async (t) => {
      const directory = place(t)
      const backend = await opened(t, directory)
      await fill(backend)
      await close(backend)
      tamper(directory, sql)
      await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: RegExp(table) })
    })

  test('outlives a backup, and the rewriting of a damaged database', async (t) => {
    const [directory, copy] = [place(t), place(t)]
    const backend = await opened(t, directory)
    await fill(backend)
    await appendStored(
      backend.log,
      Array.from({ length: 300 }, (_, at) => message(`n-${at}`, { topic: 'payments.events' })),
    )
    const before = await readLedger(backend.store)
    const statuses = await readStatuses(backend.store)
    await backend.backup?.(join(copy, 'backup'))
    await close(backend)
    await restore({ from: join(copy, 'backup'), directory: join(copy, 'restored') })
    const restored = await opened(t, join(copy, 'restored'))
    assert.deepEqual(await readLedger(restored.store), before)
    assert.deepEqual(await readStatuses(restored.store), statuses)

    destroyLeaf(directory, 'log', 3)
    await repair(directory, systemClock(), { accept: ['all'] })
    const repaired = await opened(t, directory)
    assert.deepEqual(await readStatuses(repaired.store), statuses)
    const [first] = await readLedger(repaired.store, { eventId: 'm-7', consumer: 'shop/cart' })
    assert.equal(first?.STATUS, 'UNPROCESSED')
    assert.equal(client(t, directory)("SELECT * FROM inbound WHERE EVENT_ID = 'm-7'").length, 2)
    await assert.rejects(repaired.store.commit(testUnit({ statuses: [failed] })), {
      code: 'STATUS_REFUSED',
    })
    tamper(directory, "UPDATE status SET status = 'RETRY' WHERE status = 'RETRY'")
    assert.throws(
      () => tamper(directory, "UPDATE status SET status = 'FAILED' WHERE off = 3"),
      /does not change like this/,
    )
  })
})

const failed = testStatus(9, { status: 'FAILED' })
