// Text of a path and a query string is read by the alternative of the schema that accepts it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { command, contract, query } from 'throughline'
import { fetchHandler, gateway, route } from 'throughline/gateway'
import { z } from 'zod'
import { jsonSchemaOf } from '../../src/gateway/routing/schema.ts'
import { createTextReader } from '../../src/gateway/routing/text-reader.ts'
import { runs } from '../extent.ts'

let names = 0
/** A schema that others refer to by name. */
const named = <T extends z.ZodType>(schema: T): T => schema.meta({ id: `Named ${(names += 1)}` })

function textsOf(text: string): Map<string, string[]> {
  const query = new URLSearchParams(text)
  return new Map([...query.keys()].map((name) => [name, query.getAll(name)]))
}

const read = (schema: z.ZodType, text: string): unknown => ({
  ...createTextReader(jsonSchemaOf(schema, 'input'))(textsOf(text)),
})

const n = (member: z.ZodType): z.ZodType => z.object({ n: member })
const kinds = z.discriminatedUnion('k', [
  z.object({ k: z.literal('a'), n: z.int() }),
  z.object({ k: z.literal('b'), n: z.string() }),
])
interface Chain {
  n: number
  next?: Chain | undefined
}
const Chain: z.ZodType<Chain> = z.lazy(() => z.object({ n: z.int(), next: Chain.optional() }))

const CASES: readonly (readonly [what: string, schema: z.ZodType, text: string, value: unknown])[] =
  [
    ['a number that may be null', n(z.int().nullable()), 'n=7', { n: 7 }],
    ['null if the schema accepts it', n(z.int().nullable()), 'n=null', { n: null }],
    ['a number that may be null or absent', n(z.int().nullish()), 'n=7', { n: 7 }],
    ['a number or a word, as a number', n(z.int().or(z.literal('all'))), 'n=7', { n: 7 }],
    ['a number or a word, as the word', n(z.int().or(z.literal('all'))), 'n=all', { n: 'all' }],
    ['a number or a UUID, as a number', n(z.uuid().or(z.int())), 'n=7', { n: 7 }],
    ['literals of several types', n(z.literal([1, 'a', true])), 'n=1', { n: 1 }],
    ['a schema with a name', n(named(z.int())), 'n=7', { n: 7 }],
    ['a schema with a name that may be null', n(named(z.int()).nullable()), 'n=7', { n: 7 }],
    ['a whole message with a name', named(z.object({ n: z.int() })), 'n=7', { n: 7 }],
    ['a schema that refers to itself', Chain, 'n=7', { n: 7 }],
    ['a list that may be null', n(z.array(z.int()).nullish()), 'n=7', { n: [7] }],
    ['a list of several', n(z.array(z.int()).nullish()), 'n=7&n=8', { n: [7, 8] }],
    ['a list with a name', n(named(z.array(named(z.boolean())))), 'n=true', { n: [true] }],
    ['one or several, as one', n(z.int().or(z.array(z.int()))), 'n=7', { n: 7 }],
    ['one or several, as several', n(z.int().or(z.array(z.int()))), 'n=7&n=8', { n: [7, 8] }],
    [
      'a tuple',
      n(z.tuple([z.int(), z.string()]).rest(z.boolean())),
      'n=7&n=8&n=true',
      { n: [7, '8', true] },
    ],
    ['the alternative that the other members select', kinds, 'k=a&n=7', { k: 'a', n: 7 }],
    ['the other alternative', kinds, 'k=b&n=7', { k: 'b', n: '7' }],
    [
      'both sides of an intersection',
      z.object({ m: z.int() }).and(n(z.int())),
      'm=1&n=7',
      { m: 1, n: 7 },
    ],
    [
      'a field beside one without JSON Schema',
      z.object({ n: z.int(), at: z.custom<string>(() => true) }),
      'n=7&at=1',
      { n: 7, at: '1' },
    ],
    ['members of any name', z.record(z.string(), z.int()), 'x=1&y=2', { x: 1, y: 2 }],
    [
      'members of any name beside others',
      z.object({ n: z.string() }).catchall(z.int()),
      'n=1&y=2',
      { n: '1', y: 2 },
    ],
    ['an object, as JSON', n(z.object({ a: z.int() })), 'n={"a":1}', { n: { a: 1 } }],
    [
      'a list of lists, each as JSON',
      n(z.array(z.array(z.int()))),
      'n=[1,2]&n=[]',
      { n: [[1, 2], []] },
    ],
    ['text that looks like a number', n(z.string()), 'n=7', { n: '7' }],
    ['text that looks like JSON', n(z.array(z.string())), 'n=[1]', { n: ['[1]'] }],
    ['text or a number, as text', n(z.int().or(z.string())), 'n=7', { n: '7' }],
    ['a number out of bounds, which the schema then refuses', n(z.int().min(1)), 'n=0', { n: 0 }],
    ['text in place of a number, unchanged', n(z.int()), 'n=0x1', { n: '0x1' }],
    ['a number that is too large, unchanged', n(z.number()), 'n=1e999', { n: '1e999' }],
    ['empty text, unchanged', n(z.int().nullable()), 'n=', { n: '' }],
    [
      'a repeated number as a list, which the schema then refuses',
      n(z.int()),
      'n=1&n=2',
      { n: [1, 2] },
    ],
    [
      'names that the schema does not have',
      n(z.int()),
      'x=1&__proto__=2',
      { x: '1', ['__proto__']: '2' },
    ],
  ]

