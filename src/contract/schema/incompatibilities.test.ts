import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import fc from 'fast-check'
import { z } from 'zod'
import { incompatibilities } from './incompatibilities.ts'
import type { JsonSchema } from './json-schema.ts'
import { probedOutputSchema } from './probe.ts'

const of = (schema: StandardSchemaV1): JsonSchema => {
  const found = probedOutputSchema(schema)
  assert.ok(found, 'zod has a JSON Schema for it')
  return found
}
const lines = (before: JsonSchema, now: JsonSchema): string[] =>
  incompatibilities(before, now).map(({ path, message }) => `${path}: ${message}`)

const id = z.string()
const Node: z.ZodType = z.object({ id, children: z.lazy(() => z.array(Node)) })
const NodeWithNote: z.ZodType = z.object({
  id,
  note: z.string().optional(),
  children: z.lazy(() => z.array(NodeWithNote)),
})
const NodeOfNumbers: z.ZodType = z.object({
  id: z.number(),
  children: z.lazy(() => z.array(NodeOfNumbers)),
})
const card = z.object({ is: z.literal('card'), last: z.string() })
const cash = z.object({ is: z.literal('cash') })
const bank = z.object({ is: z.literal('bank'), iban: z.string() })

type Change = readonly [what: string, before: StandardSchemaV1, now: StandardSchemaV1]

const FINE: readonly Change[] = [
  ['nothing', z.object({ id }), z.object({ id })],
  ['words for people', z.object({ id }), z.object({ id: id.describe('who') }).describe('it')],
  ['the order of fields', z.object({ id, a: id }), z.object({ a: id, id })],
  ['a new optional field', z.object({ id }), z.object({ id, note: id.optional() })],
  ['a field that may be left out now', z.object({ id }), z.object({ id: id.optional() })],
  ['an optional field that is gone', z.object({ id, a: id.optional() }), z.object({ id })],
  ['null in addition', z.object({ id }), z.object({ id: id.nullable() })],
  ['a whole number to a number', z.int(), z.number()],
  ['bounds that go', z.string().min(2).max(5).regex(/^a/), z.string()],
  ['bounds that widen', z.number().min(2).max(5), z.number().gt(1).lt(6)],
  ['a list that may be empty now', z.array(id).min(1), z.array(id)],
  ['one more value', z.enum(['a', 'b']), z.enum(['c', 'b', 'a'])],
  ['values to any text', z.enum(['a', 'b']), z.string().min(1)],
  ['one value to several', z.literal('a'), z.enum(['a', 'b'])],
  ['a value that fits the pattern', z.literal('ab'), z.string().regex(/^a/)],
  ['text to text or a number', z.string(), z.union([z.number(), z.string()])],
  ['anything at all', z.object({ id }), z.unknown()],
  [
    'one more alternative',
    z.discriminatedUnion('is', [card, cash]),
    z.discriminatedUnion('is', [bank, cash, card]),
  ],
  ['one thing to alternatives', card, z.discriminatedUnion('is', [cash, card])],
  ['what nobody could be', z.never(), z.object({ id })],
  ['a tree', Node, Node],
  ['an optional field in a tree', z.object({ root: Node }), z.object({ root: NodeWithNote })],
  ['fields of any name', z.record(z.string(), z.int()), z.record(z.string(), z.number())],
  ['named fields to fields of any name', z.object({ a: z.int() }), z.record(z.string(), z.int())],
  ['a tuple', z.tuple([id, z.int()]), z.tuple([id, z.number()])],
  ['an intersection', z.intersection(z.object({ id }), card), z.object({ id, ...card.shape })],
]

