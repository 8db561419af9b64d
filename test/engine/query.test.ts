// Projections and queries: rows are created, changed and deleted, and found by id and by indexed
// fields.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  Fault,
  command,
  contract,
  entity,
  event,
  projection,
  query,
  queryHandler,
} from 'throughline'
import { service, start, tool } from 'throughline'
import type { Simulation } from 'throughline/testing'
import { memory, simulate } from 'throughline/testing'
import { z } from 'zod'
import { EMPTY_UNIT } from '../../src/ports/empty-unit.ts'
import { numbersUpTo } from './support/ledger-service.ts'

const Book = z.object({ isbn: z.string(), shelf: z.string(), copies: z.int() })
const Found = z.array(z.object({ id: z.string(), copies: z.int() }))
const Library = contract(
  'library',
  { key: 'isbn' },
  {
    Add: command(Book),
    Lose: command(Book),
    Added: event(Book),
    Lost: event(Book),
    OnShelf: query(z.object({ shelf: z.string(), limit: z.int() }), { answers: Found }),
    ByCopies: query(z.object({ copies: z.int() }), { answers: Found }),
    Everything: query(z.object({}), { answers: Found }),
    One: query(z.object({ isbn: z.string() }), { answers: z.unknown() }),
    Unanswered: query(z.object({ isbn: z.string() }), { answers: z.unknown() }),
    Nosy: query(z.object({ isbn: z.string() }), { answers: z.unknown() }),
  },
)
const book = entity(
  'book',
  { of: Library, id: 'isbn', initial: 0 },
  {
    decide: (on) => [
      on(Library.Add, (data) => Library.Added(data)),
      on(Library.Lose, (data) => Library.Lost(data)),
    ],
    evolve: (on) => [
      on(Library.Added, ({ copies }, count) => count + copies),
      on(Library.Lost, () => 0),
    ],
  },
)
type Row = { readonly shelf: string; readonly copies: number; readonly seen: number }
const shelves = projection(
  'shelves',
  { by: 'isbn', row: tool<Row>(), indexes: ['shelf', 'copies'] },
  (on) => [
    on(Library.Added, ({ shelf, copies }, row) => ({ shelf, copies, seen: (row?.seen ?? 0) + 1 })),
    on(Library.Lost, () => undefined),
  ],
)
/** One event changes several rows: how often each shelf and each number of copies was seen. */
const counts = projection('counts', { by: 'isbn', row: tool<number>() }, (on) => [
  on(
    Library.Added,
    { ids: ({ shelf, copies }) => [shelf, `${copies} copies`, shelf] },
    (_, count = 0) => count + 1,
  ),
])
const search = queryHandler('search', { of: Library, reads: [shelves, book, counts] }, (on) => [
  on(Library.OnShelf, async ({ shelf, limit }, read) => {
    const all: { id: string; copies: number }[] = []
    let page = await read(shelves).find({ shelf }, { limit })
    for (;;) {
      assert.ok(page.rows.length <= limit)
      all.push(...page.rows.map(({ id, row }) => ({ id, copies: row.copies })))
      if (page.next === undefined) return all
      page = await read(shelves).find({ shelf }, { limit, after: page.next })
    }
  }),
  on(Library.ByCopies, async ({ copies }, read) => {
    const { rows } = await read(shelves).find({ copies })
    return rows.map(({ id }) => ({ id, copies }))
  }),
  on(Library.Everything, async (_, read) => {
    const all: { id: string; copies: number }[] = []
    for await (const { id, row } of read(shelves).all()) all.push({ id, copies: row.copies })
    return all
  }),
  on(Library.One, async ({ isbn }, read) => ({
    row: await read(shelves).get(isbn),
    state: await read(book).get(isbn),
    count: await read(counts).get(isbn),
  })),
])
type ReadAnything = (of: unknown) => { get(id: string): Promise<unknown> }
const nosy = queryHandler('nosy', { of: Library, reads: [] }, (on) => [
  on(Library.Nosy, ({ isbn }, read) => (read as unknown as ReadAnything)(shelves).get(isbn)),
])
const library = service('library', {
  owns: [Library],
  runs: [book, shelves, counts, search, nosy],
})

const isbnOf = (number: number): string => `isbn-${String(number).padStart(3, '0')}`

async function filled(seed: number, count: number): Promise<Simulation> {
  const world = await simulate([library], { seed })
  for (const number of numbersUpTo(count)) {
    const shelf = number % 3 === 0 ? 'a' : 'b'
    await world.send(Library.Add({ isbn: isbnOf(number), shelf, copies: number % 2 }))
  }
  await world.settled()
  return world
}

