// Checks whether data of one JSON Schema is valid under another one.
import type { Complaint } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { JsonSchema } from './json-schema.ts'
import { essenceOf, isSchema, localTarget, OUTSIDE, unlikePointers } from './json-schema.ts'
import { BOUNDS, nounOf, OF_TYPE, sameJson, shown } from './keywords.ts'

/** The state of a comparison of two schemas; it ends after a bounded number of steps. */
interface Walk {
  readonly before: JsonSchema
  readonly now: JsonSchema
  /** Pairs whose comparison is in progress, since schemas may be recursive. */
  readonly open: Map<JsonSchema, Set<JsonSchema>>
  steps: number
  depth: number
}

/** An issue; `of` marks one where the whole kind or value differs instead of a part of it. */
interface Flaw extends Complaint {
  readonly of?: 'kind' | 'value'
}
type Flaws = readonly Flaw[]

const STEPS_MAX = 100_000
const DEPTH_MAX = 100
const FINE: Flaws = []
const flaw = (path: string, message: string, of?: Flaw['of']): Flaws => [
  of === undefined ? { path, message } : { path, message, of },
]

/**
 * The issues, by path, why data that is valid under `before` may be invalid under `now`; empty if all of
 * it is valid. Removing a required field is an issue, too, since other readers rely on it. A schema
 * that does not mention other fields is treated as having none. What cannot be compared, such as two
 * patterns, is an issue.
 */
export function incompatibilities(before: JsonSchema, now: JsonSchema): readonly Complaint[] {
  const [was, is] = [essenceOf(before), essenceOf(now)]
  const unlike = unlikePointers(was) ?? unlikePointers(is)
  if (unlike !== OUTSIDE && sameJson(was, is)) return FINE
  if (unlike) return flaw('', `has ${unlike}, which cannot be compared: ${REFER_BY_POINTER}`)
  const [{ $id: _was, ...first }, { $id: _is, ...next }] = [was, is]
  const walk: Walk = { before: first, now: next, open: new Map(), steps: 0, depth: 0 }
  return compare(walk, walk.before, walk.now, '')
    .slice(0, LIMITS.complaintsMax)
    .map(({ path, message }) => ({ path, message }))
}

const REFER_BY_POINTER =
  'refer to parts by "#/$defs/…", or give the message a new version, with the earlier one in upcasters'

function compare(walk: Walk, before: unknown, now: unknown, path: string): Flaws {
  if (walk.steps >= STEPS_MAX || walk.depth >= DEPTH_MAX)
    return flaw(path, 'is too large to be compared')
  const was = resolved(walk.before, before)
  const is = resolved(walk.now, now)
  if (!was || !is) return flaw(path, 'refers to a schema that does not exist')
  walk.steps += 1
  walk.depth += 1
  const isReferred = was !== before || is !== now
  const flaws = isReferred ? compareOnce(walk, was, is, path) : compareParts(walk, was, is, path)
  walk.depth -= 1
  return flaws
}

function compareOnce(walk: Walk, before: JsonSchema, now: JsonSchema, path: string): Flaws {
  const open = walk.open.get(before) ?? new Set()
  if (open.has(now)) return FINE
  walk.open.set(before, open.add(now))
  const flaws = compareParts(walk, before, now, path)
  open.delete(now)
  return flaws
}

/** Resolves references; `true` and `false` are schemas, too. */
function resolved(root: JsonSchema, schema: unknown): JsonSchema | undefined {
  if (schema === true) return {}
  if (schema === false) return NEVER
  let found = schema
  for (let steps = 0; isSchema(found) && '$ref' in found; steps += 1) {
    const { $ref, $defs: _, ...beside } = found
    const target = steps < LIMITS.depthMax ? localTarget(root, $ref) : undefined
    if (Object.keys(beside).length > 0) return target && { ...beside, allOf: [target] }
    found = target
  }
  return isSchema(found) ? found : undefined
}

const NEVER: JsonSchema = { not: {} }
const isNever = ({ not }: JsonSchema): boolean => isSchema(not) && Object.keys(not).length === 0

/** Keywords whose meaning depends on neighbouring keywords, which the comparison does not model. */
const ENTANGLED = [
  'additionalItems',
  'patternProperties',
  'unevaluatedItems',
  'unevaluatedProperties',
]

