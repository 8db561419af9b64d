import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { grouping } from './intake/grouping.ts'
import { INTAKE_LIMITS } from './intake/limits.ts'
import { COLUMNS, rowReader } from './intake/rows.ts'
import { booksOf } from './oracle.ts'
import type { Reasons } from './oracle.ts'

const header = COLUMNS.join(',')
const sound = '1,A,LANTERN,6,2010-12-01T08:26:00Z,2.55,17850,United Kingdom'

type Seen = { read: number; refused: Reasons; malformedRows: number; worthCents: number }

/** What the shop's door makes of a text. */
function seenByDoor(text: string): Seen {
  const reader = rowReader()
  const invoices = grouping()
  invoices.add(reader.read(text))
  invoices.add(reader.end())
  const intake = invoices.end()
  const refused: Reasons = {}
  let worthCents = 0
  for (const invoice of intake.invoices) {
    if (invoice.kind === 'rejected') refused[invoice.reason] = (refused[invoice.reason] ?? 0) + 1
    if (invoice.kind !== 'order') continue
    for (const { quantity, unitPriceCents } of invoice.lines)
      worthCents += quantity * unitPriceCents
  }
  const { malformedRows } = intake
  return { read: intake.invoices.length, refused, malformedRows, worthCents }
}

/** The same, as the oracle has it: what ordering refuses is no matter of the door. */
function seenByOracle(text: string): Seen {
  const { orders, money, malformedRows } = booksOf(text, { paymentLimitCents: 1e16 })
  const refused = { ...orders.refused }
  delete refused['no-customer']
  delete refused['nothing-to-return']
  return { read: orders.read, refused, malformedRows, worthCents: money.chargedCents }
}

function agree(text: string): Seen {
  const seen = seenByDoor(text)
  assert.deepEqual(seenByOracle(text), seen, JSON.stringify(text.slice(0, 2_000)))
  return seen
}

test('intake and oracle read the same from any invalid input', () => {
  const odd = [
    '',
    ' ',
    '"',
    '""',
    '"A"',
    '"A',
    'A"',
    '"A,B"',
    '"A""B"',
    '"A\nB"',
    '"A\r\nB"',
    'A\r',
  ]
  const text = fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(...odd, 'A\ufffd', '\u00a0', 'A\u0085', '\ud800') },
    { weight: 1, arbitrary: fc.constantFrom('商品', '😀', 'x'.repeat(64), 'x'.repeat(65)) },
  )
  const cell = (...usual: string[]): fc.Arbitrary<string> =>
    fc.oneof({ weight: 60, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: text })
  const quantities = ['1', '6', '-1', '-6', '0', '1.5', '10000000', '10000001', '007', '-0']
  const prices = ['2.55', '1', '0.010', '0', '-1', '0.001', '1000000', '1000000.001', '.5', '1e3']
  const times = ['2010-12-01T08:26:00Z', '2011-02-29T08:26:00Z', '2010-12-01T08:26:00.5Z', '1 May']
  const row = fc
    .tuple(
      cell('1', '2', '3', 'C1', 'C2', '__proto__'),
      cell('A', 'a', 'POST', 'constructor'),
      cell('LANTERN', '', '"A, ""B"""', '"two\nlines"'),
      cell(...Array<string>(9).fill('6'), ...quantities),
      cell(...Array<string>(9).fill('2010-12-01T08:26:00Z'), ...times),
      cell(...Array<string>(9).fill('2.55'), ...prices),
      cell('', '17850', '13047'),
      cell('France', 'Unspecified'),
    )
    .map((cells) => cells.join(','))
  const cut = fc.tuple(row, fc.nat(70)).map(([whole, at]) => whole.slice(0, at))
  const garbage = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', '1', 'C', ' ') })
  const rows = fc.array(
    fc.oneof({ weight: 20, arbitrary: row }, { weight: 1, arbitrary: cut }, garbage),
    { maxLength: 30 },
  )
  const kinds = new Set<string>()
  fc.assert(
    fc.property(rows, fc.constantFrom('\n', '\r\n'), (texts, lineEnd) => {
      const seen = agree([header, ...texts].join(lineEnd))
      for (const reason of Object.keys(seen.refused)) kinds.add(reason)
      if (seen.malformedRows > 0) kinds.add('malformed row')
      if (seen.worthCents > 0) kinds.add('order')
    }),
    { numRuns: 3_000 },
  )
  const expected = ['bad-pence', 'bad-price', 'bad-quantity', 'malformed', 'malformed row', 'order']
  assert.deepEqual([...kinds].sort(), expected)
})

test('intake and oracle have the same limits', () => {
  const { linesPerInvoiceMax, rowLengthMax } = INTAKE_LIMITS
  const big = sound.replace(',6,', ',10000000,').replace('2.55', '1000000')
  const longRow = (length: number): string =>
    sound.replace('LANTERN', 'x'.repeat(length - sound.length + 'LANTERN'.length))
  const longJoined = (length: number): string =>
    longRow(length).replace('xx', '"x\nx').replace('x,', '",')
  const other = sound.replace('1', '2')
  const cases: [string[], Reasons][] = [
    [Array<string>(linesPerInvoiceMax).fill(sound), {}],
    [Array<string>(linesPerInvoiceMax + 1).fill(sound), { malformed: 1 }],
    [Array<string>(9).fill(big), {}],
    [[...Array<string>(9).fill(big), sound], { 'bad-price': 1 }],
    [[longRow(rowLengthMax)], {}],
    [[longRow(rowLengthMax + 1), other], { malformed: 1 }],
    [[longJoined(rowLengthMax - 10), other], {}],
    [[longJoined(rowLengthMax + 10), other], { malformed: 1 }],
    [[sound.replace('LANTERN', '"'), longRow(rowLengthMax + 1), other], { malformed: 1 }],
  ]
  for (const [rows, refused] of cases) {
    assert.deepEqual(agree([header, ...rows].join('\n')).refused, refused)
  }
})

test('intake and oracle expect the same header', () => {
  const headers = [header, `\ufeff${header}`, `\n\n${header}`, `${header}\r`]
  headers.push(`"${COLUMNS.join('","')}"`)
  for (const good of headers) assert.equal(agree(`${good}\n${sound}\n`).read, 1)
  for (const bad of ['', '\n', sound, `${header},`, header.slice(0, -1), ` ${header}`]) {
    assert.throws(() => seenByDoor(`${bad}\n${sound}`), /SHOP_HEADER_WRONG/, bad)
    assert.throws(() => seenByOracle(`${bad}\n${sound}`), /first row/, bad)
  }
})
