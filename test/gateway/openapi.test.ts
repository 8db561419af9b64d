// The OpenAPI document is valid, and its examples match its schemas and are accepted.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { command, contract } from 'throughline'
import { z } from 'zod'
import type { OpenApi } from 'throughline/gateway'
import { gateway, route } from 'throughline/gateway'
import { createSample } from '../../src/contract/schema/schema-sample.ts'
import { jsonSchemaOf } from '../../src/gateway/routing/schema.ts'
import { openShop, post } from './system.ts'

interface Body {
  readonly schema: object
  readonly example: unknown
}
interface Operation {
  readonly operationId: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly schema: object
  }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Body>> }
  readonly responses: Readonly<Record<string, unknown>>
}
const operationsOf = ({ paths }: OpenApi): readonly Operation[] =>
  Object.values(paths).flatMap((path) => Object.values(path) as unknown as Operation[])

/** Checks a value against a schema of the document. */
function checkerOf(document: OpenApi): (schema: object, value: unknown) => string {
  const ajv = new Ajv2020({ strict: false, formats: { uri: true }, validateFormats: false })
  const text = JSON.stringify(document.components).replaceAll('#/components/', 'document#/')
  ajv.addSchema({ ...(JSON.parse(text) as object), $id: 'document' })
  return (schema, value) => {
    const own = JSON.parse(
      JSON.stringify(schema).replaceAll('#/components/', 'document#/'),
    ) as object
    return ajv.validate(own, value) ? '' : ajv.errorsText()
  }
}

async function mustBeValid(document: OpenApi): Promise<void> {
  const result = await new Validator().validate(structuredClone(document) as never)
  assert.ok(result.valid, JSON.stringify(result.errors))
}

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1, and every body has an example that matches its schema', async () => {
    await using shop = await openShop({ title: 'The shop', version: '7' })
    const answer = await fetch(`${shop.origin}/openapi.json`)
    const document = (await answer.json()) as OpenApi
    assert.deepEqual(document.info, { title: 'The shop', version: '7' })
    await mustBeValid(document)
    const check = checkerOf(document)
    const operations = operationsOf(document)
    for (const { operationId, requestBody, responses } of operations) {
      assert.ok(Object.keys(responses).length > 0)
      for (const { schema, example } of Object.values(requestBody?.content ?? {}))
        assert.equal(check(schema, example), '', operationId)
    }
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
    assert.equal(operations.length, 11)
  })

  test('describes the parameters that a route reads', async () => {
    await using shop = await openShop()
    const document = (await (await fetch(`${shop.origin}/openapi.json`)).json()) as OpenApi
    const path = document.paths['/customers/{customerId}/orders'] ?? {}
    const { parameters = [] } = path['get'] as unknown as Operation
    assert.deepEqual(
      parameters.map(({ name, in: place }) => `${name} ${place}`),
      ['customerId path', 'limit query'],
    )
    assert.deepEqual(parameters[1]?.schema, { type: 'integer', minimum: 1, maximum: 100 })
  })

  test('has examples that the gateway accepts', async () => {
    await using shop = await openShop()
    const document = (await (await fetch(`${shop.origin}/openapi.json`)).json()) as OpenApi
    for (const [path, methods] of Object.entries(document.paths)) {
      const { requestBody } = (methods['post'] ?? {}) as unknown as Operation
      if (!requestBody) continue
      const answer = await post(
        `${shop.origin}${path}`,
        requestBody.content['application/json']?.example,
      )
      assert.ok(answer.status < 300 || answer.status === 404, `${path}: ${await answer.text()}`)
    }
  })

  test('describes the problems that the gateway answers', async () => {
    await using shop = await openShop()
    const document = (await (await fetch(`${shop.origin}/openapi.json`)).json()) as OpenApi
    const problem = await (await post(`${shop.origin}/orders`, {})).json()
    const schema = { $ref: '#/components/schemas/Problem' }
    assert.equal(checkerOf(document)(schema, problem), '')
    assert.notEqual(checkerOf(document)(schema, {}), '')
  })

  test('keeps recursive schemas, and schemas without a JSON Schema', async () => {
    interface Tree {
      name: string
      children: Tree[]
    }
    const Tree: z.ZodType<Tree> = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree)
      },
    })
    const validate = (value: unknown) => ({ value: value as { id: string } })
    const bare = { '~standard': { version: 1 as const, vendor: 'test', validate } }
    const Odd = contract(
      'odd',
      { key: 'id' },
      {
        Plant: command(z.object({ id: z.string(), tree: Tree })),
        Bare: command(bare),
      },
    )
    await using shop = await openShop()
    const described = { ...shop.app.describe(), contracts: [{ name: 'odd', owner: 'odd' }] }
    const app = { ...shop.app, describe: () => described as never }
    const routes = [route.command('POST', '/again', Odd.Plant)]
    const document = gateway(app, { expose: [Odd], routes }).description()
    await mustBeValid(document)
    const check = checkerOf(document)
    for (const { requestBody } of operationsOf(document))
      for (const { schema, example } of Object.values(requestBody?.content ?? {}))
        assert.equal(check(schema, example), '')
    const ids = operationsOf(document).map(({ operationId }) => operationId)
    assert.deepEqual(ids.slice(0, 3), ['odd.Plant', 'odd.Plant.2', 'odd.Bare'])
  })
})

describe('a sample', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  const schemas: Readonly<Record<string, z.ZodType>> = {
    text: z.string().min(7).max(9),
    short: z.string().max(2),
    whole: z.int().min(10).max(20),
    below: z.number().lt(0),
    above: z.number().gt(5),
    negative: z.int().max(-3),
    steps: z.int().multipleOf(7).min(8),
    list: z.array(z.int()).min(3),
    none: z.array(z.int()).max(0),
    pair: z.tuple([z.string(), z.boolean()]),
    record: z.record(z.string(), z.int()),
    choice: z.union([z.literal('a'), z.int()]),
    enums: z.enum(['x', 'y']),
    both: z.intersection(z.object({ a: z.int() }), z.object({ b: z.int() })),
    nullable: z.string().nullable(),
    optional: z.object({ a: z.int().optional(), b: z.null() }),
    email: z.email(),
    uuid: z.uuid(),
    time: z.iso.datetime(),
    date: z.iso.date(),
    url: z.url(),
    any: z.unknown(),
    usual: z.int().default(3),
  }
  for (const [name, schema] of Object.entries(schemas))
    test(`of ${name} fits its schema`, () => {
      const asJson = jsonSchemaOf(schema, 'input')
      const sample = createSample(asJson, () => undefined)
      assert.ok(ajv.validate(asJson, sample), `${JSON.stringify(sample)} ${ajv.errorsText()}`)
      assert.ok(schema.safeParse(sample).success, JSON.stringify(sample))
    })
})
