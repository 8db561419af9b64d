import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextTryText } from './next-try-text.ts'

test('a held key shows its next attempt, or that no rule handles it any more', () => {
  assert.equal(nextTryText({ nextAttemptAt: 0, hasNoRule: true }, 5_000), 'no rule handles it')
  assert.equal(nextTryText({ nextAttemptAt: 0 }, 5_000), 'next attempt now')
  assert.equal(nextTryText({}, 5_000), 'it has failed: a dead letter')
  assert.equal(nextTryText({ nextAttemptAt: 9_000 }, 5_000), 'next attempt in 4.0 s')
})
