// The OpenAPI document stays valid whatever the schemas are named, and describes what is accepted.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import fc from 'fast-check'
import { command, contract, query } from 'throughline'
import type { GatewayOptions, OpenApi } from 'throughline/gateway'
import { gateway, route } from 'throughline/gateway'
import { z } from 'zod'
import { resolverOf } from '../../src/gateway/routing/schema.ts'
import { runs } from '../extent.ts'

type Schema = Readonly<Record<string, unknown>>

const owned = ['t', 'u'].map((name) => ({ name, owner: name }))
const documentOf = (options: GatewayOptions): OpenApi =>
  gateway({ describe: () => ({ contracts: owned }) } as never, options).description()

/** Every component has a valid name, and every reference resolves. */
async function mustBeValid(document: OpenApi): Promise<void> {
  const result = await new Validator().validate(structuredClone(document) as never)
  assert.ok(result.valid, JSON.stringify(result.errors))
  const resolve = resolverOf(document as never)
  JSON.stringify(document, (name, value: unknown) => {
    if (name === '$ref' && typeof value === 'string') assert.ok(resolve(value), value)
    return value
  })
}

/** The schema with its references inlined, up to a depth. */
function expanded(root: unknown, schema: unknown, depth = 5): unknown {
  if (Array.isArray(schema)) return schema.map((each) => expanded(root, each, depth))
  if (typeof schema !== 'object' || schema === null) return schema
  const { $ref: ref, $defs: _, ...rest } = schema as Schema
  const own = Object.entries(rest).map(([name, each]) => [name, expanded(root, each, depth)])
  if (typeof ref !== 'string') return Object.fromEntries(own)
  const target = depth > 0 ? resolverOf(root as Schema)(ref) : undefined
  return { ...Object.fromEntries(own), ref: expanded(root, target, depth - 1) }
}

const bodyOf = (document: OpenApi, path: string): { schema: Schema; example?: unknown } => {
  const { post: operation = {} } = document.paths[path] ?? {}
  const body = operation['requestBody'] as { content: Record<string, { schema: Schema }> }
  return body.content['application/json'] as { schema: Schema }
}
const namesOf = ({ components }: OpenApi): readonly string[] =>
  Object.keys(components['schemas'] ?? {})

/** A hand-written Standard Schema with this JSON Schema. */
function stated(schema: Schema): z.ZodType<{ id: string }> {
  const convert = () => schema
  const validate = (value: unknown) => ({ value })
  const jsonSchema = { input: convert, output: convert }
  return { '~standard': { version: 1, vendor: 'test', validate, jsonSchema } } as never
}

const NAMES = [
  'Page<Order>',
  'Home address',
  'Home/address',
  'a/b~c',
  'a~1b',
  '100%',
  '%41',
  'A',
  'Body',
  'Answer',
  'Problem',
  'Operation',
  'Accepted',
  't.Named',
  't.Named.Body',
  't.Named.Answer',
  '注文',
  '__proto__',
  'constructor',
  '',
]

