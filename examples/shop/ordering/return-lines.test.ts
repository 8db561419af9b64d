import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Goods, OrderLine } from '../contracts.ts'
import { draw, subtract, valueOf } from './return-lines.ts'
import type { SettledOrder } from './return-lines.ts'

type Line = [sku: string, quantity: number, unitPriceCents: number]

const order = (id: string, ...lines: Line[]): SettledOrder => ({
  id,
  at: Number(id),
  lines: lines.map(([sku, quantity, unitPriceCents]) => ({ sku, quantity, unitPriceCents })),
})
const goods = (...lines: [sku: string, quantity: number][]): Goods[] =>
  lines.map(([sku, quantity]) => ({ sku, quantity }))
const drawn = (orders: readonly SettledOrder[], wanted: readonly Goods[]): unknown[] | undefined =>
  draw(orders, wanted)?.map((line) => [line.orderId, line.sku, line.quantity, line.unitPriceCents])

describe('draw', () => {
  const orders = [
    order('1', ['A', 5, 100], ['B', 1, 10]),
    order('2', ['A', 2, 90], ['C', 4, 7], ['A', 3, 80]),
  ]

  test('takes from the newest order first, last line first, at the price paid', () => {
    assert.deepEqual(drawn(orders, goods(['A', 2])), [['2', 'A', 2, 80]])
    assert.deepEqual(drawn(orders, goods(['A', 9])), [
      ['2', 'A', 3, 80],
      ['2', 'A', 2, 90],
      ['1', 'A', 4, 100],
    ])
  })

  test('covers a return completely or not at all', () => {
    assert.equal(drawn(orders, goods(['A', 11])), undefined)
    assert.equal(drawn(orders, goods(['A', 1], ['B', 2])), undefined)
    assert.equal(drawn(orders, goods(['A', 1], ['D', 1])), undefined)
    assert.equal(drawn([], goods(['A', 1])), undefined)
    assert.deepEqual(drawn(orders, goods(['B', 1], ['C', 4])), [
      ['2', 'C', 4, 7],
      ['1', 'B', 1, 10],
    ])
  })

  test('adds up repeated lines', () => {
    assert.deepEqual(drawn(orders, goods(['A', 1], ['B', 1], ['A', 2])), [
      ['2', 'A', 3, 80],
      ['1', 'B', 1, 10],
    ])
    assert.equal(drawn(orders, goods(['A', 5], ['A', 6])), undefined)
  })

  test('distinguishes codes that differ only by case', () => {
    const both = [order('1', ['85123A', 1, 255], ['85123a', 1, 295])]
    assert.deepEqual(drawn(both, goods(['85123A', 1])), [['1', '85123A', 1, 255]])
    assert.equal(drawn(both, goods(['85123A', 2])), undefined)
  })

  test('works with product codes such as __proto__', () => {
    assert.equal(drawn([order('1', ['A', 1, 1])], goods(['constructor', 1])), undefined)
    const odd = [order('1', ['__proto__', 2, 1])]
    assert.deepEqual(drawn(odd, goods(['__proto__', 2])), [['1', '__proto__', 2, 1]])
  })
})

describe('subtract', () => {
  test('keeps the first lines of the oldest orders and removes empty orders', () => {
    const orders = [
      order('1', ['A', 5, 100]),
      order('2', ['A', 2, 90], ['C', 4, 7], ['A', 3, 80]),
      order('3', ['A', 1, 70]),
    ]
    const taken = draw(orders, goods(['A', 5])) ?? []
    assert.deepEqual(subtract(orders, taken), [
      order('1', ['A', 5, 100]),
      order('2', ['A', 1, 90], ['C', 4, 7]),
    ])
  })

  test('works if an order has a product twice at one price', () => {
    const orders = [order('1', ['A', 2, 5], ['A', 3, 7], ['A', 1, 5])]
    const taken = draw(orders, goods(['A', 5])) ?? []
    assert.deepEqual(subtract(orders, taken), [order('1', ['A', 1, 5])])
  })
})

