import type { JsonSchema, Resolve } from './schema.ts'
import { armsOf, listAt, memberOf, schemaFrom, typesOf } from './schema.ts'
import { paramsOf } from './route.ts'

/** The members of an object, as one alternative of a schema defines them. */
export interface Shape {
  readonly properties: ReadonlyMap<string, JsonSchema>
  readonly required: ReadonlySet<string>
  /** `additionalProperties`; `false` if there may be none. */
  readonly others: JsonSchema | false | undefined
}

/** The objects that a schema accepts, one for each alternative. */
export function shapesOf(schema: JsonSchema, resolve: Resolve): readonly Shape[] {
  return armsOf(schema, resolve)
    .filter((arm) => typesOf(arm)?.includes('object') ?? true)
    .map((arm) => {
      const others = arm
        .map((part) => part['additionalProperties'])
        .filter((each) => each !== undefined)
      return {
        properties: gathered(arm.map(propertiesOf), 'allOf'),
        required: new Set(arm.flatMap((part) => listAt(part, 'required').map(String))),
        others: others.includes(false) ? false : together(others.map(schemaFrom), 'allOf'),
      }
    })
}

function propertiesOf(schema: JsonSchema): readonly (readonly [string, JsonSchema])[] {
  return Object.entries(memberOf(schema, 'properties') ?? {}).map(
    ([name, property]) => [name, schemaFrom(property)] as const,
  )
}

type Together = 'allOf' | 'anyOf'

/** All schemas of each name, combined into one. */
function gathered(
  lists: Iterable<Iterable<readonly [string, JsonSchema]>>,
  how: Together,
): ReadonlyMap<string, JsonSchema> {
  const byName = new Map<string, JsonSchema[]>()
  for (const list of lists)
    for (const [name, schema] of list) byName.set(name, [...(byName.get(name) ?? []), schema])
  return new Map([...byName].map(([name, all]) => [name, together(all, how) ?? {}]))
}

function together(schemas: readonly JsonSchema[], how: Together): JsonSchema | undefined {
  const different = new Map(schemas.map((schema) => [JSON.stringify(schema), schema]))
  const [only] = different.values()
  return different.size <= 1 ? only : { [how]: [...different.values()] }
}

/** One shape that accepts whatever any of the shapes accepts. */
export function mergedOf(shapes: readonly Shape[]): Shape {
  const [first, ...more] = shapes
  const required = [...(first?.required ?? [])]
  const others = shapes.map((shape) => shape.others).filter((each) => typeof each === 'object')
  return {
    properties: gathered(
      shapes.map(({ properties }) => properties),
      'anyOf',
    ),
    required: new Set(required.filter((name) => more.every((shape) => shape.required.has(name)))),
    others: together(others, 'anyOf'),
  }
}

/**
 * The path parameters that are part of the message's data. If the schema names its members, other
 * parameters only address the resource.
 */
export function namesInData(path: string, shapes: readonly Shape[]): readonly string[] {
  const names = [...new Set(paramsOf(path))]
  const isKnown = shapes.some(({ properties }) => properties.size > 0)
  return isKnown
    ? names.filter((name) => shapes.some(({ properties }) => properties.has(name)))
    : names
}
