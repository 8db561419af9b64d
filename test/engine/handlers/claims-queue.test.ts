// A process ends during a long call, and its handler is a queue from the next deploy on.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { LONG_MS, createPost } from '../support/post-office.ts'

suite('an event in progress whose handler becomes a queue', () => {
  test('is completed in the ledger once its short call has ended', async () => {
    const post = createPost()
    const crash = await post.launch()
    await post.append('ann 1')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.statuses(), ['ann IN_PROGRESS 0'])
    crash()
    await post.launch({ consume: 'queue' })
    while (post.running() === 0) await post.advance(50)
    post.end('ann 1')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.counts(), [1, 0, 0, 0])
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 0'])
    await post.stop()
  })

  test('does not stop its consumer while its call is long', async () => {
    const post = createPost()
    const crash = await post.launch()
    await post.append('ann 1')
    await post.advance(LONG_MS)
    crash()
    post.called.length = 0
    await post.launch({ consume: 'queue' })
    while (post.running() === 0) await post.advance(50)
    await post.append('bob 1')
    for (let round = 0; round < 60; round += 1) {
      await post.advance(1_000)
      post.end('bob 1')
    }
    assert.deepEqual(post.called, ['ann 1', 'bob 1'])
    assert.deepEqual(await post.counts(), [1, 1, 0, 0])
    post.end('ann 1')
    await post.advance(20_000)
    assert.deepEqual(await post.counts(), [2, 0, 0, 0])
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 0', 'bob COMPLETED 0'])
    await post.stop()
  })
})
