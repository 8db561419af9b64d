// Keywords of JSON Schema that restrict a value, as a table of functions that compare old and new ones.
import type { JsonSchema } from './json-schema.ts'

/** Why data valid under `before` may violate `bound`; `undefined` if it cannot. */
type Bound = (before: JsonSchema, bound: unknown, now: JsonSchema) => string | undefined

const numberIn = (schema: JsonSchema, name: string): number | undefined =>
  typeof schema[name] === 'number' ? schema[name] : undefined

/** A lower bound: satisfied if the old bound was at least as high. */
const atLeast =
  (name: string, least = -Infinity): Bound =>
  (before, bound) =>
    (numberIn(before, name) ?? least) >= (bound as number)
      ? undefined
      : `must have ${name} ${String(bound)} now`

const atMost =
  (name: string): Bound =>
  (before, bound) =>
    (numberIn(before, name) ?? Infinity) <= (bound as number)
      ? undefined
      : `must have ${name} ${String(bound)} now`

const isAbove = (before: JsonSchema, bound: unknown, isStrict: boolean): boolean => {
  const least = numberIn(before, 'minimum') ?? -Infinity
  const open = numberIn(before, 'exclusiveMinimum') ?? -Infinity
  const limit = bound as number
  return open >= limit || (isStrict ? least > limit : least >= limit)
}

const isBelow = (before: JsonSchema, bound: unknown, isStrict: boolean): boolean => {
  const most = numberIn(before, 'maximum') ?? Infinity
  const open = numberIn(before, 'exclusiveMaximum') ?? Infinity
  const limit = bound as number
  return open <= limit || (isStrict ? most < limit : most <= limit)
}

const same =
  (name: string): Bound =>
  (before, bound) =>
    isSameJson(before[name], bound) ? undefined : `must have ${name} ${describeValue(bound)} now`

/** A pattern is satisfied by an equal pattern or by a constant that matches it. */
const pattern: Bound = (before, bound) => {
  if (before['pattern'] === bound) return undefined
  const { const: value } = before
  if (typeof value === 'string' && typeof bound === 'string' && fits(bound, value)) return undefined
  return `must fit the pattern ${describeValue(bound)} now`
}

function fits(source: string, value: string): boolean {
  try {
    return new RegExp(source, 'u').test(value)
  } catch {
    return false
  }
}

const multipleOf: Bound = (before, bound) => {
  const step = bound as number
  const value = numberIn(before, 'const')
  const old = value ?? numberIn(before, 'multipleOf') ?? (before['type'] === 'integer' ? 1 : NaN)
  return Number.isInteger(old / step) ? undefined : `must be a multiple of ${String(bound)} now`
}

export const BOUNDS: Readonly<Record<string, Bound>> = {
  contentEncoding: same('contentEncoding'),
  contentMediaType: same('contentMediaType'),
  exclusiveMaximum: (before, bound) =>
    isBelow(before, bound, true) ? undefined : `must be under ${String(bound)} now`,
  exclusiveMinimum: (before, bound) =>
    isAbove(before, bound, true) ? undefined : `must be over ${String(bound)} now`,
  format: same('format'),
  maximum: (before, bound) =>
    isBelow(before, bound, false) ? undefined : `must be at most ${String(bound)} now`,
  maxItems: atMost('maxItems'),
  maxLength: atMost('maxLength'),
  maxProperties: atMost('maxProperties'),
  minimum: (before, bound) =>
    isAbove(before, bound, false) ? undefined : `must be at least ${String(bound)} now`,
  minItems: atLeast('minItems', 0),
  minLength: atLeast('minLength', 0),
  minProperties: atLeast('minProperties', 0),
  multipleOf,
  pattern,
  uniqueItems: (before, bound) =>
    bound !== true || before['uniqueItems'] === true ? undefined : 'must have no item twice now',
}

/** The types that a keyword applies to; a keyword that is not listed applies to all. */
export const TYPES_OF_KEYWORD: Readonly<Record<string, readonly string[]>> = {
  contentEncoding: ['string'],
  contentMediaType: ['string'],
  exclusiveMaximum: ['number', 'integer'],
  exclusiveMinimum: ['number', 'integer'],
  maximum: ['number', 'integer'],
  maxItems: ['array'],
  maxLength: ['string'],
  maxProperties: ['object'],
  minimum: ['number', 'integer'],
  minItems: ['array'],
  minLength: ['string'],
  minProperties: ['object'],
  multipleOf: ['number', 'integer'],
  pattern: ['string'],
  uniqueItems: ['array'],
}

const NOUNS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  null: 'null',
  number: 'a number',
  object: 'an object',
  string: 'text',
}

export const typeNoun = (type: unknown): string => NOUNS[type as string] ?? String(type)

const SHOWN_LENGTH_MAX = 80

/** A short description of a schema or value. */
export function describeValue(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const { const: only, type, properties, ...rest } = value as JsonSchema
    if (only !== undefined) return JSON.stringify(only)
    if (type !== undefined && properties === undefined && Object.keys(rest).length === 0)
      return typeNoun(type)
  }
  const text = JSON.stringify(value)
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX - 1)}…` : text
}

/** Whether two values with sorted members have the same JSON text. */
export function isSameJson(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}
