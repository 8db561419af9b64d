import assert from 'node:assert/strict'
import { leaseCases, leaseExpiryCases } from './lease-cases.ts'
import { CARTS, testAdvance, conflictCases, fenceCases, declareCarts } from './commit-cases.ts'
import { rowCases, scanCases, tableCases } from './row-cases.ts'
import type { StoreCase } from './fixtures.ts'
import { commitDone, testEvents, readAll, reopenTrial, testRow, testUnit } from './fixtures.ts'
import type { Backend } from '../event-store.ts'
import { streamEndCases } from './stream-end-cases.ts'
import { storableRowCases } from './storable-text-cases.ts'
import { ledgerCases } from './ledger-cases.ts'
import { payloadCases } from './payload-cases.ts'
import { rangeCases } from './range-cases.ts'
import { statusCases } from './status-cases.ts'
import { statusListCases } from './status-list-cases.ts'
import { swapCases } from './swap-cases.ts'
import { streamCases, unitCases } from './unit-cases.ts'

const HOUR_MS = 3_600_000

const cartA = { table: CARTS, key: 'a' } as const

/** Everything that the case has written. */
async function contents({ log, store }: Backend): Promise<unknown> {
  const scan = { table: 'shop.stock', where: { index: 'count' }, limit: 100 }
  return {
    rows: await store.get([cartA, { table: CARTS, key: 'b' }]),
    scanned: await store.scan(scan),
    progress: await store.progress(['shop/cart']),
    stream: store.can.atomicWithLog ? await store.stream(cartA, 0, 10) : [],
    records: await readAll(log),
  }
}

/** Opening, closing and durability. */
const durabilityCases: readonly StoreCase[] = [
  {
    promise: 'The health of the store names what an ack means',
    async run({ backend: { store } }) {
      const { status, ack, detail } = await store.health()
      assert.equal(status, 'well')
      assert.equal(ack, store.can.ack)
      assert.ok(detail.length > 0)
    },
  },
  {
    promise: 'Opening the store again is harmless, and closing it twice as well',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, { rows: [testRow(CARTS, 'a')] })
      await Promise.all([store.open(), store.open()])
      assert.equal((await store.get([cartA]))[0]?.version, 1)
      await store.close()
      await store.close()
    },
  },
  {
    promise: 'What a unit did is there for the next instance: rows, progress, streams, leases',
    needs: ({ store }) => store?.ack !== 'memory',
    async otherwise({ backend: { store } }) {
      assert.equal((await store.health()).ack, 'memory', 'the health says so')
    },
    async run(trial) {
      const store = await declareCarts(trial.backend)
      await store.declare([{ name: 'shop.stock', indexes: ['count'] }])
      const { held } = await store.beat({ id: 'm-1' }, ['p-0', 'p-1'], HOUR_MS)
      const appends = store.can.atomicWithLog ? testEvents('e', 3) : []
      await commitDone(store, {
        fences: held,
        progress: [testAdvance(0, 7), testAdvance(0, 9, { partition: 3 })],
        rows: [
          testRow(CARTS, 'a', { body: '{"a" : 1.0}' }),
          testRow(CARTS, 'b', { version: 8 }),
          ...[3, 1, 2].map((count, at) => testRow('shop.stock', `row-${at}`, { index: { count } })),
        ],
        appends,
        streams: appends.map((_, append) => ({ ...cartA, version: append + 1, append })),
      })
      const before = await contents(trial.backend)
      const next = await reopenTrial(trial)
      await declareCarts(next)
      await next.store.declare([{ name: 'shop.stock', indexes: ['count'] }])
      assert.deepEqual(await contents(next), before)
      const stale = testUnit({ progress: [testAdvance(0, 7)] })
      assert.equal((await next.store.commit(stale)).status, 'fenced')
      assert.equal(
        (await next.store.commit(testUnit({ rows: [testRow(CARTS, 'a')] }))).status,
        'conflict',
      )
      assert.equal((await next.store.commit(testUnit({ fences: held }))).status, 'done')
      await next.store.beat({ id: 'm-1' }, [], HOUR_MS)
      const heir = await next.store.beat({ id: 'm-2' }, ['p-0', 'p-1'], HOUR_MS)
      assert.equal(heir.held.length, 2)
      for (const { resource, generation } of heir.held) {
        const old = held.find((claim) => claim.resource === resource)
        assert.ok(generation > (old?.generation ?? Infinity), 'generations go on')
      }
      assert.equal((await next.store.commit(testUnit({ fences: held }))).status, 'fenced')
    },
  },
]

/** Several processes on the same data. */
const sharedStoreCases: readonly StoreCase[] = [
  {
    promise: 'Two processes see each other’s rows, progress and leases',
    needs: ({ store }) => store?.shared === true,
    async otherwise({ backend, beside }) {
      const store = await declareCarts(backend)
      if (beside) await assert.rejects(beside(), 'a second process is refused')
      await commitDone(store, { rows: [testRow(CARTS, 'a')] })
    },
    async run({ backend, beside }) {
      assert.ok(beside, 'the store is shared, so the trial must have `beside`')
      const store = await declareCarts(backend)
      const second = await beside()
      await second.log.open()
      await second.store.open()
      const other = await declareCarts(second)
      await commitDone(store, { rows: [testRow(CARTS, 'a')], progress: [testAdvance(0, 5)] })
      assert.equal((await other.get([cartA]))[0]?.version, 1)
      assert.equal((await other.progress(['shop/cart']))[0]?.next, 5)
      const answers = await Promise.all(
        [store, other].map((each) => each.commit(testUnit({ progress: [testAdvance(5, 6)] }))),
      )
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), ['done', 'fenced'])
      const { held } = await store.beat({ id: 'm-1' }, ['p-0'], HOUR_MS)
      assert.equal(held.length, 1)
      assert.deepEqual((await other.beat({ id: 'm-2' }, ['p-0'], HOUR_MS)).held, [])
      await store.beat({ id: 'm-1' }, [], HOUR_MS)
      assert.equal((await other.beat({ id: 'm-2' }, ['p-0'], HOUR_MS)).held.length, 1)
      assert.equal((await store.commit(testUnit({ fences: held }))).status, 'fenced')
    },
  },
]

/** Every promise of an `EventStore`, and of a log that is one database with it. */
export const storeCases: readonly StoreCase[] = [
  ...tableCases,
  ...rowCases,
  ...scanCases,
  ...storableRowCases,
  ...conflictCases,
  ...fenceCases,
  ...unitCases,
  ...streamCases,
  ...streamEndCases,
  ...swapCases,
  ...statusCases,
  ...statusListCases,
  ...rangeCases,
  ...ledgerCases,
  ...payloadCases,
  ...leaseCases,
  ...leaseExpiryCases,
  ...durabilityCases,
  ...sharedStoreCases,
]
