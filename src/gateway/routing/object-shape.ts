import type { JsonSchema, Resolve } from './schema.ts'
import { alternativesOf, listAt, subschemaAt, schemaFrom, typesOf } from './schema.ts'
import { paramsOf } from './route.ts'

/** The members of an object, as one alternative of a schema defines them. */
export interface ObjectShape {
  readonly properties: ReadonlyMap<string, JsonSchema>
  readonly required: ReadonlySet<string>
  /** `additionalProperties`; `false` if there may be none. */
  readonly additional: JsonSchema | false | undefined
}

/** The objects that a schema accepts, one for each alternative. */
export function shapesOf(schema: JsonSchema, resolve: Resolve): readonly ObjectShape[] {
  return alternativesOf(schema, resolve)
    .filter((arm) => typesOf(arm)?.includes('object') ?? true)
    .map((arm) => {
      const additional = arm
        .map((part) => part['additionalProperties'])
        .filter((each) => each !== undefined)
      return {
        properties: combineByName(arm.map(propertiesOf), 'allOf'),
        required: new Set(arm.flatMap((part) => listAt(part, 'required').map(String))),
        additional: additional.includes(false)
          ? false
          : combine(additional.map(schemaFrom), 'allOf'),
      }
    })
}

function propertiesOf(schema: JsonSchema): readonly (readonly [string, JsonSchema])[] {
  return Object.entries(subschemaAt(schema, 'properties') ?? {}).map(
    ([name, property]) => [name, schemaFrom(property)] as const,
  )
}

type Combinator = 'allOf' | 'anyOf'

/** All schemas of each name, combined into one. */
function combineByName(
  lists: Iterable<Iterable<readonly [string, JsonSchema]>>,
  how: Combinator,
): ReadonlyMap<string, JsonSchema> {
  const byName = new Map<string, JsonSchema[]>()
  for (const list of lists)
    for (const [name, schema] of list) byName.set(name, [...(byName.get(name) ?? []), schema])
  return new Map([...byName].map(([name, all]) => [name, combine(all, how) ?? {}]))
}

function combine(schemas: readonly JsonSchema[], how: Combinator): JsonSchema | undefined {
  const different = new Map(schemas.map((schema) => [JSON.stringify(schema), schema]))
  const [only] = different.values()
  return different.size <= 1 ? only : { [how]: [...different.values()] }
}

/** One shape that accepts whatever any of the shapes accepts. */
export function mergeShapes(shapes: readonly ObjectShape[]): ObjectShape {
  const [first, ...more] = shapes
  const required = [...(first?.required ?? [])]
  const additional = shapes
    .map((shape) => shape.additional)
    .filter((each) => typeof each === 'object')
  return {
    properties: combineByName(
      shapes.map(({ properties }) => properties),
      'anyOf',
    ),
    required: new Set(required.filter((name) => more.every((shape) => shape.required.has(name)))),
    additional: combine(additional, 'anyOf'),
  }
}

/**
 * The path parameters that are part of the message's data. If the schema names its members, other
 * parameters only address the resource.
 */
export function paramsInData(path: string, shapes: readonly ObjectShape[]): readonly string[] {
  const names = [...new Set(paramsOf(path))]
  const isKnown = shapes.some(({ properties }) => properties.size > 0)
  return isKnown
    ? names.filter((name) => shapes.some(({ properties }) => properties.has(name)))
    : names
}
