import type { Alternative, JsonSchema, Resolve } from './schema.ts'
import { alternativesOf, listAt, resolverOf, schemaFrom, typesOf } from './schema.ts'
import type { ObjectShape } from './object-shape.ts'
import { mergeShapes, shapesOf } from './object-shape.ts'

/** Parameter values by name, from a path and a query string. */
export type Texts = ReadonlyMap<string, readonly string[]>

/** Reads parameters as members of a message; `body` has the members that are given already. */
export type TextReader = (
  texts: Texts,
  body?: Readonly<Record<string, unknown>>,
) => Record<string, unknown>

/** How a member can be read. */
interface Field {
  readonly alternatives: readonly Alternative[]
  readonly lists: readonly ListField[]
}

interface ListField {
  readonly alternative: Alternative
  /** The alternatives of the leading items, by position. */
  readonly prefixItems: readonly (readonly Alternative[])[]
  readonly items: readonly Alternative[]
}

/** A text read as a value, and whether the keywords that are checked here accept it. */
interface Reading {
  readonly value: unknown
  readonly isAccepted: boolean
}

interface ShapeReader {
  readonly fields: ReadonlyMap<string, Field>
  readonly additional: Field | undefined
  readonly required: ReadonlySet<string>
  readonly isClosed: boolean
}

/**
 * Reads text as the schema says. A text stays text if the schema accepts it; otherwise it is read as
 * JSON (number, boolean, null, object) if the schema accepts that. A name that occurs several times
 * is a list. For a union, the first alternative that accepts all values decides; if none does, each
 * value is read by any alternative that accepts it, and validation reports what is wrong.
 */
export function createTextReader(schema: JsonSchema): TextReader {
  const resolve = resolverOf(schema)
  const shapes = shapesOf(schema, resolve)
  const readers = shapes.map((shape) => readerOf(shape, resolve))
  const any = readerOf(mergeShapes(shapes), resolve)
  return (texts, said = {}) => {
    for (const reader of readers) {
      const read = readTexts(reader, texts, said)
      if (read.isAccepted) return read.value
    }
    return readTexts(any, texts, said).value
  }
}

function readerOf(
  { properties, required, additional }: ObjectShape,
  resolve: Resolve,
): ShapeReader {
  return {
    fields: new Map([...properties].map(([name, each]) => [name, fieldOf(each, resolve)])),
    additional: additional ? fieldOf(additional, resolve) : undefined,
    required,
    isClosed: additional === false,
  }
}

function fieldOf(schema: JsonSchema, resolve: Resolve): Field {
  const arms = alternativesOf(schema, resolve)
  const armsOfAll = (all: readonly unknown[]): readonly Alternative[] =>
    alternativesOf({ allOf: all }, resolve)
  const lists = arms
    .filter((arm) => typesOf(arm)?.includes('array') ?? true)
    .map((arm): ListField => {
      const first = arm.map((part) => listAt(part, 'prefixItems'))
      const length = Math.max(0, ...first.map((each) => each.length))
      return {
        alternative: arm,
        prefixItems: Array.from({ length }, (_, at) =>
          armsOfAll(first.map((each) => each[at] ?? true)),
        ),
        items: armsOfAll(arm.map((part) => part['items'] ?? true)),
      }
    })
  return { alternatives: arms, lists }
}

function readTexts(
  { fields, additional, required, isClosed }: ShapeReader,
  texts: Texts,
  body: Readonly<Record<string, unknown>>,
): { readonly value: Record<string, unknown>; readonly isAccepted: boolean } {
  const value = Object.create(null) as Record<string, unknown>
  let isAccepted = [...required].every((name) => texts.has(name) || Object.hasOwn(body, name))
  for (const [name, all] of texts) {
    const field = fields.get(name) ?? additional
    const read = readField(field ?? ANY, all)
    value[name] = read.value
    isAccepted &&= read.isAccepted && (field !== undefined || !isClosed)
  }
  for (const [name, field] of fields)
    if (Object.hasOwn(body, name))
      isAccepted &&= field.alternatives.some((arm) => accepts(arm, body[name]))
  return { value, isAccepted }
}

const ANY: Field = fieldOf({}, () => undefined)

