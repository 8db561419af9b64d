// Dead letters that are redriven without an operator: after a time, and once the code of their consumer
// has changed.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { ConsumerKind } from '../support/failing-consumer.ts'
import { createFailingConsumer } from '../support/failing-consumer.ts'

const KINDS: readonly ConsumerKind[] = ['handler', 'queue', 'projection']
const retry = { attempts: 2 } as const
/** Longer than all attempts take, and a poll. */
const ENOUGH_MS = 5_000
const AFTER_MS = 60_000

suite('a redrive after a time', () => {
  const redrive = { afterMs: AFTER_MS, times: 3 } as const

  for (const kind of KINDS)
    test(`puts a dead letter back to work, which heals its key (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure: { retry, redrive } })
      await world.launch()
      world.fail('a 1')
      await world.append('a 1', 'a 2')
      await world.advance(ENOUGH_MS)
      const [letter] = await world.letters()
      assert.ok(letter)
      const { failedAt, redriveAt = 0 } = letter
      assert.ok(Math.abs(redriveAt - failedAt - AFTER_MS) <= 2, `${redriveAt - failedAt} ms`)
      world.heal()
      await world.advance(AFTER_MS - ENOUGH_MS - 1_000)
      assert.ok(!world.handled.includes('a 1'), 'not before its time')
      await world.advance(2_000)
      assert.deepEqual(world.handled.toSorted(), ['a 1', 'a 2'])
      if (kind !== 'queue') assert.deepEqual(world.handled, ['a 1', 'a 2'])
      const { completed, dead, pending } = await world.counts()
      assert.deepEqual([completed, dead, pending], [2, 0, 0])
      world.statusPath('a 1')
      await world.stop()
    })

  test('happens at most as often as it says, also over a restart', async () => {
    for (const isRestarted of [false, true]) {
      const world = createFailingConsumer({ failure: { retry, redrive } })
      await world.launch()
      world.fail('a 1')
      await world.append('a 1')
      for (let time = 0; time < 10; time += 1) {
        await world.advance(AFTER_MS + ENOUGH_MS)
        if (!isRestarted) continue
        await world.stop()
        await world.launch()
      }
      // Two attempts when it came, and two after each of three redrives.
      assert.equal(world.attempts.get('a 1'), 8)
      const [letter] = await world.letters()
      assert.deepEqual([letter?.event.id, letter?.redriveAt], ['a 1', undefined])
      assert.equal((await world.counts()).dead, 1)
      await world.stop()
    }
  })

  test('begins to count again once an operator has redriven it', async () => {
    const world = createFailingConsumer({ failure: { retry, redrive: { ...redrive, times: 1 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(4 * AFTER_MS)
    assert.equal(world.attempts.get('a 1'), 4)
    await world.redrive()
    await world.advance(4 * AFTER_MS)
    assert.equal(world.attempts.get('a 1'), 8)
    await world.stop()
  })

  test('comes in time although the process was down meanwhile', async () => {
    const world = createFailingConsumer({ failure: { retry, redrive } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    await world.stop()
    world.heal()
    await world.advance(AFTER_MS)
    await world.launch()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 1'])
    await world.stop()
  })

  test('starts a consumer again that the message has stopped', async () => {
    const failure = { retry, redrive, onFailed: 'stop' } as const
    const world = createFailingConsumer({ failure })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    await world.append('b 1')
    await world.advance(ENOUGH_MS)
    assert.equal(world.handled.length, 0)
    world.heal()
    await world.advance(AFTER_MS)
    assert.deepEqual(world.handled.toSorted(), ['a 1', 'b 1'])
    await world.stop()
  })

  test('heals messages that were skipped', async () => {
    const failure = { retry, redrive, onFailed: 'skip' } as const
    const world = createFailingConsumer({ failure })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2'])
    world.heal()
    await world.advance(AFTER_MS)
    assert.deepEqual(world.handled, ['a 2', 'a 1'])
    const { completed, dead } = await world.counts()
    assert.deepEqual([completed, dead], [2, 0])
    await world.stop()
  })

  test('takes no more messages per second than it says', async () => {
    const perSecond = 5
    const world = createFailingConsumer({
      kind: 'queue',
      failure: { retry: { attempts: 1 }, redrive: { ...redrive, perSecond } },
    })
    await world.launch()
    const names = Array.from({ length: 50 }, (_, at) => `k${at} 1`)
    for (const name of names) world.fail(name)
    await world.append(...names)
    await world.advance(ENOUGH_MS)
    world.heal()
    await world.advance(AFTER_MS - ENOUGH_MS - 1_000)
    const [beganAt, counts] = [world.clock.now(), [] as number[]]
    while (world.handled.length < names.length && world.clock.now() - beganAt < 60_000) {
      await world.advance(1_000)
      counts.push(world.handled.length)
    }
    assert.equal(world.handled.length, names.length)
    const most = Math.max(...counts.map((count, at) => count - (counts[at - 1] ?? 0)))
    // A second may lie across two of those that are measured.
    assert.ok(most <= 2 * perSecond, `${most} in a second: ${counts.join()}`)
    await world.stop()
  })
})

suite('a redrive on a deploy', () => {
  for (const kind of KINDS)
    test(`puts dead letters back once the source of the rule has changed (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure: { retry } })
      await world.launch()
      for (const name of ['a 1', 'b 1']) world.fail(name)
      await world.append('a 1', 'b 1', 'a 2', 'b 2')
      await world.advance(ENOUGH_MS)
      await world.stop()
      world.heal()

      await world.launch()
      await world.advance(ENOUGH_MS)
      assert.ok(!world.handled.includes('a 1'), 'the same code does not redrive')
      await world.stop()

      await world.launch({ isChanged: true })
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled.toSorted(), ['a 1', 'a 2', 'b 1', 'b 2'])
      const { completed, dead, pending } = await world.counts()
      assert.deepEqual([completed, dead, pending], [4, 0, 0])
      await world.stop()
    })

  test('that does not heal makes them dead letters again, and only once for each change', async () => {
    const world = createFailingConsumer({ failure: { retry } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    await world.stop()
    for (let start = 0; start < 3; start += 1) {
      await world.launch({ isChanged: true })
      await world.advance(60_000)
      await world.stop()
    }
    assert.equal(world.attempts.get('a 1'), 4)
    await world.launch()
    await world.advance(60_000)
    assert.equal(world.attempts.get('a 1'), 6, 'a return to the old code is a change, too')
    await world.stop()
  })

  test('does not happen where it is turned off, nor for skipped messages by default', async () => {
    for (const failure of [
      { retry, redrive: { onDeploy: false } },
      { retry, onFailed: 'skip' },
    ] as const) {
      const world = createFailingConsumer({ failure })
      await world.launch()
      world.fail('a 1')
      await world.append('a 1')
      await world.advance(ENOUGH_MS)
      await world.stop()
      world.heal()
      await world.launch({ isChanged: true })
      await world.advance(60_000)
      assert.deepEqual(world.handled, [])
      assert.equal((await world.counts()).dead, 1)
      await world.stop()
    }
  })

  test('happens for skipped messages where it is turned on', async () => {
    const failure = { retry, onFailed: 'skip', redrive: { onDeploy: true } } as const
    const world = createFailingConsumer({ failure })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    await world.stop()
    world.heal()
    await world.launch({ isChanged: true })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2', 'a 1'])
    await world.stop()
  })

  test('starts a consumer again that a dead letter has stopped', async () => {
    const world = createFailingConsumer({ failure: { retry, onFailed: 'stop' } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    await world.append('b 1')
    await world.advance(ENOUGH_MS)
    await world.stop()
    world.heal()
    await world.launch({ isChanged: true })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled.toSorted(), ['a 1', 'b 1'])
    await world.stop()
  })
})
