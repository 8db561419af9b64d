import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { booksOf } from './oracle.ts'
import type { Books, BooksOptions } from './oracle.ts'

const header = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'

type Rest = { customer?: string; country?: string; date?: string; description?: string }

function row(number: string, code: string, pieces: string, price: string, rest: Rest = {}): string {
  const { customer = '17850', country = 'United Kingdom' } = rest
  const { date = '2010-12-01T08:26:00Z', description = 'LANTERN' } = rest
  return [number, code, description, pieces, date, price, customer, country].join(',')
}

function csv(...rows: string[]): string {
  return [header, ...rows, ''].join('\n')
}

function booksOfRows(...rows: string[]): Books {
  return booksOf(csv(...rows))
}

/** The reason why an order of one row is refused, or its standing in pence. */
function outcome(text: string, options: BooksOptions = {}): string | number {
  const { orders, money } = booksOf(csv(text), options)
  assert.equal(orders.read, 1)
  const reasons = Object.keys({ ...orders.refused, ...orders.rolledBack })
  return reasons[0] ?? money.standingCents
}

describe('orders', () => {
  test('one completed order of goods and a charge', () => {
    const books = booksOfRows(row('1', '71053', '6', '3.39'), row('1', 'POST', '2', '18'))
    assert.deepEqual(books, {
      orders: { read: 1, accepted: 1, refused: {}, completed: 1, rolledBack: {}, returned: 0 },
      money: { chargedCents: 5634, refundedCents: 0, standingCents: 5634 },
      stock: { start: 100_000, shipped: 6, returned: 0, onHand: 99_994 },
      malformedRows: 0,
      warnings: [],
    })
  })

  test('a file with only the header gives totals of 0', () => {
    const { orders, money, stock } = booksOf(`${header}\n`)
    assert.equal(orders.read, 0)
    assert.equal(money.chargedCents, 0)
    assert.equal(stock.start, 0)
  })

  test('another header is an error', () => {
    assert.throws(() => booksOf('InvoiceNo,StockCode\n'), /first row/)
    assert.throws(() => booksOf(''), /first row/)
  })

  test('lines of an invoice need not be contiguous nor have one time', () => {
    const { orders, money } = booksOfRows(
      row('1', 'A', '1', '1'),
      row('2', 'A', '1', '1'),
      row('1', 'A', '1', '0.50', { date: '2010-12-01T08:27:00Z' }),
    )
    assert.equal(orders.read, 2)
    assert.equal(orders.completed, 2)
    assert.equal(money.chargedCents, 250)
  })

  test('customer and country are those of the first line', () => {
    const { orders } = booksOfRows(
      row('1', 'A', '1', '1', { country: 'Unspecified' }),
      row('1', 'A', '1', '1'),
      row('2', 'A', '1', '1'),
      row('2', 'B', '1', '1', { country: 'Unspecified', customer: '' }),
      row('C3', 'B', '-1', '1'),
    )
    assert.deepEqual(orders.rolledBack, { 'not-served': 1 })
    assert.equal(orders.completed, 1)
    assert.equal(orders.returned, 1)
  })

  test('every charge code is charged and not stocked; other letter case is goods', () => {
    const charges = 'POST,DOT,M,m,D,S,C2,BANK CHARGES,AMAZONFEE,PADS'.split(',')
    const books = booksOfRows(...charges.map((code) => row('1', code, '1', '1')))
    assert.equal(books.money.standingCents, 1000)
    assert.equal(books.stock.start, 0)
    const goods = booksOfRows(...['post', 'd', 's', 'c2'].map((code) => row('1', code, '1', '1')))
    assert.equal(goods.stock.start, 400_000)
    assert.equal(goods.stock.shipped, 4)
  })

  test('an order of only charges passes all steps, including delivery', () => {
    const { orders, stock } = booksOfRows(
      row('1', 'POST', '1', '1'),
      row('2', 'POST', '1', '1', { country: 'European Community' }),
    )
    assert.equal(orders.completed, 1)
    assert.deepEqual(orders.rolledBack, { 'not-served': 1 })
    assert.deepEqual(stock, { start: 0, shipped: 0, returned: 0, onHand: 0 })
  })
})

