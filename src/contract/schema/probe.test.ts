// What the libraries do with fields that a schema does not name, or that data lacks.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type } from 'arktype'
import { Effect, Schema } from 'effect'
import * as v from 'valibot'
import { z } from 'zod'
import { incompatibilities } from './incompatibilities.ts'
import { unusableSchemaIssue, isUnprobed, probedOutputSchema } from './probe.ts'

type Any = StandardSchemaV1
const val = (schema: Parameters<typeof toStandardJsonSchema>[0]): Any =>
  toStandardJsonSchema(schema)
const eff = (schema: Schema.Top): Any =>
  Schema.toStandardJSONSchemaV1(Schema.toStandardSchemaV1(schema as never)) as never

/** The same message, as it was and as it is, in each library. */
interface Versions {
  readonly base: Any
  readonly plusOptional: Any
  readonly minusRequired: Any
  readonly plusDefault: Any
  /** Fields that it does not name come out as they went in. */
  readonly loose: Any
  readonly loosePlusOptional: Any
  readonly looseMinusRequired: Any
  readonly strict: Any
  readonly strictPlusOptional: Any
  readonly strictPlusDefault: Any
}

const euro = Effect.succeed('EUR')
const [id, price] = [Schema.String, Schema.Finite]
const currency = Schema.optionalKey(Schema.String)
const defaulted = Schema.String.pipe(Schema.withDecodingDefaultKey(euro))
const open = [Schema.Record(Schema.String, Schema.Unknown)] as const

const LIBRARIES: Readonly<Record<string, Partial<Versions>>> = {
  zod: {
    base: z.object({ id: z.string(), price: z.number() }),
    plusOptional: z.object({ id: z.string(), price: z.number(), currency: z.string().optional() }),
    minusRequired: z.object({ id: z.string() }),
    plusDefault: z.object({ id: z.string(), price: z.number(), currency: z.string().default('E') }),
    loose: z.looseObject({ id: z.string(), price: z.number() }),
    loosePlusOptional: z.looseObject({
      id: z.string(),
      price: z.number(),
      currency: z.string().optional(),
    }),
    looseMinusRequired: z.looseObject({ id: z.string() }),
    strict: z.strictObject({ id: z.string(), price: z.number() }),
    strictPlusOptional: z.strictObject({
      id: z.string(),
      price: z.number(),
      currency: z.string().optional(),
    }),
    strictPlusDefault: z.strictObject({
      id: z.string(),
      price: z.number(),
      currency: z.string().default('EUR'),
    }),
  },
  valibot: {
    base: val(v.object({ id: v.string(), price: v.number() })),
    plusOptional: val(
      v.object({ id: v.string(), price: v.number(), currency: v.optional(v.string()) }),
    ),
    minusRequired: val(v.object({ id: v.string() })),
    plusDefault: val(
      v.object({ id: v.string(), price: v.number(), currency: v.optional(v.string(), 'EUR') }),
    ),
    loose: val(v.looseObject({ id: v.string(), price: v.number() })),
    loosePlusOptional: val(
      v.looseObject({ id: v.string(), price: v.number(), currency: v.optional(v.string()) }),
    ),
    looseMinusRequired: val(v.looseObject({ id: v.string() })),
    strict: val(v.strictObject({ id: v.string(), price: v.number() })),
    strictPlusOptional: val(
      v.strictObject({ id: v.string(), price: v.number(), currency: v.optional(v.string()) }),
    ),
    strictPlusDefault: val(
      v.strictObject({ id: v.string(), price: v.number(), currency: v.optional(v.string(), 'E') }),
    ),
  },
  // Without "+" an object of arktype is a loose one.
  arktype: {
    base: type({ '+': 'delete', id: 'string', price: 'number' }),
    plusOptional: type({ '+': 'delete', id: 'string', price: 'number', 'currency?': 'string' }),
    minusRequired: type({ '+': 'delete', id: 'string' }),
    plusDefault: type({ '+': 'delete', id: 'string', price: 'number', currency: 'string = "E"' }),
    loose: type({ id: 'string', price: 'number' }),
    loosePlusOptional: type({ id: 'string', price: 'number', 'currency?': 'string' }),
    looseMinusRequired: type({ id: 'string' }),
    strict: type({ '+': 'reject', id: 'string', price: 'number' }),
    strictPlusOptional: type({
      '+': 'reject',
      id: 'string',
      price: 'number',
      'currency?': 'string',
    }),
    strictPlusDefault: type({
      '+': 'reject',
      id: 'string',
      price: 'number',
      currency: 'string = "EUR"',
    }),
  },
  effect: {
    base: eff(Schema.Struct({ id, price })),
    plusOptional: eff(Schema.Struct({ id, price, currency })),
    minusRequired: eff(Schema.Struct({ id })),
    plusDefault: eff(Schema.Struct({ id, price, currency: defaulted })),
    loose: eff(Schema.StructWithRest(Schema.Struct({ id, price }), open)),
    loosePlusOptional: eff(Schema.StructWithRest(Schema.Struct({ id, price, currency }), open)),
    looseMinusRequired: eff(Schema.StructWithRest(Schema.Struct({ id }), open)),
  },
}

