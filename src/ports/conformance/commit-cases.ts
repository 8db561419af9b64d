import { NO_COUNTS } from '../progress.ts'
import assert from 'node:assert/strict'
import type { StoreCase } from './fixtures.ts'
import { ORDERS, PAYMENTS, declareTopics, commitDone, testEvents } from './fixtures.ts'
import { readAll, testRow, testUnit } from './fixtures.ts'
import type { Advance, Backend, EventStore, Progress, Unit, CommitResult } from '../event-store.ts'

export const CARTS = 'shop.carts'

/** Declares the topics, and one table. */
export async function declareCarts(backend: Backend): Promise<EventStore> {
  await declareTopics(backend)
  await backend.store.declare([{ name: CARTS, indexes: [] }])
  return backend.store
}

export function testAdvance(from: number, next: number, fields: Partial<Advance> = {}): Advance {
  return {
    consumer: 'shop/cart',
    topic: ORDERS,
    partition: 0,
    from,
    next,
    ...NO_COUNTS,
    accepted: next - from,
    completed: next - from,
    ...fields,
  }
}

async function progressOf(store: EventStore, consumer = 'shop/cart'): Promise<readonly Progress[]> {
  const all = await store.progress([consumer])
  return all.toSorted((a, b) => a.partition - b.partition || (a.topic < b.topic ? -1 : 1))
}

/** A unit that uses everything, with new rows and new progress. */
function fullUnit({ can }: EventStore): Unit {
  return testUnit({
    progress: [testAdvance(0, 10), testAdvance(0, 5, { partition: 1 })],
    rows: [testRow(CARTS, 'a'), testRow(CARTS, 'b'), testRow(CARTS, 'c')],
    ...(can.atomicWithLog
      ? {
          appends: testEvents('of-unit', 5),
          streams: [{ table: CARTS, key: 'a', version: 1, append: 0 }],
        }
      : {}),
  })
}

/** Checks that a unit changed nothing; `rows` existed before, at version 1. */
async function assertUntouched(backend: Backend, rows: readonly string[] = []): Promise<void> {
  const { log, store } = backend
  const keys = ['a', 'b', 'c'].map((key) => ({ table: CARTS, key }))
  for (const [at, row] of (await store.get(keys)).entries()) {
    const wasThere = rows.includes(keys[at]?.key ?? '')
    assert.equal(row?.version, wasThere ? 1 : undefined, `row ${keys[at]?.key}`)
  }
  const moved = (await progressOf(store)).filter(({ next }) => next !== 0)
  assert.deepEqual(moved, [], 'no progress has moved')
  assert.deepEqual(await readAll(log), [], 'nothing was appended')
  assert.deepEqual(await store.stream({ table: CARTS, key: 'a' }, 0, 10), [], 'no stream has grown')
}

const statuses = (answers: readonly CommitResult[]): readonly string[] =>
  answers.map(({ status }) => status).toSorted()

