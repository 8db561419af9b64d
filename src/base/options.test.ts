import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import type { Issue } from './errors/fault.ts'
import { Fault } from './errors/fault.ts'
import { resolveOptions, unknownNameMessage } from './options.ts'

const table = {
  attemptsMax: { default: 5, min: 1, max: 100 },
  pollMs: { default: 250, min: 0, max: 60_000 },
} as const

function complaintsOf(given: unknown): readonly Issue[] {
  try {
    resolveOptions('engine', table, given as never)
  } catch (fault) {
    assert.ok(fault instanceof Fault)
    assert.equal(fault.code, 'OPTION_INVALID')
    assert.match(fault.message, /engine/)
    return fault.issues
  }
  return []
}

describe('options', () => {
  test('that are left out or undefined have their default', () => {
    const initial = { attemptsMax: 5, pollMs: 250 }
    assert.deepEqual(resolveOptions('engine', table), initial)
    assert.deepEqual(resolveOptions('engine', table, {}), initial)
    assert.deepEqual(resolveOptions('engine', table, { pollMs: undefined } as never), initial)
  })

  test('are accepted at and between their bounds, zero included', () => {
    const pollMs = fc.integer({ min: 0, max: 60_000 })
    const attemptsMax = fc.integer({ min: 1, max: 100 })
    fc.assert(
      fc.property(fc.record({ pollMs, attemptsMax }, { requiredKeys: [] }), (given) => {
        const expected = { attemptsMax: 5, pollMs: 250, ...given }
        assert.deepEqual(resolveOptions('engine', table, given), expected)
      }),
      { examples: [[{ pollMs: 0, attemptsMax: 1 }], [{ pollMs: 60_000, attemptsMax: 100 }]] },
    )
  })

  test('that are not an integer within the bounds are refused', () => {
    const wrong = [-1, 60_001, 0.5, Number.NaN, Infinity, 2 ** 53, '250', null, true, [1], {}, 1n]
    for (const pollMs of wrong)
      assert.deepEqual(
        complaintsOf({ pollMs }),
        [{ path: 'pollMs', message: 'must be a whole number from 0 to 60000' }],
        inspect(pollMs),
      )
  })

  test('are refused with all issues at once', () => {
    const complaints = complaintsOf({ pollMs: -1, attemptsMax: 0, polMs: 3, nothingLikeIt: 1 })
    assert.deepEqual(complaints, [
      { path: 'pollMs', message: 'must be a whole number from 0 to 60000' },
      { path: 'attemptsMax', message: 'must be a whole number from 1 to 100' },
      { path: 'polMs', message: 'is not known: did you mean "pollMs"?' },
      { path: 'nothingLikeIt', message: 'is not known' },
    ])
  })

  test('named like members of Object.prototype are unknown', () => {
    for (const path of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      const given: unknown = JSON.parse(`{ "${path}": 1 }`)
      assert.deepEqual(complaintsOf(given), [{ path, message: 'is not known' }])
    }
  })

  test('that are inherited are ignored', () => {
    const given: unknown = Object.create({ pollMs: -1 })
    if (complaintsOf(given).length > 0) return
    assert.equal(resolveOptions('engine', table, given as never).pollMs, 250)
  })
})

describe('an unknown name', () => {
  test('is refused with the most similar known name', () => {
    const known = ['pollMs', 'polls', 'attemptsMax']
    assert.equal(unknownNameMessage('pollms', known), 'is not known: did you mean "pollMs"?')
    assert.equal(
      unknownNameMessage('attemtsMax', known),
      'is not known: did you mean "attemptsMax"?',
    )
    assert.equal(unknownNameMessage('maxAttempts', known), 'is not known')
    assert.equal(unknownNameMessage('poll', []), 'is not known')
  })

  test('with one letter added, lost or changed is always recognized', () => {
    const known = ['attemptsMax', 'lagEventsMax', 'retryDelayMs']
    const typo = fc.tuple(fc.constantFrom(...known), fc.nat(8), fc.constantFrom(0, 1, 2))
    fc.assert(
      fc.property(typo, ([name, at, kind]) => {
        const rest = name.slice(kind === 0 ? at : at + 1)
        const wrong = `${name.slice(0, at)}${kind === 1 ? '' : '~'}${rest}`
        assert.equal(unknownNameMessage(wrong, known), `is not known: did you mean "${name}"?`)
      }),
    )
  })
})
