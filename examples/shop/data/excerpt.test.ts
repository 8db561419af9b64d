import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CHARGES } from '../intake/charges.ts'
import { readInvoices } from '../intake/file.ts'
import { readRows } from '../intake/rows.ts'
import { booksOf } from '../oracle.ts'
import { excerptOf } from './excerpt.ts'
import { planted } from './planted.ts'

const path = fileURLToPath(new URL('orders.csv', import.meta.url))
const text = readFileSync(path, 'utf8')
const intake = await readInvoices(path)
const books = booksOf(text)

interface Line {
  readonly at: number
  readonly number: string
  readonly code: string
  readonly description: string
  readonly quantity: string
  readonly time: string
  readonly price: string
  readonly customer: string
  readonly country: string
}

const lines: Line[] = []
for await (const rows of readRows([text])) {
  for (const row of rows) {
    if (!('fields' in row)) continue
    const [number = '', code = '', description = '', quantity = '', time = ''] = row.fields
    const [price = '', customer = '', country = ''] = row.fields.slice(5)
    const at = lines.length
    lines.push({ at, number, code, description, quantity, time, price, customer, country })
  }
}
/** Rows that are the real file's, by invoice. */
const real = lines.filter((line) => !isPlanted(line))
const invoices = Map.groupBy(real, ({ number }) => number)
const outcomes = new Map(intake.invoices.map((invoice) => [invoice.invoiceId, invoice]))

function isPlanted({ number, description }: Line): boolean {
  return /PLANTED/.test(number) || /PLANTED/.test(description)
}

function isReturn({ number }: Line): boolean {
  return number.startsWith('C')
}

function someInvoice(is: (rows: readonly Line[]) => boolean): boolean {
  return [...invoices.values()].some(is)
}

function valuesOf(rows: readonly Line[], field: 'time' | 'country' | 'customer'): number {
  return new Set(rows.map((row) => row[field])).size
}

/** What an order is worth in pence, where the door takes it. */
function worthCents(number: string): number {
  const invoice = outcomes.get(number)
  if (invoice?.kind !== 'order') return 0
  return invoice.lines.reduce((sum, line) => sum + line.quantity * line.unitPriceCents, 0)
}

/** Pieces that a customer bought of a product before a row, in orders that the door takes. */
function boughtBefore(row: Line): Line[] {
  return real.filter(
    ({ at, customer, code, number }) =>
      at < row.at &&
      customer === row.customer &&
      code === row.code &&
      outcomes.get(number)?.kind === 'order',
  )
}

function isRefusedFor(reason: string): boolean {
  return someInvoice(([row]) => {
    const outcome = outcomes.get(row?.number ?? '')
    return outcome?.kind === 'rejected' && outcome.reason === reason
  })
}

function piecesOf(rows: readonly Line[]): number {
  return rows.reduce((sum, { quantity }) => sum + Math.abs(Number(quantity)), 0)
}

/** Each kind of dirt that the real file has, and how to tell that it is there. */
const kinds: Record<string, () => boolean> = {
  'a return that finds its order': () =>
    real.some((row) => isReturn(row) && piecesOf(boughtBefore(row)) >= piecesOf([row])),
  'a return that draws on more than one order': () =>
    real.some((row) => {
      const last = boughtBefore(row).at(-1)
      return isReturn(row) && last !== undefined && piecesOf([last]) < piecesOf([row])
    }),
  'a return with nothing to return': () =>
    real.some((row) => isReturn(row) && row.customer !== '' && boughtBefore(row).length === 0),
  'a return at another price than was paid': () =>
    real.some((row) => {
      const bought = boughtBefore(row)
      return isReturn(row) && bought.length > 0 && bought.every(({ price }) => price !== row.price)
    }),
  'a return that names a product twice': () =>
    someInvoice((rows) => {
      const codes = new Set(rows.map(({ code }) => code))
      return rows.every(isReturn) && codes.size < rows.length
    }),
  'a return of a charge that was paid': () =>
    real.some((row) => isReturn(row) && row.code === 'POST' && boughtBefore(row).length > 0),
  'a return without a customer': () => real.some((row) => isReturn(row) && row.customer === ''),
  'an order of a guest that is taken': () =>
    [...outcomes.values()].some((invoice) => invoice.kind === 'order' && invoice.isGuest),
  'a price of zero': () => real.some(({ price }) => Number(price) === 0),
  'a price of zero among sound lines': () =>
    someInvoice(
      (rows) =>
        rows.some(({ price }) => Number(price) === 0) &&
        rows.some(({ price }) => Number(price) > 0),
    ),
  'a price with a part of a penny': () => isRefusedFor('bad-pence'),
  'a negative quantity in an order': () =>
    real.some((row) => !isReturn(row) && row.quantity.startsWith('-')) &&
    isRefusedFor('bad-quantity'),
  'an order of charges alone': () =>
    someInvoice((rows) => rows.every((row) => !isReturn(row) && CHARGES.has(row.code))),
  'lines of an invoice that are not contiguous': () => {
    const rows = invoices.get('542806') ?? []
    return (rows.at(-1)?.at ?? 0) - (rows[0]?.at ?? 0) >= rows.length && rows.length > 0
  },
  'an order of two times': () => someInvoice((rows) => valuesOf(rows, 'time') > 1),
  'a return of two times': () => valuesOf(invoices.get('C545569') ?? [], 'time') > 1,
  'an order whose lines name two countries': () =>
    someInvoice((rows) => valuesOf(rows, 'country') > 1),
  'product codes that differ by case only': () => {
    const goods = new Set(real.map(({ code }) => code).filter((code) => !CHARGES.has(code)))
    return new Set([...goods].map((code) => code.toUpperCase())).size < goods.size
  },
  'a missing description': () => real.some(({ description }) => description === ''),
  'a description with blanks at its end': () =>
    real.some(({ description }) => description !== description.trimEnd()),
  'a comma in quotes': () => real.some(({ description }) => description.includes(',')),
  'a doubled quote': () => real.some(({ description }) => description.includes('"')),
  'text that was lost before the file was made': () =>
    real.some(({ description }) => description.includes('\ufffd')),
  'an order of 675 lines': () => someInvoice((rows) => rows.length === 675),
  'an order above the payment limit': () =>
    someInvoice(([row]) => worthCents(row?.number ?? '') > 500_000),
  'an order to Unspecified': () => real.some((row) => row.country === 'Unspecified'),
  'an order to the European Community': () =>
    real.some((row) => !isReturn(row) && row.country === 'European Community'),
  'orders to many countries': () => new Set(real.map(({ country }) => country)).size >= 10,
}

