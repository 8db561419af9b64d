import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { grouping } from './grouping.ts'
import type { Intake } from './grouping.ts'
import type { Invoice } from './invoices.ts'
import { INTAKE_LIMITS } from './limits.ts'
import { COLUMNS, rowReader } from './rows.ts'
import { writtenRow } from './scan.ts'

/** Any character. The unit `binary` of fast-check first maps a million of them: more than a second. */
const character = fc.nat(0x10_ffff).map((code) => String.fromCodePoint(code).toWellFormed())

function take(...lines: string[]): Intake {
  const reader = rowReader()
  const invoices = grouping()
  invoices.add(reader.read([COLUMNS.join(','), ...lines].join('\n')))
  invoices.add(reader.end())
  return invoices.end()
}

/** A sound row of an order. */
function row(invoiceId: string, sku = 'A', rest: { at?: string; customer?: string } = {}): string {
  const { at = '2010-12-01T08:26:00Z', customer = '17850' } = rest
  return writtenRow([invoiceId, sku, 'LANTERN', '6', at, '3.39', customer, 'France'])
}

function idsOf({ invoices }: Intake): string[] {
  return invoices.map(({ invoiceId }) => invoiceId)
}

/** Rows that came in as lines of an invoice. */
function rowsIn(invoice: Invoice): number {
  return invoice.kind === 'rejected' ? invoice.rowCount : invoice.lines.length
}

function isAccountedFor({ invoices, rowCount, malformedRows }: Intake): void {
  const rows = invoices.reduce((sum, invoice) => sum + rowsIn(invoice), malformedRows)
  assert.equal(rows, rowCount)
}

describe('invoices', () => {
  test('lines of one invoice belong together wherever they stand, and the first says when', () => {
    const later = { at: '2010-12-01T08:27:00Z', customer: '' }
    const intake = take(row('2'), row('1', 'A'), row('3'), row('1', 'B', later), row('2', 'B'))
    assert.deepEqual(idsOf(intake), ['2', '1', '3'])
    const [, invoice] = intake.invoices
    assert.ok(invoice?.kind === 'order')
    assert.equal(invoice.placedAt, '2010-12-01T08:26:00Z')
    assert.equal(invoice.customerId, 'c:17850')
    assert.deepEqual(
      invoice.lines.map(({ sku }) => sku),
      ['A', 'B'],
    )
    isAccountedFor(intake)
  })

  test('numbers that look like integers keep their sequence, and names of objects work', () => {
    const ids = ['7', '__proto__', '1', 'constructor', '-1', 'toString', '01', '商品']
    assert.deepEqual(idsOf(take(...ids.map((id) => row(id, id)))), ids)
  })

  test('a malformed row refuses the invoice that it names, before or after its other rows', () => {
    for (const lines of [
      ['1,A', row('1')],
      [row('1'), '1,A'],
      [row('1', 'A').replace('LANTERN', '"LANTERN'), row('1')],
    ]) {
      const intake = take(...lines, row('2'))
      const [refused, sound] = intake.invoices
      assert.ok(refused?.kind === 'rejected')
      assert.equal(refused.reason, 'malformed')
      assert.equal(refused.rowCount, 2)
      assert.equal(refused.customerId, 'c:17850')
      assert.equal(sound?.kind, 'order')
      assert.equal(intake.malformedRows, 0)
      isAccountedFor(intake)
    }
  })

  test('a row without a readable invoice number is counted, and said', () => {
    const bad = [row(''), row('1'.repeat(65)), row('1\t'), '"1"2,A', ',', '"1']
    const intake = take(...bad, row('2'))
    assert.deepEqual(idsOf(intake), ['2'])
    assert.equal(intake.malformedRows, bad.length)
    assert.equal(take(row('1\n2')).malformedRows, 1)
    assert.deepEqual(
      intake.malformedComplaints.map(({ line, reason }) => [line, reason]),
      bad.map((_, at) => [at + 2, 'malformed']),
    )
    isAccountedFor(intake)
  })

  test('complaints on rows of no invoice are capped', () => {
    const intake = take(...Array<string>(INTAKE_LIMITS.complaintsMax + 5).fill(','))
    assert.equal(intake.malformedComplaints.length, INTAKE_LIMITS.complaintsMax)
    assert.equal(intake.malformedRows, INTAKE_LIMITS.complaintsMax + 5)
  })

  test('an invoice of too many lines is refused, with all its rows counted', () => {
    const { linesPerInvoiceMax } = INTAKE_LIMITS
    const most = Array<string>(linesPerInvoiceMax).fill(row('1'))
    assert.equal(take(...most).invoices[0]?.kind, 'order')
    const intake = take(...most, row('2'), ...most)
    const [invoice] = intake.invoices
    assert.ok(invoice?.kind === 'rejected')
    assert.equal(invoice.reason, 'malformed')
    assert.equal(invoice.rowCount, 2 * linesPerInvoiceMax)
    assert.equal(invoice.complaints[0]?.line, linesPerInvoiceMax + 3)
    isAccountedFor(intake)
  })
})

