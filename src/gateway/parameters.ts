import type { Components } from './components.ts'
import { KEY_HEADER_PATTERN } from './idempotency-key.ts'
import type { Route } from './route.ts'
import { paramsOf } from './route.ts'
import type { Arm, JsonSchema, Resolve } from './schema.ts'
import { armsOf, jsonSchemaOf, resolverOf, schemaFrom, typesOf } from './schema.ts'
import { mergedOf, namesInData, shapesOf } from './shape.ts'

export const KEY_PARAMETER: JsonSchema = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'A command with the same key takes effect once. Quoted and bare text are the same key.',
  schema: { type: 'string', pattern: KEY_HEADER_PATTERN },
}

const TEXT: JsonSchema = { type: 'string' }

/**
 * The path and query parameters of a route. `path` is the path in the document, whose parameters
 * may have other names than the route's own.
 */
export function parametersOf(
  components: Components,
  route: Route,
  path: string,
): readonly JsonSchema[] {
  const { type, method, map } = route
  const root = jsonSchemaOf(type.schema, 'input')
  const resolve = resolverOf(root)
  const shapes = shapesOf(root, resolve)
  const { properties, required } = mergedOf(shapes)
  const inData = map ? [] : namesInData(route.path, shapes)
  const schemaOf = (name: string): JsonSchema => {
    const property = properties.get(name)
    if (!property) return TEXT
    return components.refer(root, `${type.contract}.${type.name}`, asText(property, resolve))
  }
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const parameters = paramsOf(route.path).map((name, at): JsonSchema => {
    const schema = inData.includes(name) ? schemaOf(name) : TEXT
    return { name: inPath[at], in: 'path', required: true, schema }
  })
  if (method !== 'GET' || map) return parameters
  const asked = [...properties.keys()].filter((name) => !inData.includes(name))
  return [
    ...parameters,
    ...asked.map((name): JsonSchema => {
      return { name, in: 'query', required: required.has(name), schema: schemaOf(name) }
    }),
  ]
}

/** The schema of a parameter as text: objects and nested lists are written as JSON. */
function asText(schema: JsonSchema, resolve: Resolve): JsonSchema {
  const arms = armsOf(schema, resolve)
  if (isOnly(arms, ['object'])) return jsonText(schema)
  if (!isOnly(arms, ['array'])) return schema
  const [arm = [], ...more] = arms
  const items: JsonSchema = { allOf: arm.map((part) => schemaFrom(part['items'])) }
  const isNested = more.length === 0 && isOnly(armsOf(items, resolve), ['array', 'object'])
  return isNested ? { type: 'array', items: jsonText(items) } : schema
}

function isOnly(arms: readonly Arm[], types: readonly string[]): boolean {
  return arms.length > 0 && arms.every((arm) => typesOf(arm)?.every((type) => types.includes(type)))
}

function jsonText(schema: JsonSchema): JsonSchema {
  return { type: 'string', contentMediaType: 'application/json', contentSchema: schema }
}
