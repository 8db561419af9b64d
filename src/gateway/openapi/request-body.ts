import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Components } from './components.ts'
import type { Route } from '../routing/route.ts'
import { createSample } from '../../contract/schema/schema-sample.ts'
import type { JsonSchema, Resolve } from '../routing/schema.ts'
import { jsonSchemaOf, listAt, resolverOf, schemaFrom } from '../routing/schema.ts'
import type { ObjectShape } from '../routing/object-shape.ts'
import { paramsInData, shapesOf } from '../routing/object-shape.ts'

/** The request body of a route: the data that the path does not give, with a valid example. */
export function requestBodyOf(components: Components, route: Route): JsonSchema {
  const { type, body, map, example } = route
  const source = body ?? (map ? undefined : type.schema)
  if (!source) return content(false, {}, example)
  const whole = jsonSchemaOf(source, 'input')
  const resolve = resolverOf(whole)
  const fromPath = map ? [] : namesFromPath(route)
  const schema = withoutRequired(whole, new Set(fromPath), resolve)
  const message = `${type.contract}.${type.name}`
  const name = body || schema !== whole ? `${message}.Body` : message
  const isRequired = map
    ? !accepts(source, undefined)
    : !isCoveredByPath(schema, shapesOf(schema, resolve), fromPath)
  return content(
    isRequired,
    components.refer(schema, name, { $ref: '#' }),
    example ?? exampleBody(source, createSample(whole, resolve), fromPath),
  )
}

function content(isRequired: boolean, schema: JsonSchema, example: unknown): JsonSchema {
  const shown = example === undefined ? {} : { example }
  return { required: isRequired, content: { 'application/json': { schema, ...shown } } }
}

function namesFromPath({ path, type }: Route): readonly string[] {
  const schema = jsonSchemaOf(type.schema, 'input')
  return paramsInData(path, shapesOf(schema, resolverOf(schema)))
}

/** Whether the path alone can give the data. A schema without any keyword does not tell. */
function isCoveredByPath(
  schema: JsonSchema,
  shapes: readonly ObjectShape[],
  fromPath: readonly string[],
): boolean {
  if (Object.keys(schema).length === 0) return fromPath.length > 0
  return shapes.some(({ required }) => required.size === 0)
}

/** The schema with these names no longer required; the same object if that changes nothing. */
function withoutRequired(
  schema: JsonSchema,
  names: ReadonlySet<string>,
  resolve: Resolve,
  open: readonly string[] = [],
): JsonSchema {
  const changed: Record<string, unknown> = {}
  const required = listAt(schema, 'required')
  const left = required.filter((name) => !names.has(String(name)))
  if (left.length < required.length) changed['required'] = left
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    const before = listAt(schema, keyword)
    const after = before.map((each) => withoutRequired(schemaFrom(each), names, resolve, open))
    if (after.some((each, at) => each !== before[at])) changed[keyword] = after
  }
  const { $ref: ref, ...rest } = schema
  const target = typeof ref === 'string' && !open.includes(ref) ? resolve(ref) : undefined
  const inside = target && withoutRequired(target, names, resolve, [...open, String(ref)])
  if (inside === undefined || inside === target)
    return Object.keys(changed).length === 0 ? schema : { ...schema, ...changed }
  return {
    ...rest,
    ...changed,
    allOf: [...((changed['allOf'] ?? listAt(schema, 'allOf')) as []), inside],
  }
}

/** The generated sample without the parameters of the path, if the schema accepts it. */
function exampleBody(
  source: StandardSchemaV1,
  sample: unknown,
  fromPath: readonly string[],
): unknown {
  if (!accepts(source, sample)) return undefined
  if (typeof sample !== 'object' || sample === null || Array.isArray(sample)) return sample
  return Object.fromEntries(Object.entries(sample).filter(([name]) => !fromPath.includes(name)))
}

/** Asks the schema itself, since it may check more than its JSON Schema says. */
function accepts(schema: StandardSchemaV1, value: unknown): boolean {
  try {
    const outcome = schema['~standard'].validate(structuredClone(value))
    if (!(outcome instanceof Promise)) return !outcome.issues
    outcome.catch(() => undefined)
  } catch {
    // A schema that throws accepts nothing.
  }
  return false
}