const sku = fc.constantFrom('A', 'a', 'B', 'POST')
const line: fc.Arbitrary<Line> = fc.tuple(
  sku,
  fc.integer({ min: 1, max: 9 }),
  fc.constantFrom(5, 7, 100),
)
const someOrders = fc
  .array(fc.array(line, { minLength: 1, maxLength: 6 }), { maxLength: 5 })
  .map((all) => all.map((lines, at) => order(`${at}`, ...lines)))
const wanted = fc
  .array(fc.tuple(sku, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 4 })
  .map((lines) => goods(...lines))

const pieces = (lines: readonly Goods[]): Map<string, number> => {
  const sums = new Map<string, number>()
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity)
  return sums
}
const linesOf = (orders: readonly SettledOrder[]): OrderLine[] =>
  orders.flatMap(({ lines }) => [...lines])

/** One piece after the other, oldest first: the plain way to say what stands. */
const piecewise = (orders: readonly SettledOrder[]): [string, string, number][] =>
  orders.flatMap(({ id, lines }) =>
    lines.flatMap(({ sku, quantity, unitPriceCents }) =>
      Array.from({ length: quantity }, (): [string, string, number] => [id, sku, unitPriceCents]),
    ),
  )

describe('properties of draw', () => {
  test('a return is covered if and only if enough was bought', () => {
    fc.assert(
      fc.property(someOrders, wanted, (orders, lines) => {
        const bought = pieces(linesOf(orders))
        const isCovered = [...pieces(lines)].every(([sku, n]) => n <= (bought.get(sku) ?? 0))
        assert.equal(draw(orders, lines) !== undefined, isCovered)
      }),
    )
  })

  test('the lines add up to the wanted pieces, and no line gives more than it has', () => {
    fc.assert(
      fc.property(someOrders, wanted, (orders, lines) => {
        const taken = draw(orders, lines)
        fc.pre(taken !== undefined)
        const byCode = (sums: Map<string, number>) =>
          [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1))
        assert.deepEqual(byCode(pieces(taken)), byCode(pieces(lines)))
        assert.ok(taken.every(({ quantity }) => quantity > 0))
      }),
    )
  })

  test('pieces and money are conserved: taken and remaining add up to what was there', () => {
    fc.assert(
      fc.property(someOrders, wanted, (orders, lines) => {
        const taken = draw(orders, lines)
        fc.pre(taken !== undefined)
        const left = linesOf(subtract(orders, taken))
        assert.equal(valueOf(left) + valueOf(taken), valueOf(linesOf(orders)))
        const [before, after, out] = [linesOf(orders), left, taken].map(pieces)
        for (const [sku, quantity] of before ?? [])
          assert.equal((after?.get(sku) ?? 0) + (out?.get(sku) ?? 0), quantity)
        assert.ok(left.every(({ quantity }) => quantity > 0))
      }),
    )
  })

  test('the remaining lines equal those of a naive implementation', () => {
    fc.assert(
      fc.property(someOrders, wanted, (orders, lines) => {
        const taken = draw(orders, lines)
        fc.pre(taken !== undefined)
        const missing = pieces(lines)
        const kept = piecewise(orders)
          .toReversed()
          .filter(([, sku]) => {
            const count = missing.get(sku) ?? 0
            if (count > 0) missing.set(sku, count - 1)
            return count === 0
          })
        assert.deepEqual(piecewise(subtract(orders, taken)), kept.toReversed())
      }),
    )
  })

  test('two draws equal one draw of the sum', () => {
    fc.assert(
      fc.property(someOrders, wanted, wanted, (orders, first, second) => {
        const one = draw(orders, first)
        fc.pre(one !== undefined)
        const rest = subtract(orders, one)
        const two = draw(rest, second)
        const both = draw(orders, [...first, ...second])
        assert.equal(two === undefined, both === undefined)
        if (two && both)
          assert.deepEqual(piecewise(subtract(rest, two)), piecewise(subtract(orders, both)))
      }),
    )
  })
})
