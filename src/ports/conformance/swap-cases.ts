import assert from 'node:assert/strict'
import { testAdvance } from './commit-cases.ts'
import type { StoreCase } from './fixtures.ts'
import { ORDERS, commitDone, reopenTrial, testRow, testUnit } from './fixtures.ts'
import { changeStatuses, readStatuses, testStatus } from './status-fixtures.ts'
import type { EventStore, Swap } from '../event-store.ts'

const LIVE = 'shop.shelves'
const SHADOW = 'shop.shelves.shadow'
const swap: Swap = {
  tables: [LIVE, SHADOW],
  consumers: ['shop/shelves', 'shop/shelves.shadow'],
}

/** Two rows and two partitions live; in the shadow one row with one more index, and one partition. */
async function fillBothSides({ store }: { readonly store: EventStore }): Promise<EventStore> {
  await declareBothTables(store)
  const [live, shadow] = swap.consumers
  await commitDone(store, {
    rows: [
      testRow(LIVE, 'a', { version: 3, body: '"old a"', index: { colour: 'red' } }),
      testRow(LIVE, 'b', { version: 4, body: '"old b"', index: { colour: 'blue' } }),
      testRow(SHADOW, 'a', { version: 3, body: '"new a"', index: { colour: 'red', count: 7 } }),
    ],
    progress: [
      testAdvance(0, 12, { consumer: live, accepted: 9, completed: 8, pending: 1 }),
      testAdvance(0, 2, { consumer: live, partition: 1 }),
      testAdvance(0, 11, { consumer: shadow, accepted: 5, completed: 5 }),
    ],
  })
  return store
}

async function declareBothTables(store: EventStore): Promise<void> {
  await store.declare([
    { name: LIVE, indexes: ['colour'] },
    { name: SHADOW, indexes: ['colour', 'count'] },
  ])
}

/** Everything that was written to one side. */
async function contents(store: EventStore, side: 0 | 1): Promise<unknown> {
  const table = swap.tables[side]
  const red = { index: 'colour', equals: 'red' }
  const rows = await store.scan({ table, limit: 10 })
  const found = await store.scan({ table, where: red, limit: 10 })
  const [row] = await store.get([{ table, key: 'a' }])
  assert.ok([...rows, ...found, row].every((each) => each?.table === table))
  const progress = await store.progress([swap.consumers[side]])
  return {
    rows: rows.map(({ key, version, body }) => [key, version, body]),
    found: found.map(({ key, value }) => [key, value]),
    progress: progress
      .toSorted((a, b) => a.partition - b.partition)
      .map(({ topic, partition, next, accepted, completed, pending }) => {
        return [topic, partition, next, accepted, completed, pending]
      }),
  }
}

const OLD = {
  rows: [
    ['a', 3, '"old a"'],
    ['b', 4, '"old b"'],
  ],
  found: [['a', 'red']],
  progress: [
    [ORDERS, 0, 12, 9, 8, 1],
    [ORDERS, 1, 2, 2, 2, 0],
  ],
}
const NEW = {
  rows: [['a', 3, '"new a"']],
  found: [['a', 'red']],
  progress: [[ORDERS, 0, 11, 5, 5, 0]],
}

