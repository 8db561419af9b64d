import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { printable, printableLines, printableStyled } from './printable.ts'

/** Controls of a terminal, and what turns a text around or ends its line. */
const HOSTILE = 'a\u001b[2J\u009b0m\r\nb\u007f\u202egnp\u2066x\u2069\u200f\u061c\u2028'

suite('printed text', () => {
  test('contains no control sequences and no marks of text direction', () => {
    assert.equal(
      printable(HOSTILE),
      'a\\u001b[2J\\u009b0m\\u000d\\u000ab\\u007f\\u202egnp\\u2066x\\u2069\\u200f\\u061c\\u2028',
    )
  })

  test('stays JSON with the same meaning', () => {
    const value = { [HOSTILE]: [HOSTILE] }
    for (const print of [printable, printableLines, printableStyled]) {
      const line = print(JSON.stringify(value))
      assert.deepEqual(JSON.parse(line), value)
      assert.match(line, /^[ -~]*$/)
    }
  })

  test('keeps line feeds in text of several lines and colours in styled text', () => {
    assert.equal(printableLines('a\n\tb\r\u001b[1m'), 'a\n\tb\\u000d\\u001b[1m')
    assert.equal(
      printableStyled('\u001b[1mbold\u001b[22m\u001b[2J'),
      '\u001b[1mbold\u001b[22m\\u001b[2J',
    )
  })

  test('keeps letters of all languages', () => {
    const text = 'Grüße, Привет, 書庫, مرحبا, שלום, 👩‍🚀, e\u0301'
    for (const print of [printable, printableLines, printableStyled])
      assert.equal(print(text), text)
  })
})
