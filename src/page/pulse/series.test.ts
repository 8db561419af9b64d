import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { columnsOf, topOf } from './series.ts'

test('columns count back from the newest point', () => {
  const series = [
    { at: 5_000, value: 1 },
    { at: 7_000, value: 4 },
  ]
  assert.deepEqual(columnsOf(series), [
    [-2, 0],
    [1, 4],
  ])
  assert.deepEqual(columnsOf([]), [[], []])
})

test('the top of an axis is round', () => {
  assert.deepEqual(
    [null, 0, 1, 3, 7, 11, 25, 340, 999].map(topOf),
    [2, 2, 2, 4, 8, 20, 30, 400, 1_000],
  )
})

test('the top of an axis is at least the value and at most three times the value', () => {
  fc.assert(
    fc.property(fc.double({ min: 2, max: 1e9, noNaN: true }), (value) => {
      assert.ok(topOf(value) >= value && topOf(value) <= 3 * value)
    }),
  )
})
