import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gapOf, speedOf } from './bead-pace.ts'

const rates = [0, 0.5, 5, 30, 100, 400, 5_000, 1_000_000]

test('a higher rate is never slower and never sparser', () => {
  for (const [index, rate] of rates.slice(1).entries()) {
    assert.ok(speedOf(rate) >= speedOf(rates[index] ?? 0))
    assert.ok(gapOf(rate) <= gapOf(rates[index] ?? 0))
  }
})

test('speed and gap are bounded', () => {
  assert.deepEqual([speedOf(-1), speedOf(1e12)], [22, 120])
  assert.deepEqual([gapOf(-1), gapOf(1e12)], [44, 11])
})