describe('text of a URL', () => {
  for (const [what, schema, text, value] of CASES)
    test(`is read as ${what}`, () => {
      assert.deepEqual(read(schema, text), value)
    })

  test('is read beside a field without JSON Schema of other libraries as well', () => {
    const properties = { n: { type: 'integer' } }
    // As valibot: its conversion throws for what JSON Schema cannot express.
    const input = ({ libraryOptions }: { libraryOptions?: { errorMode?: string } }) => {
      if (libraryOptions?.errorMode !== 'ignore') throw new Error('cannot be converted')
      return { type: 'object', properties }
    }
    const schema = { '~standard': { version: 1, vendor: 'test', jsonSchema: { input } } }
    assert.deepEqual(read(schema as never, 'n=7'), { n: 7 })
  })

  test('is read so by a gateway, from the path and from the query string', async () => {
    const Limit = named(z.int().min(1).max(100))
    const Asked = contract(
      'asked',
      { key: 'id' },
      {
        Find: query(z.object({ id: z.string(), n: Limit.nullish(), b: z.boolean().nullable() }), {
          answers: z.unknown(),
        }),
        Set: command(z.object({ id: z.string(), n: Limit })),
      },
    )
    const seen: unknown[] = []
    const app = {
      ask: async ({ data }: { data: unknown }) => data,
      send: async ({ data }: { data: unknown }) => (
        seen.push(data),
        { id: '1', isDuplicate: false }
      ),
      describe: () => ({ contracts: [{ name: 'asked', owner: 'asked' }] }),
    }
    const handler = gateway(app as never, {
      routes: [
        route.query('GET', '/asked/:id/:b', Asked.Find),
        route.command('PUT', '/asked/:id/:n', Asked.Set),
      ],
    })
    const ask = fetchHandler(handler)
    const found = await ask(new Request('http://x/asked/1/true?n=7'))
    assert.deepEqual(await found.json(), { id: '1', b: true, n: 7 })
    assert.equal((await ask(new Request('http://x/asked/1/7', { method: 'PUT' }))).status, 202)
    assert.deepEqual(seen, [{ id: '1', n: 7 }])
  })
})

/** A schema and values that it accepts. */
interface Sort {
  readonly schema: z.ZodType
  readonly values: fc.Arbitrary<unknown>
}
const takesText = ({ schema }: Sort, text: string): boolean => schema.safeParse(text).success

const sorts = fc.letrec<{ plain: Sort; any: Sort }>((tie) => ({
  plain: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Sort>(
      { schema: z.string(), values: fc.string() },
      { schema: z.int(), values: fc.maxSafeInteger() },
      { schema: z.number(), values: fc.double({ noNaN: true, noDefaultInfinity: true }) },
      { schema: z.int().min(-5).max(5), values: fc.integer({ min: -5, max: 5 }) },
      { schema: z.boolean(), values: fc.boolean() },
      { schema: z.null(), values: fc.constant(null) },
      { schema: z.enum(['all', '7', 'true']), values: fc.constantFrom('all', '7', 'true') },
      { schema: z.literal([1, 'x', false]), values: fc.constantFrom(1, 'x', false) },
      { schema: z.string().regex(/^[a-z]+$/), values: fc.stringMatching(/^[a-z]+$/) },
    ),
    tie('plain').map(({ schema, values }): Sort => ({ schema: named(schema.clone()), values })),
    fc.array(tie('plain'), { minLength: 1, maxLength: 3 }).map((arms): Sort => ({
      schema: z.union(arms.map(({ schema }) => schema)),
      values: fc.oneof(...arms.map(({ values }) => values)),
    })),
    tie('plain').map(({ schema, values }): Sort => ({
      schema: schema.nullable(),
      values: fc.option(values),
    })),
  ),
  any: tie('plain'),
}))

/** The text of a value. */
const written = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)
/** The value that must be read: text stays text if the schema accepts it; JSON has no -0. */
const expected = (sort: Sort, value: unknown): unknown =>
  takesText(sort, written(value)) ? written(value) : value === 0 ? 0 : value

const members = fc.array(
  sorts.plain.chain((sort) =>
    fc.record({
      sort: fc.constant(sort),
      isList: fc.boolean(),
      isOptional: fc.boolean(),
      values: fc.array(sort.values, { minLength: 1, maxLength: 3 }),
    }),
  ),
  { minLength: 1, maxLength: 4 },
)

test('any value of any schema is read back from its text', () => {
  const law = fc.property(members, fc.boolean(), fc.boolean(), (list, isUnion, isSplit) => {
    const shape = list.map(({ sort: { schema }, isList, isOptional }, at) => {
      const one = isList ? z.array(schema) : schema
      return [`m${at}`, isOptional ? one.nullish() : one] as const
    })
    const halves = [shape.slice(0, 1), shape.slice(1)].map((half) =>
      z.object(Object.fromEntries(half)),
    )
    const whole = z.object(Object.fromEntries(shape))
    const object = isSplit ? z.intersection(halves[0] ?? whole, halves[1] ?? whole) : whole
    const other = z.object({ other: z.string() })
    const query = new URLSearchParams()
    const value: Record<string, unknown> = {}
    for (const [at, { sort, isList, values }] of list.entries()) {
      const said = isList ? values : values.slice(0, 1)
      for (const each of said) query.append(`m${at}`, written(each))
      const nullable = { ...sort, schema: shape[at]?.[1] ?? sort.schema }
      value[`m${at}`] = isList
        ? said.map((each) => expected(sort, each))
        : expected(nullable, said[0])
      // For a nullable list, `[null]` and `null` have the same text.
      if (isList && list[at]?.isOptional && query.getAll(`m${at}`).join() === 'null')
        value[`m${at}`] = null
    }
    const schema = isUnion ? z.union([other, object]) : object
    assert.deepEqual(read(schema, query.toString()), value)
    assert.ok(schema.safeParse(value).success)
  })
  fc.assert(law, { numRuns: runs(300) })
})
