import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { INTAKE_LIMITS } from './limits.ts'
import { COLUMNS, readRows, rowReader } from './rows.ts'
import type { Row } from './rows.ts'
import { scan, writtenRow } from './scan.ts'

/** Any character. The unit `binary` of fast-check first maps a million of them: more than a second. */
const character = fc.nat(0x10_ffff).map((code) => String.fromCodePoint(code).toWellFormed())

const HEADER = COLUMNS.join(',')
const SOUND = '2,71053,LANTERN,6,2010-12-01T08:26:00Z,3.39,17850,France'
const { rowLengthMax } = INTAKE_LIMITS

function rowsOf(text: string): Row[] {
  const reader = rowReader()
  return [...reader.read(text), ...reader.end()]
}

function rowsBelow(...lines: string[]): Row[] {
  return rowsOf([HEADER, ...lines, ''].join('\n'))
}

/** A row of eight fields, whatever stands in its description. */
function described(description: string, invoiceId = '1'): string {
  return `${invoiceId},A,${description},1,2010-12-01T08:26:00Z,1.00,17850,France`
}

function descriptionOf(row: Row | undefined): string | undefined {
  return row !== undefined && 'fields' in row ? row.fields[2] : undefined
}

function isMalformed(row: Row | undefined, line: number, invoiceId?: string): void {
  assert.ok(row !== undefined && 'malformed' in row, JSON.stringify(row))
  assert.equal(row.line, line)
  assert.equal(row.invoiceId, invoiceId)
  assert.notEqual(row.malformed, '')
}

describe('the header', () => {
  test('alone gives no rows', () => {
    for (const text of [
      HEADER,
      `${HEADER}\n`,
      `${HEADER}\r\n`,
      `\ufeff${HEADER}\n`,
      `\n${HEADER}`,
    ]) {
      assert.deepEqual(rowsOf(text), [])
    }
    assert.deepEqual(rowsOf(`${COLUMNS.map((name) => `"${name}"`).join(',')}\n`), [])
  })

  test('that is wrong is reported with the column', () => {
    const wrong = {
      [HEADER.replace('Quantity', 'Qty')]: /column 4 is "Qty" in place of "Quantity"/,
      [HEADER.replaceAll(',', ';')]: /column 1 is "InvoiceNo;StockCode/,
      [HEADER.replace(',Country', '')]: /column 8 is missing in place of "Country"/,
      [`${HEADER},More`]: /9 columns in place of 8/,
      [HEADER.toLowerCase()]: /column 1 is "invoiceno"/,
      [HEADER.replace('Country', '"Country')]: /column 8/,
      [SOUND]: /column 1 is "2"/,
      [`\ufeff\ufeff${HEADER}`]: /column 1/,
      ['x'.repeat(rowLengthMax * 2)]: /column 1/,
    }
    for (const [text, message] of Object.entries(wrong)) {
      assert.throws(() => rowsOf(`${text}\n${SOUND}\n`), { code: 'SHOP_HEADER_WRONG', message })
    }
  })

  test('is missing in an empty file', () => {
    for (const text of ['', '\n', '\r\n\r\n', '\ufeff']) {
      assert.throws(() => rowsOf(text), { code: 'SHOP_HEADER_WRONG', message: /empty/ })
    }
  })
})

