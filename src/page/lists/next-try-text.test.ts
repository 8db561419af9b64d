import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextTryText } from './next-try-text.ts'

test('a key whose rule is gone is not said to be tried now for ever', () => {
  assert.equal(nextTryText({ nextAttemptAt: 0, isUnread: true }, 5_000), 'no rule reads it here')
  assert.equal(nextTryText({ nextAttemptAt: 0 }, 5_000), 'next try now')
  assert.equal(nextTryText({ nextAttemptAt: 9_000 }, 5_000), 'next try in 4.0 s')
})
