import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compositeKey } from './composite-key.ts'

/** Text without line breaks, like topics, tables and names. */
const name = fc.string().map((text) => text.replaceAll('\n', ' '))

test('composite keys of different values differ, whatever the last value contains', () => {
  const values = fc.tuple(name, name, fc.string())
  fc.assert(
    fc.property(values, values, (one, other) => {
      const isSame = one.every((value, at) => value === other[at])
      assert.equal(compositeKey(...one) === compositeKey(...other), isSame)
    }),
  )
})

test('composite keys have the format of stored rows', () => {
  assert.equal(compositeKey('shop.commands', 'id-1'), 'shop.commands\nid-1')
  assert.equal(compositeKey('shop/order', 'shop.events', 3), 'shop/order\nshop.events\n3')
})