describe('lines', () => {
  test('LF and CRLF, with and without an end of the last line, give the same rows', () => {
    const expected = [
      { line: 2, fields: SOUND.split(',') },
      { line: 3, fields: described('B').split(',') },
    ]
    for (const lineEnd of ['\n', '\r\n']) {
      const text = [HEADER, SOUND, described('B')].join(lineEnd)
      assert.deepEqual(rowsOf(text), expected)
      assert.deepEqual(rowsOf(`${text}${lineEnd}`), expected)
      assert.deepEqual(rowsOf(`\ufeff${text}`), expected)
    }
  })

  test('blank lines are skipped but counted', () => {
    const rows = rowsBelow('', SOUND, '', '\r', SOUND, '')
    assert.deepEqual(
      rows.map((row) => row.line),
      [3, 6],
    )
  })

  test('a row of another number of fields is malformed, and names the invoice that reads', () => {
    const rows = rowsBelow(`${SOUND},more`, '7,A', '8', ',A,B', `${'9'.repeat(65)},A`, '1\t,A', ' ')
    isMalformed(rows[0], 2, '2')
    isMalformed(rows[1], 3, '7')
    isMalformed(rows[2], 4, '8')
    isMalformed(rows[3], 5)
    isMalformed(rows[4], 6)
    isMalformed(rows[5], 7)
    isMalformed(rows[6], 8, ' ')
    assert.equal(rows.length, 7)
  })

  test('a line beyond the limit is malformed by itself, and names its invoice', () => {
    const long = 'x'.repeat(rowLengthMax)
    const atLimit = `1,${long}`.slice(0, rowLengthMax)
    const rows = rowsBelow(atLimit, `${atLimit}x`, `"3",${long}${long}`, long + long, SOUND)
    isMalformed(rows[0], 2, '1')
    assert.match(JSON.stringify(rows[0]), /2 fields/)
    isMalformed(rows[1], 3, '1')
    assert.match(JSON.stringify(rows[1]), /longer than 65,536/)
    isMalformed(rows[2], 4, '3')
    isMalformed(rows[3], 5)
    assert.deepEqual(rows[4], { line: 6, fields: SOUND.split(',') })
    assert.equal(rows.length, 5)
  })

  test('a line of the limit with CRLF is within it', () => {
    const filler = 'x'.repeat(rowLengthMax - described('').length)
    const [row] = rowsBelow(`${described(filler)}\r`)
    assert.equal(descriptionOf(row), filler)
  })
})

describe('quotes', () => {
  test('commas, quotes and line ends inside quotes belong to the text', () => {
    for (const text of ['A, B', 'A "B" C', '"', '', 'A\nB', 'A\r\nB', 'A\n\nB,C\n', '\r', ' ']) {
      const [row, ...more] = rowsBelow(described(`"${text.replaceAll('"', '""')}"`), SOUND)
      assert.equal(descriptionOf(row), text)
      assert.equal(more.length, 1)
    }
  })

  test('broken quoting ends with its line', () => {
    for (const text of ['A"B', '"A"B', '"A" ', ' "A"', 'A"', '"A"B"', '"A""B"C']) {
      const rows = rowsBelow(described(text), SOUND)
      isMalformed(rows[0], 2, '1')
      assert.deepEqual(rows.slice(1), [{ line: 3, fields: SOUND.split(',') }])
    }
  })

  test('an unclosed quote ends where the next line is a whole row', () => {
    const rows = rowsBelow(described('"A'), 'goes on', '7,neither a row', '', SOUND, described('B'))
    isMalformed(rows[0], 2, '1')
    assert.match(JSON.stringify(rows[0]), /where line 6 begins a row; lines 2 to 5 go with it/)
    assert.deepEqual(rows.slice(1), [
      { line: 6, fields: SOUND.split(',') },
      { line: 7, fields: described('B').split(',') },
    ])
  })

  test('a whole row with quotes of its own ends an unclosed quote, too', () => {
    const rows = rowsBelow(described('"A'), described('"B, ""C"""', '2'))
    isMalformed(rows[0], 2, '1')
    assert.equal(descriptionOf(rows[1]), 'B, "C"')
  })

  test('an unclosed quote that a later line breaks includes that line and no more', () => {
    const rows = rowsBelow(described('"A'), 'goes on" wrongly', '8,A', SOUND)
    isMalformed(rows[0], 2, '1')
    assert.match(JSON.stringify(rows[0]), /lines 2 to 3 go with it/)
    isMalformed(rows[1], 4, '8')
    assert.equal(rows.length, 3)
  })

  test('an unclosed quote at the end of the file is malformed', () => {
    for (const text of [described('"A'), described('B').replace('France', '"France')]) {
      const rows = rowsBelow(SOUND, text)
      isMalformed(rows[1], 3, '1')
      assert.equal(rows.length, 2)
    }
  })

  test('an unclosed quote in the invoice number leaves it unread', () => {
    for (const text of [`"${described('A')}`, '"1"2,A', '1"2,A']) isMalformed(rowsBelow(text)[0], 2)
    isMalformed(rowsBelow('"1",A,"')[0], 2, '1')
  })

  test('what an unclosed quote joins is bounded', () => {
    const piece = 'x'.repeat(1_000)
    const rows = rowsBelow(described('"A'), ...Array<string>(100).fill(piece), SOUND)
    isMalformed(rows[0], 2, '1')
    const joined = /after ([\d,]+) characters; lines 2 to (\d+) go/.exec(JSON.stringify(rows[0]))
    assert.ok(Number(joined?.[1]?.replaceAll(',', '')) <= rowLengthMax)
    // The lines after the bound stand for themselves: each one is malformed.
    assert.deepEqual(
      rows.slice(1, -1).map((row) => row.line),
      Array.from({ length: 102 - Number(joined?.[2]) }, (_, at) => at + Number(joined?.[2]) + 1),
    )
    assert.deepEqual(rows.at(-1), { line: 103, fields: SOUND.split(',') })
  })

  test('a line that is too long ends an unclosed quote', () => {
    const rows = rowsBelow(described('"A'), `7,${'x'.repeat(rowLengthMax)}`, SOUND)
    isMalformed(rows[0], 2, '1')
    isMalformed(rows[1], 3, '7')
    assert.equal(rows.length, 3)
  })
})