const gone = 'price was always there, and is gone'
const added = 'currency is new, and must be there now'
const anything = 'currency could be anything, and must be text now'
/** The same for each library: what is stored is held against what is read next year. */
const CHANGES: readonly (readonly [keyof Versions, keyof Versions, ...complaints: string[]])[] = [
  ['base', 'base'],
  ['base', 'plusOptional'],
  ['base', 'minusRequired', gone],
  ['base', 'plusDefault', added],
  ['plusOptional', 'plusDefault', 'currency could be left out, and must be there now'],
  ['plusDefault', 'plusOptional'],
  ['base', 'loose'],
  ['base', 'strict'],
  ['loose', 'loose'],
  ['loose', 'loosePlusOptional', anything],
  [
    'loose',
    'plusOptional',
    anything,
    'had fields of any name, and has only those that it names now',
  ],
  ['loose', 'looseMinusRequired', gone],
  ['strict', 'strictPlusOptional'],
  ['strict', 'strictPlusDefault', added],
  ['strictPlusOptional', 'strictPlusDefault', 'currency could be left out, and must be there now'],
]

for (const [library, versions] of Object.entries(LIBRARIES))
  describe(`a message of ${library}`, () => {
    for (const [from, to, ...expected] of CHANGES) {
      const [before, now] = [versions[from], versions[to]]
      if (!before || !now) continue
      test(`${from} to ${to} ${expected.length === 0 ? 'fits' : 'does not fit'}`, () => {
        const [stored, stated] = [probedOutputSchema(before), probedOutputSchema(now)]
        assert.ok(stored && stated, 'it has a JSON Schema')
        const found = incompatibilities(stored, stated)
        assert.deepEqual(
          found.map(({ path, message }) => (path ? `${path} ${message}` : message)),
          expected,
        )
      })
    }
  })

describe('probing', () => {
  const objectIn = (schema: Any, ...path: string[]): Record<string, unknown> => {
    let found = probedOutputSchema(schema) as Record<string, unknown>
    for (const step of path) found = found[step] as Record<string, unknown>
    return found
  }

  test('looks at objects inside of objects, lists and alternatives', () => {
    const inner = v.looseObject({ a: v.optional(v.string(), 'x') })
    const schema = val(
      v.object({
        one: v.object({ two: inner }),
        list: v.array(inner),
        choice: v.variant('is', [
          v.object({ is: v.literal('a') }),
          v.looseObject({ is: v.literal('b'), c: v.optional(v.number(), 1) }),
        ]),
      }),
    )
    const root = objectIn(schema)
    assert.equal(root['additionalProperties'], false)
    const inside = { additionalProperties: {}, required: ['a'] }
    for (const path of [
      ['properties', 'one', 'properties', 'two'],
      ['properties', 'list', 'items'],
    ]) {
      const { additionalProperties, required } = objectIn(schema, ...path)
      assert.deepEqual({ additionalProperties, required }, inside, path.join('.'))
    }
    const branches =
      objectIn(schema, 'properties', 'choice')['oneOf'] ??
      objectIn(schema, 'properties', 'choice')['anyOf']
    assert.deepEqual(
      (branches as Record<string, unknown>[]).map((each) => [
        each['additionalProperties'],
        each['required'],
      ]),
      [
        [false, ['is']],
        [{}, ['is', 'c']],
      ],
    )
  })

  test('looks at the parts of an intersection, which name fields beside one another', () => {
    const both = (second: v.GenericSchema): Any =>
      val(v.intersect([v.object({ a: v.string() }), second as never]))
    const before = probedOutputSchema(both(v.object({ b: v.number() })))
    const loose = probedOutputSchema(both(v.looseObject({ b: v.number() })))
    const now = probedOutputSchema(
      val(
        v.intersect([
          v.object({ a: v.string(), b: v.optional(v.string()) }),
          v.object({ c: v.optional(v.number()) }),
        ]),
      ),
    )
    assert.ok(before && loose && now)
    assert.deepEqual(incompatibilities(before, before), [])
    assert.ok(incompatibilities(before, now).some(({ path }) => path === 'b'))
    assert.ok(incompatibilities(loose, now).some(({ path }) => path === 'c'))
  })

  test('finds text for a pattern', () => {
    const sku = v.pipe(v.string(), v.regex(/^[A-Z]{3}-\d+$/))
    const schema = val(v.object({ sku, note: v.optional(v.string(), '-') }))
    const { additionalProperties, required } = objectIn(schema)
    assert.deepEqual([additionalProperties, required], [false, ['sku', 'note']])
  })

  test('terminates for recursive schemas', () => {
    interface Tree {
      left: Tree | null
      right: Tree | null
    }
    const tree: z.ZodType<Tree> = z.lazy(() =>
      z.object({ left: z.union([z.null(), tree]), right: z.union([tree, z.null()]) }),
    )
    assert.equal(isUnprobed(tree), false)
    const endless: z.ZodType = z.lazy(() => z.object({ a: endless, b: endless }))
    assert.equal(isUnprobed(endless), true)
  })

  test('keeps the JSON Schema of the library for objects it has not reached', () => {
    const fields = Object.fromEntries(Array.from({ length: 6_000 }, (_, at) => [`f${at}`, text]))
    const wide = z.looseObject({ all: z.object(fields), last: z.looseObject({ a: text }) })
    const last = objectIn(wide, 'properties', 'last')
    assert.deepEqual([last['additionalProperties'], last['required']], [{}, ['a']])
  })

  test('keeps the JSON Schema of the library if no sample is valid', () => {
    const schema = z.object({ id: z.string().refine((id) => id === 'a secret') })
    assert.equal(isUnprobed(schema), true)
    const { required, additionalProperties } = objectIn(schema)
    assert.deepEqual([additionalProperties, required], [false, ['id']])
  })

  test('treats an object as open if its schema does not say and no sample is valid', () => {
    const secret = v.pipe(v.string(), v.regex(/^(?=b)[ab]c$/))
    const schema = val(v.object({ id: secret, n: v.strictObject({ a: v.string() }) }))
    assert.equal(isUnprobed(schema), true)
    const inner = objectIn(schema, 'properties', 'n')
    assert.deepEqual(
      [objectIn(schema), inner].map((each) => each['additionalProperties']),
      [{}, false],
    )
  })
})

