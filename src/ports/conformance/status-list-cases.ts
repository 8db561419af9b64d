import assert from 'node:assert/strict'
import type { EventStore } from '../event-store.ts'
import type { EventStatus, StatusChange } from '../status.ts'
import { declareCarts } from './commit-cases.ts'
import type { StoreCase } from './fixtures.ts'
import { ORDERS, PAYMENTS } from './fixtures.ts'
import { bringTo, changeStatuses, readStatuses, testStatus } from './status-fixtures.ts'

const CONSUMERS = ['a/x', 'a/\u{1f600}', 'a/\uffee', 'b/x'] as const

/** One event of each of several places, in their order. */
const PLACES: readonly Pick<StatusChange, 'consumer' | 'topic' | 'partition' | 'offset'>[] =
  // Text is in the order of code points.
  [CONSUMERS[0], CONSUMERS[2], CONSUMERS[1], CONSUMERS[3]].flatMap((consumer) =>
    [ORDERS, PAYMENTS].flatMap((topic) =>
      [0, 2, 10].flatMap((partition) =>
        [0, 9, 10, 100].map((offset) => ({ consumer, topic, partition, offset })),
      ),
    ),
  )

const placeOf = ({ consumer, topic, partition, offset }: EventStatus): unknown => {
  return { consumer, topic, partition, offset }
}

async function fillPlaces(store: EventStore): Promise<void> {
  const changes = PLACES.map((place, at) => testStatus(at, { eventId: `e-${at % 7}`, ...place }))
  // In any order but that of the places.
  for (let at = 0; at < 5; at += 1)
    await changeStatuses(store, ...changes.filter((_, index) => index % 5 === at).toReversed())
}

/** Reads of statuses. */
export const statusListCases: readonly StoreCase[] = [
  {
    promise: 'Statuses come in the order of consumer, topic, partition and offset, page by page',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await fillPlaces(store)
      for (const limit of [1, 7, 1_000])
        assert.deepEqual((await readStatuses(store, {}, limit)).map(placeOf), PLACES)
    },
  },
  {
    promise: 'Statuses are found by consumer, by status and by the id of the event',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await fillPlaces(store)
      const all = await readStatuses(store)
      for (const limit of [5, 1_000]) {
        for (const consumer of CONSUMERS)
          assert.deepEqual(
            await readStatuses(store, { consumer, status: 'ERROR' }, limit),
            all.filter((each) => each.consumer === consumer),
          )
        assert.deepEqual(
          await readStatuses(store, { eventId: 'e-3' }, limit),
          all.filter(({ eventId }) => eventId === 'e-3'),
        )
        const one = { consumer: CONSUMERS[0], eventId: 'e-3', status: 'ERROR' } as const
        assert.deepEqual(
          await readStatuses(store, one, limit),
          all.filter((each) => each.eventId === 'e-3' && each.consumer === CONSUMERS[0]),
        )
      }
      assert.deepEqual(await readStatuses(store, { status: 'FAILED' }), [])
      assert.deepEqual(await readStatuses(store, { consumer: 'a' }), [])
      assert.deepEqual(await readStatuses(store, { eventId: '' }), [])
    },
  },
  {
    promise: 'Failed events are found together with those that were discarded, in one order',
    async run({ backend }) {
      const store = await declareCarts(backend)
      for (let offset = 0; offset < 9; offset += 1) {
        await bringTo(store, offset % 4 === 3 ? 'COMPLETED' : 'FAILED', offset)
        const resolution = 'DISCARDED' as const
        const discarded = testStatus(offset, { from: 'FAILED', status: 'FAILED', resolution })
        if (offset % 3 === 0 && offset % 4 !== 3) await changeStatuses(store, discarded)
      }
      for (const limit of [1, 2, 100]) {
        const failed = await readStatuses(store, { status: 'FAILED' }, limit)
        assert.deepEqual(
          failed.map(({ offset, resolution }) => [offset, resolution]),
          [
            [0, 'DISCARDED'],
            [1, null],
            [2, null],
            [4, null],
            [5, null],
            [6, 'DISCARDED'],
            [8, null],
          ],
        )
        const completed = await readStatuses(store, { status: 'COMPLETED' }, limit)
        assert.deepEqual(
          completed.map(({ offset }) => offset),
          [3, 7],
        )
      }
    },
  },
  {
    promise: 'A page of statuses begins behind the last one, also after that has changed',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await changeStatuses(store, ...[0, 1, 2, 3].map((offset) => testStatus(offset)))
      const query = { status: 'ERROR', limit: 2 } as const
      const first = await store.statuses(query)
      const [, last] = first
      assert.ok(last)
      await changeStatuses(store, testStatus(1, { from: 'ERROR', status: 'RETRY' }))
      const second = await store.statuses({ ...query, after: last })
      assert.deepEqual(
        [...first, ...second].map(({ offset }) => offset),
        [0, 1, 2, 3],
      )
    },
  },
]
