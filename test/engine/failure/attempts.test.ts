// Attempts at a message end: after a number of them, or at once when no retry can help. What follows is
// what the consumer says.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { final, retryAfter } from 'throughline'
import type { ConsumerKind } from '../support/failing-consumer.ts'
import { CONSUMER, createFailingConsumer } from '../support/failing-consumer.ts'

const KINDS: readonly ConsumerKind[] = ['handler', 'queue', 'projection']
/** Longer than all attempts take with the short delays of these tests. */
const ENOUGH_MS = 10_000

suite('attempts at a message', () => {
  for (const kind of KINDS)
    for (const attempts of [1, 2, 5])
      test(`end after ${attempts}, with every status allowed (${kind})`, async () => {
        const world = createFailingConsumer({ kind, failure: { retry: { attempts } } })
        await world.launch()
        world.fail('a 1')
        await world.append('a 1')
        await world.advance(ENOUGH_MS)
        assert.equal(world.attempts.get('a 1'), attempts)
        const retried = Array.from({ length: attempts - 1 }, () => ['ERROR', 'RETRY']).flat()
        const path = world.statusPath('a 1')
        assert.deepEqual(path, [...retried, 'ERROR', 'FAILED'])
        const status = (await world.statuses()).get('a 1')
        assert.deepEqual([status?.status, status?.attempts], ['FAILED', attempts])
        assert.equal(status?.error, 'no a 1')
        const { accepted, dead, pending } = await world.counts()
        assert.deepEqual([accepted, dead, pending], [1, 1, 0])
        await world.stop()
      })

  test('are ten where nobody says otherwise', async () => {
    const world = createFailingConsumer()
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    assert.equal(world.attempts.get('a 1'), 10)
    await world.stop()
  })

  test('go on to the same number after a restart', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 6, delayMs: 1_000 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    while ((world.attempts.get('a 1') ?? 0) < 3) await world.advance(50)
    await world.stop()
    await world.launch()
    await world.advance(200_000)
    assert.equal(world.attempts.get('a 1'), 6)
    assert.equal((await world.letters())[0]?.attempts, 6)
    await world.stop()
  })

  test('are reported one by one, and the last one says that the message has failed', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 3 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(
      world.errors.map(({ attempts, status, nextAttemptAt }) => {
        return [attempts, status, nextAttemptAt !== undefined]
      }),
      [
        [1, 'RETRY', true],
        [2, 'RETRY', true],
        [3, 'FAILED', false],
      ],
    )
    for (const { at, nextAttemptAt = at } of world.errors) assert.ok(nextAttemptAt >= at)
    await world.stop()
  })

  test('wait for up to a delay that grows by its factor, and at most for the longest', async () => {
    const retry = { attempts: 8, delayMs: 100, factor: 3, delayMsMax: 2_000 }
    const world = createFailingConsumer({ failure: { retry } })
    await world.launch()
    const times: number[] = []
    world.fail('a 1', () => {
      times.push(world.clock.now())
      return new Error('no')
    })
    await world.append('a 1')
    await world.advance(60_000)
    assert.equal(times.length, 8)
    for (const [failed, error] of world.errors.slice(0, -1).entries()) {
      const longest = Math.min(100 * 3 ** failed, 2_000)
      const delayMs = (error.nextAttemptAt ?? 0) - (times[failed] ?? 0)
      // An error is decided on in the unit after it, some milliseconds later.
      assert.ok(delayMs >= 0 && delayMs <= longest + 50, `after ${failed + 1}: ${delayMs} ms`)
      const tookMs = (times[failed + 1] ?? 0) - (error.nextAttemptAt ?? 0)
      assert.ok(tookMs >= -1 && tookMs <= 50, `attempt ${failed + 2} is late by ${tookMs} ms`)
    }
    await world.stop()
  })

  test('start again at one for the next message of the key', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 4 } } })
    await world.launch()
    world.fail('a 1')
    world.fail('a 2')
    await world.append('a 1', 'a 2')
    while ((world.attempts.get('a 1') ?? 0) < 3) await world.advance(10)
    world.heal('a 1')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 1'])
    assert.equal(world.attempts.get('a 2'), 4)
    await world.stop()
  })

  for (const kind of KINDS)
    test(`are only one where the error is final (${kind})`, async () => {
      const world = createFailingConsumer({ kind })
      await world.launch()
      const cause = new Error('the account is closed')
      world.fail('a 1', () => final(cause))
      await world.append('a 1')
      await world.advance(ENOUGH_MS)
      assert.equal(world.attempts.get('a 1'), 1)
      const [letter] = await world.letters()
      assert.equal(letter?.error.code, 'FINAL')
      assert.match(letter?.error.message ?? '', /the account is closed/)
      assert.deepEqual(world.statusPath('a 1'), ['ERROR', 'FAILED'])
      await world.stop()
    })

  test('are not counted where a handler only asks to be called later', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 2 } } })
    await world.launch()
    world.fail('a 1', () => retryAfter(100))
    await world.append('a 1')
    await world.advance(5_000)
    assert.ok((world.attempts.get('a 1') ?? 0) > 10)
    assert.deepEqual((await world.counts()).dead, 0)
    world.heal()
    await world.advance(1_000)
    assert.deepEqual(world.handled, ['a 1'])
    await world.stop()
  })
})

