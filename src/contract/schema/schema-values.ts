// What a schema without references says of values: equality, listed values, alternatives.
import type { JsonSchema } from './json-schema.ts'
import { TYPES_OF_KEYWORD, isSameJson } from './keywords.ts'

/** Whether two schemas without references are equal. */
export function isSameLeaf(before: unknown, now: unknown): boolean {
  return isSameJson(before, now) && !JSON.stringify(now).includes('"$ref"')
}

/** The values that a schema lists. */
export function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  const { enum: listed } = schema
  if (Array.isArray(listed)) return listed
  return 'const' in schema ? [schema['const']] : undefined
}

/** The alternatives of a schema, one of which data must match; most schemas have one. */
export function casesOf(schema: JsonSchema): readonly JsonSchema[] {
  const { enum: listed, anyOf, oneOf, type, ...rest } = schema
  const typed = type === undefined ? rest : { ...rest, type }
  if (Array.isArray(listed)) return listed.map((value) => ({ ...rest, const: value as unknown }))
  const branches = anyOf ?? oneOf
  if (Array.isArray(branches)) {
    const both = anyOf !== undefined && oneOf !== undefined ? { ...typed, oneOf } : typed
    const isAlone = Object.keys(both).length === 0
    return branches.map((branch: JsonSchema) => (isAlone ? branch : { ...both, allOf: [branch] }))
  }
  if (Array.isArray(type)) return type.map((each: unknown) => ({ ...rest, type: each }))
  return [schema]
}

/** Whether a keyword applies to data of this type. */
export function appliesTo(name: string, { type }: JsonSchema): boolean {
  const of = TYPES_OF_KEYWORD[name]
  return of === undefined || type === undefined || of.includes(type as string)
}

/** A schema that describes a single value. */
export function describedValue(value: unknown): JsonSchema {
  if (value === null) return { type: 'null' }
  if (typeof value === 'string') {
    // Libraries count either code points or UTF-16 units.
    const { length: minLength } = Array.from(value)
    return { type: 'string', minLength, maxLength: value.length, const: value }
  }
  if (typeof value === 'number')
    return {
      type: Number.isInteger(value) ? 'integer' : 'number',
      minimum: value,
      maximum: value,
      const: value,
    }
  return typeof value === 'boolean' ? { type: 'boolean' } : { const: value }
}