/** Expected versions of rows. */
export const conflictCases: readonly StoreCase[] = [
  {
    promise: 'An empty unit is done',
    async run({ backend }) {
      const store = await declareCarts(backend)
      assert.deepEqual(await store.commit(testUnit()), { status: 'done', places: [] })
    },
  },
  {
    promise: 'A row is written where it has the expected version',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, { rows: [testRow(CARTS, 'a', { version: 1 })] })
      await commitDone(store, {
        rows: [testRow(CARTS, 'a', { expected: 1, version: 4, body: '2' })],
      })
      await commitDone(store, {
        rows: [testRow(CARTS, 'a', { expected: 4, version: 5, body: '3' })],
      })
      const [row] = await store.get([{ table: CARTS, key: 'a' }])
      assert.deepEqual(row, { table: CARTS, key: 'a', version: 5, body: '3' })
    },
  },
  {
    promise: 'A row of another version is a conflict that names it',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, {
        rows: ['a', 'b'].map((key) => testRow(CARTS, key, { version: 3 })),
      })
      for (const expected of [0, 2, 4]) {
        const rows = [
          testRow(CARTS, 'a', { expected: 3, version: 4 }),
          testRow(CARTS, 'b', { expected, version: 9 }),
        ]
        const answer = await store.commit(testUnit({ rows }))
        assert.deepEqual(answer, { status: 'conflict', rows: [{ table: CARTS, key: 'b' }] })
      }
      const found = await store.get(['a', 'b'].map((key) => ({ table: CARTS, key })))
      assert.deepEqual(
        found.map((row) => row?.version),
        [3, 3],
      )
    },
  },
  {
    promise: 'A row that a unit read and does not change is checked, too',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, { rows: [testRow(CARTS, 'a', { version: 3 })] })
      const seen = { table: CARTS, key: 'a', expected: 3 }
      const none = { table: CARTS, key: 'none', expected: 0 }
      await commitDone(store, { rows: [testRow(CARTS, 'b')], checks: [seen, none] })
      for (const check of [
        { ...seen, expected: 2 },
        { ...seen, expected: 0 },
        { ...none, expected: 1 },
      ]) {
        const { key } = check
        const answer = await store.commit(
          testUnit({ rows: [testRow(CARTS, 'c')], checks: [check] }),
        )
        assert.deepEqual(answer, { status: 'conflict', rows: [{ table: CARTS, key }] })
      }
      const found = await store.get(['a', 'c'].map((key) => ({ table: CARTS, key })))
      assert.deepEqual(
        found.map((row) => row?.version),
        [3, undefined],
      )
    },
  },
  {
    promise: 'Expecting a version of a missing row is a conflict, also for a delete',
    async run({ backend }) {
      const store = await declareCarts(backend)
      for (const body of ['1', null]) {
        const row = testRow(CARTS, 'a', { expected: 1, version: 2, body })
        const answer = await store.commit(testUnit({ rows: [row] }))
        assert.deepEqual(answer, { status: 'conflict', rows: [{ table: CARTS, key: 'a' }] })
      }
      assert.deepEqual(await store.get([{ table: CARTS, key: 'a' }]), [undefined])
    },
  },
  {
    promise: 'A unit with a conflict changes nothing at all',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, { rows: [testRow(CARTS, 'b')] })
      assert.equal((await store.commit(fullUnit(store))).status, 'conflict')
      await assertUntouched(backend, ['b'])
    },
  },
  {
    promise: 'Of units that race for a row exactly one is done, the others conflict',
    async run({ backend }) {
      const store = await declareCarts(backend)
      for (let version = 0; version < 5; version += 1) {
        const row = { expected: version, version: version + 1 }
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, at) =>
            store.commit(testUnit({ rows: [testRow(CARTS, 'a', { ...row, body: `${at}` })] })),
          ),
        )
        assert.deepEqual(statuses(answers), [
          ...Array.from({ length: 7 }, () => 'conflict'),
          'done',
        ])
        const winner = answers.findIndex(({ status }) => status === 'done')
        const [found] = await store.get([{ table: CARTS, key: 'a' }])
        assert.deepEqual(found, { table: CARTS, key: 'a', version: version + 1, body: `${winner}` })
      }
    },
  },
  {
    promise: 'Units of many rows that overlap are each done whole or not at all',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const keys = Array.from({ length: 50 }, (_, at) => `row-${String(at).padStart(2, '0')}`)
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, at) => {
          const rows = keys.slice(at * 3, at * 3 + 20).map((key) => {
            return testRow(CARTS, key, { body: `${at}` })
          })
          return store.commit(testUnit({ rows }))
        }),
      )
      const wins = answers.filter(({ status }) => status === 'done').length
      assert.ok(wins >= 1, 'one is done')
      assert.ok(answers.every(({ status }) => status === 'done' || status === 'conflict'))
      const rows = await store.scan({ table: CARTS, limit: 100 })
      assert.equal(rows.length, wins * 20, 'twenty rows of each that is done, and no others')
    },
  },
]

