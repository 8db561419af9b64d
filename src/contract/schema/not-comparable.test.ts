// Schemas whose words cannot be compared one by one: the same whole text fits, and nothing else.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { incompatibilities } from './incompatibilities.ts'
import type { JsonSchema } from './json-schema.ts'
import { jsonSchemaOf } from './json-schema.ts'

const lines = (before: JsonSchema, now: JsonSchema): string[] =>
  incompatibilities(before, now).map(({ path, message }) => `${path}: ${message}`)

const text = { type: 'string' }
const whole = { type: 'integer' }
/** A message with one more field, and what it defines. */
const message = (v: object, $defs: object = {}): JsonSchema => ({
  type: 'object',
  properties: { v },
  required: ['v'],
  additionalProperties: false,
  $defs,
})
const list = (...items: object[]): JsonSchema =>
  message({ type: 'array', prefixItems: items, unevaluatedItems: false })
const fields = (properties: object): JsonSchema =>
  message({ type: 'object', allOf: [{ properties }], unevaluatedProperties: false })
const keyed = (properties: object): JsonSchema =>
  message({ type: 'object', patternProperties: { '^a': whole }, properties })
const named = (id: string, inner: z.ZodType): JsonSchema => {
  const part = inner.meta({ id })
  return jsonSchemaOf(z.object({ one: part, two: part }), 'output') as JsonSchema
}

type Pair = readonly [what: string, before: JsonSchema, now: JsonSchema, keyword: string]
const NOT_COMPARABLE: readonly Pair[] = [
  [
    'a field that went beside unevaluatedProperties',
    fields({ a: text }),
    fields({ b: text }),
    'v: has unevaluatedProperties',
  ],
  ['a shorter list', list(text, text), list(text), 'v: has unevaluatedItems'],
  [
    'a new field that patternProperties covered',
    keyed({}),
    keyed({ abc: text }),
    'v: has patternProperties',
  ],
  [
    'the same inside of a part',
    message({ allOf: [{ type: 'object', patternProperties: { '^a': whole } }] }),
    message({
      allOf: [{ type: 'object', patternProperties: { '^a': whole }, properties: { abc: text } }],
    }),
    'v: has patternProperties',
  ],
  [
    'what an $anchor names',
    message({ $ref: '#T' }, { T: { $anchor: 'T', ...text } }),
    message({ $ref: '#T' }, { T: { $anchor: 'T', ...whole } }),
    ': has $anchor',
  ],
  [
    'what a $dynamicAnchor names',
    message({ $dynamicRef: '#T' }, { T: { $dynamicAnchor: 'T', ...text } }),
    message({ $dynamicRef: '#T' }, { T: { $dynamicAnchor: 'T', ...whole } }),
    ': has $dynamicAnchor',
  ],
  [
    'what a pointer means inside of a part with an $id',
    message(
      { $ref: '#/$defs/T' },
      { U: whole, T: { $id: 'http://x/t', $ref: '#/$defs/U', $defs: { U: text } } },
    ),
    message(
      { $ref: '#/$defs/T' },
      { U: whole, T: { $id: 'http://x/t', $ref: '#/$defs/U', $defs: { U: { type: 'boolean' } } } },
    ),
    ': has $id',
  ],
  [
    'what a name that is an $id means',
    { $id: 'T', ...message({ anyOf: [text, { $ref: 'T' }] }) },
    { $id: 'T', ...message({ anyOf: [whole, { $ref: 'T' }] }) },
    ': has a $ref by name',
  ],
]

describe('a schema cannot be compared if it changed by', () => {
  for (const [what, before, now, keyword] of NOT_COMPARABLE)
    test(what, () => {
      for (const [one, other] of [
        [before, now],
        [now, before],
      ] as const) {
        const [line = '', ...more] = lines(one, other)
        assert.ok(line.startsWith(`${keyword}, which cannot be compared: `), line)
        assert.match(line, /a new version/, 'the cure')
        assert.deepEqual(more, [])
      }
      assert.deepEqual([...lines(before, before), ...lines(now, now)], [], 'the same text fits')
    })

  test('what a reference inside of another keyword means', () => {
    const not = (T: object): JsonSchema => message({ ...text, not: { $ref: '#/$defs/T' } }, { T })
    assert.deepEqual(lines(not({ const: 'a' }), not({ const: 'b' })), [
      'v: has another not, which cannot be compared',
    ])
  })

  test('what it refers to elsewhere, even if its own text is the same', () => {
    for (const $ref of ['http://x/t.json', 'http://x/t.json#/$defs/T', 't.json']) {
      const [line = ''] = lines(message({ $ref }), message({ $ref }))
      assert.match(line, /^: has a reference to another document, which cannot be compared: /)
    }
  })
})

describe('a schema can be compared if', () => {
  test('its whole has an $id, as long as nothing refers to it by that', () => {
    const whichever = (id: string, v: object): JsonSchema => ({ $id: id, ...message(v) })
    assert.deepEqual(lines(whichever('a', whole), whichever('b', { type: 'number' })), [])
    assert.deepEqual(lines(whichever('a', text), whichever('a', whole)), [
      'v: was text, and is a whole number now',
    ])
  })

  test('a field has the name of such a keyword', () => {
    const called = (v: object): JsonSchema =>
      message({ type: 'object', properties: { $anchor: v, $id: v, patternProperties: v } })
    assert.deepEqual(lines(called(whole), called({ type: 'number' })), [])
    assert.deepEqual(lines(called({ const: { $id: 'a' } }), called({ const: { $id: 'a' } })), [])
  })

  test('a library does not escape the name of a part', () => {
    for (const id of ['VAT %', 'VAT%20', 'ü', '100%25', 'a~0b']) {
      assert.deepEqual(lines(named(id, z.int()), named(id, z.number())), [], id)
      assert.deepEqual(lines(named(id, z.string()), named(id, z.int())), [
        'one: was text, and is a whole number now',
        'two: was text, and is a whole number now',
      ])
    }
  })

  test('but a part name that could mean two parts resolves to neither', () => {
    const two = (T: object): JsonSchema =>
      message({ $ref: '#/$defs/a%20b' }, { 'a%20b': text, 'a b': T })
    assert.deepEqual(lines(two(text), two(whole)), ['v: refers to a schema that does not exist'])
  })

  test('a sibling part names a field that another part already had', () => {
    const both = (first: object): JsonSchema =>
      message({
        allOf: [
          { type: 'object', properties: first },
          { type: 'object', properties: { c: whole } },
        ],
      })
    assert.deepEqual(lines(both({ a: text }), both({ a: text, c: text })), [
      'v.c: was a whole number, and is text now',
    ])
    assert.deepEqual(lines(both({ a: text }), both({ a: text, c: { type: 'number' } })), [])
  })
})

test('removing a required field is an issue also if any field is allowed', () => {
  const loose = (shape: z.ZodRawShape): JsonSchema =>
    jsonSchemaOf(z.looseObject(shape), 'output') as JsonSchema
  assert.deepEqual(lines(loose({ a: z.string(), b: z.string() }), loose({ a: z.string() })), [
    'b: was always there, and is gone',
  ])
})
