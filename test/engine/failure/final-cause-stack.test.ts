// A dead letter says where the error was thrown that no retry can help, not only where it was declared final.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contract, event, final, handler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Pay = contract('pay', { key: 'id' }, { Asked: event(Id), Refunded: event(Id) })

function callProvider(): never {
  throw new Error('the card is malformed')
}

test('a dead letter has the stack of the cause of a final error', async () => {
  const { promise: failed, resolve } = Promise.withResolvers<void>()
  const charging = handler('charging', {}, (on) => [
    on(Pay.Asked, () => {
      try {
        callProvider()
      } catch (cause) {
        throw final(cause)
      }
    }),
  ])
  const app = await start([service('pay', { owns: [Pay], runs: [charging] })], memory(), {
    onRuleError: () => resolve(),
  })
  await app.append([Pay.Asked({ id: '1' })])
  await failed
  const [letter] = (await app.deadLetters.list()).items
  assert.match(letter?.error.stack ?? '', /callProvider/)
  await app.stop()
})

test('final errors with the same text from different functions have different causes', async () => {
  const charge = (): never => {
    throw final(new Error('refused'))
  }
  const refund = (): never => {
    throw final(new Error('refused'))
  }
  const { promise: failed, resolve } = Promise.withResolvers<void>()
  let count = 0
  const charging = handler('charging', {}, (on) => [
    on(Pay.Asked, () => charge()),
    on(Pay.Refunded, () => refund()),
  ])
  const app = await start([service('pay', { owns: [Pay], runs: [charging] })], memory(), {
    onRuleError: () => (count += 1) === 2 && resolve(),
  })
  await app.append([Pay.Asked({ id: '1' }), Pay.Refunded({ id: '2' })])
  await failed
  assert.equal((await app.deadLetters.causes()).length, 2)
  await app.stop()
})
