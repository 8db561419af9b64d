import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readingOf } from './system.ts'

test('the JSON of every reading has 150 bytes', () => {
  for (const number of [0, 9, 10, 99, 100, 999, 1_000, 12_345, 999_999, 1_000_000, 87_654_321])
    assert.equal(JSON.stringify(readingOf(number)).length, 150, String(number))
})
