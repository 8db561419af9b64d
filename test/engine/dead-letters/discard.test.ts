// A discard gives dead letters up for good, and lets what waits behind them go on. A preview says what a
// redrive would do.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { ConsumerKind } from '../support/failing-consumer.ts'
import { CONSUMER, OPERATOR, createFailingConsumer } from '../support/failing-consumer.ts'

const failure = { retry: { attempts: 2 } } as const
/** Longer than all attempts take. */
const ENOUGH_MS = 5_000
const KINDS: readonly ConsumerKind[] = ['handler', 'queue', 'projection']

async function failed(kind: ConsumerKind = 'handler') {
  const world = createFailingConsumer({ kind, failure })
  await world.launch()
  for (const name of ['a 1', 'b 2']) world.fail(name)
  await world.append('a 1', 'b 1', 'c 1', 'a 2', 'b 2', 'c 2', 'a 3', 'b 3')
  await world.advance(ENOUGH_MS)
  return world
}

suite('a discard', () => {
  for (const kind of KINDS)
    test(`lets the rest of the key go on, and counts what is given up (${kind})`, async () => {
      const world = await failed(kind)
      assert.deepEqual(await world.discard({ key: 'a' }), { done: 1, skipped: 0 })
      await world.advance(ENOUGH_MS)
      const own = world.handled.filter((name) => name.startsWith('a'))
      assert.deepEqual(own.toSorted(), ['a 2', 'a 3'])
      const { accepted, completed, dead, discarded, pending } = await world.counts()
      const behind = kind === 'queue' ? 0 : 1
      assert.deepEqual(
        [accepted, completed, dead, discarded, pending],
        [8, 6 - behind, 1, 1, behind],
      )
      const status = (await world.statuses()).get('a 1')
      assert.deepEqual([status?.status, status?.resolution], ['FAILED', 'DISCARDED'])
      assert.equal(status?.updatedBy, OPERATOR.by)
      assert.match(status?.detail ?? '', /the bank is back/)
      const letters = await world.letters()
      assert.deepEqual(
        letters.map(({ event: { id } }) => id),
        ['b 2'],
      )
      await world.stop()
    })

  test('of a message that is followed by another one that fails leaves that one', async () => {
    const world = await failed()
    world.fail('a 2')
    await world.discard({ key: 'a' })
    await world.advance(ENOUGH_MS)
    const [letter] = await world.letters({ key: 'a' })
    assert.deepEqual([letter?.event.id, letter?.attempts, letter?.heldBehind], ['a 2', 2, 1])
    const { dead, discarded, pending } = await world.counts()
    assert.deepEqual([dead, discarded, pending], [2, 1, 2])
    await world.stop()
  })

  test('cannot be taken back by a redrive', async () => {
    const world = await failed()
    await world.discard()
    world.heal()
    assert.deepEqual(await world.redrive(), { done: 0, skipped: 0 })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled.toSorted(), ['a 2', 'a 3', 'b 1', 'b 3', 'c 1', 'c 2'])
    await world.stop()
  })

  test('and a redrive of the same message: one of them takes effect', async () => {
    const world = await failed()
    world.heal()
    const { deadLetters } = world.app()
    const both = [
      deadLetters.discard({ id: 'a 1', ...OPERATOR }),
      deadLetters.redrive({ id: 'a 1', ...OPERATOR }),
    ]
    const [discarded, redriven] = await world.until(Promise.all(both))
    assert.equal((discarded?.done ?? 0) + (redriven?.done ?? 0), 1)
    await world.advance(ENOUGH_MS)
    assert.equal(world.handled.includes('a 1'), redriven?.done === 1)
    assert.equal((await world.counts()).discarded, discarded?.done)
    await world.stop()
  })

  test('holds over a restart', async () => {
    const world = await failed()
    await world.discard({ key: 'a' })
    await world.stop()
    world.heal()
    await world.launch()
    await world.advance(ENOUGH_MS)
    assert.ok(!world.handled.includes('a 1'))
    assert.equal((await world.counts()).discarded, 1)
    await world.stop()
  })

  test('of a message that still has attempts is possible by its id', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 9, delayMs: 60_000 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(100)
    assert.equal((await world.statuses()).get('a 1')?.status, 'RETRY')
    assert.deepEqual(await world.discard({ id: 'a 1' }), { done: 1, skipped: 0 })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2'])
    assert.deepEqual(world.statusPath('a 1'), ['ERROR', 'RETRY', 'FAILED'])
    const { completed, discarded, dead, pending } = await world.counts()
    assert.deepEqual([completed, discarded, dead, pending], [1, 1, 0, 0])
    await world.stop()
  })
})

suite('a preview', () => {
  test('counts the letters, what waits behind them, and effects that are repeated', async () => {
    const world = await failed()
    const { deadLetters } = world.app()
    assert.deepEqual(await world.until(deadLetters.preview()), {
      letters: 2,
      keys: [
        { consumer: CONSUMER, key: 'a' },
        { consumer: CONSUMER, key: 'b' },
      ].toSorted((one, other) => one.key.localeCompare(other.key)),
      heldBehind: 3,
      outOfOrder: 0,
      effectsRepeated: 2,
    })
    const one = await world.until(deadLetters.preview({ key: 'b' }))
    assert.deepEqual([one.letters, one.heldBehind, one.keys.length], [1, 1, 1])
    const none = await world.until(deadLetters.preview({ key: 'c' }))
    assert.deepEqual(none, {
      letters: 0,
      keys: [],
      heldBehind: 0,
      outOfOrder: 0,
      effectsRepeated: 0,
    })
    await world.stop()
  })

  test('of a projection repeats no effects', async () => {
    const world = await failed('projection')
    const { letters, effectsRepeated } = await world.until(world.app().deadLetters.preview())
    assert.deepEqual([letters, effectsRepeated], [2, 0])
    await world.stop()
  })

  test('names letters that come out of order, since their key went on', async () => {
    const world = createFailingConsumer({ failure: { ...failure, onFailed: 'skip' } })
    await world.launch()
    for (const name of ['a 1', 'b 1']) world.fail(name)
    await world.append('a 1', 'a 2', 'b 1')
    await world.advance(ENOUGH_MS)
    const { letters, outOfOrder, heldBehind } = await world.until(world.app().deadLetters.preview())
    assert.deepEqual([letters, outOfOrder, heldBehind], [2, 2, 0])
    await world.stop()
  })

  test('changes nothing', async () => {
    const world = await failed()
    const before = [await world.counts(), await world.statuses(), await world.letters()]
    world.heal()
    await world.until(world.app().deadLetters.preview())
    await world.advance(ENOUGH_MS)
    assert.deepEqual([await world.counts(), await world.statuses(), await world.letters()], before)
    await world.stop()
  })

  test('shows at most twenty keys, and counts all', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 1 } } })
    await world.launch()
    const names = Array.from({ length: 45 }, (_, at) => `k${at} 1`)
    for (const name of names) world.fail(name)
    await world.append(...names)
    await world.advance(ENOUGH_MS)
    const { letters, keys } = await world.until(world.app().deadLetters.preview())
    assert.deepEqual([letters, keys.length], [45, 20])
    await world.stop()
  })
})
