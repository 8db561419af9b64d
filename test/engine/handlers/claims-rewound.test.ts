// An operator skips an event whose call never ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LONG_MS, createPost } from '../support/post-office.ts'

test('an event that a rewind has skipped does not stay in progress', async () => {
  const post = createPost()
  await post.launch({ retry: { attempts: 1 } })
  await post.append('ann 1')
  await post.advance(LONG_MS)
  assert.deepEqual(await post.statuses(), ['ann IN_PROGRESS 0'])
  await post.skip()
  await post.advance(1_000)
  post.end('ann 1')
  await post.advance(20_000)
  assert.equal(post.running(), 0)
  const [, pending, dead, lag] = await post.counts()
  assert.deepEqual([pending, dead, lag], [0, 0, 0])
  const statuses = await post.statuses()
  await post.stop()
  assert.deepEqual(
    statuses.filter((each) => each.includes('IN_PROGRESS')),
    [],
  )
})
