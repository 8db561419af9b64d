import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { JsonSchema } from '../contract/json-schema.ts'
import { jsonSchemaOf as convertedOf, memberOf } from '../contract/json-schema.ts'

export type { JsonSchema }
export { memberOf }

/** As `jsonSchemaOf` of the contract; `{}`, which allows anything, where there is none. */
export function jsonSchemaOf(schema: StandardSchemaV1, side: 'input' | 'output'): JsonSchema {
  return convertedOf(schema, side) ?? {}
}

/** What text of a query string or a path stands for. */
type Reading = 'number' | 'boolean' | 'text'
interface Field {
  readonly reading: Reading
  readonly isList: boolean
}

/** Reads the parts of a path and a query string as the data of a message. */
export type TextReader = (
  params: Readonly<Record<string, string | undefined>>,
  query: URLSearchParams,
) => unknown

/** What the schema says is looked up once; a name that it does not know stays text. */
export function textReader(schema: JsonSchema): TextReader {
  const fields = new Map<string, Field>()
  for (const [name, value] of Object.entries(memberOf(schema, 'properties') ?? {})) {
    const property = value as JsonSchema
    const items = property['type'] === 'array' ? (memberOf(property, 'items') ?? {}) : undefined
    fields.set(name, { reading: readingOf(items ?? property), isList: items !== undefined })
  }
  return (params, query) => {
    const data = Object.create(null) as Record<string, unknown>
    for (const [name, text] of query) add(data, name, text, fields.get(name))
    // The path wins: it says what the request is about.
    for (const [name, text = ''] of Object.entries(params))
      data[name] = valueOf(text, fields.get(name)?.reading)
    return data
  }
}

function readingOf(schema: JsonSchema): Reading {
  const { type } = schema
  if (type === 'number' || type === 'integer') return 'number'
  if (type === 'boolean') return 'boolean'
  const choices = (schema['anyOf'] ?? schema['oneOf']) as readonly JsonSchema[] | undefined
  const readings = new Set(choices?.map(readingOf))
  const [only] = readings
  return only !== undefined && readings.size === 1 ? only : 'text'
}

/** A name that comes several times is a list; the schema says whether it may be one. */
function add(
  data: Record<string, unknown>,
  name: string,
  text: string,
  field: Field | undefined,
): void {
  const value = valueOf(text, field?.reading)
  const known = data[name]
  if (known === undefined) data[name] = field?.isList ? [value] : value
  else if (Array.isArray(known)) known.push(value)
  else data[name] = [known, value]
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** What does not read as its type stays text, so that the schema complains of it. */
function valueOf(text: string, reading: Reading | undefined): unknown {
  if (reading === 'number' && NUMBER.test(text)) return Number(text)
  if (reading === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}
