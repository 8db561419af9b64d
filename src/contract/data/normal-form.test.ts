// One form of data: a rule sees what a restart would give it.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { normalFormIssues, toNormalForm } from './normal-form.ts'
import { MESSAGE_SHAPE_LIMITS, shapeIssues } from './shape.ts'

/** Any character. The unit `binary` of fast-check first maps a million of them: more than a second. */
const character = fc.nat(0x10_ffff).map((code) => String.fromCodePoint(code).toWellFormed())

/** Plain data with everything that JSON makes into something else. */
const data = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: character }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, -0, null, true, ''),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 3 }), fc.option(tie('value'), { nil: undefined })),
  ),
})).value

const isForm = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return !Object.is(value, -0)
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  return Object.isFrozen(value) && isPlain && Object.values(value).every(isForm)
}

suite('normal form', () => {
  test('is what JSON keeps, frozen, with keys in the same order', () =>
    fc.assert(
      fc.property(data, (value) => {
        const form = toNormalForm(value, MESSAGE_SHAPE_LIMITS)
        if (!form) return assert.notEqual(shapeIssues(value).length, 0)
        const kept: unknown = JSON.parse(JSON.stringify(value))
        assert.deepStrictEqual(form.value, kept)
        assert.equal(JSON.stringify(form.value), JSON.stringify(kept))
        assert.ok(isForm(form.value))
      }),
      { numRuns: 500 },
    ))

  test('of data in normal form is the same object', () =>
    fc.assert(
      fc.property(data, (value) => {
        const first = toNormalForm(value, MESSAGE_SHAPE_LIMITS)
        if (!first) return
        const again = toNormalForm(first.value, MESSAGE_SHAPE_LIMITS, first.value)
        assert.equal(again?.value, first.value)
        assert.ok((again?.values ?? 0) <= 1)
      }),
      { numRuns: 200 },
    ))

  test('shares unchanged parts with the previous value', () => {
    const before = toNormalForm({ big: { list: [1, 2, 3] }, count: 1 }, MESSAGE_SHAPE_LIMITS)
      ?.value as {
      big: object
    }
    const after = toNormalForm({ ...before, count: 2 }, MESSAGE_SHAPE_LIMITS, before)
    assert.equal((after as { value: { big: object } }).value.big, before.big)
    assert.deepEqual([after?.values, after?.textLength], [3, 8])
  })

  test('reads a getter once, and drops symbols and non-index members of arrays', () => {
    let reads = 0
    const list = Object.assign([1], { extra: 2 })
    const value = {
      get counted() {
        reads += 1
        return reads
      },
      [Symbol('s')]: 1,
      list,
    }
    assert.deepStrictEqual(toNormalForm(value, MESSAGE_SHAPE_LIMITS)?.value, {
      counted: 1,
      list: [1],
    })
    assert.equal(reads, 1)
  })

  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const refused: Readonly<Record<string, unknown>> = {
    'a date': new Date(0),
    'a map': new Map(),
    'a number that is none': Number.NaN,
    'a hole in a list': [1, undefined],
    'a function': () => 1,
    'a cycle': cycle,
    'a key that reaches a prototype': JSON.parse('{"__proto__":1}') as unknown,
    'a getter that throws': {
      get x(): never {
        throw new Error('no')
      },
    },
  }
  for (const [what, value] of Object.entries(refused))
    test(`does not exist of ${what}, and has an issue`, () => {
      assert.equal(toNormalForm({ value }, MESSAGE_SHAPE_LIMITS), undefined)
      assert.ok(normalFormIssues({ value }, MESSAGE_SHAPE_LIMITS).length > 0)
    })

  test('is limited in the names of members, too', () => {
    const name = 'n'.repeat(MESSAGE_SHAPE_LIMITS.textLengthMax + 1)
    assert.equal(toNormalForm({ [name]: 1 }, MESSAGE_SHAPE_LIMITS), undefined)
  })

  test('is limited, also with repeated parts', () => {
    let value: unknown = [1, 2, 3]
    for (let depth = 0; depth < 28; depth += 1) value = [value, value]
    assert.equal(toNormalForm(value, MESSAGE_SHAPE_LIMITS), undefined)
  })
})