describe('refusals', () => {
  test('quantities', () => {
    for (const bad of ['0', '-1', '1.5', '', 'x', ' 1', '10000001', '1e3', '-0', '9'.repeat(400)]) {
      assert.equal(outcome(row('1', 'A', bad, '1')), 'bad-quantity', bad)
    }
    const options = { paymentLimitCents: 1e12, startStock: 1e8 }
    assert.equal(outcome(row('1', 'A', '10000000', '0.01'), options), 10_000_000)
  })

  test('prices', () => {
    for (const bad of ['0', '0.00', '-1', '-0.001', '', 'free', '1000000.01', '1000000.001']) {
      assert.equal(outcome(row('1', 'A', '1', bad)), 'bad-price', bad)
    }
    for (const bad of ['0.001', '1.005', '2.125']) {
      assert.equal(outcome(row('1', 'A', '1', bad)), 'bad-pence', bad)
    }
    const good = { '0.01': 1, '1': 100, '1.1': 110, '1.10': 110, '1.100': 110, '8.29': 829 }
    for (const [price, cents] of Object.entries(good)) {
      assert.equal(outcome(row('1', 'A', '1', price)), cents, price)
    }
    const options = { paymentLimitCents: 1e12 }
    assert.equal(outcome(row('1', 'A', '1', '1000000'), options), 100_000_000)
  })

  test('dates, ids and countries', () => {
    const malformed = [
      row('1', 'A', '1', '1', { date: '2010-12-01' }),
      row('1', 'A', '1', '1', { date: '2010-13-01T08:26:00Z' }),
      row('1', 'A', '1', '1', { date: '2011-02-29T08:26:00Z' }),
      row('1', 'A', '1', '1', { date: '2010-12-01T24:00:00Z' }),
      row('1', 'A', '1', '1', { date: '12/1/2010 8:26' }),
      row('1', '', '1', '1'),
      row('1', 'A'.repeat(65), '1', '1'),
      row('1', 'A', '1', '1', { date: '2010-12-01T08:26:00.1234567890Z' }),
      row('1', 'A\t', '1', '1'),
      row('1', 'A', '1', '1', { customer: '1\ufffd' }),
      row('1', 'A', '1', '1', { country: '' }),
      row('1', 'A', '1', '1', { country: 'A'.repeat(65) }),
      row('1', 'A', '1', '1', { customer: '1'.repeat(65) }),
      `${row('1', 'A', '1', '1')},`,
      '1,A',
      '1',
    ]
    for (const text of malformed) assert.equal(outcome(text), 'malformed', text)
    const long = 'A'.repeat(64)
    const sound = [
      row('1', 'A', '1', '1', { date: '2012-02-29T23:59:59Z' }),
      row(long, long, '1', '1', { customer: long, country: long }),
      row('1', 'A', '1', '1', { customer: '', description: '' }),
    ]
    for (const text of sound) assert.equal(outcome(text), 100, text)
  })

  test('one invalid line rejects its whole order and no other', () => {
    const { orders, money, stock } = booksOfRows(
      row('1', 'A', '1', '1'),
      row('2', 'B', '1', '1'),
      row('1', 'C', '1', '0'),
    )
    assert.deepEqual(orders.refused, { 'bad-price': 1 })
    assert.equal(orders.completed, 1)
    assert.equal(money.chargedCents, 100)
    assert.equal(stock.start, 100_000)
  })

  test('the reason is the first in rank, not the first in the file', () => {
    const rows = [
      row('1', 'A', '1', '0.001'),
      row('1', 'A', '1', '0'),
      row('1', 'A', '0', '1'),
      row('1', '', '1', '1'),
    ]
    const reasons = rows.map((_, at) =>
      Object.keys(booksOfRows(...rows.slice(0, at + 1)).orders.refused).join(),
    )
    assert.deepEqual(reasons, ['bad-pence', 'bad-price', 'bad-quantity', 'malformed'])
    assert.equal(outcome(row('1', 'A', '-1', '0')), 'bad-quantity')
  })

  test('a row without a readable invoice number is outside read', () => {
    const rows = [
      row('', 'A', '1', '1'),
      row('1'.repeat(65), 'A', '1', '1'),
      row('1\t', 'A', '1', '1'),
      row('"1', 'A', '1', '1'),
      row('"1"2', 'A', '1', '1'),
      row('1"2', 'A', '1', '1'),
      ',',
    ]
    for (const text of rows) {
      const { orders, malformedRows } = booksOfRows(text, row('2', 'A', '1', '1'))
      assert.equal(malformedRows, 1, text)
      assert.equal(orders.read, 1, text)
      assert.equal(orders.completed, 1, text)
    }
  })
})