describe('named schemas', () => {
  test('give a valid document whatever their names are, and are not mixed up', async () => {
    const defs = Object.fromEntries(NAMES.map((name, at) => [name, { const: at }]))
    const pointer = (name: string) => `#/$defs/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const properties = Object.fromEntries(
      NAMES.map((name, at) => [`m${at}`, { $ref: pointer(name) }]),
    )
    const Named = stated({ type: 'object', properties, $defs: defs })
    const T = contract(
      't',
      { key: 'id' },
      { Named: command(Named), Find: query(Named, { answers: Named }) },
    )
    const document = documentOf({ expose: [T], routes: [route.command('POST', '/x/:m0', T.Named)] })
    await mustBeValid(document)
    for (const path of ['/messages/t/Named', '/messages/t/Find', '/x/{m0}']) {
      const found = expanded(document, bodyOf(document, path).schema) as { ref: Schema }
      const wanted = NAMES.map((_, at) => [`m${at}`, { ref: { const: at } }])
      assert.deepEqual(found.ref['properties'], Object.fromEntries(wanted))
    }
    assert.ok(namesOf(document).includes('Page_Order'))
  })

  test('shared by messages become one component; different ones with one name become two', async () => {
    interface Tree {
      name: string
      children: Tree[]
    }
    const Tree: z.ZodType<Tree> = z
      .object({
        name: z.string(),
        get children() {
          return z.array(Tree)
        },
      })
      .meta({ id: 'Tree' })
    const Address = z.object({ street: z.string(), tree: Tree }).meta({ id: 'Address' })
    const Other = z.object({ ip: z.string() }).meta({ id: 'Address' })
    const id = z.string()
    const messages = ['A', 'B', 'C'].map((name) => {
      return [name, command(z.object({ id, [name]: z.string(), address: Address }))] as const
    })
    const T = contract('t', { key: 'id' }, Object.fromEntries(messages) as never)
    const U = contract(
      'u',
      { key: 'id' },
      {
        D: command(z.object({ id, address: Other })),
        Find: query(z.object({ address: Address }), { answers: z.unknown() }),
      },
    )
    const document = documentOf({ expose: [T, U] })
    await mustBeValid(document)
    const names = namesOf(document).filter((name) => /^(?:Tree|Address)/.test(name))
    assert.deepEqual(names.toSorted(), ['Address', 'Address.2', 'Tree'])
  })

  test('with equal text but different references become two components', () => {
    const of = (inner: number): z.ZodType<{ id: string }> =>
      stated({
        $ref: '#/$defs/Outer',
        $defs: { Outer: { properties: { m: { $ref: '#/$defs/Inner' } } }, Inner: { const: inner } },
      })
    const T = contract(
      't',
      { key: 'id' },
      { A: command(of(1)), B: command(of(2)), C: command(of(1)) },
    )
    const document = documentOf({ expose: [T] })
    const inside = (name: string) =>
      JSON.stringify(expanded(document, bodyOf(document, `/messages/t/${name}`).schema))
    assert.match(inside('A'), /"const":1/)
    assert.match(inside('B'), /"const":2/)
    assert.equal(inside('C'), inside('A'))
    assert.equal(namesOf(document).filter((name) => name.startsWith('Outer')).length, 2)
  })

  test('keep the meaning of every reference, whatever the schemas are', async () => {
    const name = fc.constantFrom('A', 'A b', 'A/b', 'Problem', 't.Do')
    const ref = fc.oneof(
      name.map((each) => `#/$defs/${each.replaceAll('/', '~1')}`),
      name.map((each) => `#/$defs/${each.replaceAll('/', '~1')}/properties/m`),
      fc.constantFrom('#', '#/properties/m', '#/$defs/None'),
    )
    const schema = fc.letrec((tie) => ({
      schema: fc.oneof(
        { maxDepth: 3 },
        fc.record({ const: fc.nat(9) }),
        ref.map(($ref) => ({ $ref })),
        fc.record({ properties: fc.record({ m: tie('schema') }) }),
        fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
      ),
    })).schema as fc.Arbitrary<Schema>
    const root = fc
      .tuple(schema, fc.dictionary(name, schema))
      .map(([member, $defs]): Schema => ({ type: 'object', properties: { m: member }, $defs }))
    const law = fc.asyncProperty(fc.array(root, { minLength: 1, maxLength: 3 }), async (roots) => {
      const messages = roots.map((each, at) => [`M${at}`, command(stated(each))] as const)
      const T = contract('t', { key: 'id' }, Object.fromEntries(messages) as never)
      const document = documentOf({ expose: [T] })
      await mustBeValid(document)
      for (const [at, each] of roots.entries()) {
        const { schema: described } = bodyOf(document, `/messages/t/M${at}`)
        const { ref: found } = expanded(document, described, 4) as { ref: unknown }
        assert.deepEqual(withoutNothing(found), withoutNothing(expanded(each, each, 3)))
      }
    })
    await fc.assert(law, { numRuns: runs(20) })
  })
})

/** Dangling references are dropped from the document, since they allow anything. */
function withoutNothing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNothing)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([name, each]) => [name, withoutNothing(each)]),
  )
}

