// The row of a hold is lost while the message in front of it is a dead letter: it is a dead letter again
// after a start, with everything behind it.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import type { ConsumerKind, FailingConsumer } from '../support/failing-consumer.ts'
import { createFailingConsumer } from '../support/failing-consumer.ts'

const ENOUGH_MS = 5_000
const KINDS: readonly ConsumerKind[] = ['handler', 'queue', 'projection']
// Otherwise the code that it failed with, which is lost, counts as changed, and it is redriven.
const failure = { retry: { attempts: 2 }, redrive: { onDeploy: false } } as const

async function loseHolds({ until, store }: FailingConsumer): Promise<void> {
  const table = 'svc.holds'
  const found = await until(store.scan({ table, limit: 100 }))
  assert.ok(found.length > 0)
  const rows = found.map(({ key, version }) => {
    return { table, key, expected: version, version: 0, body: null }
  })
  assert.equal((await until(store.commit({ ...EMPTY_UNIT, rows }))).status, 'done')
}

suite('a dead letter whose hold was lost', () => {
  for (const kind of KINDS)
    test(`is restored as dead, and its counters balance (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure })
      await world.launch()
      world.fail('a 1')
      await world.append('a 1', 'b 1', 'a 2', 'a 3')
      await world.advance(ENOUGH_MS)
      const before = await world.counts()
      const handled = [...world.handled]
      await world.stop()
      await loseHolds(world)
      await world.launch()
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled, handled, 'nothing goes on')
      assert.equal(world.attempts.get('a 1'), 2, 'it is not tried again')
      assert.deepEqual(await world.counts(), before)
      const [letter] = await world.letters()
      const behind = kind === 'queue' ? 0 : 2
      assert.deepEqual([letter?.event.id, letter?.heldBehind], ['a 1', behind])
      assert.equal(letter?.error.message, 'no a 1')
      world.heal()
      assert.deepEqual(await world.redrive(), { done: 1, skipped: 0 })
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled.toSorted(), ['a 1', 'a 2', 'a 3', 'b 1'])
      const { completed, dead, pending } = await world.counts()
      assert.deepEqual([completed, dead, pending], [4, 0, 0])
      world.statusPath('a 1')
      await world.stop()
    })

  test('can be discarded, so that its key goes on', async () => {
    const world = createFailingConsumer({ failure })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    await world.stop()
    await loseHolds(world)
    await world.launch()
    await world.advance(ENOUGH_MS)
    await world.discard()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2'])
    const { completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([completed, dead, discarded, pending], [1, 0, 1, 0])
    await world.stop()
  })

  test('keeps its consumer stopped, if it had stopped it', async () => {
    const world = createFailingConsumer({ failure: { ...failure, onFailed: 'stop' } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    await world.stop()
    await loseHolds(world)
    await world.launch()
    await world.append('b 1')
    await world.advance(ENOUGH_MS)
    assert.equal(world.handled.length, 0)
    world.heal()
    await world.redrive()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled.toSorted(), ['a 1', 'b 1'])
    await world.stop()
  })

  test('holds no key that went on without it', async () => {
    const world = createFailingConsumer({ failure: { ...failure, onFailed: 'skip' } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    await world.stop()
    await loseHolds(world)
    await world.launch()
    await world.append('a 3')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2', 'a 3'])
    const [letter] = await world.letters()
    assert.deepEqual([letter?.event.id, letter?.isSkipped], ['a 1', true])
    world.heal()
    await world.redrive()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2', 'a 3', 'a 1'])
    await world.counts()
    await world.stop()
  })

  test('is redriven where its code may have changed, since nobody knows it any more', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 2 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    await world.stop()
    await loseHolds(world)
    world.heal()
    await world.launch()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 1', 'a 2'])
    const { completed, dead, pending } = await world.counts()
    assert.deepEqual([completed, dead, pending], [2, 0, 0])
    await world.stop()
  })
})