describe('rollbacks', () => {
  test('exactly the limit passes, a penny more is neither charged nor stocked', () => {
    assert.equal(outcome(row('1', 'A', '1', '5000.00')), 500_000)
    const { orders, money, stock } = booksOfRows(
      row('1', 'A', '1', '4999.99'),
      row('1', 'POST', '2', '0.01'),
    )
    assert.deepEqual(orders.rolledBack, { 'payment-limit': 1 })
    assert.equal(orders.accepted, 1)
    assert.equal(money.chargedCents, 0)
    assert.equal(stock.start, 0)
    assert.equal(outcome(row('1', 'A', '1', '2'), { paymentLimitCents: 199 }), 'payment-limit')
  })

  test('an order to a country that is not served is charged and refunded, and sets the opening stock', () => {
    for (const country of ['Unspecified', 'European Community']) {
      const { orders, money, stock } = booksOfRows(
        row('1', 'A', '2', '3', { country }),
        row('1', 'B', '1', '1', { country }),
      )
      assert.deepEqual(orders.rolledBack, { 'not-served': 1 })
      assert.deepEqual(money, { chargedCents: 700, refundedCents: 700, standingCents: 0 })
      assert.deepEqual(stock, { start: 200_000, shipped: 0, returned: 0, onHand: 200_000 })
    }
  })

  test('an order is short of stock as a whole, and that is a warning', () => {
    const rows = [
      row('1', 'A', '2', '1'),
      row('2', 'B', '1', '1'),
      row('2', 'A', '1', '1'),
      row('2', 'A', '1', '1'),
    ]
    const { orders, money, stock, warnings } = booksOf(csv(...rows), { startStock: 3 })
    assert.deepEqual(orders.rolledBack, { 'out-of-stock': 1 })
    assert.deepEqual(money, { chargedCents: 500, refundedCents: 300, standingCents: 200 })
    assert.deepEqual(stock, { start: 6, shipped: 2, returned: 0, onHand: 4 })
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /^A: .* 4 pieces of 3/)
    assert.deepEqual(booksOf(csv(...rows), { startStock: 4 }).warnings, [])
  })
})

