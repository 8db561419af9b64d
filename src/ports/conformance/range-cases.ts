import assert from 'node:assert/strict'
import type { EventStore } from '../event-store.ts'
import type { ConsumedEvent, LedgerPruning } from '../status.ts'
import { declareCarts, testAdvance } from './commit-cases.ts'
import type { StoreCase } from './fixtures.ts'
import { ORDERS, commitDone, testUnit } from './fixtures.ts'
import { CONSUMER, bringTo, changeStatuses, readStatuses, testStatus } from './status-fixtures.ts'

function eventAt(offset: number, fields: Partial<ConsumedEvent> = {}): ConsumedEvent {
  return { consumer: CONSUMER, topic: ORDERS, partition: 0, offset, ...fields }
}

/** Who passed the event at each offset, and since when. */
async function passed(
  store: EventStore,
  offsets: readonly number[],
  fields: Partial<ConsumedEvent> = {},
): Promise<readonly unknown[]> {
  const found = await store.ranges(offsets.map((offset) => eventAt(offset, fields)))
  return found.map((each) => each && `${each.offset} ${each.by} ${each.at}`)
}

/** Moves progress from an offset to one, which begins a range. */
async function advance(
  store: EventStore,
  from: number,
  to: number,
  by: string,
  fields: { readonly consumer?: string; readonly partition?: number } = {},
): Promise<void> {
  const range = { by, at: 1_000 + from }
  await commitDone(store, { progress: [testAdvance(from, to, { range, ...fields })] })
}

const pruning: LedgerPruning = { statusesBefore: 2_000, rangesMax: 100 }

async function pruneAll(store: EventStore, limits: LedgerPruning): Promise<number> {
  let removed = 0
  for (;;) {
    const count = await store.pruneLedger(limits)
    if (count === 0) return removed
    removed += count
  }
}

/** Progress ranges, and what may be forgotten of the ledger. */
export const rangeCases: readonly StoreCase[] = [
  {
    promise: 'The range of an event is the newest that begins at or before it',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await advance(store, 0, 5, 'one')
      await commitDone(store, { progress: [testAdvance(5, 8)] })
      await advance(store, 8, 10, 'two')
      await advance(store, 10, 40, 'three')
      await advance(store, 0, 5, 'other', { partition: 1 })
      await advance(store, 0, 5, 'mail', { consumer: 'shop/mail' })
      assert.deepEqual(await passed(store, [39, 0, 7, 8, 9, 10]), [
        '10 three 1010',
        '0 one 1000',
        '0 one 1000',
        '8 two 1008',
        '8 two 1008',
        '10 three 1010',
      ])
      assert.deepEqual(await passed(store, [3], { partition: 1 }), ['0 other 1000'])
      assert.deepEqual(await passed(store, [3], { consumer: 'shop/mail' }), ['0 mail 1000'])
      assert.deepEqual(await passed(store, [3], { partition: 2 }), [undefined])
      assert.deepEqual(await store.ranges([]), [])
    },
  },
  {
    promise: 'A range is not there before its first offset, or where its unit is not done',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await commitDone(store, { progress: [testAdvance(0, 5)] })
      await advance(store, 5, 8, 'one')
      const range = { by: 'two', at: 1 }
      const stale = testUnit({ progress: [testAdvance(3, 4, { range })] })
      assert.equal((await store.commit(stale)).status, 'fenced')
      assert.deepEqual(await passed(store, [3, 4, 5]), [undefined, undefined, '5 one 1005'])
    },
  },
  {
    promise: 'After progress was taken back, a new range replaces those behind its beginning',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await advance(store, 0, 10, 'one')
      await advance(store, 10, 20, 'two')
      await commitDone(store, { progress: [testAdvance(20, 10)] })
      await advance(store, 10, 12, 'three')
      await commitDone(store, { progress: [testAdvance(12, 4)] })
      assert.deepEqual(await passed(store, [4, 11]), ['0 one 1000', '10 three 1010'])
      await advance(store, 4, 6, 'four')
      assert.deepEqual(await passed(store, [3, 4, 11]), [
        '0 one 1000',
        '4 four 1004',
        '4 four 1004',
      ])
    },
  },
  {
    promise: 'Pruning removes old statuses of completed and discarded events only',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const [old, young] = [{ updatedAt: 1_000 }, { updatedAt: 2_000 }]
      await bringTo(store, 'COMPLETED', 0, old)
      await bringTo(store, 'COMPLETED', 1, young)
      for (const [offset, updatedAt] of [
        [2, old],
        [3, young],
      ] as const) {
        await bringTo(store, 'FAILED', offset, old)
        const given = { from: 'FAILED', status: 'FAILED', resolution: 'DISCARDED' } as const
        await changeStatuses(store, testStatus(offset, { ...given, ...updatedAt }))
      }
      await bringTo(store, 'FAILED', 4, old)
      await bringTo(store, 'ERROR', 5, old)
      await bringTo(store, 'RETRY', 6, old)
      await bringTo(store, 'IN_PROGRESS', 7, old)
      assert.equal(await pruneAll(store, pruning), 2)
      assert.deepEqual(
        (await readStatuses(store)).map(({ offset }) => offset),
        [1, 3, 4, 5, 6, 7],
      )
      // To the store, a forgotten event is as it was in the beginning.
      await changeStatuses(store, testStatus(0, { status: 'COMPLETED' }))
    },
  },
  {
    promise: 'Pruning keeps the newest ranges of each consumer and partition',
    async run({ backend }) {
      const store = await declareCarts(backend)
      for (let at = 0; at < 6; at += 1) await advance(store, at, at + 1, `n${at}`)
      for (let at = 0; at < 3; at += 1) await advance(store, at, at + 1, `m${at}`, { partition: 1 })
      await advance(store, 0, 1, 'k0', { consumer: 'shop/mail' })
      const removed = await pruneAll(store, { ...pruning, rangesMax: 2 })
      assert.equal(removed, 5)
      assert.deepEqual(await passed(store, [3, 4, 5, 99]), [
        undefined,
        '4 n4 1004',
        '5 n5 1005',
        '5 n5 1005',
      ])
      assert.deepEqual(await passed(store, [0, 1], { partition: 1 }), [undefined, '1 m1 1001'])
      assert.deepEqual(await passed(store, [0], { consumer: 'shop/mail' }), ['0 k0 1000'])
      const progress = await store.progress([CONSUMER])
      assert.deepEqual(
        progress.map(({ next }) => next).toSorted((a, b) => a - b),
        [3, 6],
      )
    },
  },
]
