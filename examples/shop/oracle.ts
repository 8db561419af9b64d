/**
 * What the books of the shop must say about a file of invoices.
 *
 * Straight sequential code over the raw text. It shares nothing with the shop, so that the two can
 * only agree by both following the rules.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { invoicesOf } from './oracle-invoices.ts'
import type { Invoice, Line } from './oracle-invoices.ts'

export type Reasons = { [reason: string]: number }

export type Books = {
  orders: {
    read: number
    accepted: number
    refused: Reasons
    completed: number
    rolledBack: Reasons
    returned: number
  }
  money: { chargedCents: number; refundedCents: number; standingCents: number }
  stock: { start: number; shipped: number; returned: number; onHand: number }
  /** Malformed rows whose invoice number does not read; they belong to no invoice. */
  malformedRows: number
  /** What makes these books depend on timing. Where empty, no order of events changes them. */
  warnings: string[]
}

export type BooksOptions = {
  /** An order above this total is declined; exactly this passes. In pence, 500,000 by default. */
  paymentLimitCents?: number
  /** Pieces of each product before the first order that names it. 100,000 by default. */
  startStock?: number
}

/** A line of a completed order, with what the customer still holds of it. */
type Holding = { code: string; pieces: number; priceCents: number }
type Taking = { holding: Holding; pieces: number }
type Ledger = {
  paymentLimitCents: number
  startStock: number
  books: Books
  onHand: Map<string, number>
  /** Pieces of a product that charged orders ask for, all orders together. */
  asked: Map<string, number>
  /** Per customer, lines of completed orders in sequence. */
  holdings: Map<string, Holding[]>
  allHoldings: Holding[]
}

const paymentLimitCentsDefault = 500_000
const startStockDefault = 100_000

/** Charged, never stocked. Letter case matters. */
const chargeCodes: Set<string> = new Set(
  'POST,DOT,M,m,D,S,C2,BANK CHARGES,AMAZONFEE,PADS'.split(','),
)

const countriesNotServed: Set<string> = new Set(['Unspecified', 'European Community'])

/**
 * The books of a CSV text with its header row. Throws where the header is another one, or where
 * the books contradict themselves.
 */
export function booksOf(text: string, options: BooksOptions = {}): Books {
  const { inSequence, malformedRows } = invoicesOf(text)
  const ledger: Ledger = {
    paymentLimitCents: options.paymentLimitCents ?? paymentLimitCentsDefault,
    startStock: options.startStock ?? startStockDefault,
    books: emptyBooks(),
    onHand: new Map(),
    asked: new Map(),
    holdings: new Map(),
    allHoldings: [],
  }
  const { books } = ledger
  books.malformedRows = malformedRows
  for (const invoice of inSequence) settle(ledger, invoice)
  for (const holding of ledger.allHoldings) {
    books.money.standingCents += holding.pieces * holding.priceCents
  }
  books.stock.start = ledger.onHand.size * ledger.startStock
  for (const pieces of ledger.onHand.values()) books.stock.onHand += pieces
  for (const [code, pieces] of ledger.asked) {
    if (pieces <= ledger.startStock) continue
    books.warnings.push(
      `${code}: charged orders ask for ${pieces} pieces of ${ledger.startStock}, so that stock ` +
        'may run out and the books depend on timing',
    )
  }
  checkLaws(books)
  return books
}

/** The books of a CSV file, plain or gzipped. */
export function booksOfFile(path: string, options: BooksOptions = {}): Books {
  const bytes = readFileSync(path)
  const isGzipped = bytes[0] === 0x1f && bytes[1] === 0x8b
  return booksOf((isGzipped ? gunzipSync(bytes) : bytes).toString('utf8'), options)
}

function emptyBooks(): Books {
  return {
    orders: { read: 0, accepted: 0, refused: {}, completed: 0, rolledBack: {}, returned: 0 },
    money: { chargedCents: 0, refundedCents: 0, standingCents: 0 },
    stock: { start: 0, shipped: 0, returned: 0, onHand: 0 },
    malformedRows: 0,
    warnings: [],
  }
}

function settle(ledger: Ledger, invoice: Invoice): void {
  const { orders } = ledger.books
  orders.read += 1
  const { complaint } = invoice
  if (complaint !== undefined) return count(orders.refused, complaint)
  if (invoice.isReturn) settleReturn(ledger, invoice)
  else settleOrder(ledger, invoice)
}

