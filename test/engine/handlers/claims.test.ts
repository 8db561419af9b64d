// An ordered handler whose call takes long: its event is in progress, and everybody can see it.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { LONG_MS, createPost } from '../support/post-office.ts'

suite('a call that takes longer than the ack time', () => {
  test('is in progress, then completed; a short one has no row', async () => {
    const post = createPost()
    await post.launch()
    await post.append('ann 1')
    await post.append('bob 1')
    await post.advance(100)
    post.end('bob 1')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.statuses(), ['ann IN_PROGRESS 0'])
    post.end('ann 1')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 0'])
    assert.deepEqual(await post.counts(), [2, 0, 0, 0])
    await post.stop()
  })

  test('may fail, and is in progress again at its next attempt', async () => {
    const post = createPost()
    await post.launch()
    await post.append('ann 1')
    await post.advance(LONG_MS)
    post.end('ann 1', new Error('the bell is broken'))
    await post.advance(50)
    assert.deepEqual(await post.statuses(), ['ann RETRY 1'])
    await post.advance(3_000)
    assert.deepEqual(await post.statuses(), ['ann IN_PROGRESS 1'])
    post.end('ann 1')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 1'])
    assert.deepEqual(await post.counts(), [1, 0, 0, 0])
    await post.stop()
  })

  for (const [moment, first] of [
    ['first', true],
    ['second', false],
  ] as const)
    test(`goes on after a crash in its ${moment} attempt`, async () => {
      const post = createPost()
      const crash = await post.launch()
      await post.append('ann 1')
      await post.advance(LONG_MS)
      if (!first) {
        post.end('ann 1', new Error('the bell is broken'))
        await post.advance(4_000)
      }
      const attempts = first ? 0 : 1
      assert.deepEqual(await post.statuses(), [`ann IN_PROGRESS ${attempts}`])
      crash()
      await post.launch()
      await post.advance(10_000)
      assert.equal(post.called.length, attempts + 2)
      post.end('ann 1')
      await post.advance(LONG_MS)
      assert.deepEqual(await post.statuses(), [`ann COMPLETED ${attempts}`])
      assert.deepEqual(await post.counts(), [1, 0, 0, 0])
      await post.stop()
    })

  test('is done once, although the answer of its claim was lost', async () => {
    const post = createPost()
    let lost = 0
    await post.launch({}, async (method, call, args) => {
      const answer = await call()
      const isClaim = method === 'store.commit' && JSON.stringify(args).includes('IN_PROGRESS')
      if (isClaim && (lost += 1) === 1) throw new Error('the connection is gone')
      return answer
    })
    await post.append('ann 1')
    await post.advance(LONG_MS)
    post.end('ann 1')
    await post.advance(LONG_MS)
    assert.ok(lost > 0)
    assert.deepEqual(post.called, ['ann 1'])
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 0'])
    assert.deepEqual(await post.counts(), [1, 0, 0, 0])
    await post.stop()
  })
})

suite('a claim', () => {
  test('whose answer is lost while its call ends is known to the unit of the call', async () => {
    const post = createPost()
    let lost = 0
    await post.launch({}, async (method, call, args) => {
      const answer = await call()
      const isClaim =
        method === 'store.commit' && /"status":"IN_PROGRESS"/.test(JSON.stringify(args))
      if (!isClaim || (lost += 1) > 1) return answer
      post.end('ann 1')
      // The call has ended by the time that the answer is missed.
      for (let turn = 0; turn < 200; turn += 1) await Promise.resolve()
      throw new Error('the connection is gone')
    })
    await post.append('ann 1')
    await post.advance(LONG_MS)
    assert.equal(lost, 1)
    assert.deepEqual(post.called, ['ann 1'])
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 0'])
    await post.stop()
  })

  test('of a process that has lost its lease is refused', async () => {
    const post = createPost({ queueAckMs: 10_000, deadlineMs: 60_000 })
    let isCutOff = false
    await post.launch({}, (method, call) =>
      isCutOff && method === 'store.beat' ? new Promise(() => undefined) : call(),
    )
    await post.append('ann 1')
    while (post.running() === 0) await post.advance(50)
    isCutOff = true
    await post.launch()
    while (post.called.length < 2) await post.advance(500)
    post.end('ann 1')
    await post.advance(30_000)
    assert.deepEqual(post.called, ['ann 1', 'ann 1'])
    assert.deepEqual(await post.statuses(), [], 'a short call has no status')
    await post.stop()
  })
})
