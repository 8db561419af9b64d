// The retry of a dead letter with a hold of its own and another call take long, in one batch.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LONG_MS, createPost } from '../support/post-office.ts'

test('the long retry of a skipped dead letter keeps no other call from being in progress', async () => {
  const post = createPost()
  await post.launch({ onFailed: 'skip', retry: { attempts: 2, delayMs: 1_000 } })
  await post.append('ann 1')
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await post.advance(200)
    post.end('ann 1', new Error('no bell'))
    await post.advance(4_000)
  }
  await post.redrive()
  while (post.running() === 0) await post.advance(10)
  post.end('ann 1', new Error('no bell'))
  await post.advance(50)
  await post.append('cid 1')
  while (post.running() === 0) await post.advance(10)
  await post.append('bob 1')
  // The next batch has both: the retry is due by then.
  await post.advance(4_000)
  post.end('cid 1')
  await post.advance(2 * LONG_MS)
  assert.deepEqual(post.called.slice(3).toSorted(), ['ann 1', 'bob 1', 'cid 1'])
  assert.equal(post.running(), 2)
  const bob = (await post.statuses()).filter((each) => each.startsWith('bob'))
  for (const name of ['ann 1', 'bob 1']) post.end(name)
  await post.advance(LONG_MS)
  await post.stop()
  assert.deepEqual(bob, ['bob IN_PROGRESS 0'])
})
