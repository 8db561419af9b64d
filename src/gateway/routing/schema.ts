import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { JsonSchema, Resolve } from '../../contract/schema/json-schema.ts'
import {
  jsonSchemaOf as convertedOf,
  LENIENT,
  listAt,
  schemaFrom,
} from '../../contract/schema/json-schema.ts'

export type { JsonSchema, Resolve } from '../../contract/schema/json-schema.ts'
export { isSchema, listAt, subschemaAt, schemaFrom } from '../../contract/schema/json-schema.ts'

/**
 * `jsonSchemaOf` of the contract, made lenient for reading and describing: a part that JSON Schema
 * cannot express allows anything, and so does a schema without any JSON Schema.
 */
export function jsonSchemaOf(schema: StandardSchemaV1, side: 'input' | 'output'): JsonSchema {
  return convertedOf(schema, side) ?? convertedOf(schema, side, LENIENT) ?? {}
}

/** Resolves a `$ref` inside one root schema. */
export function resolverOf(root: JsonSchema): Resolve {
  return (ref) => resolvePointer(root, ref) ?? resolvePointer(root, decodeRef(ref))
}

function resolvePointer(root: JsonSchema, ref: string): JsonSchema | undefined {
  if (ref !== '#' && !ref.startsWith('#/')) return undefined
  let found: unknown = root
  for (const step of ref.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = (found as Readonly<Record<string, unknown>>)[name]
  }
  return found === undefined ? undefined : schemaFrom(found)
}

/** A `$ref` is a URL, but some libraries do not percent-encode it. */
export function decodeRef(ref: string): string {
  try {
    return decodeURIComponent(ref)
  } catch {
    return ref
  }
}

/** One way for a value to match a schema: it must match all of these at once. */
export type Alternative = readonly JsonSchema[]

/** Further alternatives of one schema are ignored. */
const ALTERNATIVES_MAX = 1_000

/** All ways to match a schema, through `$ref`, `allOf`, `anyOf` and `oneOf`. */
export function alternativesOf(
  schema: JsonSchema,
  resolve: Resolve,
  open: readonly string[] = [],
): readonly Alternative[] {
  const { $ref: ref } = schema
  const inside = (each: unknown): readonly Alternative[] =>
    alternativesOf(schemaFrom(each), resolve, open)
  const parts = listAt(schema, 'allOf').map(inside)
  for (const name of ['anyOf', 'oneOf'])
    if (Array.isArray(schema[name])) parts.push(listAt(schema, name).flatMap(inside))
  if (typeof ref === 'string')
    // A schema that refers only to itself has no alternative of its own.
    parts.push(
      open.includes(ref) ? [] : alternativesOf(resolve(ref) ?? {}, resolve, [...open, ref]),
    )
  return parts.reduce(
    (arms: readonly Alternative[], part) =>
      arms.flatMap((arm) => part.map((more) => [...arm, ...more])).slice(0, ALTERNATIVES_MAX),
    [[schema]],
  )
}

/** The types that all schemas of an alternative allow; `undefined` if none names a type. */
export function typesOf(arm: Alternative): readonly string[] | undefined {
  const said = arm.map(({ type }) => type).filter((type) => type !== undefined)
  if (said.length === 0) return undefined
  const [first = [], ...more] = said.map(
    (type) => (Array.isArray(type) ? type : [type]) as string[],
  )
  return first.filter((type) => more.every((types) => types.includes(type)))
}