describe('the excerpt holds', () => {
  for (const [kind, isThere] of Object.entries(kinds)) {
    test(kind, () => assert.ok(isThere()))
  }

  for (const code of CHARGES.keys()) {
    test(`the charge ${code}`, () => assert.ok(real.some((row) => row.code === code)))
  }
})

/** What becomes of planted invoices; those that have no number are counted. */
const becomes: Record<string, string[]> = {
  malformed: [
    ...Array.from({ length: 11 }, (_, at) => `PLANTED-${String(at + 1).padStart(2, '0')}`),
    '#### PLANTED ####',
  ],
  'bad-quantity': ['PLANTED-15', 'PLANTED-16', 'PLANTED-18', 'C-PLANTED-19'],
  'bad-price': ['PLANTED-17', 'A563186'],
  order: [
    'PLANTED-12',
    'PLANTED-13',
    'PLANTED-14',
    'PLANTED-20',
    'PLANTED-21',
    'PLANTED-22',
    'PLANTED-23',
    'PLANTED-24',
    'A563185',
    '__proto__',
    'Ü-商品-😀',
  ],
  return: ['C-PLANTED-20'],
}

describe('a planted row', () => {
  test('has the effect that it was planted for', () => {
    for (const [outcome, numbers] of Object.entries(becomes)) {
      for (const number of numbers) {
        const invoice = outcomes.get(number)
        assert.equal(invoice?.kind === 'rejected' ? invoice.reason : invoice?.kind, outcome, number)
      }
    }
    assert.equal(intake.malformedRows, 3)
    assert.equal(worthCents('PLANTED-21'), 500_000)
    assert.equal(worthCents('PLANTED-22'), 500_001)
    assert.ok(text.includes('\r\n') && text.includes('\n\n'))
  })

  test('is marked and occurs in the excerpt once', () => {
    for (const { text: rows, kind } of planted) {
      assert.match(rows, /PLANTED/, kind)
      assert.equal(text.split(`\n${rows}\n`).length, 2, kind)
    }
    const numbers = Object.values(becomes).flat()
    const marked = [...outcomes.keys()].filter((number) => !invoices.has(number))
    assert.deepEqual(marked.toSorted(), numbers.toSorted())
  })
})

/** The excerpt without what is planted. */
const bare = planted.reduce((rest, { text: rows }) => rest.replace(`\n${rows}\n`, () => '\n'), text)

describe('the excerpt', () => {
  test('is small', () => {
    assert.ok(Buffer.byteLength(text) < 1_000_000)
    assert.ok(intake.invoices.length >= 450 && intake.invoices.length <= 550)
    assert.ok(intake.rowCount <= 10_000)
  })

  test('is the same when cut again from itself without planted rows', () => {
    assert.equal(excerptOf(bare), text)
  })

  test('holds all rows of its customers and none of others', () => {
    const [header = '', first = '', ...rest] = bare.trimEnd().split('\n')
    const stranger = '999999,22423,LANTERN,1,2010-12-01T08:26:00Z,1.00,99999,France'
    const late = first.replace(/^[^,]*/, '999998')
    const cut = excerptOf([header, stranger, first, ...rest, late].join('\n'))
    assert.ok(!cut.includes(stranger))
    assert.ok(cut.includes(`\n${late}\n`))
  })

  test('of another file is refused', () => {
    assert.throws(() => excerptOf('InvoiceNo\n'), /first line/)
    const [header = ''] = text.split('\n')
    assert.throws(() => excerptOf(`${header}\n1,A\n`), /no row: 1,A/)
  })

  test('has these totals', () => {
    assert.deepEqual(books, {
      orders: {
        read: 494,
        accepted: 420,
        refused: {
          malformed: 12,
          'bad-quantity': 16,
          'bad-price': 15,
          'bad-pence': 1,
          'no-customer': 5,
          'nothing-to-return': 25,
        },
        completed: 327,
        rolledBack: { 'payment-limit': 13, 'not-served': 6 },
        returned: 74,
      },
      money: { chargedCents: 14_368_074, refundedCents: 1_334_283, standingCents: 13_033_791 },
      stock: { start: 171_300_000, shipped: 66_933, returned: 1_135, onHand: 171_234_202 },
      malformedRows: 3,
      warnings: [],
    })
  })
})
