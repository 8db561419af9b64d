// A process ends during a long call, and an earlier event of the key then becomes a dead letter.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LONG_MS, createPost } from '../support/post-office.ts'

test('an event that waits behind a dead letter is not in progress', async () => {
  const post = createPost()
  const crash = await post.launch({ retry: { attempts: 1 } })
  await post.append('ann 1', 'ann 2')
  await post.advance(50)
  post.end('ann 1')
  await post.advance(LONG_MS)
  const before = await post.statuses()
  assert.deepEqual(before, ['ann IN_PROGRESS 0'])
  crash()
  await post.launch({ retry: { attempts: 1 } })
  while (post.running() === 0) await post.advance(50)
  post.end('ann 1', new Error('no bell'))
  await post.advance(10_000)
  assert.equal(post.running(), 0)
  assert.deepEqual(await post.counts(), [0, 1, 1, 0])
  const statuses = await post.statuses()
  await post.discard()
  await post.advance(5_000)
  post.end('ann 2')
  await post.advance(5_000)
  assert.deepEqual(await post.counts(), [1, 0, 0, 0])
  await post.stop()
  assert.deepEqual(
    statuses.filter((each) => each.includes('IN_PROGRESS')),
    [],
  )
})
