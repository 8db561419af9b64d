import type { QueryType } from '../contract/message.ts'
import { KEY_HEADER_PATTERN } from './idempotency-key.ts'
import type { Route } from './route.ts'
import { sampleOf } from './sample.ts'
import type { JsonSchema } from './schema.ts'
import { jsonSchemaOf, memberOf } from './schema.ts'
import { OWN_PATHS, OWN_RESPONSES, OWN_SCHEMAS } from './own-paths.ts'

/** An OpenAPI 3.1 document, as plain JSON. */
export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>
}

interface Document {
  readonly schemas: Record<string, JsonSchema>
  readonly operationIds: Set<string>
}

/** Describes routes; every body has an example. */
export function openApiOf(
  table: readonly Route[],
  { title = 'Throughline', version = '0' }: { readonly title?: string; readonly version?: string },
): OpenApi {
  const document: Document = { schemas: { ...OWN_SCHEMAS }, operationIds: new Set() }
  const paths: Record<string, Record<string, JsonSchema>> = {}
  for (const route of table) {
    const path = route.path.replaceAll(/:([^/]+)/g, '{$1}')
    const operation = operationOf(document, route)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation }
  }
  return {
    openapi: '3.1.0',
    info: { title, version },
    paths: { ...paths, ...OWN_PATHS },
    components: { schemas: document.schemas, responses: OWN_RESPONSES },
  }
}

function operationOf(document: Document, route: Route): JsonSchema {
  const { type, method, summary } = route
  const isCommand = type.kind === 'command'
  const parameters = parametersOf(route)
  const description = isCommand ? refusalsText(type.refuses as readonly string[]) : undefined
  return {
    operationId: freshId(document, `${type.contract}.${type.name}`),
    summary: summary ?? type.wire,
    ...(description === undefined ? {} : { description }),
    tags: [type.contract],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(method === 'GET' ? {} : { requestBody: bodyOf(document, route) }),
    responses: isCommand ? commandResponses() : queryResponses(document, type),
  }
}

function refusalsText(refuses: readonly string[]): string | undefined {
  return refuses.length === 0
    ? undefined
    : `Its operation may be refused as: ${refuses.map((code) => `\`${code}\``).join(', ')}.`
}

function freshId({ operationIds }: Document, name: string): string {
  let id = name
  for (let count = 2; operationIds.has(id); count += 1) id = `${name}.${count}`
  operationIds.add(id)
  return id
}

function parametersOf({ path, method, type, map }: Route): readonly JsonSchema[] {
  const schema = jsonSchemaOf(type.schema, 'input')
  const properties = memberOf(schema, 'properties') ?? {}
  const inPath = [...path.matchAll(/:([^/]+)/g)].map(([, name = '']) => name)
  const schemaOf = (name: string): JsonSchema => {
    const property = map ? undefined : memberOf(properties, name)
    // A schema that refers to others is told where the message itself is.
    return property && !JSON.stringify(property).includes('"$ref"') ? property : { type: 'string' }
  }
  const parameters: JsonSchema[] = inPath.map((name) => {
    return { name, in: 'path', required: true, schema: schemaOf(name) }
  })
  const required = new Set((schema['required'] as readonly string[] | undefined) ?? [])
  if (method === 'GET' && !map)
    for (const name of Object.keys(properties))
      if (!inPath.includes(name))
        parameters.push({ name, in: 'query', required: required.has(name), schema: schemaOf(name) })
  if (type.kind === 'command') parameters.push(keyParameter)
  return parameters
}

const keyParameter: JsonSchema = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 
    'The same key takes effect once, however often it is sent; quoted or not, it is the same.',
  schema: { type: 'string', pattern: KEY_HEADER_PATTERN },
}

function bodyOf(document: Document, { type, body, map, example }: Route): JsonSchema {
  const source = body ?? (map ? undefined : type.schema)
  const name = `${type.contract}.${type.name}${body ? '.Body' : ''}`
  const schema = source ? component(document, name, jsonSchemaOf(source, 'input')) : {}
  return {
    required: source !== undefined,
    content: {
      'application/json': {
        schema,
        example: example ?? sampleOf(schema, (ref) => resolve(document, ref)),
      },
    },
  }
}

const REF = '#/components/schemas/'

function resolve({ schemas }: Document, ref: string): JsonSchema | undefined {
  return ref.startsWith(REF) ? schemas[ref.slice(REF.length)] : undefined
}

/** Keeps a schema once, under a name; what it defines for itself moves beside it. */
function component({ schemas }: Document, name: string, schema: JsonSchema): JsonSchema {
  let own = name
  const rooted = (given: JsonSchema): JsonSchema => moved(given, own) as JsonSchema
  for (let count = 2; own in schemas; count += 1) {
    if (JSON.stringify(schemas[own]) === JSON.stringify(rooted(schema))) break
    own = `${name}.${count}`
  }
  const { $defs, ...rest } = schema
  schemas[own] = rooted(rest)
  for (const [each, value] of Object.entries(($defs ?? {}) as Readonly<Record<string, JsonSchema>>))
    schemas[`${own}.${each}`] = rooted(value)
  return { $ref: `${REF}${own}` }
}

/** `#` and `#/$defs/…` of a schema as they are called in the document. */
function moved(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((each) => moved(each, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      if (key !== '$ref' || typeof member !== 'string') return [key, moved(member, name)]
      return [key, member === '#' ? `${REF}${name}` : member.replace('#/$defs/', `${REF}${name}.`)]
    }),
  )
}

const PROBLEM = { $ref: '#/components/responses/Problem' }

function commandResponses(): JsonSchema {
  return {
    202: { $ref: '#/components/responses/Accepted' },
    ...problemsOf('400', '409', '413', '415', '429', '500', '503'),
  }
}

function queryResponses(document: Document, type: QueryType | Route['type']): JsonSchema {
  const { answers } = type as QueryType
  const schema = component(
    document,
    `${type.contract}.${type.name}.Answer`,
    jsonSchemaOf(answers, 'output'),
  )
  return {
    200: { description: 'The answer.', content: { 'application/json': { schema } } },
    ...problemsOf('400', '404', '413', '415', '500', '503'),
  }
}

function problemsOf(...statuses: readonly string[]): JsonSchema {
  return Object.fromEntries(statuses.map((status) => [status, PROBLEM]))
}