const REFUSED: readonly (readonly [...Change, ...complaints: string[]])[] = [
  [
    'a required field that is gone',
    z.object({ id, a: id }),
    z.object({ id }),
    'a: was always there, and is gone',
  ],
  [
    'a new required field',
    z.object({ id }),
    z.object({ id, a: id }),
    'a: is new, and must be there now',
  ],
  [
    'an optional field that is required now',
    z.object({ a: id.optional() }),
    z.object({ a: id }),
    'a: could be left out, and must be there now',
  ],
  [
    'another type',
    z.object({ a: z.object({ b: z.string() }) }),
    z.object({ a: z.object({ b: z.number() }) }),
    'a.b: was text, and is a number now',
  ],
  [
    'a number to a whole number',
    z.object({ n: z.number() }),
    z.object({ n: z.int() }),
    'n: was a number, and is a whole number now',
  ],
  [
    'a renamed field',
    z.object({ total: id }),
    z.object({ totalCents: id }),
    'totalCents: is new, and must be there now',
    'total: was always there, and is gone',
  ],
  [
    'null no more',
    z.object({ id: id.nullable() }),
    z.object({ id }),
    'id: was null, and is text now',
  ],
  ['a longer least', z.string().min(1), z.string().min(2), ': must have minLength 2 now'],
  ['a bound that is new', z.number(), z.number().min(0), ': must be at least 0 now'],
  ['an open bound', z.number().min(0), z.number().gt(0), ': must be over 0 now'],
  [
    'another pattern',
    z.string().regex(/a/),
    z.string().regex(/b/),
    ': must fit the pattern "b" now',
  ],
  ['one value less', z.enum(['a', 'b', 'c']), z.enum(['a', 'c']), ': no longer takes "b"'],
  ['text to values', z.string(), z.enum(['a']), ': must be one of ["a"] now'],
  [
    'the type of what a list holds',
    z.object({ a: z.array(z.object({ n: z.string() })) }),
    z.object({ a: z.array(z.object({ n: z.boolean() })) }),
    'a[].n: was text, and is true or false now',
  ],
  [
    'an alternative that is gone',
    z.discriminatedUnion('is', [card, cash, bank]),
    z.discriminatedUnion('is', [card, cash]),
    ': no longer takes {"additionalProperties":false,"properties":{"iban":{"type":"string"},"is":{"con…',
  ],
  [
    'a change inside an alternative',
    z.discriminatedUnion('is', [card, cash]),
    z.discriminatedUnion('is', [card.extend({ last: z.number() }), cash]),
    'last: was text, and is a number now',
  ],
  [
    'a change inside a tree',
    z.object({ root: Node }),
    z.object({ root: NodeOfNumbers }),
    'root.id: was text, and is a number now',
  ],
  [
    'anything to something',
    z.object({ a: z.unknown() }),
    z.object({ a: z.string() }),
    'a: could be anything, and must be text now',
  ],
  [
    'fields of any name to none',
    z.record(z.string(), z.int()),
    z.object({}),
    ': had fields of any name, and has only those that it names now',
  ],
  [
    'a field that could have been there as anything',
    z.looseObject({ id }),
    z.looseObject({ id, n: z.number().optional() }),
    'n: could be anything, and must be a number now',
  ],
  [
    'names of fields',
    z.record(z.enum(['a', 'b']), z.int()),
    z.record(z.enum(['a']), z.int()),
    '(name): no longer takes "b"',
  ],
  [
    'a shorter tuple',
    z.tuple([id, id]),
    z.tuple([id]),
    ': must have maxItems 1 now',
    '[1]: accepts no value any more',
  ],
]

describe('a schema may change by', () => {
  for (const [what, before, now] of FINE)
    test(what, () => assert.deepEqual(lines(of(before), of(now)), []))
})

describe('a schema may not change by', () => {
  for (const [what, before, now, ...complaints] of REFUSED)
    test(what, () => assert.deepEqual(lines(of(before), of(now)), complaints))

  test('anything that cannot be compared', () => {
    const text = { type: 'string' }
    assert.deepEqual(lines(text, { ...text, not: { const: 'a' } }), [
      ': has another not, which cannot be compared',
    ])
    assert.deepEqual(lines({ ...text, if: {} }, text), [': had if, which cannot be compared'])
    assert.deepEqual(lines({ $ref: '#/$defs/a' }, text), [
      ': refers to a schema that does not exist',
    ])
    const overlapping = { oneOf: [{ type: 'number' }, { type: 'integer' }] }
    assert.deepEqual(lines({ type: 'integer' }, overlapping), [
      ': has alternatives that may overlap, which cannot be compared',
    ])
  })

  test('anything in a schema that is too deep', () => {
    const endless = { allOf: [{ $ref: '#' }] }
    assert.ok(lines(endless, { type: 'string' }).length > 0)
    assert.ok(lines({ type: 'string' }, endless).length > 0)
    const inside = (type: string): JsonSchema => ({
      type,
      items: { $ref: '#', minItems: 1 },
      anyOf: [{ $ref: '#' }, { type }],
    })
    assert.ok(lines(inside('array'), inside('object')).length > 0)
  })
})

/** A schema as it was and as it is, alike in form: many such changes are fine, and many are not. */
interface Pair {
  readonly before: z.ZodType
  readonly now: z.ZodType
}
const same = (schema: z.ZodType): Pair => ({ before: schema, now: schema })
const both = (
  { before, now }: Pair,
  [first, second]: readonly ((schema: z.ZodType) => z.ZodType)[],
): Pair => ({ before: first?.(before) ?? before, now: second?.(now) ?? now })

const LEAVES: readonly z.ZodType[] = [
  z.string(),
  z.string().min(2),
  z.string().max(3),
  z.string().regex(/^a/),
  z.number(),
  z.number().min(0),
  z.number().gt(0).lt(9),
  z.int(),
  z.int().max(5),
  z.boolean(),
  z.null(),
  z.enum(['a', 'bb']),
  z.enum(['a', 'bb', 'cccc']),
  z.literal('a'),
  z.literal(1),
  z.literal(['bb', 0]),
  z.unknown(),
]
const leaf = fc.constantFrom(...LEAVES)
type Wrap = (schema: z.ZodType) => z.ZodType
const twice = (...ways: Wrap[]): fc.Arbitrary<readonly Wrap[]> =>
  fc.array(fc.constantFrom(...ways), { minLength: 2, maxLength: 2 })
