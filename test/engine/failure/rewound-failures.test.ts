// A handler that is rewound reads events again that have failed before: each time is a new beginning.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CONSUMER, createFailingConsumer } from '../support/failing-consumer.ts'

const ENOUGH_MS = 20_000

suite('an event that is read again after a rewind', () => {
  for (const kind of ['handler', 'queue'] as const) {
    test(`is retried as if it had never failed (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure: { retry: { attempts: 20 } } })
      await world.launch()
      world.fail('a 1')
      await world.append('a 1', 'b 1')
      await world.advance(100)
      world.heal()
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled.toSorted(), ['a 1', 'b 1'])
      world.fail('a 1')
      await world.rewind()
      await world.advance(500)
      const seen = (await world.statuses()).get('a 1')
      assert.deepEqual([seen?.status, (seen?.attempts ?? 0) > 0], ['RETRY', true])
      world.heal()
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled.toSorted(), ['a 1', 'a 1', 'b 1', 'b 1'])
      assert.equal((await world.statuses()).get('a 1')?.status, 'COMPLETED')
      const { completed, dead, pending, lag } = await world.counts()
      assert.deepEqual([completed, dead, pending, lag], [4, 0, 0, 0])
      await world.stop()
    })

    test(`may fail for good again after it was discarded (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure: { retry: { attempts: 1 } } })
      await world.launch()
      world.fail('a 1')
      await world.append('a 1', 'b 1')
      await world.advance(ENOUGH_MS)
      await world.discard({ key: 'a' })
      await world.rewind()
      await world.advance(ENOUGH_MS)
      const { dead, discarded, lag } = await world.counts()
      assert.deepEqual([dead, discarded, lag], [1, 1, 0])
      await world.stop()
    })
  }

  test('is not read beside its dead letter, which its key has gone on without', async () => {
    const failure = { onFailed: 'skip', retry: { attempts: 1 } } as const
    const world = createFailingConsumer({ failure })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    await world.rewind()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 2', 'a 2'])
    const { dead, pending, lag } = await world.counts()
    assert.deepEqual([dead, pending, lag], [1, 0, 0], `${CONSUMER} has one dead letter`)
    await world.stop()
  })
})
