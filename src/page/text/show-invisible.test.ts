import assert from 'node:assert/strict'
import { test } from 'node:test'
import { showInvisible } from './show-invisible.ts'

test('bidirectional controls are escaped, so that text cannot reorder its neighbours', () => {
  assert.equal(showInvisible('pay \u202e00.01 rof\u202c!'), 'pay \\u202e00.01 rof\\u202c!')
  const controls = [0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202d, 0x2066, 0x2067, 0x2068, 0x2069]
  for (const code of controls)
    assert.equal(
      showInvisible(String.fromCharCode(code)),
      `\\u${code.toString(16).padStart(4, '0')}`,
    )
})

test('visible text is unchanged, also in right-to-left scripts', () => {
  for (const text of ['order-1', 'שלום', 'مرحبا', 'e\u0301', '👩‍👩‍👧', 'two\n\tlines', ''])
    assert.equal(showInvisible(text), text)
  assert.equal(showInvisible('a\u0000b\u001b[31m\u007f'), 'a\\u0000b\\u001b[31m\\u007f')
})
