import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barText, countText, durationText, manyText, timeText } from './format.ts'

test('counts have thousands separators', () => {
  assert.deepEqual([0, 999, 1_000, 1_234_567].map(countText), ['0', '999', '1,000', '1,234,567'])
  assert.deepEqual([manyText(1, 'record'), manyText(0, 'record')], ['1 record', '0 records'])
})

test('durations use the largest fitting unit', () => {
  const cases: readonly (readonly [number, string])[] = [
    [-5, '0 ms'],
    [0, '0 ms'],
    [999, '999 ms'],
    [999.6, '1.0 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [99_400, '99 s'],
    [99_600, '2 min'],
    [89 * 60_000, '89 min'],
    [120 * 60_000, '2 h'],
    [49 * 3_600_000, '2 d'],
  ]
  for (const [ms, text] of cases) assert.equal(durationText(ms), text)
})

test('times are in UTC, to the millisecond', () => {
  assert.equal(timeText(0), '1970-01-01T00:00:00.000Z')
})

test('a progress bar always has its width', () => {
  assert.equal(barText(1, 4, 8), '██░░░░░░')
  assert.equal(barText(9, 4, 4), '████')
  assert.equal(barText(0, 0, 4), '████')
})