function settleOrder(ledger: Ledger, order: Invoice): void {
  const { orders, money, stock } = ledger.books
  orders.accepted += 1
  const totalCents = order.lines.reduce((sum, line) => sum + line.quantity * line.priceCents, 0)
  if (totalCents > ledger.paymentLimitCents) return count(orders.rolledBack, 'payment-limit')
  money.chargedCents += totalCents

  const goods = order.lines.filter((line) => !chargeCodes.has(line.code))
  const needs = piecesByCode(goods)
  let isOutOfStock = false
  for (const [code, pieces] of needs) {
    const onHand = ledger.onHand.get(code) ?? ledger.startStock
    ledger.onHand.set(code, onHand)
    ledger.asked.set(code, (ledger.asked.get(code) ?? 0) + pieces)
    if (pieces > onHand) isOutOfStock = true
  }
  // Delivery asks for the country also where an order is of charges alone. When both say no, it is
  // the country that is named, which no timing can change.
  const isServed = !countriesNotServed.has(order.country)
  if (isOutOfStock || !isServed) {
    money.refundedCents += totalCents
    return count(orders.rolledBack, isServed ? 'out-of-stock' : 'not-served')
  }

  orders.completed += 1
  for (const [code, pieces] of needs) {
    ledger.onHand.set(code, (ledger.onHand.get(code) ?? 0) - pieces)
    stock.shipped += pieces
  }
  for (const { code, quantity, priceCents } of order.lines) {
    const holding: Holding = { code, pieces: quantity, priceCents }
    ledger.allHoldings.push(holding)
    // Nobody can return what was bought without a name.
    if (order.customer === '') continue
    const held = ledger.holdings.get(order.customer)
    if (held === undefined) ledger.holdings.set(order.customer, [holding])
    else held.push(holding)
  }
}

function settleReturn(ledger: Ledger, invoice: Invoice): void {
  const { orders, money, stock } = ledger.books
  if (invoice.customer === '') return count(orders.refused, 'no-customer')
  const takings = takingsOf(
    piecesByCode(invoice.lines),
    ledger.holdings.get(invoice.customer) ?? [],
  )
  if (takings === undefined) return count(orders.refused, 'nothing-to-return')
  orders.accepted += 1
  orders.returned += 1
  for (const { holding, pieces } of takings) {
    holding.pieces -= pieces
    money.refundedCents += pieces * holding.priceCents
    if (chargeCodes.has(holding.code)) continue
    stock.returned += pieces
    ledger.onHand.set(holding.code, (ledger.onHand.get(holding.code) ?? 0) + pieces)
  }
}

/**
 * What a return takes from the holdings: the newest order first, and in an order the last line
 * first. Undefined where they do not cover it whole.
 */
function takingsOf(wanted: Map<string, number>, holdings: Holding[]): Taking[] | undefined {
  const takings: Taking[] = []
  for (const [code, wantedPieces] of wanted) {
    let missing = wantedPieces
    for (const holding of holdings.toReversed()) {
      if (holding.code !== code) continue
      const pieces = Math.min(missing, holding.pieces)
      takings.push({ holding, pieces })
      missing -= pieces
      if (missing === 0) break
    }
    if (missing > 0) return undefined
  }
  return takings
}

/** Repeated lines of a product add up; the sign of a return is dropped. */
function piecesByCode(lines: Line[]): Map<string, number> {
  const pieces = new Map<string, number>()
  for (const { code, quantity } of lines) {
    pieces.set(code, (pieces.get(code) ?? 0) + Math.abs(quantity))
  }
  return pieces
}

function count(reasons: Reasons, reason: string): void {
  reasons[reason] = (reasons[reason] ?? 0) + 1
}

/** These sums were made on separate paths, so a slip in one shows. */
function checkLaws({ orders, money, stock }: Books): void {
  const sum = (reasons: Reasons): number => Object.values(reasons).reduce((a, b) => a + b, 0)
  const laws: [string, number, number][] = [
    ['read = accepted + refused', orders.read, orders.accepted + sum(orders.refused)],
    [
      'accepted = completed + rolled back + returned',
      orders.accepted,
      orders.completed + sum(orders.rolledBack) + orders.returned,
    ],
    [
      'charged - refunded = standing',
      money.chargedCents - money.refundedCents,
      money.standingCents,
    ],
    [
      'start - shipped + returned = on hand',
      stock.start - stock.shipped + stock.returned,
      stock.onHand,
    ],
  ]
  for (const [law, left, right] of laws) {
    if (left !== right) throw new Error(`The books break ${law}: ${left} is not ${right}`)
    if (!Number.isSafeInteger(left)) throw new Error(`Too large to count exactly: ${law}`)
  }
}
