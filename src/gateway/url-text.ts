import type { Arm, JsonSchema, Resolve } from './schema.ts'
import { armsOf, listAt, resolverOf, schemaFrom, typesOf } from './schema.ts'
import type { Shape } from './shape.ts'
import { mergedOf, shapesOf } from './shape.ts'

/** Parameter values by name, from a path and a query string. */
export type Texts = ReadonlyMap<string, readonly string[]>

/** Reads parameters as members of a message; `body` has the members that are given already. */
export type TextReader = (
  texts: Texts,
  said?: Readonly<Record<string, unknown>>,
) => Record<string, unknown>

/** How a member can be read. */
interface Field {
  readonly arms: readonly Arm[]
  readonly lists: readonly ListField[]
}

interface ListField {
  readonly arm: Arm
  /** The alternatives of the leading items, by position. */
  readonly first: readonly (readonly Arm[])[]
  readonly items: readonly Arm[]
}

/** A text read as a value, and whether the keywords that are checked here accept it. */
interface Reading {
  readonly value: unknown
  readonly isTaken: boolean
}

interface Reader {
  readonly fields: ReadonlyMap<string, Field>
  readonly others: Field | undefined
  readonly required: ReadonlySet<string>
  readonly isClosed: boolean
}

/**
 * Reads text as the schema says. A text stays text if the schema accepts it; otherwise it is read as
 * JSON (number, boolean, null, object) if the schema accepts that. A name that occurs several times
 * is a list. For a union, the first alternative that accepts all values decides; if none does, each
 * value is read by any alternative that accepts it, and validation reports what is wrong.
 */
export function textReader(schema: JsonSchema): TextReader {
  const resolve = resolverOf(schema)
  const shapes = shapesOf(schema, resolve)
  const readers = shapes.map((shape) => readerOf(shape, resolve))
  const any = readerOf(mergedOf(shapes), resolve)
  return (texts, said = {}) => {
    for (const reader of readers) {
      const read = readBy(reader, texts, said)
      if (read.isTaken) return read.value
    }
    return readBy(any, texts, said).value
  }
}

function readerOf({ properties, required, others }: Shape, resolve: Resolve): Reader {
  return {
    fields: new Map([...properties].map(([name, each]) => [name, fieldOf(each, resolve)])),
    others: others ? fieldOf(others, resolve) : undefined,
    required,
    isClosed: others === false,
  }
}

function fieldOf(schema: JsonSchema, resolve: Resolve): Field {
  const arms = armsOf(schema, resolve)
  const armsOfAll = (all: readonly unknown[]): readonly Arm[] => armsOf({ allOf: all }, resolve)
  const lists = arms
    .filter((arm) => typesOf(arm)?.includes('array') ?? true)
    .map((arm): ListField => {
      const first = arm.map((part) => listAt(part, 'prefixItems'))
      const length = Math.max(0, ...first.map((each) => each.length))
      return {
        arm,
        first: Array.from({ length }, (_, at) => armsOfAll(first.map((each) => each[at] ?? true))),
        items: armsOfAll(arm.map((part) => part['items'] ?? true)),
      }
    })
  return { arms, lists }
}

function readBy(
  { fields, others, required, isClosed }: Reader,
  texts: Texts,
  said: Readonly<Record<string, unknown>>,
): { readonly value: Record<string, unknown>; readonly isTaken: boolean } {
  const value = Object.create(null) as Record<string, unknown>
  let isTaken = [...required].every((name) => texts.has(name) || Object.hasOwn(said, name))
  for (const [name, all] of texts) {
    const field = fields.get(name) ?? others
    const read = readField(field ?? ANY, all)
    value[name] = read.value
    isTaken &&= read.isTaken && (field !== undefined || !isClosed)
  }
  for (const [name, field] of fields)
    if (Object.hasOwn(said, name)) isTaken &&= field.arms.some((arm) => takes(arm, said[name]))
  return { value, isTaken }
}

const ANY: Field = fieldOf({}, () => undefined)

function readField({ arms, lists }: Field, texts: readonly string[]): Reading {
  const [only = ''] = texts
  const alone = texts.length === 1 ? readText(arms, only, false) : undefined
  if (alone?.isTaken) return alone
  const readings = lists
    .filter(({ arm }) => !alone || typesOf(arm))
    .map((list) => readList(list, texts))
  const best = readings.find(({ isTaken }) => isTaken) ?? readings[0] ?? alone
  return best ?? { value: texts.map((text) => readText(arms, text, false).value), isTaken: false }
}

function readList({ arm, first, items }: ListField, texts: readonly string[]): Reading {
  const readings = texts.map((text, at) => readText(first[at] ?? items, text, true))
  const value = readings.map((reading) => reading.value)
  return { value, isTaken: readings.every(({ isTaken }) => isTaken) && takes(arm, value) }
}

/** A list is written by repeating its name; only an item of a list may be a list in JSON. */
function readText(arms: readonly Arm[], text: string, isItem: boolean): Reading {
  if (arms.some((arm) => takes(arm, text))) return { value: text, isTaken: true }
  const value = jsonIn(text)
  if (value === undefined || (Array.isArray(value) && !isItem))
    return { value: text, isTaken: false }
  if (arms.some((arm) => takes(arm, value))) return { value, isTaken: true }
  // With the right type, validation reports the value and not its type.
  const isNamed = arms.some((arm) => typesOf(arm) && isOfType(arm, value))
  return { value: isNamed ? value : text, isTaken: false }
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
function takes(arm: Arm, value: unknown): boolean {
  return isOfType(arm, value) && arm.every((schema) => fits(schema, value))
}

function fits(schema: JsonSchema, value: unknown): boolean {
  const { not, enum: choices } = schema
  if (not !== undefined && Object.keys(schemaFrom(not)).length === 0) return false
  if ('const' in schema && !isSame(schema['const'], value)) return false
  if (Array.isArray(choices) && !choices.some((each) => isSame(each, value))) return false
  return Object.entries(BOUNDS[typeOf(value)] ?? {}).every(
    ([name, holds]) => schema[name] === undefined || isHeld(holds, value, schema[name]),
  )
}

/** A pattern that JavaScript cannot compile is ignored here. */
function isHeld(
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
export function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}

function isOfType(arm: Arm, value: unknown): boolean {
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
