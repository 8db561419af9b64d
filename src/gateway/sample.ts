import type { JsonSchema } from './schema.ts'
import { memberOf } from './schema.ts'

/** Finds what a `$ref` names. */
export type Resolve = (ref: string) => JsonSchema | undefined

/** Deeper than this only what must be there is made, so that recursive schemas come to an end. */
const DEPTH_MAX = 4

const FORMATS: Readonly<Record<string, string>> = {
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

/**
 * A value that a JSON Schema allows, for a description: the plainest one. Patterns that no format
 * names are beyond it; give such a route an example of its own.
 */
export function sampleOf(schema: JsonSchema, resolve: Resolve, depth = 0): unknown {
  const known = ['const', 'example', 'default'].find((name) => name in schema)
  if (known !== undefined) return schema[known]
  for (const name of ['examples', 'enum', 'anyOf', 'oneOf']) {
    const choices = schema[name]
    if (!Array.isArray(choices) || choices.length === 0) continue
    const first: unknown = choices[0]
    if (name === 'examples' || name === 'enum') return first
    return sampleOf(first as JsonSchema, resolve, depth)
  }
  const ref = schema['$ref']
  if (typeof ref === 'string') return sampleOf(resolve(ref) ?? {}, resolve, depth + 1)
  const all = schema['allOf']
  if (Array.isArray(all)) {
    const parts = (all as readonly JsonSchema[]).map((part) => sampleOf(part, resolve, depth))
    return Object.assign({}, ...parts)
  }
  const type: unknown = Array.isArray(schema['type']) ? schema['type'][0] : schema['type']
  switch (type) {
    case 'object':
      return objectOf(schema, resolve, depth)
    case 'array':
      return listOf(schema, resolve, depth)
    case 'string':
      return textOf(schema)
    case 'integer':
    case 'number':
      return numberOf(schema)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return {}
  }
}

function objectOf(schema: JsonSchema, resolve: Resolve, depth: number): unknown {
  const required = new Set((schema['required'] as readonly string[] | undefined) ?? [])
  const sample: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(memberOf(schema, 'properties') ?? {}))
    if (required.has(name) || depth < DEPTH_MAX)
      sample[name] = sampleOf(property as JsonSchema, resolve, depth + 1)
  return sample
}

function listOf(schema: JsonSchema, resolve: Resolve, depth: number): unknown {
  const fixed = schema['prefixItems']
  if (Array.isArray(fixed))
    return (fixed as readonly JsonSchema[]).map((item) => sampleOf(item, resolve, depth + 1))
  const least = numberAt(schema, 'minItems') ?? 0
  const count = depth < DEPTH_MAX ? Math.max(least, 1) : least
  const most = numberAt(schema, 'maxItems') ?? Infinity
  const items = memberOf(schema, 'items') ?? {}
  return Array.from({ length: Math.min(count, most) }, () => sampleOf(items, resolve, depth + 1))
}

function textOf(schema: JsonSchema): string {
  const format = FORMATS[String(schema['format'])]
  if (format !== undefined) return format
  const least = numberAt(schema, 'minLength') ?? 0
  const most = numberAt(schema, 'maxLength') ?? Infinity
  return 'text'.padEnd(least, 'x').slice(0, most)
}

function numberOf(schema: JsonSchema): number {
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
