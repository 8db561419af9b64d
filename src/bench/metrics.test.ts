import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, quantile, latencyMetrics } from './metrics.ts'

test('a quantile is one of the values', () => {
  const sorted = Array.from({ length: 100 }, (_, at) => at + 1)
  assert.equal(quantile(sorted, 0.5), 51)
  assert.equal(quantile(sorted, 0.99), 100)
  assert.equal(quantile(sorted, 1), 100)
  assert.equal(quantile([7], 0.99), 7)
  assert.ok(Number.isNaN(quantile([], 0.5)))
})

test('a median does not depend on the order, and does not change it', () => {
  const values = [9, 1, 5]
  assert.equal(median(values), 5)
  assert.deepEqual(values, [9, 1, 5])
})

test('latencies give their median, 99th percentile and maximum', () => {
  const latenciesMs = Array.from({ length: 1_000 }, (_, at) => 1_000 - at)
  assert.deepEqual(latencyMetrics('ack', latenciesMs), {
    ackP50Ms: 501,
    ackP99Ms: 991,
    ackMaxMs: 1_000,
  })
})
