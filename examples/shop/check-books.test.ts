import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { differencesOf, imbalancesOf } from './check-books.ts'
import { booksOf } from './oracle.ts'

const text = `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,LANTERN,2,2010-12-01T08:26:00Z,1,17850,France
2,A,LANTERN,1,2010-12-01T08:26:00Z,0,17850,France
C3,A,LANTERN,-1,2010-12-01T08:26:00Z,0,17850,France
`

test('an equal summary has no difference, and a missing reason is 0', () => {
  const books = booksOf(text)
  const { orders, money, stock } = books
  const refused = { ...orders.refused, malformed: 0 }
  assert.deepEqual(differencesOf(books, { orders: { ...orders, refused }, money, stock }), [])
})

test('each difference is a sentence', () => {
  const books = booksOf(text)
  const { orders, money, stock } = books
  const summary = {
    orders: { ...orders, refused: { 'bad-pence': 1 } },
    money: { ...money, chargedCents: 201 },
    stock: { start: stock.start, shipped: 2, returned: 1, onHand: '99999' },
    malformedRows: 3,
  }
  assert.deepEqual(differencesOf(books, summary), [
    'orders.refused.bad-price: expected 1, the summary says 0',
    'money.chargedCents: expected 200, the summary says 201',
    'stock.onHand: expected 99999, the summary says "99999"',
    'malformedRows: expected 0, the summary says 3',
    'orders.refused.bad-pence: expected 0, the summary says 1',
  ])
  assert.equal(differencesOf(books, {}).length, 12)
  assert.equal(differencesOf(books, undefined).length, 1)
})

test('if stock runs short, only figures that do not depend on timing are compared', () => {
  const scarce = `${text}4,A,LANTERN,2,2010-12-01T08:26:00Z,1,,France\n`
  const books = booksOf(scarce, { startStock: 2 })
  assert.equal(books.warnings.length, 1)
  const { orders, money, stock } = books
  // The shop may have served the orders the other way round: then nobody returned anything.
  const summary = {
    orders: {
      ...orders,
      refused: { 'bad-price': 1, 'nothing-to-return': 1 },
      accepted: 2,
      returned: 0,
    },
    money: { ...money, refundedCents: 200, standingCents: 200 },
    stock: { ...stock, returned: 0, onHand: 0 },
  }
  assert.notDeepEqual(summary.orders, orders)
  assert.deepEqual(differencesOf(books, summary), [])
  assert.deepEqual(imbalancesOf(summary), [])
  const other = { ...summary, money: { ...money, chargedCents: 401 } }
  assert.deepEqual(differencesOf(books, other), [
    'money.chargedCents: expected 400, the summary says 401',
  ])
})

test('an unbalanced summary is reported', () => {
  const { orders, money, stock } = booksOf(text)
  assert.deepEqual(imbalancesOf({ orders, money, stock }), [])
  const broken = {
    orders: { ...orders, refused: { 'bad-price': 2 }, completed: 2 },
    money: { ...money, standingCents: 0 },
    stock: { ...stock, onHand: 5 },
  }
  const laws = imbalancesOf(broken).map((sentence) => sentence.split(':')[0])
  assert.deepEqual(laws, [
    'the summary breaks read = accepted + refused',
    'the summary breaks accepted = completed + rolled back + returned',
    'the summary breaks charged - refunded = standing',
    'the summary breaks start - shipped + returned = on hand',
  ])
  assert.equal(imbalancesOf({}).length, 4)
  assert.equal(imbalancesOf(undefined).length, 4)
})

test('the command prints the books and exits 1 on a difference', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'check-books-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const write = (name: string, content: string | Buffer): string => {
    writeFileSync(join(directory, name), content)
    return join(directory, name)
  }
  const command = fileURLToPath(new URL('check-books.ts', import.meta.url))
  const run = (...paths: string[]): { status: number | null; lines: string[] } => {
    const { status, stdout } = spawnSync(process.execPath, [command, ...paths])
    return { status, lines: stdout.toString().trimEnd().split('\n') }
  }
  const expected = JSON.stringify(booksOf(text))
  const plain = write('plain.csv', text)
  const gzipped = write('gzipped.csv.gz', gzipSync(text))
  const good = write('good.json', `progress\n${expected}\n\n`)
  const bad = write('bad.json', expected.replace('"read":3', '"read":4'))
  assert.deepEqual(run(plain), { status: 0, lines: [expected] })
  assert.deepEqual(run(gzipped, good), { status: 0, lines: [expected] })
  const difference = 'orders.read: expected 3, the summary says 4'
  const law = 'the summary breaks read = accepted + refused: 4 is not 3'
  assert.deepEqual(run(plain, bad), { status: 1, lines: [expected, difference, law] })
  const scarce = JSON.stringify(booksOf(text, { startStock: 1 }))
  assert.deepEqual(run(plain, '--stock', '1'), { status: 0, lines: [scarce] })
  assert.equal(run(plain, write('broken.json', '{')).status, 1)
  const none = join(directory, 'none.csv')
  for (const args of [[], [plain, good, bad], [none], [plain, '--stock', '0'], [plain, '--nil']]) {
    assert.equal(run(...args).status, 2, args.join(' '))
  }
})
