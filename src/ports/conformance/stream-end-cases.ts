import assert from 'node:assert/strict'
import type { Capabilities } from './prove.ts'
import type { StoreCase } from './fixtures.ts'
import { declareTopics, commitDone, testEvents, readAll, testRow, testUnit } from './fixtures.ts'
import type { Backend, EventStore, StreamEnd, StreamEntry, Unit } from '../event-store.ts'

const CARTS = 'shop.carts'
const PARCELS = 'shop.parcels'
const cart = { table: CARTS, key: 'a' } as const

const needs = ({ store }: Capabilities): boolean => store?.atomicWithLog === true

async function declareTables({ store, log }: Backend): Promise<EventStore> {
  await declareTopics({ log })
  await store.declare([CARTS, PARCELS].map((name) => ({ name, indexes: [] })))
  return store
}

/** Entries of one stream after a version, each with one event. */
function streamEntries(key: string, count: number, after = 0): Pick<Unit, 'appends' | 'streams'> {
  const streams = Array.from({ length: count }, (_, append): StreamEntry => {
    return { table: CARTS, key, version: after + append + 1, append }
  })
  return { appends: testEvents(`${key}-${after}`, count), streams }
}

/** Three events of an entity that has no row, as after a loss. */
async function withoutRow(backend: Backend): Promise<EventStore> {
  const store = await declareTables(backend)
  await commitDone(store, streamEntries('a', 3))
  return store
}

/** Units that would leave the row behind its stream, or have read it so. */
const LEAVING: readonly Partial<Unit>[] = [
  { checks: [{ ...cart, expected: 0 }] },
  { rows: [testRow(CARTS, 'a', { version: 2 })] },
  { rows: [testRow(CARTS, 'a', { body: null, version: 0 })] },
  { rows: [testRow(CARTS, 'a')], ...streamEntries('a', 1) },
  { rows: [testRow(CARTS, 'a', { version: 3 })], ...streamEntries('a', 1, 2) },
]

/** Ends of streams, and rows behind their streams. */
export const streamEndCases: readonly StoreCase[] = [
  {
    promise: 'A stream ends at its last version, and a missing one at 0',
    needs,
    async run({ backend }) {
      const store = await declareTables(backend)
      const keys = [cart, { ...cart, table: PARCELS }, { ...cart, key: 'b' }, { ...cart, key: 'A' }]
      assert.deepEqual(await store.streamEnds(keys), [0, 0, 0, 0])
      await commitDone(store, {
        rows: [testRow(CARTS, 'a', { version: 3 })],
        ...streamEntries('a', 3),
      })
      await commitDone(store, { rows: [testRow(CARTS, 'b')], ...streamEntries('b', 1) })
      assert.deepEqual(await store.streamEnds(keys), [3, 0, 1, 0])
      const next = { expected: 3, version: 4 }
      await commitDone(store, { rows: [testRow(CARTS, 'a', next)], ...streamEntries('a', 1, 3) })
      assert.deepEqual(await store.streamEnds([cart]), [4])
      assert.deepEqual(await store.streamEnds([]), [])
    },
  },
  {
    promise:
      'The streams of a table come in the order of their keys, page by page, with their ends',
    needs,
    async run({ backend }) {
      const store = await declareTables(backend)
      const counts = { a: 2, 'a b': 1, b: 5, é: 1, '\uffee': 2, '😀': 1 }
      for (const [key, count] of Object.entries(counts).toReversed())
        await commitDone(store, streamEntries(key, count))
      const expected = Object.entries(counts).map(([key, version]): StreamEnd => {
        return { key, version, entries: version }
      })
      assert.deepEqual(await store.streams(CARTS, undefined, 100), expected)
      assert.deepEqual(await store.streams(PARCELS, undefined, 100), [])
      const paged: StreamEnd[] = []
      for (let page = await store.streams(CARTS, undefined, 2); page.length > 0;) {
        assert.ok(page.length <= 2 && paged.length < expected.length, 'pages get on')
        paged.push(...page)
        page = await store.streams(CARTS, page.at(-1)?.key, 2)
      }
      assert.deepEqual(paged, expected)
    },
  },
  {
    promise: 'Trimmed events are still counted in a stream',
    needs,
    async run({ backend }) {
      const store = await withoutRow(backend)
      for (const { topic, partition, next } of await backend.log.ends(['orders.events']))
        await backend.log.trim(topic, partition, next)
      assert.deepEqual(await store.stream(cart, 0, 9), [])
      assert.deepEqual(await store.streamEnds([cart]), [3])
      const end = { key: 'a', version: 3, entries: 3 }
      assert.deepEqual(await store.streams(CARTS, undefined, 9), [end])
    },
  },
  {
    promise: 'A unit that writes or reads a row behind its stream is a conflict that names it',
    needs,
    async run({ backend }) {
      const store = await withoutRow(backend)
      const before = await readAll(backend.log)
      const beside = testRow(PARCELS, 'p')
      for (const unit of LEAVING) {
        const rows = [...(unit.rows ?? []), beside]
        const answer = await store.commit(testUnit({ ...unit, rows }))
        assert.deepEqual(answer, { status: 'conflict', rows: [cart] })
      }
      assert.deepEqual(await store.get([cart, beside]), [undefined, undefined])
      assert.deepEqual(await readAll(backend.log), before)
      assert.deepEqual(await store.streamEnds([cart]), [3])
    },
  },
  {
    promise: 'A row behind its stream conflicts only in its own table',
    needs,
    async run({ backend }) {
      const store = await withoutRow(backend)
      await commitDone(store, { checks: [{ table: PARCELS, key: 'a', expected: 0 }] })
      await commitDone(store, { checks: [{ table: CARTS, key: 'b', expected: 0 }] })
      await commitDone(store, { rows: [testRow(PARCELS, 'a')] })
    },
  },
  {
    promise: 'A row that was brought up to its stream continues from there',
    needs,
    async run({ backend }) {
      const store = await withoutRow(backend)
      await commitDone(store, { rows: [testRow(CARTS, 'a', { version: 3 })] })
      await commitDone(store, { checks: [{ ...cart, expected: 3 }] })
      const next = { expected: 3, version: 4 }
      await commitDone(store, { rows: [testRow(CARTS, 'a', next)], ...streamEntries('a', 1, 3) })
      assert.equal((await store.get([cart]))[0]?.version, 4)
      assert.equal((await store.stream(cart, 0, 9)).length, 4)
    },
  },
]