/** Each part (`allOf`) of the new schema must follow from some part of the old one. */
function compareParts(walk: Walk, before: JsonSchema, now: JsonSchema, path: string): Flaws {
  const [were, are] = [partsOf(walk.before, before), partsOf(walk.now, now)]
  const entangled = ENTANGLED.find((name) => [...were, ...are].some((part) => name in part))
  if (entangled && !isNever(before) && Object.keys(now).length > 0)
    return sameLeaf(before, now) ? FINE : flaw(path, notComparable(entangled))
  const known = were.map((part) => withFieldsOf(part, were))
  return are.flatMap((part) =>
    nearest(
      known.map((each) => compareCases(walk, each, part, path)),
      path,
    ),
  )
}

/** A closed part (no other fields) with the fields that its sibling parts name. */
function withFieldsOf(part: JsonSchema, all: readonly JsonSchema[]): JsonSchema {
  if (all.length === 1 || othersOf(part) !== false) return part
  const others = all.filter((each) => each !== part).map(fieldsOf)
  const names = new Set(others.flatMap((each) => Object.keys(each)))
  const more = [...names]
    .filter((name) => !Object.hasOwn(fieldsOf(part), name))
    .map((name) => [
      name,
      { allOf: others.filter((each) => Object.hasOwn(each, name)).map((each) => each[name]) },
    ])
  if (more.length === 0) return part
  return { ...part, properties: { ...fieldsOf(part), ...Object.fromEntries(more) } }
}

function partsOf(root: JsonSchema, schema: JsonSchema, depth = 0): readonly JsonSchema[] {
  const { allOf, $defs: _, ...own } = schema
  if (!Array.isArray(allOf)) return [own]
  const parts = allOf.flatMap((part) => {
    const found = depth < DEPTH_MAX ? resolved(root, part) : undefined
    return found ? partsOf(root, found, depth + 1) : [UNKNOWN]
  })
  return Object.keys(own).length > 0 ? [own, ...parts] : parts
}

/** A schema that equals no other: for a part that cannot be resolved. */
const UNKNOWN: JsonSchema = { $ref: '' }

/** The issues of the best match: the same kind first, then the fewest issues. */
function nearest(all: readonly Flaws[], path: string): Flaws {
  const weight = (flaws: Flaws): number =>
    flaws.length + (isOther(flaws, path) ? LIMITS.valuesMax : 0)
  return all.reduce((best, each) => (weight(each) < weight(best) ? each : best), all[0] ?? FINE)
}

const isOther = (flaws: Flaws, path: string): boolean =>
  flaws.some((each) => each.of === 'value' || (each.of === 'kind' && each.path === path))

/** Each alternative of the old schema must be valid under some alternative of the new one. */
function compareCases(walk: Walk, before: JsonSchema, now: JsonSchema, path: string): Flaws {
  if (isNever(before) || Object.keys(now).length === 0 || sameLeaf(before, now)) return FINE
  if (isNever(now)) return flaw(path, 'accepts no value any more')
  if (Array.isArray(before['enum']) && valuesOf(now)) return compareValues(before, now, path)
  const cases = casesOf(before)
  if (cases[0] !== before) return cases.flatMap((each) => compare(walk, each, now, path))
  if (Array.isArray(now['enum']) && !('const' in before))
    return flaw(path, `must be one of ${shown(now['enum'])} now`, 'kind')
  const choices = casesOf(now)
  if (choices[0] === now) return compareOne(walk, before, now, path)
  if ('oneOf' in now && !sameJson(before['oneOf'], now['oneOf']) && !areApart(walk, choices))
    return flaw(path, 'has alternatives that may overlap, which cannot be compared')
  const found = choices.map((choice) => compare(walk, before, choice, path))
  const flaws = nearest(found, path)
  return found.length === 0 || isOther(flaws, path)
    ? flaw(path, `no longer takes ${shown(before)}`, 'kind')
    : flaws
}

/** Whether two schemas without references are equal. */
function sameLeaf(before: unknown, now: unknown): boolean {
  return sameJson(before, now) && !JSON.stringify(now).includes('"$ref"')
}

