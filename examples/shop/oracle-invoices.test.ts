import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { booksOf } from './oracle.ts'
import type { Books } from './oracle.ts'

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
function outcome(text: string): string | number {
  const { orders, money } = booksOfRows(text)
  assert.equal(orders.read, 1)
  return Object.keys(orders.refused)[0] ?? money.standingCents
}

describe('quoting', () => {
  test('commas, quotes and line ends in quotes', () => {
    for (const description of ['"A, B"', '"A ""B"" C"', '""', '"A\nB"', '"A\n\nB,C\n"', '""""']) {
      assert.equal(outcome(row('1', 'A', '2', '1', { description })), 200, description)
    }
    assert.equal(outcome('"1","A",,"2","2010-12-01T08:26:00Z","1.00",,"United Kingdom"'), 200)
  })

  test('broken quoting rejects the invoice', () => {
    for (const description of ['A"B', '"A"B', '"A" ', ' "A"', 'A"', '"A"B"']) {
      const text = row('1', 'A', '2', '1', { description })
      assert.equal(outcome(text), 'malformed', description)
    }
  })

  test('an unclosed quote does not include a whole row', () => {
    const { orders, malformedRows } = booksOfRows(
      row('1', 'A', '1', '1', { description: '"A' }),
      row('2', 'A', '1', '1', { description: '"B ""X"""' }),
    )
    assert.deepEqual(orders.refused, { malformed: 1 })
    assert.equal(orders.completed, 1)
    assert.equal(malformedRows, 0)
  })

  test('an unclosed quote joins lines up to the next whole row', () => {
    const { orders, malformedRows } = booksOfRows(
      row('1', 'A', '1', '1', { description: '"A' }),
      '7,not a whole row',
      '8',
      row('2', 'A', '1', '1'),
    )
    assert.equal(orders.read, 2)
    assert.deepEqual(orders.refused, { malformed: 1 })
    assert.equal(malformedRows, 0)
  })

  test('a quote left open at the end of the file is malformed', () => {
    assert.equal(outcome(row('1', 'A', '1', '1', { description: '"A' })), 'malformed')
    assert.equal(outcome(row('1', 'A', '1', '1', { country: '"France' })), 'malformed')
  })

  test('blank lines are no rows, and lines may end in CRLF after a BOM', () => {
    const text = csv(row('1', 'A', '1', '1'), '', row('2', 'A', '1', '1'))
    const books = booksOf(text)
    assert.equal(books.orders.completed, 2)
    assert.equal(books.malformedRows, 0)
    assert.deepEqual(booksOf(`\ufeff\n${text}\n\n`.replaceAll('\n', '\r\n')), books)
  })

  test('an over-long row is malformed and spans only its own line', () => {
    const { orders } = booksOfRows(
      row('1', 'A', '1', '1', { description: 'A'.repeat(70_000) }),
      row('2', 'A', '1', '1', { description: '"A' }),
      'x'.repeat(70_000),
      row('3', 'A', '1', '1'),
    )
    assert.deepEqual(orders.refused, { malformed: 2 })
    assert.equal(orders.completed, 1)
  })

  test('a last row without a line end counts', () => {
    assert.equal(booksOf(csv(row('1', 'A', '1', '1')).trimEnd()).orders.completed, 1)
  })
})
