// A program names dead letters by a value that is not there: none is touched, instead of all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from 'throughline'
import { createFailingConsumer } from '../support/failing-consumer.ts'

test('a wrong or undefined selection of dead letters is refused, and selects nothing', async () => {
  const world = createFailingConsumer({ failure: { retry: { attempts: 1 } } })
  await world.launch()
  world.fail('a 1')
  world.fail('b 1')
  await world.append('a 1', 'b 1')
  await world.advance(5_000)
  const { deadLetters } = world.app()
  const who = { by: 'ann', reason: 'none' }
  const wrong: readonly [request: object, path: string][] = [
    [{ ...who, key: undefined }, 'key'],
    [{ ...who, keys: 'a' }, 'keys'],
    [{ ...who, id: 7 }, 'id'],
    [{ ...who, since: 'yesterday' }, 'since'],
    [{ ...who, perSecond: -5 }, 'perSecond'],
    [{ ...who, by: undefined }, 'by'],
  ]
  for (const [request, path] of wrong)
    for (const call of ['redrive', 'discard'] as const)
      await assert.rejects(world.until(deadLetters[call](request as never)), (cause: Fault) => {
        assert.deepEqual([cause.code, cause.issues[0]?.path], ['OPTION_INVALID', path])
        return true
      })
  for (const call of ['list', 'causes', 'preview'] as const)
    await assert.rejects(world.until<unknown>(deadLetters[call]({ key: undefined } as never)), {
      code: 'OPTION_INVALID',
    })
  assert.equal((await world.letters()).length, 2)
  world.heal()
  // Without a name it is the program that asks.
  assert.deepEqual(await world.until(deadLetters.redrive({ key: 'a' } as never)), {
    done: 1,
    skipped: 0,
  })
  await world.stop()
})