describe('an example', () => {
  const exampleOf = (data: z.ZodType): unknown => {
    const T = contract('t', { key: 'id' }, { Do: command(data as z.ZodType<{ id: string }>) })
    return bodyOf(documentOf({ expose: [T] }), '/messages/t/Do').example
  }
  const id = z.string()

  test('that its own schema refuses is omitted', () => {
    const refused: readonly z.ZodType[] = [
      z.object({ id, code: z.string().regex(/^(?=.*\d)[A-Z]{3}-\d$/) }),
      z.object({ id }).refine(() => false),
      z.object({ id }).refine(() => {
        throw new Error('a check that throws')
      }),
      z.object({ id }).refine(async () => true),
      z.object({ id, none: z.never() }),
    ]
    for (const schema of refused) assert.equal(exampleOf(schema), undefined)
    const plain = z.object({ id, code: z.string().regex(/^[A-Z]{3}-\d$/) })
    assert.deepEqual(exampleOf(plain), { id: 'text', code: 'AAA-1' })
  })

  test('has every required member, and ends for recursive schemas', () => {
    const prices = z.record(z.enum(['eur', 'usd']), z.number())
    assert.deepEqual(exampleOf(z.object({ id, prices })), {
      id: 'text',
      prices: { eur: 1, usd: 1 },
    })
    interface Chain {
      id: string
      left: Chain | null
      right: Chain | null
    }
    const Chain: z.ZodType<Chain> = z.object({
      id: z.string(),
      get left() {
        return z.union([Chain, z.null()])
      },
      get right() {
        return z.union([Chain, z.null()])
      },
    })
    assert.ok(JSON.stringify(exampleOf(Chain)).length < 2_000)
    interface Wide {
      id: string
      readonly [name: `m${number}`]: Wide | undefined
    }
    const Wide: z.ZodType<Wide> = z.lazy(() =>
      z.object({
        id: z.string(),
        ...Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`m${at}`, Wide.optional()])),
      }),
    ) as never
    assert.ok(JSON.stringify(exampleOf(Wide)).length < 20_000)
    const Endless: z.ZodType = z.lazy(() => z.object({ id, all: z.array(Endless).min(3) }))
    assert.equal(exampleOf(Endless), undefined)
  })

  test('of a route is the one that the route defines', () => {
    const T = contract('t', { key: 'id' }, { Do: command(z.object({ id })) })
    const routes = [
      route.command('POST', '/given', T.Do, { example: { id: 'mine' } }),
      route.command('POST', '/mapped', T.Do, { map: () => ({ id: 'x' }) }),
    ]
    const document = documentOf({ routes })
    assert.deepEqual(bodyOf(document, '/given').example, { id: 'mine' })
    // The body that a map takes is not known.
    assert.equal(bodyOf(document, '/mapped').example, undefined)
  })
})

describe('described paths', () => {
  const Limit = z.int().meta({ id: 'Query limit' })
  const near = z.object({ lat: z.number(), lon: z.number() })
  const T = contract(
    't',
    { key: 'id' },
    {
      Find: query(
        z.union([
          z.object({ id: z.string(), n: Limit, near: near.optional() }),
          z.object({ id: z.string(), n: z.boolean(), all: z.array(near), x: z.custom() }),
        ]),
        { answers: z.unknown() },
      ),
      Do: command(z.object({ id: z.string(), n: Limit })),
    },
  )

  test('describe each parameter as any alternative of the schema accepts it', async () => {
    const document = documentOf({ routes: [route.query('GET', '/t/:id', T.Find)] })
    await mustBeValid(document)
    const parameters = document.paths['/t/{id}']?.['get']?.['parameters'] as Schema[]
    const json = {
      type: 'string',
      contentMediaType: 'application/json',
    }
    const found = parameters.map(({ name, in: place, required, schema }) => {
      const [first] = Object.keys(schema as Schema)
      return [name, place, required, first]
    })
    assert.deepEqual(found, [
      ['id', 'path', true, 'type'],
      ['n', 'query', true, 'anyOf'],
      ['near', 'query', false, 'type'],
      ['all', 'query', false, 'type'],
      ['x', 'query', false, undefined],
    ])
    const schemas = Object.fromEntries(parameters.map(({ name, schema }) => [name, schema]))
    const limit = { $ref: '#/components/schemas/Query_limit' }
    assert.deepEqual(schemas['n'], { anyOf: [limit, { type: 'boolean' }] })
    assert.partialDeepStrictEqual(schemas['near'], json)
    assert.partialDeepStrictEqual(schemas['all'], { type: 'array', items: json })
  })

  test('merge routes whose paths differ only in parameter names', async () => {
    const document = documentOf({
      routes: [
        route.query('GET', '/t/:x/:id', T.Find),
        route.command('PUT', '/t/:y/:n', T.Do, { map: () => ({ id: '', n: 1 }) }),
        route.command('POST', '/t/:id/:n', T.Do),
      ],
    })
    await mustBeValid(document)
    const path = document.paths['/t/{x}/{id}'] ?? {}
    assert.deepEqual(Object.keys(path), ['get', 'put', 'post'])
    const parameters = path['post']?.['parameters'] as Schema[]
    const inPath = parameters.filter((each) => each['in'] === 'path')
    assert.deepEqual(
      inPath.map(({ name }) => name),
      ['x', 'id'],
    )
    assert.deepEqual(inPath[1]?.['schema'], { $ref: '#/components/schemas/Query_limit' })
  })

  test('refuse a path with two parameters of the same name', () => {
    const twice = [route.command('POST', '/t/:id/u/:id', T.Do)]
    assert.throws(() => documentOf({ routes: twice }), /has two parameters with the same name/)
  })
})
