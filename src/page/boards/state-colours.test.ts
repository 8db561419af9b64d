import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharesOf, shadesOf, shareText } from './state-colours.ts'

test('states are coloured by their tone, else by the next colour of the row', () => {
  assert.deepEqual(shadesOf([undefined, 'good', undefined, 'undone', 'bad']), [
    'a',
    'good',
    'b',
    'undone',
    'bad',
  ])
  assert.deepEqual(shadesOf(Array.from({ length: 6 }, () => undefined)).slice(4), ['rest', 'rest'])
})

test('shares add up to 1, or to 0 without counts', () => {
  assert.deepEqual(sharesOf([1, 3]), [0.25, 0.75])
  assert.deepEqual(sharesOf([0, 0]), [0, 0])
  assert.deepEqual(sharesOf([-5, 5]), [0, 1])
})

test('a share is not rounded to 0% or 100%', () => {
  assert.deepEqual([0, 0.001, 0.333, 0.996, 1].map(shareText), ['0%', '<1%', '33%', '>99%', '100%'])
})
