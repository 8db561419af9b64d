import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FaultCode } from '../../base/errors/fault.ts'
import { FAULTS, Fault } from '../../base/errors/fault.ts'
import { errorText, errorView, exitCodeOf } from './exit-codes.ts'

test('each fault has an exit code: wrong usage, retry later, or failed', () => {
  for (const [code, { retryable }] of Object.entries(FAULTS)) {
    const exit = exitCodeOf(new Fault(code as FaultCode, { detail: 'x' }))
    assert.equal(exit, code === 'OPTION_INVALID' ? 2 : retryable ? 69 : 1, code)
  }
  assert.equal(exitCodeOf(new Error('x')), 1)
})

test('an error that is not a fault is shown with its stack, in JSON without it', () => {
  const error = new Error('surprise')
  assert.match(errorText(error), /surprise\n +at /)
  const view = { code: 'INTERNAL', message: 'surprise', issues: [], ids: {} }
  assert.deepEqual(errorView(error), view)
  assert.equal(errorView('surprise').message, 'surprise')
  assert.equal(errorText('surprise'), 'surprise')
})