/** Swaps of tables and consumers, as after a rebuild. */
export const swapCases: readonly StoreCase[] = [
  {
    promise:
      'A swap exchanges rows, versions and indexes of two tables, and progress of two consumers',
    async run({ backend }) {
      const store = await fillBothSides(backend)
      assert.deepEqual(await contents(store, 0), OLD)
      await commitDone(store, { swap })
      assert.deepEqual(await contents(store, 0), NEW)
      assert.deepEqual(await contents(store, 1), OLD)
      const where = { index: 'count', equals: 7 }
      const [counted] = await store.scan({ table: LIVE, where, limit: 10 })
      assert.equal(counted?.key, 'a', 'found by the index that only the other table had')
    },
  },
  {
    promise: 'Rows and progress continue from the swapped state; a second swap restores the first',
    async run({ backend }) {
      const store = await fillBothSides(backend)
      await commitDone(store, { swap })
      const [consumer] = swap.consumers
      const stale = testUnit({ progress: [testAdvance(12, 13, { consumer })] })
      assert.equal((await store.commit(stale)).status, 'fenced')
      const gone = testUnit({ rows: [testRow(LIVE, 'b', { expected: 4, version: 5 })] })
      assert.equal((await store.commit(gone)).status, 'conflict')
      await commitDone(store, { swap })
      assert.deepEqual([await contents(store, 0), await contents(store, 1)], [OLD, NEW])
      await commitDone(store, { progress: [testAdvance(12, 13, { consumer })] })
    },
  },
  {
    promise: 'A swap comes after the rows and the progress of its own unit',
    async run({ backend }) {
      const store = await fillBothSides(backend)
      const [, consumer] = swap.consumers
      await commitDone(store, {
        rows: [testRow(SHADOW, 'c', { body: '"new c"' })],
        progress: [testAdvance(11, 12, { consumer })],
        swap,
      })
      const rows = await store.scan({ table: LIVE, limit: 10 })
      assert.deepEqual(
        rows.map(({ body }) => body),
        ['"new a"', '"new c"'],
      )
      assert.equal((await store.progress([swap.consumers[0]]))[0]?.next, 12)
    },
  },
  {
    promise:
      'A swap gives the statuses and ranges of the second consumer to the first, whose own go',
    async run({ backend }) {
      const store = await fillBothSides(backend)
      const [live, shadow] = swap.consumers
      const mine = testStatus(1, { consumer: live, status: 'RETRY' })
      const others = [1, 2, 3].map((offset) => testStatus(offset, { consumer: shadow }))
      const other = testStatus(4, { consumer: 'shop/other' })
      await changeStatuses(store, mine, testStatus(9, { consumer: live }), ...others, other)
      const failed = { from: 'ERROR', status: 'FAILED' } as const
      await changeStatuses(store, testStatus(2, { consumer: shadow, ...failed }))
      const range = { at: 1, by: 'of the live one' }
      await commitDone(store, {
        progress: [
          testAdvance(12, 13, { consumer: live, range }),
          testAdvance(11, 13, { consumer: shadow, range: { ...range, by: 'of the shadow' } }),
        ],
        swap,
      })
      assert.deepEqual(
        (await readStatuses(store)).map((each) => [each.consumer, each.offset, each.status]),
        [
          ['shop/other', 4, 'ERROR'],
          [live, 1, 'ERROR'],
          [live, 2, 'FAILED'],
          [live, 3, 'ERROR'],
        ],
      )
      const places = [live, shadow].map((consumer) => {
        return { consumer, topic: ORDERS, partition: 0, offset: 12 }
      })
      const ranges = await store.ranges(places)
      assert.deepEqual(
        ranges.map((each) => each?.by),
        ['of the shadow', undefined],
      )
    },
  },
  {
    promise: 'A unit that is fenced, in conflict or refused swaps nothing',
    async run({ backend }) {
      const store = await fillBothSides(backend)
      const [consumer] = swap.consumers
      const fenced = testUnit({ progress: [testAdvance(3, 4, { consumer })], swap })
      // Check after each commit, since two swaps cancel each other.
      const mustBeUnswapped = async (): Promise<void> =>
        assert.deepEqual([await contents(store, 0), await contents(store, 1)], [OLD, NEW])
      assert.equal((await store.commit(fenced)).status, 'fenced')
      await mustBeUnswapped()
      const check = { table: LIVE, key: 'a', expected: 9 }
      assert.equal((await store.commit(testUnit({ checks: [check], swap }))).status, 'conflict')
      await mustBeUnswapped()
      const nowhere: Swap = { ...swap, tables: [LIVE, 'shop.nowhere'] }
      const rows = [testRow(LIVE, 'c')]
      await assert.rejects(store.commit(testUnit({ rows, swap: nowhere })))
      await mustBeUnswapped()
    },
  },
  {
    promise: 'A swap is there for the next instance',
    needs: ({ store }) => store?.ack !== 'memory',
    async run(trial) {
      const store = await fillBothSides(trial.backend)
      await commitDone(store, { swap })
      const next = await reopenTrial(trial)
      await declareBothTables(next.store)
      assert.deepEqual(await contents(next.store, 0), NEW)
      assert.deepEqual(await contents(next.store, 1), OLD)
    },
  },
]