suite('where a failed message holds its key', () => {
  for (const kind of ['handler', 'projection'] as const)
    test(`later messages of the key wait, and other keys go on (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure: { retry: { attempts: 2 } } })
      await world.launch()
      world.fail('a 2')
      await world.append('a 1', 'b 1', 'a 2', 'c 1', 'a 3', 'b 2')
      await world.advance(ENOUGH_MS)
      await world.append('a 4', 'b 3', 'd 1')
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled.toSorted(), ['a 1', 'b 1', 'b 2', 'b 3', 'c 1', 'd 1'])
      const { accepted, completed, dead, pending, lag } = await world.counts()
      assert.deepEqual([accepted, completed, dead, pending, lag], [9, 6, 1, 2, 0])
      const { items } = await world.until(world.app().heldKeys())
      assert.deepEqual(
        items.map(({ key, count, status, attempts, nextAttemptAt }) => {
          return [key, count, status, attempts, nextAttemptAt]
        }),
        [['a', 3, 'FAILED', 2, undefined]],
      )
      await world.stop()
    })

  test('a queue goes on with every other event', async () => {
    const world = createFailingConsumer({ kind: 'queue', failure: { retry: { attempts: 2 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2', 'b 1', 'a 3')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled.toSorted(), ['a 2', 'a 3', 'b 1'])
    const { completed, dead, pending } = await world.counts()
    assert.deepEqual([completed, dead, pending], [3, 1, 0])
    await world.stop()
  })

  test('health names it as a dead letter, not as a held key', async () => {
    const engine = { heldAlarmAttempts: 1, heldAlarmMs: 1 }
    const world = createFailingConsumer({ failure: { retry: { attempts: 2 } }, engine })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    const { status, alarms } = await world.until(world.app().health())
    assert.equal(status, 'degraded')
    assert.deepEqual(
      alarms.map((alarm) => [alarm.kind, 'consumer' in alarm ? alarm.consumer : undefined]),
      [['dead-letters', CONSUMER]],
    )
    await world.stop()
  })
})

suite('where a failed message is skipped', () => {
  const failure = { onFailed: 'skip', retry: { attempts: 2 } } as const

  for (const kind of ['handler', 'projection'] as const)
    test(`its key goes on without it, and it is recorded (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure })
      await world.launch()
      world.fail('a 2')
      await world.append('a 1', 'a 2', 'a 3', 'b 1')
      await world.advance(ENOUGH_MS)
      await world.append('a 4')
      await world.advance(ENOUGH_MS)
      assert.deepEqual(
        world.handled.filter((name) => name.startsWith('a')),
        ['a 1', 'a 3', 'a 4'],
      )
      const { accepted, completed, dead, pending } = await world.counts()
      assert.deepEqual([accepted, completed, dead, pending], [5, 4, 1, 0])
      const [letter] = await world.letters()
      assert.deepEqual([letter?.event.id, letter?.isSkipped, letter?.heldBehind], ['a 2', true, 0])
      await world.stop()
    })

  test('later messages of the key wait while it still has attempts', async () => {
    const world = createFailingConsumer({
      failure: { onFailed: 'skip', retry: { attempts: 5, delayMs: 1_000 } },
    })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    while ((world.attempts.get('a 1') ?? 0) < 3) await world.advance(50)
    assert.deepEqual(world.handled, [])
    world.heal()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 1', 'a 2'])
    await world.stop()
  })

  test('several of one key are dead letters beside each other', async () => {
    const world = createFailingConsumer({ failure })
    await world.launch()
    for (const name of ['a 1', 'a 2', 'a 4']) world.fail(name)
    await world.append('a 1', 'a 2', 'a 3', 'a 4', 'a 5')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 3', 'a 5'])
    const letters = await world.letters()
    assert.deepEqual(letters.map(({ event: { id } }) => id).toSorted(), ['a 1', 'a 2', 'a 4'])
    world.heal()
    assert.deepEqual(await world.redrive({ key: 'a' }), { done: 3, skipped: 0 })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled.toSorted(), ['a 1', 'a 2', 'a 3', 'a 4', 'a 5'])
    const { completed, dead, pending } = await world.counts()
    assert.deepEqual([completed, dead, pending], [5, 0, 0])
    await world.stop()
  })

  for (const kind of ['handler', 'projection'] as const)
    test(`two of one key are redriven together, and the second does not depend on the first (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure })
      await world.launch()
      for (const name of ['a 1', 'a 2']) world.fail(name)
      await world.append('a 1', 'a 2')
      await world.advance(ENOUGH_MS)
      assert.equal((await world.counts()).dead, 2)
      world.heal('a 2')
      assert.deepEqual(await world.redrive(), { done: 2, skipped: 0 })
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled, ['a 2'])
      const { completed, dead, pending } = await world.counts()
      assert.deepEqual([completed, dead, pending], [1, 1, 0])
      await world.stop()
    })

  test('a redrive that fails again leaves later messages of the key alone', async () => {
    const world = createFailingConsumer({ failure })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    await world.redrive()
    await world.advance(ENOUGH_MS)
    await world.append('a 3')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2', 'a 3'])
    assert.equal(world.attempts.get('a 1'), 4)
    const { dead, pending } = await world.counts()
    assert.deepEqual([dead, pending], [1, 0])
    assert.equal((await world.letters()).length, 1)
    await world.stop()
  })
})
