import type { Components } from './components.ts'
import { KEY_HEADER_PATTERN } from '../routing/idempotency-key.ts'
import type { Route } from '../routing/route.ts'
import { paramsOf } from '../routing/route.ts'
import type { Alternative, JsonSchema, Resolve } from '../routing/schema.ts'
import { alternativesOf, jsonSchemaOf, resolverOf, schemaFrom, typesOf } from '../routing/schema.ts'
import { mergeShapes, paramsInData, shapesOf } from '../routing/object-shape.ts'

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
  const { properties, required } = mergeShapes(shapes)
  const inData = map ? [] : paramsInData(route.path, shapes)
  const schemaOf = (name: string): JsonSchema => {
    const property = properties.get(name)
    if (!property) return TEXT
    return components.refer(root, `${type.contract}.${type.name}`, asTextSchema(property, resolve))
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
function asTextSchema(schema: JsonSchema, resolve: Resolve): JsonSchema {
  const arms = alternativesOf(schema, resolve)
  if (allowsOnly(arms, ['object'])) return jsonText(schema)
  if (!allowsOnly(arms, ['array'])) return schema
  const [arm = [], ...more] = arms
  const items: JsonSchema = { allOf: arm.map((part) => schemaFrom(part['items'])) }
  const isNested =
    more.length === 0 && allowsOnly(alternativesOf(items, resolve), ['array', 'object'])
  return isNested ? { type: 'array', items: jsonText(items) } : schema
}

function allowsOnly(arms: readonly Alternative[], types: readonly string[]): boolean {
  return arms.length > 0 && arms.every((arm) => typesOf(arm)?.every((type) => types.includes(type)))
}

function jsonText(schema: JsonSchema): JsonSchema {
  return { type: 'string', contentMediaType: 'application/json', contentSchema: schema }
}
