import assert from 'node:assert/strict'
import type { StoreCase } from './fixtures.ts'
import { commitDone, testRow, testUnit } from './fixtures.ts'
import type { EventStore, IndexValue, RowWrite, Scan, ScannedRow } from '../event-store.ts'

const STOCK = 'shop.stock'
const CARTS = 'shop.carts'

async function declareShop({ store }: { readonly store: EventStore }): Promise<EventStore> {
  await store.declare([
    { name: STOCK, indexes: ['colour', 'count'] },
    { name: CARTS, indexes: [] },
  ])
  return store
}

/** A row of `STOCK` with a value for each of its indexes. */
function stockRow(key: string, colour: IndexValue, count: IndexValue = null): RowWrite {
  return testRow(STOCK, key, { body: JSON.stringify({ key, colour }), index: { colour, count } })
}

/** Sorts the rows of a unit by UTF-8 bytes, as units require. */
function sorted(rows: readonly RowWrite[]): readonly RowWrite[] {
  return rows.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
}

/** Scans page by page; each page starts after the last row of the previous one. */
async function scanPages(
  store: EventStore,
  query: Omit<Scan, 'limit' | 'after'>,
  limit: number,
): Promise<readonly ScannedRow[]> {
  const rows: ScannedRow[] = []
  for (let count = 0; count < 2_000; count += 1) {
    const last = rows.at(-1)
    const value = last?.value === undefined ? {} : { value: last.value }
    const after = last ? { after: { key: last.key, ...value } } : {}
    const page = await store.scan({ ...query, ...after, limit })
    assert.ok(page.length <= limit, `${page.length} rows of at most ${limit}`)
    rows.push(...page)
    if (page.length < limit) return rows
  }
  return assert.fail('pages make progress')
}

const keysOf = (rows: readonly { readonly key: string }[]): readonly string[] =>
  rows.map(({ key }) => key)

const valuesOf = (rows: readonly ScannedRow[]): readonly (IndexValue | undefined)[] =>
  rows.map(({ value }) => value)

/** Text in the order of its UTF-8 bytes, which is not the order of JavaScript's `<`. */
const ORDERED: readonly string[] = [
  '',
  ' ',
  '!',
  '10',
  '9',
  'A',
  'Z',
  'a',
  'a ',
  'a!',
  'aa',
  'b',
  'e\u0301',
  'z',
  'é',
  'ﬀ',
  '\uffee',
  '😀',
  '😀a',
]

