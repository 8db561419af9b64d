/**
 * Computes the totals that the shop must reach for a file of invoices, prints them as one line of JSON,
 * and compares the summary of a run with them.
 *
 *     check-books.ts FILE[.gz] [SUMMARY.json] [--stock PIECES]
 *
 * The summary is the last line of its file, as `--json` prints it. `--stock` is the initial stock of
 * each product and must be that of the run. If stock runs short, which orders are refused depends on
 * timing: a warning says so, only the figures that do not depend on it are compared, and the summary
 * must balance. Exits 1 on any difference, 2 on wrong usage or if the file cannot be read.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { booksOfFile } from './oracle.ts'
import type { Books, BooksOptions } from './oracle.ts'

const usage = 'Usage: check-books.ts FILE[.gz] [SUMMARY.json] [--stock PIECES]'
const stockMax = 1_000_000_000

type Wanted = { file: string; summaryFile: string | undefined; options: BooksOptions }

/** Runs the command line and returns its exit code. */
export function checkBooks(args: string[]): number {
  let wanted: Wanted
  let books: Books
  let summary: unknown
  try {
    wanted = readArgs(args)
    books = booksOfFile(wanted.file, wanted.options)
    summary = wanted.summaryFile === undefined ? undefined : readSummary(wanted.summaryFile)
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`)
    return 2
  }
  process.stdout.write(`${JSON.stringify(books)}\n`)
  for (const warning of books.warnings) process.stderr.write(`warning: ${warning}\n`)
  if (wanted.summaryFile === undefined) return 0
  const differences = [...differencesOf(books, summary), ...imbalancesOf(summary)]
  for (const difference of differences) process.stdout.write(`${difference}\n`)
  return differences.length === 0 ? 0 : 1
}

function readArgs(args: string[]): Wanted {
  const { values, positionals } = parseArgs({
    args,
    options: { stock: { type: 'string' } },
    allowPositionals: true,
  })
  const [file, summaryFile] = positionals
  if (file === undefined || positionals.length > 2) throw new Error(usage)
  if (values.stock === undefined) return { file, summaryFile, options: {} }
  const startStock = Number(values.stock)
  if (!/^\d+$/.test(values.stock) || startStock < 1 || startStock > stockMax) {
    throw new Error(`--stock takes a whole number of pieces from 1 to ${stockMax}\n${usage}`)
  }
  return { file, summaryFile, options: { startStock } }
}

/**
 * The differences between a summary and the expected totals in orders, money and stock, one sentence
 * each. A reason that one side leaves out counts as 0. `malformedRows` is compared if the summary has
 * it. With warnings, only figures that do not depend on timing are compared.
 */
export function differencesOf(books: Books, summary: unknown): string[] {
  if (typeof summary !== 'object' || summary === null) return ['the summary is not an object']
  const found = new Map<string, unknown>()
  const expected = new Map<string, unknown>()
  for (const part of ['orders', 'money', 'stock', 'malformedRows'] as const) {
    const value: unknown = Reflect.get(summary, part)
    if (part === 'malformedRows' && value === undefined) continue
    flatten(part, value, found)
    flatten(part, books[part], expected)
  }
  const differences: string[] = []
  for (const path of new Set([...expected.keys(), ...found.keys()])) {
    const isReason = /^orders\.(refused|rolledBack)\../.test(path)
    const right = expected.get(path) ?? (isReason ? 0 : undefined)
    const wrong = found.get(path) ?? (isReason ? 0 : undefined)
    if (right === wrong || (books.warnings.length > 0 && !isFirm(path))) continue
    differences.push(`${path}: expected ${shown(right)}, the summary says ${shown(wrong)}`)
  }
  return differences
}

/** Whether a figure does not depend on which orders are refused when stock runs short. */
function isFirm(path: string): boolean {
  const ofReturns = 'orders.refused.nothing-to-return'
  if (path.startsWith('orders.refused.')) return path !== ofReturns
  const firm = ['orders.read', 'orders.rolledBack.payment-limit', 'money.chargedCents']
  return [...firm, 'malformedRows'].includes(path)
}

/** The equations that a summary violates, one sentence each. */
export function imbalancesOf(summary: unknown): string[] {
  const figures = new Map<string, unknown>()
  flatten('', summary, figures)
  const figure = (path: string): number => Number(figures.get(`.${path}`) ?? Number.NaN)
  const sum = (path: string): number => {
    let total = 0
    for (const [each, value] of figures) {
      if (each.startsWith(`.${path}.`)) total += Number(value)
    }
    return total
  }
  const laws: [string, number, number][] = [
    [
      'read = accepted + refused',
      figure('orders.read'),
      figure('orders.accepted') + sum('orders.refused'),
    ],
    [
      'accepted = completed + rolled back + returned',
      figure('orders.accepted'),
      figure('orders.completed') + sum('orders.rolledBack') + figure('orders.returned'),
    ],
    [
      'charged - refunded = standing',
      figure('money.chargedCents') - figure('money.refundedCents'),
      figure('money.standingCents'),
    ],
    [
      'start - shipped + returned = on hand',
      figure('stock.start') - figure('stock.shipped') + figure('stock.returned'),
      figure('stock.onHand'),
    ],
  ]
  return laws
    .filter(([, left, right]) => left !== right)
    .map(([law, left, right]) => `the summary breaks ${law}: ${left} is not ${right}`)
}

function flatten(path: string, value: unknown, into: Map<string, unknown>): void {
  if (typeof value !== 'object' || value === null) {
    if (value !== undefined) into.set(path, value)
    return
  }
  for (const [key, inner] of Object.entries(value)) flatten(`${path}.${key}`, inner, into)
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

function readSummary(path: string): unknown {
  const lastLine = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? ''
  try {
    return JSON.parse(lastLine)
  } catch {
    return undefined
  }
}

if (import.meta.main) process.exitCode = checkBooks(process.argv.slice(2))
