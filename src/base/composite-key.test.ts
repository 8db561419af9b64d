import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compositeKey } from './composite-key.ts'

/** Any text but a line break, as topics, tables and names are. */
const name = fc.string().map((text) => text.replaceAll('\n', ' '))

test('a composite key is another for other values, whatever the last one contains', () => {
  const values = fc.tuple(name, name, fc.string())
  fc.assert(
    fc.property(values, values, (one, other) => {
      const isSame = one.every((value, at) => value === other[at])
      assert.equal(compositeKey(...one) === compositeKey(...other), isSame)
    }),
  )
})

test('a composite key has the form that rows on disk are found by', () => {
  assert.equal(compositeKey('shop.commands', 'id-1'), 'shop.commands\nid-1')
  assert.equal(compositeKey('shop/order', 'shop.events', 3), 'shop/order\nshop.events\n3')
})
