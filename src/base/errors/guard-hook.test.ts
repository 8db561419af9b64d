// A hook of the user never breaks what it is told of.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guardHook } from './guard-hook.ts'

test('an error of a hook is reported and does not reach its caller', () => {
  const failures: unknown[] = []
  const hook = guardHook(
    (_text: string) => {
      throw new Error('the logger threw')
    },
    (cause) => failures.push(cause),
  )
  hook('x')
  assert.match(String(failures[0]), /the logger threw/)
})

test('a rejected promise of a hook is reported and is not an unhandled rejection', async () => {
  const failed = Promise.withResolvers<unknown>()
  guardHook(async () => {
    throw new Error('the logger rejected')
  }, failed.resolve)()
  assert.match(String(await failed.promise), /the logger rejected/)
})

test('a hook receives all arguments', () => {
  const calls: unknown[] = []
  guardHook(
    (...args: readonly unknown[]) => calls.push(args),
    () => assert.fail(),
  )(1, 'two')
  assert.deepEqual(calls, [[1, 'two']])
})