class Point extends Schema.Class<Point>('Point')({ id: Schema.String }) {}
const iso = z.iso.datetime()
const text = z.string()
const foreign = /^(?:at |)is converted to a value that JSON does not have: must be plain data/
const UNUSABLE: readonly (readonly [name: string, schema: Any, complaint: RegExp])[] = [
  [
    'z.date()',
    z.object({ id: text, at: z.date() }),
    /^at must be a Date, which JSON does not have/,
  ],
  ['z.bigint()', z.object({ at: z.bigint() }), /^at must be a bigint/],
  ['z.map()', z.object({ at: z.map(text, text) }), /^at must be a Map/],
  ['z.set()', z.object({ at: z.set(text) }), /^at must be a Set/],
  [
    'a date in a list',
    z.object({ l: z.array(z.object({ at: z.date() })) }),
    /^l\[0\]\.at must be a D/,
  ],
  [
    'a date beside what no made-up value fits',
    z.object({ id: text.refine((id) => id === 'a secret'), at: z.date() }),
    /^at must be a Date/,
  ],
  [
    'a date in an alternative',
    z.discriminatedUnion('is', [
      z.object({ is: z.literal('a') }),
      z.object({ is: z.literal('b'), at: z.date() }),
    ]),
    /^at must be a Date/,
  ],
  ['z.coerce.date()', z.object({ at: z.coerce.date() }), foreign],
  ['a transform to a Date', z.object({ at: iso.transform((at) => new Date(at)) }), foreign],
  ['v.date()', val(v.object({ id: v.string(), at: v.date() })), /^at must be a Date/],
  ['a Date of arktype', type({ id: 'string', at: 'Date' }), /^at must be a Date/],
  ['a parsed Date of arktype', type({ at: 'string.date.parse' }), foreign],
  ['a class of Effect', eff(Point), foreign],
  ['a Date of Effect', eff(Schema.Struct({ at: Schema.DateFromString })), foreign],
  ['an asynchronous check', z.object({ id: text.refine(async () => true) }), /asynchronous/],
  ['an asynchronous schema', v.objectAsync({ id: v.string() }), /asynchronous/],
  [
    'a promise that never comes',
    { '~standard': { version: 1, vendor: 'test', validate: () => new Promise(() => undefined) } },
    /asynchronous/,
  ],
]

const USABLE: readonly (readonly [name: string, schema: Any])[] = [
  ['one that changes its value', z.object({ id: text.transform((id) => id.length) })],
  ['one that makes numbers of text', z.object({ id: text.transform(Number) })],
  ['one that also takes a Date', z.object({ at: z.union([z.date(), text]) })],
  ['one whose check throws', z.object({ id: text.transform((id) => JSON.parse(id) as unknown) })],
  ['one that nothing fits', z.never()],
  ['one that anything fits', z.unknown()],
  ['a number of Effect from text', eff(Schema.Struct({ n: Schema.NumberFromString }))],
]

describe('a schema', () => {
  for (const [name, schema, complaint] of UNUSABLE)
    test(`cannot be used for a message: ${name}`, async () => {
      const { path, message } = (await unusableSchemaIssue(schema)) ?? {
        path: '',
        message: 'nothing',
      }
      assert.match(path ? `${path} ${message}` : message, complaint)
    })

  for (const [name, schema] of USABLE)
    test(`can be used for a message: ${name}`, async () =>
      assert.equal(await unusableSchemaIssue(schema), undefined))

  test('of an answer may take a Date if its output is text', async () => {
    const asText = z.object({ at: z.date().transform((at) => at.toISOString()) })
    assert.equal(await unusableSchemaIssue(asText, true), undefined)
    assert.match((await unusableSchemaIssue(asText))?.message ?? '', /must be a Date/)
    assert.ok(await unusableSchemaIssue(z.object({ at: z.date() }), true))
  })
})