const kept: Wrap = (schema) => schema

function objectOf(
  fields: Readonly<Record<string, readonly [Pair, readonly Wrap[], readonly boolean[]]>>,
  [first, second]: readonly boolean[],
): Pair {
  const shape = (side: 0 | 1): Record<string, z.ZodType> =>
    Object.fromEntries(
      Object.entries(fields)
        .filter(([, [, , isThere]]) => isThere[side])
        .map(([name, [pair, wraps]]) => {
          const { before, now } = both(pair, wraps)
          return [name, side === 0 ? before : now]
        }),
    )
  return {
    before: first ? z.looseObject(shape(0)) : z.object(shape(0)),
    now: second ? z.looseObject(shape(1)) : z.object(shape(1)),
  }
}

const seldom = (usual: boolean): fc.Arbitrary<boolean> =>
  fc.nat(5).map((chance) => (chance === 0 ? !usual : usual))
const flags = (usual: boolean): fc.Arbitrary<readonly boolean[]> =>
  fc.tuple(seldom(usual), seldom(usual))

const { pair: pairs } = fc.letrec<{ pair: Pair }>((tie) => ({
  pair: fc.oneof(
    { maxDepth: 3 },
    leaf.map(same),
    fc.tuple(leaf, leaf).map(([before, now]) => ({ before, now })),
    fc.array(fc.tuple(tie('pair'), flags(true)), { minLength: 1, maxLength: 3 }).map((all) => ({
      before: z.union([z.never(), ...all.filter(([, [is]]) => is).map(([{ before }]) => before)]),
      now: z.union([z.never(), ...all.filter(([, [, is]]) => is).map(([{ now }]) => now)]),
    })),
    fc
      .tuple(
        tie('pair'),
        twice(
          (item) => z.array(item),
          (item) => z.array(item).min(1).max(3),
          (item) => z.array(item).max(4),
          (item) => z.tuple([item, item]),
          (item) => z.tuple([z.string()], item),
          (item) => z.record(z.string(), item),
        ),
      )
      .map(([pair, wraps]) => both(pair, wraps)),
    fc
      .tuple(
        fc.dictionary(
          fc.constantFrom('a', 'b', 'c'),
          fc.tuple(
            tie('pair'),
            twice(
              kept,
              kept,
              (schema) => schema.optional(),
              (schema) => schema.nullable(),
            ),
            flags(true),
          ),
          { noNullPrototype: true, minKeys: 1 },
        ),
        flags(false),
      )
      .map(([fields, areLoose]) => objectOf(fields, areLoose)),
  ),
}))

const { value: values } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>('a', 'bb', 'cccc', 'abc', '', 0, 1, -1, 0.5, 7, 9, true, false, null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value'), { noNullPrototype: true }),
  ),
}))

describe('a compatible schema', () => {
  test('accepts every value of the old schema, for all simple schemas', () => {
    const plain = ['a', 'bb', 'cccc', 'abc', '', 0, 1, -1, 0.5, 5, 6, 9, true, false, null]
    for (const before of LEAVES)
      for (const now of LEAVES) {
        if (incompatibilities(of(before), of(now)).length > 0) continue
        const refused = plain.filter(
          (value) => before.safeParse(value).success && !now.safeParse(value).success,
        )
        assert.deepEqual(refused, [], JSON.stringify([of(before), of(now)]))
      }
  })

  test('accepts every value of the old schema', () => {
    const seen = { compatible: 0, refused: 0, held: 0 }
    fc.assert(
      fc.property(pairs, fc.array(values, { minLength: 20 }), ({ before, now }, all) => {
        if (incompatibilities(of(before), of(now)).length > 0) {
          seen.refused += 1
          return
        }
        seen.compatible += 1
        for (const value of all) {
          const taken = before.safeParse(value)
          if (!taken.success) continue
          seen.held += 1
          const stored = JSON.parse(JSON.stringify(taken.data)) as unknown
          assert.ok(now.safeParse(stored).success, JSON.stringify([of(before), of(now), stored]))
        }
      }),
      { numRuns: 1_000 },
    )
    const { compatible, refused, held } = seen
    assert.ok(compatible > 100 && refused > 100 && held > 250, JSON.stringify(seen))
  })

  test('is every schema compared with itself or a wider one', () => {
    fc.assert(
      fc.property(pairs, ({ before: one, now: two }) => {
        assert.deepEqual(lines(of(one), of(one)), [])
        const [before, now] = [z.object({ one }), z.object({ one, two: two.optional() })]
        assert.deepEqual(lines(of(before), of(now)), [])
        assert.deepEqual(lines(of(one), of(z.union([two, one]))), [])
      }),
      { numRuns: 500 },
    )
  })
})