const text = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'a', 'é', '😀', ' ') })
const field = fc.oneof(fc.string({ unit: character }), text, fc.constant('__proto__'))
const fields = fc.array(field, { minLength: COLUMNS.length, maxLength: COLUMNS.length })

/** The one thing that the rule on unclosed quotes forbids to write: a text that holds a row. */
function holdsRow(row: readonly string[]): boolean {
  const lines = writtenRow(row).split('\n').slice(1)
  return lines.some((line) => {
    const { status, fields: found } = scan(line.endsWith('\r') ? line.slice(0, -1) : line)
    return status === 'whole' && found.length === COLUMNS.length
  })
}

describe('properties', () => {
  test('fields that are written by RFC 4180 are read back', () => {
    const table = fc.array(fields.filter((row) => !holdsRow(row)))
    fc.assert(
      fc.property(table, fc.constantFrom('\n', '\r\n'), (rows, lineEnd) => {
        const written = [HEADER, ...rows.map(writtenRow), ''].join(lineEnd)
        assert.deepEqual(
          rowsOf(written).map((row) => ('fields' in row ? row.fields : row)),
          rows,
        )
      }),
    )
  })

  test('rows do not depend on how the text is cut, nor whether it comes as bytes', async () => {
    const body = fc.array(fc.oneof(text, fields.map(writtenRow), fc.constant(SOUND)))
    await fc.assert(
      fc.asyncProperty(body, fc.integer({ min: 1, max: 40 }), async (lines, size) => {
        const whole = `\ufeff${[HEADER, ...lines].join('\n').toWellFormed()}`
        const bytes = new TextEncoder().encode(whole)
        const cuts = (length: number): number[] =>
          Array.from({ length: Math.ceil(length / size) }, (_, at) => at * size)
        const texts = cuts(whole.length).map((at) => whole.slice(at, at + size))
        const chunks = cuts(bytes.length).map((at) => bytes.slice(at, at + size))
        const expected = rowsOf(whole)
        for (const pieces of [texts, chunks]) {
          const read: Row[] = []
          for await (const rows of readRows(pieces)) read.push(...rows)
          assert.deepEqual(read, expected)
        }
      }),
    )
  })

  test('on any text nothing is thrown, and every line that is a row by itself comes out', () => {
    const line = fc.oneof(text, fields.map(writtenRow), fc.constant(SOUND), fc.constant('1,"A'))
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const all = lines.join('\n').split('\n')
        const rows = new Map(rowsBelow(...all).map((row) => [row.line, row]))
        const last = all.findIndex((one) => one.replace('\r', '') !== '')
        if (last !== -1) assert.ok(rows.has(last + 2), 'the first line that is not blank')
        for (const [at, one] of all.entries()) {
          const scanned = scan(one.endsWith('\r') ? one.slice(0, -1) : one)
          if (scanned.status !== 'whole' || scanned.fields.length !== COLUMNS.length) continue
          assert.deepEqual(rows.get(at + 2), { line: at + 2, fields: scanned.fields })
        }
      }),
    )
  })
})
