// The answer of a commit is lost, but the unit was done: the call whose result it had counts once.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { CommitResult, Unit } from '../../../src/ports/event-store.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import { createFailingConsumer } from '../support/failing-consumer.ts'

const ENOUGH_MS = 30_000

/** Loses the answer of every unit that changes a status to this one. */
function losingAnswers(lost: string): Interceptor {
  return async (method, call, args) => {
    const answer = await call()
    const isLost =
      method === 'store.commit' &&
      (answer as CommitResult).status === 'done' &&
      (args[0] as Unit).statuses.some(({ status }) => status === lost)
    if (isLost) throw new Error('the connection is gone')
    return answer
  }
}

suite('the lost answer of a commit', () => {
  test('does not count an attempt of a queue twice', async () => {
    const world = createFailingConsumer({ kind: 'queue', failure: { retry: { attempts: 4 } } })
    await world.launch({ around: losingAnswers('ERROR') })
    world.fail('a 1')
    await world.append('a 1', 'b 1')
    await world.advance(ENOUGH_MS)
    assert.deepEqual([world.attempts.get('a 1'), world.attempts.get('b 1')], [4, 1])
    const { dead, completed } = await world.counts()
    assert.deepEqual([dead, completed], [1, 1])
    await world.stop()
  })

  test('does not repeat a call of a queue that was done', async () => {
    const world = createFailingConsumer({ kind: 'queue', failure: { retry: { attempts: 4 } } })
    await world.launch({ around: losingAnswers('COMPLETED') })
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(20)
    world.heal()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['a 1'])
    const { completed, pending } = await world.counts()
    assert.deepEqual([completed, pending], [1, 0])
    await world.stop()
  })
})