describe('rows', () => {
  test('are found by each indexed field, page by page, in id order', async () => {
    await using world = await filled(1, 40)
    const wanted = numbersUpTo(40).filter((number) => number % 3 === 0)
    for (const limit of [1, 3, 7, 14, 100]) {
      const found = await world.ask(Library.OnShelf({ shelf: 'a', limit }))
      assert.deepEqual(
        found,
        wanted.map((number) => ({ id: isbnOf(number), copies: number % 2 })),
      )
    }
    assert.equal((await world.ask(Library.ByCopies({ copies: 1 }))).length, 20)
    assert.deepEqual(await world.ask(Library.OnShelf({ shelf: 'none', limit: 5 })), [])
    const all = await world.ask(Library.Everything({}))
    assert.deepEqual(
      all.map(({ id }) => id),
      numbersUpTo(40).map(isbnOf),
    )
  })

  test('are found by the current values of their fields', async () => {
    await using world = await filled(2, 6)
    await world.send(Library.Add({ isbn: isbnOf(0), shelf: 'b', copies: 9 }))
    await world.settled()
    const ids = async (shelf: string): Promise<readonly string[]> =>
      (await world.ask(Library.OnShelf({ shelf, limit: 100 }))).map(({ id }) => id)
    assert.deepEqual(await ids('a'), [isbnOf(3)])
    assert.deepEqual(await ids('b'), [0, 1, 2, 4, 5].map(isbnOf))
    const one = (await world.ask(Library.One({ isbn: isbnOf(0) }))) as object
    assert.deepEqual(one, { row: { shelf: 'b', copies: 9, seen: 2 }, state: 9, count: undefined })
  })

  test('are deleted by a tombstone, and can be created again', async () => {
    await using world = await filled(3, 6)
    const gone = { isbn: isbnOf(3), shelf: 'a', copies: 0 }
    await world.send(Library.Lose(gone))
    await world.send(Library.Lose({ ...gone, isbn: 'never-there' }))
    await world.settled()
    assert.deepEqual(await world.ask(Library.One({ isbn: isbnOf(3) })), {
      row: undefined,
      state: 0,
      count: undefined,
    })
    assert.equal((await world.ask(Library.Everything({}))).length, 5)
    assert.equal((await world.ask(Library.OnShelf({ shelf: 'a', limit: 5 }))).length, 1)
    await world.send(Library.Add({ ...gone, copies: 4 }))
    await world.settled()
    const { row } = (await world.ask(Library.One({ isbn: isbnOf(3) }))) as { row: Row }
    assert.deepEqual(row, { shelf: 'a', copies: 4, seen: 1 })
  })

  test('changed by the same event are each folded once', async () => {
    await using world = await filled(4, 9)
    const countOf = async (isbn: string): Promise<unknown> =>
      ((await world.ask(Library.One({ isbn }))) as { count?: number }).count
    assert.deepEqual(
      [
        await countOf('a'),
        await countOf('b'),
        await countOf('0 copies'),
        await countOf('1 copies'),
      ],
      [3, 6, 5, 4],
    )
  })

  test('are iterated across pages', async () => {
    const backend = memory()
    await using app = await start([library], backend)
    const rows = numbersUpTo(10_001).map((number) => ({
      table: 'library.shelves',
      key: `isbn-${number}`,
      expected: 0,
      version: 1,
      body: JSON.stringify({ shelf: 'a', copies: number, seen: 1 }),
      index: { shelf: 'a', copies: number },
    }))
    await backend.store.commit({ ...EMPTY_UNIT, rows })
    const found = await app.ask(Library.Everything({}))
    assert.equal(new Set(found.map(({ id }) => id)).size, 10_001)
    assert.equal(found.length, 10_001)
  })

  test('are the same after a crash', async () => {
    await using world = await filled(5, 12)
    await world.crash('library')
    for (const number of numbersUpTo(12))
      await world.send(Library.Lose({ isbn: isbnOf(number), shelf: '', copies: 0 }))
    await world.advance(7)
    await world.crash('library')
    await world.settled()
    assert.deepEqual(await world.ask(Library.Everything({})), [])
  })
})

describe('a query', () => {
  const codeOf = async (asking: Promise<unknown>): Promise<string> => {
    const fault = await asking.then(
      () => assert.fail('it was answered'),
      (cause: unknown) => cause,
    )
    assert.ok(fault instanceof Fault, String(fault))
    return fault.code
  }

  test('without a rule fails', async () => {
    await using world = await filled(6, 1)
    const code = await codeOf(world.ask(Library.Unanswered({ isbn: 'x' })))
    assert.equal(code, 'QUERY_NOT_ANSWERED')
  })

  test('fails if it is no query or violates its contract', async () => {
    await using world = await filled(7, 1)
    assert.equal(await codeOf(world.ask(Library.One({ isbn: 7 } as never))), 'MESSAGE_INVALID')
    const noQuery = Library.Add({ isbn: 'x', shelf: 'a', copies: 1 }) as never
    assert.equal(await codeOf(world.ask(noQuery)), 'MESSAGE_INVALID')
  })

  test('fails if it reads an undeclared source', async () => {
    await using world = await filled(8, 1)
    assert.equal(await codeOf(world.ask(Library.Nosy({ isbn: 'x' }))), 'RULE_RETURNED')
  })

  test('by an absent value finds nothing rather than everything', async () => {
    await using world = await filled(9, 4)
    const asked = Library.OnShelf({ shelf: 'a', limit: 10 })
    assert.equal((await world.ask(asked)).length, 2)
    const careless = queryHandler('search', { of: Library, reads: [shelves] }, (on) => [
      on(Library.Everything, async (_, read) => {
        const { rows } = await read(shelves).find({ shelf: undefined } as never)
        return rows.map(({ id, row }) => ({ id, copies: row.copies }))
      }),
    ])
    const runs = [book, shelves, counts, careless] as const
    await using other = await simulate([service('library', { owns: [Library], runs })], { seed: 9 })
    await other.send(Library.Add({ isbn: 'x', shelf: 'secret', copies: 1 }))
    await other.settled()
    const found = await other.ask(Library.Everything({})).catch((cause: unknown) => cause)
    assert.ok(found instanceof Fault || (found as []).length === 0, JSON.stringify(found))
  })
})
