import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharesOf, shadesOf, shareText } from './shade.ts'

test('states are shaded by their tone, then in a row', () => {
  assert.deepEqual(shadesOf([undefined, 'good', undefined, 'undone', 'bad']), [
    'a',
    'good',
    'b',
    'undone',
    'bad',
  ])
  assert.deepEqual(shadesOf(Array.from({ length: 6 }, () => undefined)).slice(4), ['rest', 'rest'])
})

test('shares add up to one, and to nothing where there is nothing', () => {
  assert.deepEqual(sharesOf([1, 3]), [0.25, 0.75])
  assert.deepEqual(sharesOf([0, 0]), [0, 0])
  assert.deepEqual(sharesOf([-5, 5]), [0, 1])
})

test('a share is never rounded away', () => {
  assert.deepEqual([0, 0.001, 0.333, 0.996, 1].map(shareText), ['0%', '<1%', '33%', '>99%', '100%'])
})