/** Rows by key. */
export const rowCases: readonly StoreCase[] = [
  {
    promise: 'A row is found by its key, with the version and the text that were written',
    async run({ backend }) {
      const store = await declareShop(backend)
      const bodies = [
        '{ "a" : 1.0 }',
        'null',
        '"\u{1f600} \' \\" \\u0001"',
        `["${'x'.repeat(1e5)}"]`,
      ]
      const rows = bodies.map((body, at) => testRow(CARTS, `row-${at}`, { body, version: at + 5 }))
      await commitDone(store, { rows })
      const expected = rows.map(({ table, key, version, body }) => ({ table, key, version, body }))
      assert.deepEqual(await store.get(rows), expected)
    },
  },
  {
    promise: 'Rows come in the order of the requested keys, with gaps for missing ones',
    async run({ backend }) {
      const store = await declareShop(backend)
      await commitDone(store, {
        rows: [testRow(CARTS, 'a'), testRow(CARTS, 'b'), testRow(CARTS, 'c')],
      })
      const keys = ['c', 'x', 'a', 'y', 'b'].map((key) => ({ table: CARTS, key }))
      assert.deepEqual(
        (await store.get(keys)).map((row) => row?.key),
        ['c', undefined, 'a', undefined, 'b'],
      )
      assert.deepEqual(await store.get([]), [])
    },
  },
  {
    promise: 'A key belongs to its table',
    async run({ backend }) {
      const store = await declareShop(backend)
      await commitDone(store, { rows: [testRow(CARTS, 'a', { body: '1' }), stockRow('a', 'red')] })
      const [cart, item] = await store.get([
        { table: CARTS, key: 'a' },
        { table: STOCK, key: 'a' },
      ])
      assert.equal(cart?.body, '1')
      assert.equal(item?.table, STOCK)
      assert.deepEqual(keysOf(await store.scan({ table: CARTS, limit: 10 })), ['a'])
    },
  },
  {
    promise: 'Keys of any text are told apart exactly',
    async run({ backend }) {
      const store = await declareShop(backend)
      const keys = [
        'k',
        'K',
        'k ',
        "k'",
        '"',
        '\\',
        'é',
        'e\u0301',
        '😀',
        '\u0001',
        'k'.repeat(256),
      ]
      const rows = keys.map((key, at) => testRow(CARTS, key, { version: at + 1 }))
      await commitDone(store, { rows: sorted(rows) })
      const found = await store.get(rows)
      for (const [at, key] of keys.entries()) {
        assert.equal(found[at]?.key, key)
        assert.equal(found[at]?.version, at + 1)
      }
    },
  },
  {
    promise: 'A row written without a body is deleted, from its indexes too',
    async run({ backend }) {
      const store = await declareShop(backend)
      await commitDone(store, { rows: [stockRow('a', 'red', 1), stockRow('b', 'red', 2)] })
      const gone = { ...stockRow('a', null), expected: 1, version: 2, body: null }
      await commitDone(store, { rows: [gone] })
      assert.deepEqual(await store.get([{ table: STOCK, key: 'a' }]), [undefined])
      assert.deepEqual(keysOf(await store.scan({ table: STOCK, limit: 10 })), ['b'])
      const where = { index: 'colour', equals: 'red' }
      assert.deepEqual(keysOf(await store.scan({ table: STOCK, where, limit: 10 })), ['b'])
      await commitDone(store, { rows: [stockRow('a', 'blue')] })
      assert.equal((await store.get([{ table: STOCK, key: 'a' }]))[0]?.version, 1)
    },
  },
  {
    promise: '3,000 rows in one unit, and in one get',
    async run({ backend }) {
      const store = await declareShop(backend)
      const keys = Array.from({ length: 3_000 }, (_, at) => `row-${String(at).padStart(4, '0')}`)
      await commitDone(store, { rows: keys.map((key, at) => stockRow(key, 'red', at)) })
      const found = await store.get(keys.map((key) => ({ table: STOCK, key })))
      assert.deepEqual(
        found.map((row) => row?.key),
        keys,
      )
      assert.deepEqual(keysOf(await store.scan({ table: STOCK, limit: 10_000 })), keys)
      const where = { index: 'count' }
      assert.deepEqual(keysOf(await store.scan({ table: STOCK, where, limit: 10_000 })), keys)
      const next = keys.map((key) => ({ ...stockRow(key, 'blue', 1), expected: 1, version: 2 }))
      await commitDone(store, { rows: next })
      const blue = { table: STOCK, where: { index: 'colour', equals: 'blue' } }
      assert.equal((await scanPages(store, blue, 999)).length, 3_000)
    },
  },
]

