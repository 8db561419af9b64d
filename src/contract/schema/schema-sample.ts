import type { JsonSchema, Resolve } from './json-schema.ts'
import { listAt, subschemaAt, schemaFrom } from './json-schema.ts'
import { patternSample } from './pattern-sample.ts'

/** Beyond this depth or number of values, only required members are created. */
const DEPTH_MAX = 4
const VALUES_MAX = 200
/** Beyond these nothing is created: a schema that requires itself has no sample. */
const DEPTH_LIMIT = 16
const VALUES_LIMIT = 2_000

export const FORMAT_SAMPLES: Readonly<Record<string, string>> = {
  'date-time': '2026-01-31T12:00:00Z',
  date: '2026-01-31',
  time: '12:00:00Z',
  duration: 'PT15M',
  email: 'ada@example.org',
  hostname: 'example.org',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.org/',
  uuid: '01890a5d-ac96-774b-bcce-b302099a8057',
}

/** The state while a sample is created. */
interface SampleContext {
  readonly resolve: Resolve
  /** The index of the alternative to use; the last one if there are fewer. */
  readonly choice: number
  /** The number of values so far. */
  values: number
}

/**
 * A simple value that a JSON Schema allows, such as for API docs. It may be invalid: patterns with
 * lookaround and checks that JSON Schema cannot express are not considered.
 */
export function createSample(schema: JsonSchema, resolve: Resolve, choice = 0): unknown {
  return sampleValue(schema, { resolve, choice, values: 0 }, 0)
}

function sampleValue(schema: JsonSchema, making: SampleContext, depth: number): unknown {
  making.values += 1
  if (depth > DEPTH_LIMIT || making.values > VALUES_LIMIT) return null
  const known = ['const', 'example', 'default'].find((name) => name in schema)
  if (known !== undefined) return schema[known]
  for (const name of ['examples', 'enum']) {
    const [first] = listAt(schema, name)
    if (first !== undefined) return first
  }
  for (const name of ['anyOf', 'oneOf']) {
    const arms = listAt(schema, name).map(schemaFrom)
    const plain = hasRoom(making, depth) ? undefined : arms.find(isPlain)
    const arm = plain ?? arms[making.choice] ?? arms.at(-1)
    if (arm) return sampleValue(arm, making, depth)
  }
  const ref = schema['$ref']
  if (typeof ref === 'string') return sampleValue(making.resolve(ref) ?? {}, making, depth + 1)
  const all = listAt(schema, 'allOf')
  if (all.length > 0) {
    const parts = all.map((part) => sampleValue(schemaFrom(part), making, depth))
    return Object.assign({}, ...parts) as unknown
  }
  const type: unknown = Array.isArray(schema['type']) ? schema['type'][0] : schema['type']
  switch (type) {
    case 'object':
      return sampleObject(schema, making, depth)
    case 'array':
      return sampleList(schema, making, depth)
    case 'string':
      return sampleText(schema)
    case 'integer':
    case 'number':
      return sampleNumber(schema)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return {}
  }
}

const hasRoom = (making: SampleContext, depth: number): boolean =>
  depth < DEPTH_MAX && making.values < VALUES_MAX

/** Whether a schema describes a primitive value. */
function isPlain({ type }: JsonSchema): boolean {
  return typeof type === 'string' && type !== 'object' && type !== 'array'
}

function sampleObject(schema: JsonSchema, making: SampleContext, depth: number): unknown {
  const properties = subschemaAt(schema, 'properties') ?? {}
  const required = listAt(schema, 'required').map(String)
  const others = schemaFrom(schema['additionalProperties'])
  const names = new Set([...Object.keys(properties), ...required])
  const sample = new Map<string, unknown>()
  for (const name of names) {
    if (!required.includes(name) && !hasRoom(making, depth)) continue
    const property = Object.hasOwn(properties, name) ? schemaFrom(properties[name]) : others
    sample.set(name, sampleValue(property, making, depth + 1))
  }
  return Object.fromEntries(sample)
}

function sampleList(schema: JsonSchema, making: SampleContext, depth: number): unknown {
  const first = listAt(schema, 'prefixItems')
  const least = Math.max(numberAt(schema, 'minItems') ?? 0, first.length)
  const most = numberAt(schema, 'maxItems') ?? Infinity
  const length = Math.min(hasRoom(making, depth) ? Math.max(least, 1) : least, most, VALUES_MAX)
  const rest = schema['items']
  return Array.from({ length }, (_, at) =>
    sampleValue(schemaFrom(at < first.length ? first[at] : rest), making, depth + 1),
  )
}

function sampleText(schema: JsonSchema): string {
  const format = FORMAT_SAMPLES[String(schema['format'])]
  if (format !== undefined) return format
  const least = numberAt(schema, 'minLength') ?? 0
  const most = numberAt(schema, 'maxLength') ?? Infinity
  const plain = 'text'.padEnd(least, 'x').slice(0, most)
  const { pattern } = schema
  return (typeof pattern === 'string' ? patternSample(pattern) : undefined) ?? plain
}

function sampleNumber(schema: JsonSchema): number {
  const isWhole = schema['type'] === 'integer'
  const step = numberAt(schema, 'multipleOf') ?? (isWhole ? 1 : undefined)
  const above = numberAt(schema, 'exclusiveMinimum')
  const below = numberAt(schema, 'exclusiveMaximum')
  const gap = step ?? 0.5
  const least = numberAt(schema, 'minimum') ?? (above === undefined ? -Infinity : above + gap)
  const most = numberAt(schema, 'maximum') ?? (below === undefined ? Infinity : below - gap)
  const near = Math.min(Math.max(1, least), most)
  if (step === undefined) return near
  const fitting = Math.ceil(near / step) * step
  return fitting > most ? Math.floor(near / step) * step : fitting
}

function numberAt(schema: JsonSchema, name: string): number | undefined {
  const value = schema[name]
  return typeof value === 'number' ? value : undefined
}
