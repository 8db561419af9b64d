import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { showInvisible } from '../text/show-invisible.ts'
import { tokensOf } from './json-tokens.ts'

test('names and values are different tokens', () => {
  const tokens = tokensOf({ key: 'c:1', cents: [5, null] }).filter(({ kind }) => kind !== 'mark')
  assert.deepEqual(
    tokens.map(({ kind, text }) => [kind, text]),
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
      assert.equal(text, showInvisible(JSON.stringify(value, undefined, 2)))
    }),
  )
})

test('long JSON is truncated, and undefined is shown as nothing', () => {
  assert.ok(tokensOf('x'.repeat(90_000)).at(-1)?.text.endsWith('…'))
  assert.deepEqual(tokensOf(undefined), [{ kind: 'mark', text: 'nothing' }])
})