describe('returns', () => {
  test('newest order first, last line first, at the price paid', () => {
    const orders = [row('1', 'A', '5', '1'), row('2', 'A', '2', '2'), row('2', 'A', '1', '3')]
    const refunds = [1, 2, 3, 4, 8].map((pieces) => {
      const books = booksOfRows(...orders, row('C3', 'A', `-${pieces}`, '99'))
      assert.equal(books.stock.returned, pieces)
      return books.money.refundedCents
    })
    assert.deepEqual(refunds, [300, 500, 700, 800, 1200])
    const twice = booksOfRows(...orders, row('C3', 'A', '-2', ''), row('C4', 'A', '-2', 'x'))
    assert.equal(twice.orders.returned, 2)
    assert.deepEqual(twice.money, { chargedCents: 1200, refundedCents: 800, standingCents: 400 })
    assert.deepEqual(twice.stock, { start: 100_000, shipped: 8, returned: 4, onHand: 99_996 })
  })

  test('newest is the sequence in the file, whatever the times', () => {
    const { money } = booksOfRows(
      row('2', 'A', '1', '2', { date: '2011-05-05T00:00:00Z' }),
      row('1', 'A', '1', '1'),
      row('C3', 'A', '-1', '0'),
    )
    assert.equal(money.refundedCents, 100)
  })

  test('the first line gives an invoice its place', () => {
    const late = booksOfRows(
      row('C2', 'A', '-1', '0'),
      row('1', 'A', '1', '1'),
      row('C2', 'A', '-1', '0'),
    )
    assert.deepEqual(late.orders.refused, { 'nothing-to-return': 1 })
    const early = booksOfRows(
      row('1', 'A', '1', '1'),
      row('C2', 'A', '-2', '0'),
      row('1', 'A', '1', '1'),
    )
    assert.equal(early.orders.returned, 1)
  })

  test('accepted or refused as a whole, with repeated lines added up', () => {
    const orders = [row('1', 'A', '2', '1'), row('1', 'B', '1', '1')]
    const whole = booksOfRows(...orders, row('C2', 'A', '-1', '0'), row('C2', 'A', '-1', '0'))
    assert.equal(whole.money.refundedCents, 200)
    const short = booksOfRows(
      ...orders,
      row('C2', 'B', '-1', '0'),
      row('C2', 'A', '-1', '0'),
      row('C2', 'A', '-2', '0'),
      row('C3', 'B', '-1', '0'),
    )
    assert.deepEqual(short.orders.refused, { 'nothing-to-return': 1 })
    assert.equal(short.orders.returned, 1)
    assert.equal(short.money.refundedCents, 100)
  })

  test('product codes are compared exactly, and a customer cannot return what another bought', () => {
    const { orders } = booksOfRows(
      row('1', '85123A', '1', '1'),
      row('C2', '85123a', '-1', '0'),
      row('C3', '85123A', '-1', '0', { customer: '13047' }),
      row('C4', '85123A', '-1', '0'),
    )
    assert.deepEqual(orders.refused, { 'nothing-to-return': 2 })
    assert.equal(orders.returned, 1)
  })

  test('only completed orders can be returned', () => {
    const { orders, money } = booksOfRows(
      row('1', 'A', '1', '1', { country: 'Unspecified' }),
      row('2', 'A', '1', '5000.01'),
      row('3', 'A', '1', '0'),
      row('C4', 'A', '-1', '0'),
    )
    assert.deepEqual(orders.refused, { 'bad-price': 1, 'nothing-to-return': 1 })
    assert.equal(money.refundedCents, 100)
  })

  test('a charge is refunded and not restocked', () => {
    const { money, stock } = booksOfRows(row('1', 'POST', '2', '9'), row('C2', 'POST', '-1', '0'))
    assert.deepEqual(money, { chargedCents: 1800, refundedCents: 900, standingCents: 900 })
    assert.deepEqual(stock, { start: 0, shipped: 0, returned: 0, onHand: 0 })
  })

  test('without a customer are refused, unless they are malformed', () => {
    const nameless = { customer: '' }
    const { orders } = booksOfRows(
      row('1', 'A', '5', '1', nameless),
      row('C2', 'A', '-1', '1', nameless),
      row('C3', 'A', '1', '1', nameless),
      row('C4', '', '-1', '1', nameless),
    )
    assert.deepEqual(orders.refused, { 'no-customer': 1, 'bad-quantity': 1, malformed: 1 })
    for (const bad of ['0', '1', '-1.5', '-10000001', '']) {
      assert.equal(outcome(row('C1', 'A', bad, '1')), 'bad-quantity', bad)
    }
  })
})
