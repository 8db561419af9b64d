// A dead letter that its key does not wait for is redriven, and its call takes long.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LONG_MS, createPost } from '../support/post-office.ts'

test('the long retry of a redriven dead letter with a hold of its own is in progress', async () => {
  const post = createPost()
  await post.launch({ onFailed: 'skip', retry: { attempts: 2, delayMs: 1_000 } })
  await post.append('ann 1')
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await post.advance(200)
    post.end('ann 1', new Error('no bell'))
    await post.advance(4_000)
  }
  assert.deepEqual(await post.counts(), [0, 0, 1, 0])
  await post.redrive()
  await post.advance(200)
  post.end('ann 1', new Error('no bell'))
  await post.advance(200)
  assert.deepEqual(await post.statuses(), ['ann RETRY 1'])
  await post.advance(4_000 + LONG_MS)
  assert.equal(post.called.length, 4)
  assert.deepEqual(await post.statuses(), ['ann IN_PROGRESS 1'])
  post.end('ann 1')
  await post.advance(LONG_MS)
  assert.deepEqual(await post.statuses(), ['ann COMPLETED 1'])
  await post.stop()
})
