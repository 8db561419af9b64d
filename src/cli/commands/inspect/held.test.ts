import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heldKeyRow } from './held.ts'

test('a held key whose error has several lines prints no escaped line feed', () => {
  const error = {
    message: 'MESSAGE_NEWER: version 2\nstart the code that wrote it',
    firstAt: 0,
    lastAt: 0,
  }
  const event = { id: 'e', type: 'a.Told', topic: 'a.events', partition: 0, offset: 0, at: 0 }
  const held = {
    consumer: 'a/b',
    key: 'k',
    since: 0,
    count: 1,
    event,
    status: 'RETRY',
    attempts: 1,
    error,
  } as const
  const cells = heldKeyRow({ ...held, nextAttemptAt: 1_000 }, 0, true)
  assert.equal(cells.at(-1), 'MESSAGE_NEWER: version 2: start the code that wrote it')
})
