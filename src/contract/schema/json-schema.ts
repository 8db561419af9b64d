import type { StandardSchemaV1 } from '@standard-schema/spec'
import { compareText } from '../../base/text/compare-text.ts'

/** JSON Schema, of the draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>

const TARGET = { target: 'draft-2020-12' } as const

/** Options that are passed to the library of a schema, by the names of that library. */
export type LibraryOptions = Readonly<Record<string, unknown>>
type ToJsonSchema = (
  options: typeof TARGET & { readonly libraryOptions?: LibraryOptions },
) => Record<string, unknown>
interface WithJsonSchema {
  readonly jsonSchema?: { readonly input?: ToJsonSchema; readonly output?: ToJsonSchema }
}

/**
 * Options that make a library leave out what JSON Schema cannot express instead of failing: the first
 * for zod, the second for valibot. ArkType and Effect do so by default.
 */
export const LENIENT: LibraryOptions = { unrepresentable: 'any', errorMode: 'ignore' }

/**
 * The JSON Schema of the input or output of a schema; `undefined` if its library does not support JSON
 * Schema or this schema has no counterpart.
 */
export function jsonSchemaOf(
  schema: StandardSchemaV1,
  side: 'input' | 'output',
  libraryOptions: LibraryOptions = {},
): JsonSchema | undefined {
  const { jsonSchema } = schema['~standard'] as WithJsonSchema
  try {
    const converted = jsonSchema?.[side]?.({ ...TARGET, libraryOptions })
    if (converted === undefined) return undefined
    const { $schema: _, ...rest } = converted
    return rest
  } catch {
    return undefined
  }
}

/** Resolves a `$ref`. */
export type Resolve = (ref: string) => JsonSchema | undefined

/** Accepts no value. */
const NOTHING: JsonSchema = { not: {} }

/** Converts the schemas `true` and `false` to objects. */
export function schemaFrom(value: unknown): JsonSchema {
  if (isSchema(value)) return value
  return value === false ? NOTHING : {}
}

export function listAt(schema: JsonSchema, name: string): readonly unknown[] {
  const value = schema[name]
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/**
 * Resolves a reference that is a pointer into the same document, `#` or `#/…`; `undefined` for any other.
 * Accepts unescaped characters, which some libraries emit.
 */
export function resolveLocalRef(root: JsonSchema, ref: unknown): JsonSchema | undefined {
  if (typeof ref !== 'string' || !isPointer(ref)) return undefined
  let at: unknown = root
  for (const step of ref.split('/').slice(1)) {
    if (typeof at !== 'object' || at === null) return undefined
    const [name, ...more] = [...new Set([step, unescaped(step)])].filter((each) =>
      Object.hasOwn(at as object, each),
    )
    if (name === undefined || more.length > 0) return undefined
    at = (at as JsonSchema)[name]
  }
  return isSchema(at) ? at : undefined
}

function unescaped(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return step
  }
}

/** A member of a JSON Schema that is itself one. */
export function subschemaAt(schema: JsonSchema, name: string): JsonSchema | undefined {
  const value = schema[name]
  return isSchema(value) ? value : undefined
}

export function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Annotations: keywords that do not affect validation. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$comment',
  '$schema',
  'default',
  'deprecated',
  'description',
  'example',
  'examples',
  'id',
  'readOnly',
  'title',
  'writeOnly',
])
const isAnnotation = (name: string): boolean => ANNOTATIONS.has(name) || name.startsWith('x-')

/** Keywords whose value is data and not a schema. */
const DATA_KEYWORDS: ReadonlySet<string> = new Set([
  'const',
  'default',
  'enum',
  'example',
  'examples',
])
/** Keywords whose value maps names of the user to schemas. */
export const SCHEMAS_BY_NAME: ReadonlySet<string> = new Set([
  '$defs',
  'definitions',
  'dependentSchemas',
  'patternProperties',
  'properties',
])

/**
 * A schema without annotations and with sorted members: two schemas that differ only in annotations or
 * in order have the same JSON text.
 */
export function withoutAnnotations(schema: JsonSchema): JsonSchema {
  return stripAnnotations(schema) as JsonSchema
}

function stripAnnotations(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stripAnnotations)
  if (!isSchema(value)) return value
  return sortedEntries(
    value,
    (name) => !isAnnotation(name),
    (name, member) => {
      if (DATA_KEYWORDS.has(name)) return sorted(member)
      if (name === 'required' && Array.isArray(member))
        return member.map(String).toSorted(compareText)
      if (SCHEMAS_BY_NAME.has(name) && isSchema(member))
        return sortedEntries(member, () => true, stripMember)
      return stripAnnotations(member)
    },
  )
}

const stripMember = (_name: string, member: unknown): unknown => stripAnnotations(member)

/** Data with sorted members. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  return isSchema(value)
    ? sortedEntries(
        value,
        () => true,
        (_, member) => sorted(member),
      )
    : value
}

function sortedEntries(
  value: JsonSchema,
  isKept: (name: string) => boolean,
  map: (name: string, member: unknown) => unknown,
): JsonSchema {
  const names = Object.keys(value).filter(isKept).toSorted(compareText)
  return Object.fromEntries(names.map((name) => [name, map(name, value[name])]))
}

export const EXTERNAL_REFERENCE = 'a reference to another document'

/** Keywords that change what references resolve to. */
const BASE_CHANGING = [
  '$anchor',
  '$dynamicAnchor',
  '$dynamicRef',
  '$id',
  '$recursiveAnchor',
  '$recursiveRef',
]

/**
 * Why references of a schema cannot be resolved as pointers, if that is so. Such a schema can only be
 * compared by text, and not at all if it has an external reference.
 */
export function unresolvableReference(schema: JsonSchema): string | undefined {
  const { $id: own, ...rest } = schema
  const keywords = keywordsIn(rest)
  const valuesOf = (name: string): string[] => (keywords.get(name) ?? []).map(String)
  const refs = [...valuesOf('$ref'), ...valuesOf('$dynamicRef')]
  const ids = new Set([String(own), ...valuesOf('$id')])
  if (!refs.every((ref) => ref.startsWith('#') || ids.has(ref.split('#')[0] as string)))
    return EXTERNAL_REFERENCE
  const moving = BASE_CHANGING.find((name) => keywords.has(name))
  return moving ?? (refs.every(isPointer) ? undefined : 'a $ref by name')
}

const isPointer = (ref: string): boolean => /^#(?:\/|$)/.test(ref)

/** All keywords in a schema with their values; names of fields are not keywords. */
function keywordsIn(schema: JsonSchema): ReadonlyMap<string, readonly unknown[]> {
  const found = new Map<string, unknown[]>()
  for (const part of subschemasOf(schema))
    for (const [name, value] of Object.entries(part)) {
      const values = found.get(name)
      if (values) values.push(value)
      else found.set(name, [value])
    }
  return found
}

/** A schema and all its subschemas. */
export function* subschemasOf(schema: unknown): Generator<JsonSchema, void, void> {
  if (Array.isArray(schema)) for (const each of schema) yield* subschemasOf(each)
  if (!isSchema(schema)) return
  yield schema
  for (const [name, value] of Object.entries(schema))
    if (SCHEMAS_BY_NAME.has(name) && isSchema(value))
      for (const each of Object.values(value)) yield* subschemasOf(each)
    else if (!DATA_KEYWORDS.has(name)) yield* subschemasOf(value)
}
