// A message that is completed after an error keeps the text of it in the ledger.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFailingConsumer } from '../support/failing-consumer.ts'

const ENOUGH_MS = 10_000

for (const kind of ['handler', 'queue', 'projection'] as const) {
  test(`a message that a retry completes keeps its last error (${kind})`, async () => {
    const world = createFailingConsumer({ kind, failure: { retry: { attempts: 20 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(100)
    world.heal()
    await world.advance(ENOUGH_MS)
    const status = (await world.statuses()).get('a 1')
    assert.deepEqual([status?.status, status?.error], ['COMPLETED', 'no a 1'])
    assert.match(status?.detail ?? '', /stack/)
    assert.equal((await world.statuses()).get('a 2'), undefined)
    await world.stop()
  })

  test(`a message that a redrive completes keeps its last error (${kind})`, async () => {
    const world = createFailingConsumer({ kind, failure: { retry: { attempts: 1 } } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1', 'a 2')
    await world.advance(ENOUGH_MS)
    world.heal()
    await world.redrive()
    await world.advance(ENOUGH_MS)
    const status = (await world.statuses()).get('a 1')
    assert.deepEqual([status?.status, status?.error], ['COMPLETED', 'no a 1'])
    await world.stop()
  })
}