/** Scans: order, bounds and pages. */
export const scanCases: readonly StoreCase[] = [
  {
    promise: 'A scan without an index gives every row, in the UTF-8 byte order of the keys',
    async run({ backend }) {
      const store = await declareShop(backend)
      const keys = ORDERED.filter(Boolean)
      for (const key of keys.toReversed()) await commitDone(store, { rows: [testRow(CARTS, key)] })
      assert.deepEqual(keysOf(await store.scan({ table: CARTS, limit: 100 })), keys)
      for (const limit of [1, 3, 7])
        assert.deepEqual(keysOf(await scanPages(store, { table: CARTS }, limit)), keys)
    },
  },
  {
    promise: 'A scanned row has its version, its text and the value of the index',
    async run({ backend }) {
      const store = await declareShop(backend)
      await commitDone(store, { rows: [{ ...stockRow('a', 'red', 1.5), version: 3 }] })
      const row = { table: STOCK, key: 'a', version: 3, body: '{"key":"a","colour":"red"}' }
      const byColour = { table: STOCK, where: { index: 'colour' }, limit: 10 }
      assert.deepEqual(await store.scan(byColour), [{ ...row, value: 'red' }])
      const byCount = { table: STOCK, where: { index: 'count' }, limit: 10 }
      assert.deepEqual(await store.scan(byCount), [{ ...row, value: 1.5 }])
      const [bare] = await store.scan({ table: STOCK, limit: 10 })
      assert.deepEqual({ ...bare, value: undefined }, { ...row, value: undefined })
    },
  },
  {
    promise: 'A scan by text gives rows in the UTF-8 byte order of the values, then of the keys',
    async run({ backend }) {
      const store = await declareShop(backend)
      const rows = ORDERED.flatMap((colour, at) =>
        ['b', 'a', 'é', '😀', '\uffee'].map((key) => stockRow(`${key}${at}`, colour)),
      )
      await commitDone(store, { rows: sorted(rows) })
      const query = { table: STOCK, where: { index: 'colour' } }
      for (const limit of [1_000, 1, 4]) {
        const found = await scanPages(store, query, limit)
        assert.deepEqual([...new Set(valuesOf(found))], ORDERED)
        const [first] = [found.slice(0, 5)]
        assert.deepEqual(keysOf(first), ['a0', 'b0', 'é0', '\uffee0', '😀0'])
        assert.equal(new Set(keysOf(found)).size, rows.length)
      }
    },
  },
  {
    promise: 'A scan by numbers gives rows in the order of the numbers, not of their digits',
    async run({ backend }) {
      const store = await declareShop(backend)
      const counts = [-1_000_000, -2.5, -1, 0, 0.25, 1, 2, 9, 10, 99.5, 100, 1_700_000_000_123]
      const all = [...counts, Number.MAX_SAFE_INTEGER]
      const rows = all.map((count, at) => stockRow(`row-${(at * 7) % all.length}`, null, count))
      await commitDone(store, { rows: sorted(rows) })
      for (const limit of [1_000, 1, 5]) {
        const found = await scanPages(store, { table: STOCK, where: { index: 'count' } }, limit)
        assert.deepEqual(valuesOf(found), all)
      }
    },
  },
  {
    promise: 'Rows without a value are not found by that index',
    async run({ backend }) {
      const store = await declareShop(backend)
      const rows = Array.from({ length: 30 }, (_, at) =>
        stockRow(`row-${at}`, at % 3 === 0 ? null : 'red', at % 2 === 0 ? null : at),
      )
      await commitDone(store, { rows: sorted(rows) })
      for (const limit of [1_000, 1, 4]) {
        const red = await scanPages(store, { table: STOCK, where: { index: 'colour' } }, limit)
        assert.equal(red.length, 20)
        const counted = await scanPages(store, { table: STOCK, where: { index: 'count' } }, limit)
        assert.equal(counted.length, 15)
      }
      assert.equal((await scanPages(store, { table: STOCK }, 7)).length, 30)
    },
  },
  {
    promise: 'A scan for one value gives exactly its rows, page by page',
    async run({ backend }) {
      const store = await declareShop(backend)
      const colours = ['red', 'Red', 'red ', 'blue', 'r', '', "r'd"]
      const rows = Array.from({ length: 70 }, (_, at) => {
        return stockRow(`row-${String(at).padStart(2, '0')}`, colours[at % 7] as string, at % 5)
      })
      await commitDone(store, { rows })
      for (const limit of [1_000, 1, 3, 10]) {
        for (const equals of colours) {
          const where = { index: 'colour', equals }
          const found = await scanPages(store, { table: STOCK, where }, limit)
          assert.equal(found.length, 10, equals)
          assert.deepEqual([...new Set(valuesOf(found))], [equals])
          assert.deepEqual(keysOf(found), keysOf(found).toSorted())
        }
        const zero = { index: 'count', equals: 0 }
        assert.equal((await scanPages(store, { table: STOCK, where: zero }, limit)).length, 14)
      }
      const none = { index: 'colour', equals: 'green' }
      assert.deepEqual(await store.scan({ table: STOCK, where: none, limit: 10 }), [])
    },
  },
  {
    promise: 'A scan up to a value includes it and ends there',
    async run({ backend }) {
      const store = await declareShop(backend)
      const rows = Array.from({ length: 40 }, (_, at) => {
        return stockRow(`row-${String(at).padStart(2, '0')}`, ORDERED[at % 10] as string, at % 10)
      })
      await commitDone(store, { rows })
      for (const limit of [1_000, 1, 7]) {
        const three = await scanPages(
          store,
          { table: STOCK, where: { index: 'count', upTo: 3 } },
          limit,
        )
        assert.deepEqual(
          valuesOf(three),
          [0, 1, 2, 3].flatMap((count) => [count, count, count, count]),
        )
        const upTo = ORDERED[2] as string
        const text = await scanPages(
          store,
          { table: STOCK, where: { index: 'colour', upTo } },
          limit,
        )
        assert.deepEqual([...new Set(valuesOf(text))], ORDERED.slice(0, 3))
        assert.equal(text.length, 12)
      }
      const none = { index: 'count', upTo: -1 }
      assert.deepEqual(await store.scan({ table: STOCK, where: none, limit: 10 }), [])
    },
  },
  {
    promise: 'A row that has changed is found by its new values only',
    async run({ backend }) {
      const store = await declareShop(backend)
      await commitDone(store, { rows: [stockRow('a', 'red', 1), stockRow('b', 'red', 2)] })
      const changed = { ...stockRow('a', 'blue'), expected: 1, version: 2 }
      await commitDone(store, { rows: [changed] })
      const by = async (index: string, equals: string | number): Promise<readonly string[]> =>
        keysOf(await store.scan({ table: STOCK, where: { index, equals }, limit: 10 }))
      assert.deepEqual(await by('colour', 'red'), ['b'])
      assert.deepEqual(await by('colour', 'blue'), ['a'])
      assert.deepEqual(await by('count', 1), [])
      assert.deepEqual(await by('count', 2), ['b'])
    },
  },
  {
    promise: 'Continuing after a row that was deleted or moved skips no other row',
    async run({ backend }) {
      const store = await declareShop(backend)
      await commitDone(store, {
        rows: ['a', 'b', 'c', 'd'].map((key, at) => stockRow(key, 'red', at)),
      })
      const byCount = { table: STOCK, where: { index: 'count' } }
      const page = await store.scan({ ...byCount, limit: 2 })
      assert.deepEqual(keysOf(page), ['a', 'b'])
      await commitDone(store, {
        rows: [{ ...stockRow('b', null), expected: 1, version: 2, body: null }],
      })
      const after = { key: 'b', value: 1 }
      assert.deepEqual(keysOf(await store.scan({ ...byCount, after, limit: 10 })), ['c', 'd'])
      const rest = await store.scan({ table: STOCK, after: { key: 'b' }, limit: 10 })
      assert.deepEqual(keysOf(rest), ['c', 'd'])
    },
  },
]

