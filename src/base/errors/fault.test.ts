import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FaultCode } from './fault.ts'
import { issueCountText, Fault, FAULTS } from './fault.ts'

const codes = Object.keys(FAULTS) as FaultCode[]

test('one issue is counted in the singular', () => {
  const issue = { path: 'port', message: 'is missing' }
  assert.equal(issueCountText([issue]), '1 issue')
  assert.equal(issueCountText([issue, issue]), '2 issues')
})

describe('the table of faults', () => {
  test('has a meaning and a cure for every code', () => {
    for (const code of codes) {
      const { meaning, cure, retryable } = FAULTS[code]
      for (const text of [meaning, cure]) {
        // The detail is printed in front of the cure, so no text refers to it by that word.
        assert.doesNotMatch(text, /detail/)
        assert.match(text, /^[a-z].{10,}[a-z]$/s, `${code}: ${text}`)
        assert.ok(text.length <= 120, `${code}: ${text}`)
      }
      assert.equal(typeof retryable, 'boolean', code)
    }
  })

  test('is sorted by code, and no two meanings are the same', () => {
    assert.deepEqual(codes, codes.toSorted())
    assert.equal(new Set(codes.map((code) => FAULTS[code].meaning)).size, codes.length)
    for (const code of codes) assert.match(code, /^[A-Z]+(_[A-Z]+)*$/)
  })

  test('marks exactly the faults that a retry may cure as retryable', () => {
    const retryable = codes.filter((code) => FAULTS[code].retryable)
    assert.deepEqual(retryable, [
      'APP_STOPPING',
      'BACKPRESSURE',
      'DATA_OWNED',
      'DATA_UNAVAILABLE',
      'EARLIER_NOT_STORED',
      'HANDLER_TIMEOUT',
      'LOG_FULL',
      'LOG_UNKNOWN',
      'NOT_PROJECTED',
      'NOT_SETTLED',
      'OWNER_GONE',
      'PORT_BUSY',
      'STORE_UNKNOWN',
      'THREAD_ENDED',
      'UNIT_CONFLICT',
    ])
  })
})

describe('a fault', () => {
  test('has a message of code, meaning, detail and cure', () => {
    for (const code of codes) {
      const { message } = new Fault(code, { detail: 'orders' })
      assert.ok(message.startsWith(`${code}: ${FAULTS[code].meaning}: orders`), message)
      assert.ok(message.endsWith(`\n${FAULTS[code].cure}.`), message)
    }
  })

  test('lists every issue with its path', () => {
    const complaints = [
      { path: 'lines[3].quantity', message: 'must be a whole number' },
      { path: '', message: 'must be an object' },
    ]
    const { message } = new Fault('MESSAGE_INVALID', { detail: 'PlaceOrder', issues: complaints })
    const lines = message.split('\n')
    assert.equal(lines[1], '  - lines[3].quantity: must be a whole number')
    assert.equal(lines[2], '  - must be an object')
    assert.equal(lines.length, 4)
  })

  test('carries issues, ids and cause', () => {
    const cause = new Error('disk full')
    const complaints = [{ path: 'a', message: 'b' }]
    const fault = new Fault('LOG_UNKNOWN', {
      detail: '',
      issues: complaints,
      ids: { id: 'm-1' },
      cause,
    })
    assert.ok(fault instanceof Error)
    assert.equal(fault.name, 'Fault')
    assert.equal(fault.retryable, true)
    assert.deepEqual(fault.issues, complaints)
    assert.deepEqual(fault.ids, { id: 'm-1' })
    assert.equal(fault.cause, cause)
    assert.match(String(fault.stack), /^Fault: LOG_UNKNOWN/)
  })

  test('has empty issues and ids by default', () => {
    const { issues, ids, cause } = new Fault('DATA_DAMAGED', { detail: 'log' })
    assert.deepEqual([issues, ids, cause], [[], {}, undefined])
  })
})
