import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ENGINE_OPTIONS } from '../../../src/engine/context/engine-options.ts'
import { nextStep, retryDelayMs } from '../../../src/engine/failure/failure-policy.ts'

const retry = { attempts: 10, delayMs: 100, factor: 2, delayMsMax: 60_000 }

test('a retry delay is anything up to a bound that grows by its factor', () => {
  const attempts = fc.integer({ min: 1, max: 100_000 })
  const chance = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(attempts, chance, (count, random) => {
      const longest = Math.min(100 * 2 ** Math.min(count - 1, 40), 60_000)
      const delayMs = retryDelayMs(retry, count, random)
      assert.ok(Number.isSafeInteger(delayMs) && delayMs >= 0 && delayMs <= longest)
      assert.equal(retryDelayMs(retry, count, 1), longest)
    }),
  )
})

test('ten attempts by default take about an hour', () => {
  const {
    retryAttemptsMax,
    retryDelayMs: first,
    retryDelayFactor,
    retryDelayMsMax,
  } = ENGINE_OPTIONS
  const byDefault = {
    attempts: retryAttemptsMax.default,
    delayMs: first.default,
    factor: retryDelayFactor.default,
    delayMsMax: retryDelayMsMax.default,
  }
  assert.equal(byDefault.attempts, 10)
  let meanMs = 0
  for (let failed = 1; failed < 10; failed += 1) meanMs += retryDelayMs(byDefault, failed, 0.5)
  const minutes = meanMs / 60_000
  assert.ok(minutes > 50 && minutes < 75, String(minutes))
})

test('attempts end when they are used up, or when no retry can help', () => {
  const redrive = { afterMs: 0, times: 3, perSecond: 100, onDeploy: true }
  const policy = { retry, onFailed: 'hold-key', redrive, code: '' } as const
  const after = (attempts: number, code?: string) =>
    nextStep(policy, { attempts, code }, 0.5).status
  assert.deepEqual(
    [after(1), after(9), after(10), after(11)],
    ['RETRY', 'RETRY', 'FAILED', 'FAILED'],
  )
  assert.deepEqual([after(1, 'FINAL'), after(1, 'UPCAST_FAILED')], ['FAILED', 'FAILED'])
  assert.deepEqual([after(1, 'ECONNREFUSED'), after(1, 'STORE_UNKNOWN')], ['RETRY', 'RETRY'])
})
