import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { booksOf } from './oracle.ts'
import type { Books } from './oracle.ts'

const header = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'
const time = '2010-12-01T08:26:00Z'

function csv(...rows: string[]): string {
  return [header, ...rows, ''].join('\n')
}

function booksOfRows(...rows: string[]): Books {
  return booksOf(csv(...rows))
}

const customers = ['', '17850', '13047', '12583']
const numberAndCustomer = fc
  .integer({ min: 1, max: 14 })
  .chain((n) =>
    fc
      .constantFrom(`${n}`, `C${n}`)
      .map((number) => ({ number, customer: customers[n % 4] ?? '' })),
  )
const code = fc.constantFrom('85123A', '85123a', '22423', '71053', 'POST', 'M')
const price = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1, max: 9_999 }).map((p) => (p / 100).toFixed(2)) },
  { weight: 1, arbitrary: fc.constantFrom('0', '0.001', '4999.99', '', '-5') },
)
const pieces = fc.oneof(
  { weight: 40, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: fc.constant(0) },
)
const country = fc.oneof(
  { weight: 9, arbitrary: fc.constant('United Kingdom') },
  { weight: 1, arbitrary: fc.constantFrom('France', 'Unspecified', 'European Community', '') },
)
const realRow = fc
  .record({ invoice: numberAndCustomer, code, pieces, price, country })
  .map(({ invoice: { number, customer }, ...line }) => {
    const quantity = number.startsWith('C') ? -Math.ceil(line.pieces / 9) : line.pieces
    const { code: product, price: paid, country: land } = line
    return [number, product, 'LANTERN', quantity, time, paid, customer, land].join(',')
  })
const garbage = fc.string({ unit: fc.constantFrom('"', ',', '\n', '1', 'C', ' ') })
const realRows = fc.array(realRow, { maxLength: 60, size: 'max' })
const dirtyRow = fc.oneof(
  { weight: 30, arbitrary: realRow },
  { weight: 1, arbitrary: garbage },
  {
    weight: 1,
    arbitrary: fc.tuple(realRow, fc.nat(80)).map(([text, at]) => text.slice(0, at)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(realRow, fc.nat(80))
      .map(([text, at]) => `${text.slice(0, at)}"${text.slice(at)}`),
  },
)
const sum = (reasons: { [reason: string]: number }): number =>
  Object.values(reasons).reduce((a, b) => a + b, 0)

test('nothing is lost on invalid input, also with scarce stock', () => {
  const seen = new Set<string>()
  const rows = fc.array(dirtyRow, { maxLength: 60, size: 'max' })
  const limit = fc.constantFrom(20_000, 500_000)
  fc.assert(
    fc.property(
      rows,
      limit,
      fc.constantFrom(50, 100_000),
      (texts, paymentLimitCents, startStock) => {
        const { orders, money, stock } = booksOf(csv(...texts), { paymentLimitCents, startStock })
        assert.equal(orders.read, orders.accepted + sum(orders.refused))
        const { completed, rolledBack, returned } = orders
        assert.equal(orders.accepted, completed + sum(rolledBack) + returned)
        assert.equal(money.chargedCents - money.refundedCents, money.standingCents)
        assert.equal(stock.start - stock.shipped + stock.returned, stock.onHand)
        assert.ok(money.standingCents >= 0)
        assert.ok(stock.returned <= stock.shipped && stock.shipped <= stock.start + stock.returned)
        for (const reason of Object.keys({ ...orders.refused, ...rolledBack })) seen.add(reason)
        if (returned > 0) seen.add('returned')
      },
    ),
    { numRuns: 500 },
  )
  const expected =
    'bad-pence bad-price bad-quantity malformed no-customer not-served nothing-to-return ' +
    'out-of-stock payment-limit returned'
  for (const each of expected.split(' ')) assert.ok(seen.has(each), `never met: ${each}`)
})

test('how the invoices of different customers interleave does not matter', () => {
  fc.assert(
    fc.property(realRows, (texts) => {
      const customerOf = (text: string): string => text.split(',')[6] ?? ''
      const apart = customers.flatMap((each) => texts.filter((t) => customerOf(t) === each))
      assert.deepEqual(booksOfRows(...apart), booksOfRows(...texts))
    }),
  )
})

test('quotes around every cell do not matter', () => {
  fc.assert(
    fc.property(realRows, (texts) => {
      const quoted = texts.map((text) => `"${text.split(',').join('","')}"`)
      assert.deepEqual(booksOfRows(...quoted), booksOfRows(...texts))
    }),
  )
})

test('a customer who returns everything has paid nothing', () => {
  fc.assert(
    fc.property(realRows, (texts) => {
      const bought = texts.filter((text) => {
        const [number = '', , , , , , customer = ''] = text.split(',')
        return !number.startsWith('C') && customer !== ''
      })
      const before = booksOfRows(...bought)
      const numbers = [...new Set(bought.map((text) => text.split(',')[0] ?? ''))]
      const undone = numbers.map((number) => {
        const own = bought.filter((text) => text.startsWith(`${number},`))
        const isCompleted = booksOfRows(...own).orders.completed === 1
        const back = own.map((text) => `C${text.replace(/,(\d+),2010/, ',-$1,2010')}`)
        return isCompleted ? back : []
      })
      const after = booksOfRows(...bought, ...undone.toReversed().flat())
      assert.equal(after.orders.returned, before.orders.completed)
      assert.equal(after.money.standingCents, 0)
      assert.equal(after.stock.onHand, after.stock.start)
    }),
  )
})
