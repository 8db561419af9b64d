import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { visible } from '../text/visible.ts'
import { tokensOf } from './json.ts'

test('names and values are different tokens', () => {
  const tokens = tokensOf({ key: 'c:1', cents: [5, null] }).filter(({ is }) => is !== 'mark')
  assert.deepEqual(
    tokens.map(({ is, text }) => [is, text]),
    [
      ['name', '"key"'],
      ['text', '"c:1"'],
      ['name', '"cents"'],
      ['other', '5'],
      ['other', 'null'],
    ],
  )
})

test('joined tokens give the text', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const text = tokensOf(value)
        .map((token) => token.text)
        .join('')
      assert.equal(text, visible(JSON.stringify(value, undefined, 2)))
    }),
  )
})

test('long JSON is truncated, and undefined is shown as nothing', () => {
  assert.ok(tokensOf('x'.repeat(90_000)).at(-1)?.text.endsWith('…'))
  assert.deepEqual(tokensOf(undefined), [{ is: 'mark', text: 'nothing' }])
})
