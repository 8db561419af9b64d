// Events whose calls take long, and what a failure, a rewind or a deploy does to them meanwhile.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { LONG_MS, createPost } from '../support/post-office.ts'

/** A dead letter with a hold of its own, which its key has gone on without. */
async function createSkipped() {
  const post = createPost()
  await post.launch({ onFailed: 'skip', retry: { attempts: 2, delayMs: 1_000 } })
  await post.append('ann 1')
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await post.advance(200)
    post.end('ann 1', new Error('no bell'))
    await post.advance(4_000)
  }
  return post
}

test('the long retry of a redriven dead letter with a hold of its own is in progress', async () => {
  const post = await createSkipped()
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

test('the long retry of a skipped dead letter keeps no other call from being in progress', async () => {
  const post = await createSkipped()
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