function readField({ alternatives, lists }: Field, texts: readonly string[]): Reading {
  const [only = ''] = texts
  const alone = texts.length === 1 ? readText(alternatives, only, false) : undefined
  if (alone?.isAccepted) return alone
  const readings = lists
    .filter(({ alternative }) => !alone || typesOf(alternative))
    .map((list) => readList(list, texts))
  const best = readings.find(({ isAccepted }) => isAccepted) ?? readings[0] ?? alone
  return (
    best ?? {
      value: texts.map((text) => readText(alternatives, text, false).value),
      isAccepted: false,
    }
  )
}

function readList(
  { alternative, prefixItems, items }: ListField,
  texts: readonly string[],
): Reading {
  const readings = texts.map((text, at) => readText(prefixItems[at] ?? items, text, true))
  const value = readings.map((reading) => reading.value)
  return {
    value,
    isAccepted: readings.every(({ isAccepted }) => isAccepted) && accepts(alternative, value),
  }
}

/** A list is written by repeating its name; only an item of a list may be a list in JSON. */
function readText(arms: readonly Alternative[], text: string, isItem: boolean): Reading {
  if (arms.some((arm) => accepts(arm, text))) return { value: text, isAccepted: true }
  const value = jsonIn(text)
  if (value === undefined || (Array.isArray(value) && !isItem))
    return { value: text, isAccepted: false }
  if (arms.some((arm) => accepts(arm, value))) return { value, isAccepted: true }
  // With the right type, validation reports the value and not its type.
  const isNamed = arms.some((arm) => typesOf(arm) && isOfType(arm, value))
  return { value: isNamed ? value : text, isAccepted: false }
}

const JSON_START = /^(?:-?\d|true$|false$|null$|\[|\{)/

/** The JSON value of a text; `undefined` for a JSON string, invalid JSON, and infinite numbers. */
function jsonIn(text: string): unknown {
  if (!JSON_START.test(text) || text.endsWith(' ')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'number' && !Number.isFinite(value) ? undefined : value
  } catch {
    return undefined
  }
}

/** Keywords that decide which alternative a text matches, by the type of the value. */
const BOUNDS: Readonly<
  Record<string, Readonly<Record<string, (value: never, bound: never) => boolean>>>
> = {
  number: {
    minimum: (value: number, least: number) => value >= least,
    maximum: (value: number, most: number) => value <= most,
    exclusiveMinimum: (value: number, below: number) => value > below,
    exclusiveMaximum: (value: number, above: number) => value < above,
  },
  string: {
    minLength: (value: string, least: number) => value.length >= least,
    maxLength: (value: string, most: number) => value.length <= most,
    pattern: (value: string, source: string) => new RegExp(source, 'u').test(value),
  },
  array: {
    minItems: (value: readonly unknown[], least: number) => value.length >= least,
    maxItems: (value: readonly unknown[], most: number) => value.length <= most,
  },
}

/** Whether an alternative accepts a value by its own keywords; nested values are not checked. */
function accepts(arm: Alternative, value: unknown): boolean {
  return isOfType(arm, value) && arm.every((schema) => fits(schema, value))
}

function fits(schema: JsonSchema, value: unknown): boolean {
  const { not, enum: choices } = schema
  if (not !== undefined && Object.keys(schemaFrom(not)).length === 0) return false
  if ('const' in schema && !isSameJson(schema['const'], value)) return false
  if (Array.isArray(choices) && !choices.some((each) => isSameJson(each, value))) return false
  return Object.entries(BOUNDS[typeOf(value)] ?? {}).every(
    ([name, holds]) => schema[name] === undefined || isWithinBound(holds, value, schema[name]),
  )
}

/** A pattern that JavaScript cannot compile is ignored here. */
function isWithinBound(
  holds: (value: never, bound: never) => boolean,
  value: unknown,
  bound: unknown,
): boolean {
  try {
    return holds(value as never, bound as never)
  } catch {
    return true
  }
}

/** Whether two values have the same JSON. */
export function isSameJson(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}

function isOfType(arm: Alternative, value: unknown): boolean {
  const types = typesOf(arm)
  const type = typeOf(value)
  return (
    types === undefined ||
    types.includes(type) ||
    (type === 'number' && Number.isInteger(value) && types.includes('integer'))
  )
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return value === null ? 'null' : typeof value
}
