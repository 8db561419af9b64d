// The row cache is bounded, and a draft leaves nothing of what it undoes.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { EventStore, RowKey } from '../../../src/ports/event-store.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import { createDraft, createRowCache, createWrites } from '../../../src/engine/rows/row-cache.ts'

const TABLE = 'orders.order'

/** A store of rows of a given size that records what is read. */
function storeOf(length: number) {
  const asked: string[] = []
  const get = async (keys: readonly RowKey[]) =>
    keys.map(({ table, key }) => {
      asked.push(key)
      return key.startsWith('none')
        ? undefined
        : { table, key, version: 3, body: JSON.stringify('x'.repeat(length)) }
    })
  return { asked, store: { get } as unknown as EventStore }
}

const keysOf = (from: number, to: number): RowKey[] =>
  numbersUpTo(to - from).map((at) => ({ table: TABLE, key: `k-${from + at}` }))

describe('the row cache', () => {
  test('evicts the oldest row once it exceeds its limit, and not before', async () => {
    const { store, asked } = storeOf(998)
    // Each cell is a body of 1,000 bytes and 200 for the rest.
    const cache = createRowCache(store, 12_000)
    await cache.load(keysOf(0, 10))
    cache.trim()
    assert.equal(asked.length, 10)
    for (const { key } of keysOf(0, 10)) assert.ok(cache.peek(TABLE, key), key)
    await cache.load(keysOf(10, 15))
    assert.ok(cache.peek(TABLE, 'k-0'), 'nothing goes in the middle of a unit')
    cache.trim()
    for (const { key } of keysOf(0, 5)) assert.equal(cache.peek(TABLE, key), undefined, key)
    for (const { key } of keysOf(5, 15)) assert.ok(cache.peek(TABLE, key), key)
  })

  test('counts a row once, by its latest size', async () => {
    const { store } = storeOf(98)
    const cache = createRowCache(store, 3_000)
    const cell = (key: string, bytes: number) =>
      ({ table: TABLE, key, version: 1, value: key, bytes }) as const
    for (const _ of numbersUpTo(100)) cache.put([cell('a', 1_000)])
    cache.put([cell('b', 1_000), cell('c', 1_000)])
    cache.trim()
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => cache.peek(TABLE, key)?.value),
      ['a', 'b', 'c'],
    )
    cache.put([cell('b', 2_000)])
    cache.trim()
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => cache.peek(TABLE, key)?.value),
      [undefined, 'b', 'c'],
    )
    cache.clear()
    cache.put([cell('d', 3_000)])
    cache.trim()
    assert.ok(cache.peek(TABLE, 'd'), 'and forgets the bytes of what it has cleared')
  })

  test('never exceeds its limit between units, whatever was loaded and written', async () => {
    const step = fc.record({
      does: fc.constantFrom('load', 'keep', 'clear'),
      key: fc.nat(40),
      length: fc.nat(3_000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
        const sizes = new Map<string, number>()
        const get = async (keys: readonly RowKey[]) =>
          keys.map(({ table, key }) => {
            const body = JSON.stringify('x'.repeat(sizes.get(key) ?? 0))
            return { table, key, version: 1, body }
          })
        const cache = createRowCache({ get } as unknown as EventStore, 10_000)
        for (const { does, key: number, length } of steps) {
          const key = `k-${number}`
          const row = { table: TABLE, key }
          if (does === 'clear') cache.clear()
          if (does === 'load') {
            sizes.set(key, length)
            await cache.load([row])
          }
          if (does === 'keep')
            cache.put([{ ...row, version: 2, value: 'x'.repeat(length), bytes: length + 202 }])
          cache.trim()
          const held = numbersUpTo(41).flatMap((at) => cache.peek(TABLE, `k-${at}`) ?? [])
          assert.ok(held.reduce((sum, cell) => sum + cell.bytes, 0) <= 10_000)
          for (const { value, bytes } of held)
            assert.equal(bytes, JSON.stringify(value).length + 200, 'and counts what is there')
        }
      }),
      { seed: 8 },
    )
  })

  test('caches that a row is absent, and reads nothing twice', async () => {
    const { store, asked } = storeOf(10)
    const cache = createRowCache(store, 10_000)
    const keys = [...keysOf(0, 2), { table: TABLE, key: 'none' }]
    await cache.load(keys)
    await cache.load(keys)
    assert.deepEqual(asked, ['k-0', 'k-1', 'none'])
    assert.deepEqual(
      keys.map(({ key }) => cache.peek(TABLE, key)?.version),
      [3, 3, 0],
    )
  })
})