/** Leases and progress as fences. */
export const fenceCases: readonly StoreCase[] = [
  {
    promise: 'A unit under a current lease is done',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const { held } = await store.beat({ id: 'm-1' }, ['p-0', 'p-1'], 60_000)
      assert.equal(held.length, 2)
      assert.equal((await store.commit({ ...fullUnit(store), fences: held })).status, 'done')
    },
  },
  {
    promise: 'A unit under an outdated lease is fenced, by name, and changes nothing',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const { held } = await store.beat({ id: 'm-1' }, ['p-0', 'p-1'], 60_000)
      const [first, second] = held
      assert.ok(first && second)
      for (const wrong of [
        { ...second, generation: second.generation + 1 },
        { ...second, generation: second.generation - 1 },
        { resource: 'p-9', generation: 1 },
      ]) {
        const answer = await store.commit({ ...fullUnit(store), fences: [first, wrong] })
        assert.ok(answer.status === 'fenced')
        assert.ok(answer.resources.includes(wrong.resource))
        assert.ok(!answer.resources.includes(first.resource))
        await assertUntouched(backend)
      }
    },
  },
  {
    promise: 'Progress moves from where the unit began; counts add up',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const counts = { accepted: 10, completed: 7, pending: 3 }
      await commitDone(store, { progress: [testAdvance(0, 12, counts)] })
      await commitDone(store, { progress: [testAdvance(12, 20, { accepted: 8, completed: 8 })] })
      await commitDone(store, {
        progress: [testAdvance(20, 20, { accepted: 0, completed: 3, pending: -3 })],
      })
      const place = { consumer: 'shop/cart', topic: ORDERS, partition: 0 }
      assert.deepEqual(await progressOf(store), [
        { ...place, ...NO_COUNTS, next: 20, accepted: 18, completed: 18 },
      ])
      const failed = [
        { accepted: 0, completed: 0, pending: -2, dead: 2 },
        { accepted: 0, completed: 0, dead: -1, discarded: 1 },
      ]
      for (const change of failed)
        await commitDone(store, { progress: [testAdvance(20, 20, change)] })
      const [dead] = await progressOf(store)
      assert.deepEqual([dead?.pending, dead?.dead, dead?.discarded], [-2, 1, 1])
      const back = { accepted: 0, completed: 0, pending: 2, dead: -1, discarded: -1 }
      await commitDone(store, { progress: [testAdvance(20, 20, back)] })
      const lost = { accepted: 7, completed: 2, expired: 5 }
      await commitDone(store, { progress: [testAdvance(20, 27, lost)] })
      assert.deepEqual(await progressOf(store), [
        { ...place, ...NO_COUNTS, next: 27, accepted: 25, completed: 20, expired: 5 },
      ])
    },
  },
  {
    promise: 'A unit may take progress back, and what is handled again is counted again',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, { progress: [testAdvance(0, 12)] })
      const back = { accepted: 0, completed: 0 }
      await commitDone(store, { progress: [testAdvance(12, 4, back)] })
      const stale = await store.commit(testUnit({ progress: [testAdvance(12, 13)] }))
      assert.equal(stale.status, 'fenced')
      await commitDone(store, { progress: [testAdvance(4, 12)] })
      const [progress] = await progressOf(store)
      assert.deepEqual([progress?.next, progress?.accepted, progress?.completed], [12, 20, 20])
    },
  },
  {
    promise: 'A unit whose progress did not begin where it is now is fenced and changes nothing',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const progress = [testAdvance(0, 10), testAdvance(3, 5, { partition: 1 })]
      assert.equal((await store.commit({ ...fullUnit(store), progress })).status, 'fenced')
      await assertUntouched(backend)
      await commitDone(store, { progress: [testAdvance(0, 10, { consumer: 'other' })] })
      for (const from of [0, 9, 11]) {
        const stale = [testAdvance(from, 20, { consumer: 'other' })]
        const answer = await store.commit({ ...fullUnit(store), progress: stale })
        assert.equal(answer.status, 'fenced')
        await assertUntouched(backend)
      }
    },
  },
  {
    promise: 'A unit that is repeated after it was done is fenced by its own progress',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const unit = testUnit({ progress: [testAdvance(0, 10)] })
      assert.equal((await store.commit(unit)).status, 'done')
      assert.equal((await store.commit(unit)).status, 'fenced')
      assert.equal((await progressOf(store))[0]?.accepted, 10)
    },
  },
  {
    promise: 'Of units that race from the same progress exactly one is done, the others are fenced',
    async run({ backend }) {
      const store = await declareCarts(backend)
      for (let from = 0; from < 50; from += 10) {
        const units = Array.from({ length: 8 }, (_, at) =>
          testUnit({
            progress: [testAdvance(from, from + 10)],
            rows: [testRow(CARTS, `${from}-${at}`)],
          }),
        )
        const answers = await Promise.all(units.map((unit) => store.commit(unit)))
        assert.deepEqual(statuses(answers), ['done', ...Array.from({ length: 7 }, () => 'fenced')])
      }
      assert.equal((await progressOf(store))[0]?.accepted, 50)
      assert.equal((await store.scan({ table: CARTS, limit: 100 })).length, 5)
    },
  },
  {
    promise: 'Each consumer has its own progress in each partition of each topic',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, {
        progress: [
          testAdvance(0, 1),
          testAdvance(0, 2, { partition: 1 }),
          testAdvance(0, 3, { partition: 2, topic: PAYMENTS }),
          testAdvance(0, 4, { consumer: 'shop/mail' }),
        ],
      })
      const moved = async (consumer: string): Promise<readonly unknown[]> =>
        (await progressOf(store, consumer)).map(({ topic, partition, next }) => {
          return [topic, partition, next]
        })
      assert.deepEqual(await moved('shop/cart'), [
        [ORDERS, 0, 1],
        [ORDERS, 1, 2],
        [PAYMENTS, 2, 3],
      ])
      assert.deepEqual(await moved('shop/mail'), [[ORDERS, 0, 4]])
      assert.deepEqual(await moved('shop/nobody'), [])
      assert.equal((await store.progress(['shop/cart', 'shop/mail', 'shop/nobody'])).length, 4)
      assert.deepEqual(await store.progress([]), [])
    },
  },
  {
    promise: 'Progress is one consistent read: what one unit moved is never seen in part',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const consumers = ['one', 'two', 'three']
      const commits = async (): Promise<void> => {
        for (let from = 0; from < 40; from += 1)
          await commitDone(store, {
            progress: consumers.map((consumer) => testAdvance(from, from + 1, { consumer })),
          })
      }
      const reads = async (): Promise<void> => {
        for (let count = 0; count < 60; count += 1) {
          const progress = await store.progress(consumers)
          const seen = consumers.map((name) => {
            return progress.find(({ consumer }) => consumer === name)?.next ?? 0
          })
          assert.equal(new Set(seen).size, 1, seen.join())
        }
      }
      await Promise.all([commits(), reads(), reads()])
    },
  },
]
