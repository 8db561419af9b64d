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
  '$anchor',
  '$comment',
  '$id',
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
const DATA: ReadonlySet<string> = new Set(['const', 'enum'])
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
