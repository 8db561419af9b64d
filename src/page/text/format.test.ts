import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ageText,
  countText,
  durationText,
  manyText,
  rateText,
  shortId,
  shortKey,
  topicParts,
  withoutCode,
} from './format.ts'

test('counts are shortened from 100,000 on', () => {
  assert.deepEqual([0, 1_204, 99_999, 100_000, 999_499, 999_500, 12_345_678].map(countText), [
    '0',
    '1,204',
    '99,999',
    '100k',
    '999k',
    '1.0M',
    '12M',
  ])
})

test('a rate has a decimal only below 10', () => {
  assert.deepEqual([0, 0.04, 0.4, 9.94, 9.96, 1_203.7].map(rateText), [
    '0',
    '0',
    '0.4',
    '9.9',
    '10',
    '1,204',
  ])
})

test('a duration is given in its largest fitting unit', () => {
  assert.deepEqual(
    [-3, 0.4, 340, 999.6, 9_940, 61_000, 240_000, 7_200_000, 200_000_000].map(durationText),
    ['0 ms', '0 ms', '340 ms', '1.0 s', '9.9 s', '61 s', '4 min', '2 h', '2 d'],
  )
  assert.deepEqual([-5, 740, 41_900, 240_000].map(ageText), ['0.0 s', '0.7 s', '41 s', '4 min'])
})

test('nouns are plural except for a count of 1', () => {
  assert.equal(manyText(1, 'event'), '1 event')
  assert.equal(manyText(2, 'event'), '2 events')
  assert.equal(manyText(0, 'reply', 'replies'), '0 replies')
})

test('the code of an error stands once', () => {
  assert.equal(withoutCode({ code: 'FINAL', message: 'FINAL: no card' }), 'no card')
  assert.equal(withoutCode({ code: 'E1', message: 'no card' }), 'no card')
  assert.equal(withoutCode({ message: 'undefined: no card' }), 'undefined: no card')
})

test('a long key is shortened in the middle', () => {
  assert.equal(shortKey('customer-12345'), 'customer-12345')
  assert.equal(shortKey('0199c0de-0000-7000-8000-00000badcafe'), '0199c0de…00badcafe')
  assert.equal(shortKey('👩'.repeat(30)), `${'👩'.repeat(8)}…${'👩'.repeat(9)}`)
})

test('ids keep their end, and topics split at the last dot', () => {
  assert.equal(shortId('order-1'), 'order-1')
  assert.equal(shortId('0199c0de-0000-7000-8000-00000badcafe'), '…0badcafe')
  assert.deepEqual(topicParts('shop.payment.events'), ['shop.payment', '.events'])
  assert.deepEqual(topicParts('audit'), ['audit', ''])
})
