import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { refuse } from 'throughline'
import { given } from 'throughline/testing'
import { Inventory } from './contracts.ts'
import type { Goods } from './contracts.ts'
import { inventory, productEntity, stockOnFirstSight } from './inventory.ts'

const order = { orderId: '536365', customerId: 'c:17850' }
const aReturn = { returnId: 'C536379', customerId: 'c:17850' }

const goods = (...lines: [sku: string, quantity: number][]): Goods[] =>
  lines.map(([sku, quantity]) => ({ sku, quantity }))
const update = (lines: Goods[]) => Inventory.UpdateInventory({ ...order, lines })
const rolledBack = (lines: Goods[]) => Inventory.InventoryRolledBack({ ...order, lines })
const restocked = (lines: Goods[]) => Inventory.InventoryRestocked({ ...aReturn, lines })

/** The event for goods of which `firstSeen` start with ten pieces each. */
const updated = (lines: Goods[], ...firstSeen: string[]) =>
  Inventory.InventoryUpdated({
    ...order,
    lines: lines.map((line) => ({ ...line, opening: firstSeen.includes(line.sku) ? 10 : 0 })),
  })

/** Each product starts with ten pieces. */
const product = productEntity(10)

describe('taking stock', () => {
  test('a product starts with its opening stock on first sight', () => {
    const lines = goods(['85123A', 10], ['71053', 1])
    given(product)
      .when(update(lines))
      .then(updated(lines, '85123A', '71053'))
    const next = goods(['71053', 9], ['22423', 1])
    given(product, updated(lines, '85123A', '71053'))
      .when(update(next))
      .then(updated(next, '22423'))
  })

  test('the default opening stock is 100,000 pieces', () => {
    const lines = goods(['85123A', 100_000])
    const opened = lines.map((line) => ({ ...line, opening: 100_000 }))
    given(productEntity(stockOnFirstSight))
      .when(update(lines))
      .then(Inventory.InventoryUpdated({ ...order, lines: opened }))
    given(productEntity(stockOnFirstSight))
      .when(update(goods(['85123A', 100_001])))
      .then(refuse('out-of-stock'))
  })

  test('an order takes all its lines or none', () => {
    const before = updated(goods(['A', 7], ['B', 10]), 'A', 'B')
    const all = goods(['A', 3], ['C', 10])
    given(product, before).when(update(all)).then(updated(all, 'C'))
    for (const tooMuch of [
      goods(['A', 4]),
      goods(['A', 1], ['B', 1]),
      goods(['B', 1], ['A', 1]),
      goods(['A', 3], ['C', 11]),
    ])
      given(product, before).when(update(tooMuch)).then(refuse('out-of-stock'))
  })

  test('a refused order does not set the opening stock: the next order does', () => {
    const lines = goods(['A', 10])
    given(product)
      .when(update(goods(['A', 11], ['B', 1])))
      .then(refuse('out-of-stock'))
    given(product).when(update(lines)).then(updated(lines, 'A'))
  })

  test('repeated lines of a product add up', () => {
    const before = updated(goods(['A', 4]), 'A')
    const six = goods(['A', 3], ['B', 1], ['A', 3])
    given(product, before).when(update(six)).then(updated(six, 'B'))
    const seven = goods(['A', 3], ['B', 1], ['A', 4])
    given(product, before).when(update(seven)).then(refuse('out-of-stock'))
    given(product, before, updated(six, 'B'))
      .when(update(goods(['A', 1])))
      .then(refuse('out-of-stock'))
    given(product)
      .when(update(goods(['A', 5], ['A', 6])))
      .then(refuse('out-of-stock'))
  })

  test('a product first named on two lines of an order gets its opening stock once', () => {
    const opened = [
      { sku: 'A', quantity: 1, opening: 10 },
      { sku: 'A', quantity: 2, opening: 0 },
    ]
    given(product)
      .when(update(goods(['A', 1], ['A', 2])))
      .then(Inventory.InventoryUpdated({ ...order, lines: opened }))
  })

  test('codes that differ only by case are two products', () => {
    const lines = goods(['85123A', 10], ['85123a', 10])
    given(product)
      .when(update(lines))
      .then(updated(lines, '85123A', '85123a'))
  })

  test('an order without goods takes no stock and is accepted', () => {
    given(product).when(update([])).then(updated([]))
  })

  test('675 lines are taken in one unit, or none of them', () => {
    const lines = Array.from({ length: 675 }, (_, at) => ({ sku: `sku-${at}`, quantity: 10 }))
    const skus = lines.map(({ sku }) => sku)
    given(product)
      .when(update(lines))
      .then(updated(lines, ...skus))
    given(product, updated(goods(['sku-674', 1]), 'sku-674'))
      .when(update(lines))
      .then(refuse('out-of-stock'))
  })
})

describe('putting back', () => {
  const seven = goods(['A', 4], ['A', 3])
  const before = updated(seven, 'A')

  test('rolled back pieces can be taken again, and the opening stock is not added twice', () => {
    const all = goods(['A', 10])
    given(product, before)
      .when(Inventory.RollBackInventory({ ...order, lines: seven }))
      .then(rolledBack(seven))
    given(product, before, rolledBack(seven)).when(update(all)).then(updated(all))
    given(product, before, rolledBack(seven))
      .when(update(goods(['A', 11])))
      .then(refuse('out-of-stock'))
  })

  test('restocked pieces can be taken again', () => {
    const two = goods(['A', 1], ['A', 1])
    given(product, before)
      .when(Inventory.RestockInventory({ ...aReturn, lines: two }))
      .then(restocked(two))
    const five = goods(['A', 5])
    given(product, before, restocked(two)).when(update(five)).then(updated(five))
    given(product, before, restocked(two))
      .when(update(goods(['A', 6])))
      .then(refuse('out-of-stock'))
  })

  test('a return of charges only restocks nothing and is answered', () => {
    given(product)
      .when(Inventory.RestockInventory({ ...aReturn, lines: [] }))
      .then(restocked([]))
  })
})

test('the stock of all products: start - shipped + returned = on hand, net of rollbacks', async () => {
  const stockQueries = inventory(10).runs.find((each) => each.kind === 'query')
  assert.ok(stockQueries)
  const history = [
    updated(goods(['A', 4], ['A', 3], ['B', 5]), 'A', 'B'),
    updated(goods(['B', 2], ['C', 10]), 'C'),
    rolledBack(goods(['B', 2], ['C', 10])),
    restocked(goods(['A', 2], ['A', 1])),
  ]
  await given(stockQueries, ...history)
    .when(Inventory.CountStock({}))
    .then({ start: 30, shipped: 12, returned: 3, onHand: 21 })
})
