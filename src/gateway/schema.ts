import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { JsonSchema, Resolve } from '../contract/json-schema.ts'
import {
  jsonSchemaOf as convertedOf,
  LENIENT,
  listAt,
  schemaFrom,
} from '../contract/json-schema.ts'

export type { JsonSchema, Resolve } from '../contract/json-schema.ts'
export { isSchema, listAt, memberOf, schemaFrom } from '../contract/json-schema.ts'

/**
 * As `jsonSchemaOf` of the contract, for reading and describing: a part without a counterpart in
 * JSON Schema allows anything, and so does a whole schema without one.
 */
export function jsonSchemaOf(schema: StandardSchemaV1, side: 'input' | 'output'): JsonSchema {
  return convertedOf(schema, side) ?? convertedOf(schema, side, LENIENT) ?? {}
}

/** Finds what a `$ref` names inside one schema. */
export function resolverOf(root: JsonSchema): Resolve {
  return (ref) => resolvedBy(root, ref) ?? resolvedBy(root, decoded(ref))
}

function resolvedBy(root: JsonSchema, ref: string): JsonSchema | undefined {
  if (ref !== '#' && !ref.startsWith('#/')) return undefined
  let found: unknown = root
  for (const step of ref.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = (found as Readonly<Record<string, unknown>>)[name]
  }
  return found === undefined ? undefined : schemaFrom(found)
}

/** A `$ref` is a URL, but not every library encodes what it puts there. */
export function decoded(ref: string): string {
  try {
    return decodeURIComponent(ref)
  } catch {
    return ref
  }
}

/** Schemas that a value has to fit all at once. */
export type Arm = readonly JsonSchema[]

/** More ways than this to fit one schema are not told apart. */
const ARMS_MAX = 1_000

/** All ways to fit a schema: `$ref`, `allOf`, `anyOf` and `oneOf` are followed. */
export function armsOf(
  schema: JsonSchema,
  resolve: Resolve,
  open: readonly string[] = [],
): readonly Arm[] {
  const { $ref: ref } = schema
  const inside = (each: unknown): readonly Arm[] => armsOf(schemaFrom(each), resolve, open)
  const parts = listAt(schema, 'allOf').map(inside)
  for (const name of ['anyOf', 'oneOf'])
    if (Array.isArray(schema[name])) parts.push(listAt(schema, name).flatMap(inside))
  if (typeof ref === 'string')
    // What is nothing but itself has no way of its own.
    parts.push(open.includes(ref) ? [] : armsOf(resolve(ref) ?? {}, resolve, [...open, ref]))
  return parts.reduce(
    (arms: readonly Arm[], part) =>
      arms.flatMap((arm) => part.map((more) => [...arm, ...more])).slice(0, ARMS_MAX),
    [[schema]],
  )
}

/** The types that every schema of an arm allows; `undefined` where none says any. */
export function typesOf(arm: Arm): readonly string[] | undefined {
  const said = arm.map(({ type }) => type).filter((type) => type !== undefined)
  if (said.length === 0) return undefined
  const [first = [], ...more] = said.map(
    (type) => (Array.isArray(type) ? type : [type]) as string[],
  )
  return first.filter((type) => more.every((types) => types.includes(type)))
}