describe('a draft', () => {
  const below: Parameters<typeof createDraft>[0] = {
    row: (table, key) => ({ ...CELL, table, key }),
  }
  const CELL = { version: 7, value: 'old', bytes: 10 }

  test('never stages a row whose version is unknown', () => {
    const draft = createDraft({ row: () => undefined })
    const change = { value: 1, version: 1 }
    assert.throws(() => draft.put(TABLE, 'a', change), /written without having been read/)
    draft.insert(TABLE, 'a', change)
    draft.put(TABLE, 'a', { value: 2, version: 2 })
    const [write] = createWrites(draft).writes
    assert.deepEqual([write?.expected, write?.version], [0, 2])
    const known = createDraft(below)
    known.insert(TABLE, 'a', { value: 1, version: 8 })
    assert.equal(createWrites(known).writes[0]?.expected, 7, 'a row that is there all the same')
  })

  test('limits a row that grows step by step', () => {
    const draft = createDraft({
      row: (table, key) => ({ table, key, version: 0, value: [], bytes: 2 }),
    })
    const mib = 'x'.repeat(1_048_576)
    const grow = (): void => {
      for (let count = 1; count <= 20; count += 1) {
        const list = (draft.row(TABLE, 'a') as { value: readonly string[] }).value
        draft.put(TABLE, 'a', { value: [...list, mib], version: count })
      }
    }
    assert.throws(grow, /RULE_RETURNED[^]*16777216/)
    assert.equal((draft.row(TABLE, 'a') as { value: readonly string[] }).value.length, 16)
  })

  test('returns its own changes, and expects the versions before them', () => {
    const draft = createDraft(below)
    draft.put(TABLE, 'b', { value: 'new', version: 8 })
    draft.put(TABLE, 'b', { value: 'newer', version: 9 })
    draft.put(TABLE, 'a', { value: undefined, version: 8 })
    assert.equal(draft.row(TABLE, 'b')?.value, 'newer')
    assert.equal(draft.row(TABLE, 'a')?.value, undefined)
    assert.equal(draft.row(TABLE, 'c')?.value, 'old')
    const { writes } = createWrites(draft)
    assert.deepEqual(
      writes.map(({ key, expected, version, body }) => [key, expected, version, body]),
      [
        ['a', 7, 0, null],
        ['b', 7, 9, '"newer"'],
      ],
    )
  })

  test('contains all changes except those undone', () => {
    const draft = createDraft(below)
    draft.put(TABLE, 'a', { value: 1, version: 8 })
    draft.begin()
    draft.put(TABLE, 'a', { value: 2, version: 9 })
    draft.put(TABLE, 'b', { value: 2, version: 8 })
    draft.put(TABLE, 'a', { value: 4, version: 10 })
    draft.undo()
    assert.equal(draft.row(TABLE, 'a')?.value, 1)
    draft.begin()
    draft.put(TABLE, 'a', { value: 3, version: 9 })
    draft.begin()
    draft.undo()
    assert.deepEqual(
      createWrites(draft).writes.map(({ key, expected, version, body }) => [
        key,
        expected,
        version,
        body,
      ]),
      [['a', 7, 9, '3']],
    )
  })

  test('writes nothing for a row that was created and deleted again', () => {
    const draft = createDraft({ row: (table, key) => ({ ...CELL, table, key, version: 0 }) })
    draft.put(TABLE, 'a', { value: 1, version: 1 })
    draft.put(TABLE, 'a', { value: undefined, version: 2 })
    assert.deepEqual(createWrites(draft).writes, [])
  })

  test('is written in the order of tables and keys', () => {
    const rows = fc.array(fc.tuple(fc.constantFrom('a.x', 'b.y'), fc.string({ minLength: 1 })))
    fc.assert(
      fc.property(rows, (all) => {
        const draft = createDraft(below)
        for (const [table, key] of all) draft.put(table, key, { value: 1, version: 8 })
        const names = createWrites(draft).writes.map(({ table, key }) => [table, key] as const)
        const sorted = names.toSorted(([a, x], [b, y]) =>
          a === b ? Number(x > y) - Number(x < y) : Number(a > b) - Number(a < b),
        )
        assert.deepEqual(names, sorted)
      }),
    )
  })
})