/** Tables and how they change. */
export const tableCases: readonly StoreCase[] = [
  {
    promise: 'Declaring a table again is harmless and keeps its rows',
    async run({ backend }) {
      const store = await declareShop(backend)
      await commitDone(store, { rows: [stockRow('a', 'red', 1)] })
      await Promise.all([declareShop(backend), declareShop(backend)])
      assert.deepEqual(keysOf(await store.scan({ table: STOCK, limit: 10 })), ['a'])
      assert.deepEqual(await store.scan({ table: CARTS, limit: 10 }), [])
    },
  },
  {
    promise: 'A new index is filled from the members of existing rows',
    async run({ backend: { store } }) {
      await store.declare([{ name: STOCK, indexes: [] }])
      const bodies = [
        '{"colour":"red"}',
        '{"colour":"blue"}',
        '{"colour":null}',
        '{}',
        '{"colour":7}',
      ]
      const rows = bodies.map((body, at) => testRow(STOCK, `row-${at}`, { body }))
      await commitDone(store, { rows })
      await store.declare([{ name: STOCK, indexes: ['colour', 'count'] }])
      const found = async (equals: string | number): Promise<readonly string[]> =>
        keysOf(await store.scan({ table: STOCK, where: { index: 'colour', equals }, limit: 10 }))
      assert.deepEqual(await found('red'), ['row-0'])
      assert.deepEqual(await found('blue'), ['row-1'])
      assert.deepEqual(await found(7), ['row-4'])
      await commitDone(store, { rows: [stockRow('row-5', 'red', 3)] })
      assert.deepEqual(await found('red'), ['row-0', 'row-5'])
      const counted = await store.scan({ table: STOCK, where: { index: 'count' }, limit: 10 })
      assert.deepEqual(keysOf(counted), ['row-5'])
    },
  },
  {
    promise: 'A unit for a table that was not declared is refused with a fault',
    async run({ backend }) {
      const store = await declareShop(backend)
      await assert.rejects(store.commit(testUnit({ rows: [testRow('shop.nowhere', 'a')] })))
    },
  },
]