const id = fc.oneof(
  fc.constantFrom('1', '2', '3', 'C1', 'C2', '__proto__', ''),
  fc.string({ unit: character, maxLength: 3 }),
)
const dirtyRow = fc
  .tuple(
    id,
    fc.constantFrom('A', 'a', 'POST', ''),
    fc.constantFrom('', 'LANTERN', 'A, "B"', 'two\nlines'),
    fc.constantFrom('1', '2', '-1', '0', 'x'),
    fc.constantFrom('2010-12-01T08:26:00Z', '2010-12-01T08:27:00Z', '1 May'),
    fc.constantFrom('1.00', '2.5', '0', '0.001'),
    fc.constantFrom('', '17850', '13047'),
    fc.constantFrom('France', 'Unspecified'),
  )
  .map(writtenRow)
const soundRow = fc
  .tuple(fc.constantFrom('1', '2', '3', '4', '5'), fc.constantFrom('A', 'B', 'POST'))
  .map(([invoiceId, sku]) => ({ invoiceId, text: row(invoiceId, sku) }))

describe('properties', () => {
  test('on any text nothing is thrown, and every row is accounted for', () => {
    const garbage = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', '1', 'C') })
    const kinds = new Set<string>()
    const body = fc.array(fc.oneof({ weight: 6, arbitrary: dirtyRow }, garbage), { maxLength: 30 })
    fc.assert(
      fc.property(body, (lines) => {
        const intake = take(...lines)
        isAccountedFor(intake)
        const ids = idsOf(intake)
        assert.equal(new Set(ids).size, ids.length)
        for (const { kind } of intake.invoices) kinds.add(kind)
        if (intake.malformedRows > 0) kinds.add('malformed row')
      }),
      { numRuns: 300 },
    )
    assert.deepEqual([...kinds].sort(), ['malformed row', 'order', 'rejected', 'return'])
  })

  test('invoices come in the sequence of their first rows', () => {
    fc.assert(
      fc.property(fc.array(soundRow), (rows) => {
        const expected = [...new Set(rows.map(({ invoiceId }) => invoiceId))]
        assert.deepEqual(idsOf(take(...rows.map(({ text }) => text))), expected)
      }),
    )
  })

  test('how rows of different invoices interleave changes nothing but the sequence', () => {
    const body = fc.array(fc.tuple(fc.constantFrom('1', '2', 'C3', '4'), dirtyRow), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(body, fc.infiniteStream(fc.nat(3)), (tagged, turns) => {
        const rows = tagged.map(([invoiceId, text]) => ({
          invoiceId,
          text: text.replace(/^("(?:""|[^"])*"|[^,]*)/, invoiceId),
        }))
        const queues = Map.groupBy(rows, ({ invoiceId }) => invoiceId)
        const shuffled: string[] = []
        while (shuffled.length < rows.length) {
          const queue = [...queues.values()].filter(({ length }) => length > 0)
          const next = queue[turns.next().value % queue.length]?.shift()
          shuffled.push(next?.text ?? '')
        }
        assert.deepEqual(byId(take(...shuffled)), byId(take(...rows.map(({ text }) => text))))
      }),
    )
  })
})

/** Invoices by number, without the places in the file that their complaints name. */
function byId({ invoices }: Intake): Map<string, unknown> {
  return new Map(
    invoices
      .toSorted((one, other) => (one.invoiceId < other.invoiceId ? -1 : 1))
      .map((invoice) => [
        invoice.invoiceId,
        invoice.kind === 'rejected'
          ? { ...invoice, complaints: invoice.complaints.map(({ message }) => message) }
          : invoice,
      ]),
  )
}
