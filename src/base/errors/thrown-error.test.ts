// Whatever user code throws can be looked at, and never breaks who looks.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Fault } from './fault.ts'
import { asFault, readProperty, thrownError, thrownMessage } from './thrown-error.ts'

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable(new Error('x'), {})
  revoke()
  return proxy
}
const throwing = (): never => {
  throw new Error('do not look')
}
const HOSTILE: Readonly<Record<string, () => unknown>> = {
  'a revoked proxy': revoked,
  'an error whose members throw': () =>
    Object.defineProperties(new Error('x'), {
      message: { get: throwing },
      code: { get: throwing },
      stack: { get: throwing },
    }),
  'an object that becomes no text': () => ({ toString: throwing }),
  'an object without prototype': () => Object.create(null) as unknown,
  'a proxy whose every trap throws': () =>
    new Proxy({}, { get: throwing, has: throwing, getPrototypeOf: throwing }),
  'a symbol': () => Symbol('s'),
  nothing: () => undefined,
}

suite('reading a thrown value never throws:', () => {
  for (const [what, make] of Object.entries(HOSTILE))
    test(what, () => {
      const { message } = thrownError(make())
      assert.equal(typeof message, 'string')
      assert.ok(message.length > 0)
      assert.equal(asFault(make()), undefined)
      assert.equal(readProperty(make(), 'effect'), undefined)
    })
})

test('an error gives its message, code and stack, each bounded', () => {
  const cause = Object.assign(new Error('m'.repeat(5_000)), { code: 'ECONNREFUSED' })
  cause.stack = 's'.repeat(20_000)
  const { message, code, stack } = thrownError(cause)
  assert.deepEqual([message.length, code, stack?.length], [1_000, 'ECONNREFUSED', 8_192])
})

test('thrown text is the message and has no stack', () => {
  assert.deepEqual(thrownError('out of ink'), { message: 'out of ink' })
  assert.equal(thrownMessage(5n), '5')
})

test('a fault is recognized and keeps its code', () => {
  const fault = new Fault('BACKPRESSURE', { detail: 'x' })
  assert.equal(asFault(fault), fault)
  assert.equal(thrownError(fault).code, 'BACKPRESSURE')
})
