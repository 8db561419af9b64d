import type { StandardSchemaV1 } from '@standard-schema/spec'
import { compareText } from '../base/text.ts'

/** JSON Schema, of the draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>

const TARGET = { target: 'draft-2020-12' } as const

/** What a schema's own library is told, by its own names. */
export type LibraryOptions = Readonly<Record<string, unknown>>
type Converted = (
  options: typeof TARGET & { readonly libraryOptions?: LibraryOptions },
) => Record<string, unknown>
interface WithJsonSchema {
  readonly jsonSchema?: { readonly input?: Converted; readonly output?: Converted }
}

/**
 * Asks a library to leave out what JSON Schema has no word for, in place of giving nothing: zod by
 * the first, valibot by the second. ArkType and Effect do so by themselves.
 */
export const LENIENT: LibraryOptions = { unrepresentable: 'any', errorMode: 'ignore' }

/**
 * The JSON Schema of what a schema takes (`input`) or gives back (`output`); nothing where its
 * library has none, or this schema has no counterpart.
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

/** Finds what a `$ref` names. */
export type Resolve = (ref: string) => JsonSchema | undefined

/** Takes nothing. */
const NOTHING: JsonSchema = { not: {} }

/** A schema may be written as `true` or `false`. */
export function schemaFrom(value: unknown): JsonSchema {
  if (isSchema(value)) return value
  return value === false ? NOTHING : {}
}

export function listAt(schema: JsonSchema, name: string): readonly unknown[] {
  const value = schema[name]
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/**
 * What a reference means that is a pointer into the same document, `#` or `#/…`; nothing for any
 * other. Some libraries leave characters as they are that have to be escaped there.
 */
export function localTarget(root: JsonSchema, ref: unknown): JsonSchema | undefined {
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
export function memberOf(schema: JsonSchema, name: string): JsonSchema | undefined {
  const value = schema[name]
  return isSchema(value) ? value : undefined
}

export function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a schema says for people: it never decides whether data fits. */
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

/** Keywords whose value is data, never a schema. */
const DATA: ReadonlySet<string> = new Set(['const', 'default', 'enum', 'example', 'examples'])
/** Keywords whose value holds schemas by names of the user's. */
export const NAMED: ReadonlySet<string> = new Set([
  '$defs',
  'definitions',
  'dependentSchemas',
  'patternProperties',
  'properties',
])

/**
 * What of a schema decides whether data fits, with members in one order: two schemas that say the
 * same in other words for people, or in another order, are one text as JSON.
 */
export function essenceOf(schema: JsonSchema): JsonSchema {
  return essence(schema) as JsonSchema
}

function essence(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(essence)
  if (!isSchema(value)) return value
  return sortedEntries(
    value,
    (name) => !isAnnotation(name),
    (name, member) => {
      if (DATA.has(name)) return inOrder(member)
      if (name === 'required' && Array.isArray(member))
        return member.map(String).toSorted(compareText)
      if (NAMED.has(name) && isSchema(member)) return sortedEntries(member, () => true, bare)
      return essence(member)
    },
  )
}

const bare = (_name: string, member: unknown): unknown => essence(member)

/** The same data with members in one order. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  return isSchema(value)
    ? sortedEntries(
        value,
        () => true,
        (_, member) => inOrder(member),
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

export const OUTSIDE = 'a reference to another document'

/** Keywords by which a reference means something else than a pointer into the whole. */
const MOVING = [
  '$anchor',
  '$dynamicAnchor',
  '$dynamicRef',
  '$id',
  '$recursiveAnchor',
  '$recursiveRef',
]

/**
 * What in a whole schema keeps its references from being followed as pointers, if anything does.
 * Such a schema is only ever the same as the same text, and not even that if it refers to `OUTSIDE`.
 */
export function unlikePointers(schema: JsonSchema): string | undefined {
  const { $id: own, ...rest } = schema
  const keywords = keywordsIn(rest)
  const valuesOf = (name: string): string[] => (keywords.get(name) ?? []).map(String)
  const refs = [...valuesOf('$ref'), ...valuesOf('$dynamicRef')]
  const ids = new Set([String(own), ...valuesOf('$id')])
  if (!refs.every((ref) => ref.startsWith('#') || ids.has(ref.split('#')[0] as string)))
    return OUTSIDE
  const moving = MOVING.find((name) => keywords.has(name))
  return moving ?? (refs.every(isPointer) ? undefined : 'a $ref by name')
}

const isPointer = (ref: string): boolean => /^#(?:\/|$)/.test(ref)

/** Every keyword that stands anywhere in a schema, with its values; names of fields are none. */
function keywordsIn(schema: JsonSchema): ReadonlyMap<string, readonly unknown[]> {
  const found = new Map<string, unknown[]>()
  for (const part of partsIn(schema))
    for (const [name, value] of Object.entries(part)) {
      const values = found.get(name)
      if (values) values.push(value)
      else found.set(name, [value])
    }
  return found
}

/** A schema, and all schemas in it. */
export function* partsIn(schema: unknown): Generator<JsonSchema, void, void> {
  if (Array.isArray(schema)) for (const each of schema) yield* partsIn(each)
  if (!isSchema(schema)) return
  yield schema
  for (const [name, value] of Object.entries(schema))
    if (NAMED.has(name) && isSchema(value))
      for (const each of Object.values(value)) yield* partsIn(each)
    else if (!DATA.has(name)) yield* partsIn(value)
}