const notComparable = (name: string): string =>
  `has ${name}, which cannot be compared: leave it unchanged, or give the message a new version`

/** The values that a schema lists. */
function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  const { enum: listed } = schema
  if (Array.isArray(listed)) return listed
  return 'const' in schema ? [schema['const']] : undefined
}

function compareValues(before: JsonSchema, now: JsonSchema, path: string): Flaws {
  const known = new Set(valuesOf(now)?.map((value) => JSON.stringify(value)))
  const gone = valuesOf(before)?.filter((value) => !known.has(JSON.stringify(value))) ?? []
  return gone.flatMap((value) => flaw(path, `no longer takes ${JSON.stringify(value)}`, 'kind'))
}

/** The alternatives of a schema, one of which data must match; most schemas have one. */
function casesOf(schema: JsonSchema): readonly JsonSchema[] {
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

/** Whether no data can match two of the alternatives. */
function areApart(walk: Walk, cases: readonly JsonSchema[]): boolean {
  const found = cases.map((each) => resolved(walk.now, each) ?? {})
  return found.every((one, at) => found.slice(at + 1).every((next) => areTwoApart(one, next)))
}

function areTwoApart(one: JsonSchema, next: JsonSchema): boolean {
  const types = [one['type'], next['type']]
  if (types.every((type) => typeof type === 'string') && types[0] !== types[1])
    return !types.every((type) => type === 'number' || type === 'integer')
  const values = [valuesOf(one), valuesOf(next)]
  if (values[0] && values[1]) return !values[0].some((each) => has(values[1], each))
  const [first, second] = [fieldsOf(one), fieldsOf(next)]
  return [...requiredOf(one)].some((name) => {
    const [mine, theirs] = [first[name], second[name]]
    if (!requiredOf(next).has(name) || !isSchema(mine) || !isSchema(theirs)) return false
    const [listed, others] = [valuesOf(mine), valuesOf(theirs)]
    return listed !== undefined && others !== undefined && !listed.some((each) => has(others, each))
  })
}

const has = (values: readonly unknown[] | undefined, value: unknown): boolean =>
  values?.some((each) => sameJson(each, value)) ?? false

/** Compares one alternative with another, keyword by keyword. */
function compareOne(walk: Walk, before: JsonSchema, now: JsonSchema, path: string): Flaws {
  if ('const' in now)
    return 'const' in before && sameJson(before['const'], now['const'])
      ? FINE
      : flaw(path, `must be ${JSON.stringify(now['const'])} now`, 'value')
  const was = 'const' in before ? describedValue(before['const']) : before
  const flaws = [...compareType(was, now, path)]
  if (flaws.length > 0) return flaws
  for (const [name, value] of Object.entries(now)) {
    if (STRUCTURE.has(name) || !concerns(name, was)) continue
    const bound = BOUNDS[name]
    const message = bound ? bound(was, value, now) : unlessSame(was, name, value)
    if (message !== undefined) flaws.push(...flaw(path, message))
  }
  for (const name of Object.keys(was))
    if (!(name in now) && !STRUCTURE.has(name) && !BOUNDS[name])
      flaws.push(...flaw(path, `had ${name}, which cannot be compared`))
  if (mayBe(was, 'object')) flaws.push(...compareFields(walk, was, now, path))
  if (mayBe(was, 'array')) flaws.push(...compareItems(walk, was, now, path))
  return flaws
}

/** Keywords that are compared by functions of their own. */
const STRUCTURE: ReadonlySet<string> = new Set([
  'additionalProperties',
  'const',
  'items',
  'prefixItems',
  'properties',
  'propertyNames',
  'required',
  'type',
])

const mayBe = ({ type }: JsonSchema, wanted: string): boolean =>
  type === undefined || type === wanted

/** Whether a keyword applies to data of this type. */
function concerns(name: string, { type }: JsonSchema): boolean {
  const of = OF_TYPE[name]
  return of === undefined || type === undefined || of.includes(type as string)
}

function unlessSame(before: JsonSchema, name: string, value: unknown): string | undefined {
  return sameLeaf(before[name], value) ? undefined : `has another ${name}, which cannot be compared`
}

/** A schema that describes a single value. */
function describedValue(value: unknown): JsonSchema {
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

function compareType(before: JsonSchema, now: JsonSchema, path: string): Flaws {
  const { type } = now
  if (type === undefined || before['type'] === type) return FINE
  if (type === 'number' && before['type'] === 'integer') return FINE
  if (before['type'] === undefined)
    return flaw(path, `could be anything, and must be ${nounOf(type)} now`, 'kind')
  return flaw(path, `was ${nounOf(before['type'])}, and is ${nounOf(type)} now`, 'kind')
}

const fieldsOf = (schema: JsonSchema): JsonSchema =>
  isSchema(schema['properties']) ? schema['properties'] : {}
const requiredOf = ({ required }: JsonSchema): ReadonlySet<string> =>
  new Set(Array.isArray(required) ? (required as string[]) : [])
/** The schema of fields that are not named; by default there are none. */
const othersOf = ({ additionalProperties: others }: JsonSchema): unknown =>
  others === undefined ? false : others

const below = (path: string, name: string): string => (path ? `${path}.${name}` : name)

function compareFields(walk: Walk, before: JsonSchema, now: JsonSchema, path: string): Flaws {
  const flaws: Flaw[] = []
  const [had, has] = [fieldsOf(before), fieldsOf(now)]
  const [always, must] = [requiredOf(before), requiredOf(now)]
  const [others, left] = [othersOf(before), now['additionalProperties']]
  for (const name of must)
    if (!always.has(name)) {
      const message = Object.hasOwn(had, name) ? 'could be left out' : 'is new'
      flaws.push(...flaw(below(path, name), `${message}, and must be there now`))
    }
  for (const [name, schema] of Object.entries(has)) {
    const old = Object.hasOwn(had, name) ? had[name] : others
    if (old !== false) flaws.push(...compare(walk, old, schema, below(path, name)))
  }
  const isAny = left === true || (isSchema(left) && Object.keys(left).length === 0)
  const isClosed = left === undefined || left === false || (isAny && Object.keys(has).length > 0)
  for (const [name, schema] of Object.entries(had)) {
    if (Object.hasOwn(has, name)) continue
    if (!isClosed) flaws.push(...compare(walk, schema, left, below(path, name)))
    else if (always.has(name) && !hasNoRules(now))
      flaws.push(...flaw(below(path, name), 'was always there, and is gone'))
  }
  if (others !== false && left !== undefined)
    flaws.push(
      ...(left === false
        ? flaw(path, 'had fields of any name, and has only those that it names now')
        : compare(walk, others, left, below(path, '*'))),
    )
  flaws.push(...compareNames(walk, before, now, path))
  return flaws
}

/** A schema without keywords for fields accepts any. */
const hasNoRules = (schema: JsonSchema): boolean =>
  !('properties' in schema) && !('additionalProperties' in schema)

function compareNames(walk: Walk, before: JsonSchema, now: JsonSchema, path: string): Flaws {
  const { propertyNames: names } = now
  if (names === undefined) return FINE
  const at = below(path, '(name)')
  const known = Object.keys(fieldsOf(before)).map((name) => ({ const: name }))
  const flaws = known.flatMap((name) => compare(walk, name, names, at))
  if (othersOf(before) === false) return flaws
  return [...flaws, ...compare(walk, before['propertyNames'] ?? { type: 'string' }, names, at)]
}

function compareItems(walk: Walk, before: JsonSchema, now: JsonSchema, path: string): Flaws {
  const flaws: Flaw[] = []
  const [first, next] = [firstItems(before), firstItems(now)]
  for (let at = 0; at < Math.max(first.length, next.length); at += 1) {
    if (typeof before['maxItems'] === 'number' && at >= before['maxItems']) break
    const old = first[at] ?? before['items'] ?? true
    const wanted = next[at] ?? now['items'] ?? true
    flaws.push(...compare(walk, old, wanted, `${path}[${at}]`))
  }
  if (now['items'] !== undefined)
    flaws.push(...compare(walk, before['items'] ?? true, now['items'], `${path}[]`))
  return flaws
}

const firstItems = ({ prefixItems }: JsonSchema): readonly unknown[] =>
  Array.isArray(prefixItems) ? prefixItems : []
