import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digest } from './digest.ts'

test('a digest is the beginning of the SHA-256 of the UTF-8 text', () => {
  assert.equal(digest(''), 'e3b0c44298fc1c14')
  assert.equal(digest('abc'), 'ba7816bf8f01cfea')
  assert.equal(digest('é'), '4a99557e4033c353')
})
