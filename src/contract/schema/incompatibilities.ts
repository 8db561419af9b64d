// Checks whether data of one JSON Schema is valid under another one.
import type { Issue } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import type { JsonSchema } from './json-schema.ts'
import {
  withoutAnnotations,
  isSchema,
  resolveLocalRef,
  EXTERNAL_REFERENCE,
  unresolvableReference,
} from './json-schema.ts'
import { BOUNDS, typeNoun, isSameJson, describeValue } from './keywords.ts'
import { appliesTo, casesOf, describedValue, isSameLeaf, valuesOf } from './schema-values.ts'

/** The state of a comparison of two schemas; it ends after a bounded number of steps. */
interface Comparison {
  readonly before: JsonSchema
  readonly after: JsonSchema
  /** Pairs whose comparison is in progress, since schemas may be recursive. */
  readonly underComparison: Map<JsonSchema, Set<JsonSchema>>
  steps: number
  depth: number
}

/** An issue; `of` marks one where the whole kind or value differs instead of a part of it. */
interface Incompatibility extends Issue {
  readonly of?: 'kind' | 'value'
}
type Incompatibilities = readonly Incompatibility[]

const STEPS_MAX = 100_000
const DEPTH_MAX = 100
const NONE: Incompatibilities = []
const incompatibility = (
  path: string,
  message: string,
  of?: Incompatibility['of'],
): Incompatibilities => [of === undefined ? { path, message } : { path, message, of }]

/**
 * The issues, by path, why data that is valid under `before` may be invalid under `now`; empty if all of
 * it is valid. Removing a required field is an issue, too, since other readers rely on it. A schema
 * that does not mention other fields is treated as having none. What cannot be compared, such as two
 * patterns, is an issue.
 */
export function incompatibilities(before: JsonSchema, now: JsonSchema): readonly Issue[] {
  const [was, is] = [withoutAnnotations(before), withoutAnnotations(now)]
  const unlike = unresolvableReference(was) ?? unresolvableReference(is)
  if (unlike !== EXTERNAL_REFERENCE && isSameJson(was, is)) return NONE
  if (unlike)
    return incompatibility('', `has ${unlike}, which cannot be compared: ${REFER_BY_POINTER}`)
  const [{ $id: _was, ...first }, { $id: _is, ...next }] = [was, is]
  const walk: Comparison = {
    before: first,
    after: next,
    underComparison: new Map(),
    steps: 0,
    depth: 0,
  }
  return compare(walk, walk.before, walk.after, '')
    .slice(0, LIMITS.issuesMax)
    .map(({ path, message }) => ({ path, message }))
}

const REFER_BY_POINTER =
  'refer to parts by "#/$defs/…", or give the message a new version, with the earlier one in upcasters'

function compare(walk: Comparison, before: unknown, now: unknown, path: string): Incompatibilities {
  if (walk.steps >= STEPS_MAX || walk.depth >= DEPTH_MAX)
    return incompatibility(path, 'is too large to be compared')
  const was = resolved(walk.before, before)
  const is = resolved(walk.after, now)
  if (!was || !is) return incompatibility(path, 'refers to a schema that does not exist')
  walk.steps += 1
  walk.depth += 1
  const isReferred = was !== before || is !== now
  const flaws = isReferred
    ? compareReferred(walk, was, is, path)
    : compareParts(walk, was, is, path)
  walk.depth -= 1
  return flaws
}

function compareReferred(
  walk: Comparison,
  before: JsonSchema,
  now: JsonSchema,
  path: string,
): Incompatibilities {
  const open = walk.underComparison.get(before) ?? new Set()
  if (open.has(now)) return NONE
  walk.underComparison.set(before, open.add(now))
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
    const target = steps < LIMITS.depthMax ? resolveLocalRef(root, $ref) : undefined
    if (Object.keys(beside).length > 0) return target && { ...beside, allOf: [target] }
    found = target
  }
  return isSchema(found) ? found : undefined
}

const NEVER: JsonSchema = { not: {} }
const isNever = ({ not }: JsonSchema): boolean => isSchema(not) && Object.keys(not).length === 0

/** Keywords whose meaning depends on neighbouring keywords, which the comparison does not model. */
const CONTEXT_DEPENDENT = [
  'additionalItems',
  'patternProperties',
  'unevaluatedItems',
  'unevaluatedProperties',
]

/** Each part (`allOf`) of the new schema must follow from some part of the old one. */
function compareParts(
  walk: Comparison,
  before: JsonSchema,
  now: JsonSchema,
  path: string,
): Incompatibilities {
  const [were, are] = [partsOf(walk.before, before), partsOf(walk.after, now)]
  const entangled = CONTEXT_DEPENDENT.find((name) => [...were, ...are].some((part) => name in part))
  if (entangled && !isNever(before) && Object.keys(now).length > 0)
    return isSameLeaf(before, now) ? NONE : incompatibility(path, notComparable(entangled))
  const known = were.map((part) => withSiblingFields(part, were))
  return are.flatMap((part) =>
    closestMatch(
      known.map((each) => compareCases(walk, each, part, path)),
      path,
    ),
  )
}

/** A closed part (no other fields) with the fields that its sibling parts name. */
function withSiblingFields(part: JsonSchema, all: readonly JsonSchema[]): JsonSchema {
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
function closestMatch(all: readonly Incompatibilities[], path: string): Incompatibilities {
  const weight = (flaws: Incompatibilities): number =>
    flaws.length + (isOfOtherKind(flaws, path) ? LIMITS.valuesMax : 0)
  return all.reduce((best, each) => (weight(each) < weight(best) ? each : best), all[0] ?? NONE)
}

const isOfOtherKind = (flaws: Incompatibilities, path: string): boolean =>
  flaws.some((each) => each.of === 'value' || (each.of === 'kind' && each.path === path))

/** Each alternative of the old schema must be valid under some alternative of the new one. */
function compareCases(
  walk: Comparison,
  before: JsonSchema,
  now: JsonSchema,
  path: string,
): Incompatibilities {
  if (isNever(before) || Object.keys(now).length === 0 || isSameLeaf(before, now)) return NONE
  if (isNever(now)) return incompatibility(path, 'accepts no value any more')
  if (Array.isArray(before['enum']) && valuesOf(now)) return compareValues(before, now, path)
  const cases = casesOf(before)
  if (cases[0] !== before) return cases.flatMap((each) => compare(walk, each, now, path))
  if (Array.isArray(now['enum']) && !('const' in before))
    return incompatibility(path, `must be one of ${describeValue(now['enum'])} now`, 'kind')
  const choices = casesOf(now)
  if (choices[0] === now) return compareOne(walk, before, now, path)
  if ('oneOf' in now && !isSameJson(before['oneOf'], now['oneOf']) && !areDisjoint(walk, choices))
    return incompatibility(path, 'has alternatives that may overlap, which cannot be compared')
  const found = choices.map((choice) => compare(walk, before, choice, path))
  const flaws = closestMatch(found, path)
  return found.length === 0 || isOfOtherKind(flaws, path)
    ? incompatibility(path, `no longer takes ${describeValue(before)}`, 'kind')
    : flaws
}

const notComparable = (name: string): string =>
  `has ${name}, which cannot be compared: leave it unchanged, or give the message a new version`

function compareValues(before: JsonSchema, now: JsonSchema, path: string): Incompatibilities {
  const known = new Set(valuesOf(now)?.map((value) => JSON.stringify(value)))
  const gone = valuesOf(before)?.filter((value) => !known.has(JSON.stringify(value))) ?? []
  return gone.flatMap((value) =>
    incompatibility(path, `no longer takes ${JSON.stringify(value)}`, 'kind'),
  )
}

/** Whether no data can match two of the alternatives. */
function areDisjoint(walk: Comparison, cases: readonly JsonSchema[]): boolean {
  const found = cases.map((each) => resolved(walk.after, each) ?? {})
  return found.every((one, at) => found.slice(at + 1).every((next) => areDisjointPair(one, next)))
}

function areDisjointPair(one: JsonSchema, next: JsonSchema): boolean {
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
  values?.some((each) => isSameJson(each, value)) ?? false

/** Compares one alternative with another, keyword by keyword. */
function compareOne(
  walk: Comparison,
  before: JsonSchema,
  now: JsonSchema,
  path: string,
): Incompatibilities {
  if ('const' in now)
    return 'const' in before && isSameJson(before['const'], now['const'])
      ? NONE
      : incompatibility(path, `must be ${JSON.stringify(now['const'])} now`, 'value')
  const was = 'const' in before ? describedValue(before['const']) : before
  const flaws = [...compareType(was, now, path)]
  if (flaws.length > 0) return flaws
  for (const [name, value] of Object.entries(now)) {
    if (STRUCTURE.has(name) || !appliesTo(name, was)) continue
    const bound = BOUNDS[name]
    const message = bound ? bound(was, value, now) : unlessSame(was, name, value)
    if (message !== undefined) flaws.push(...incompatibility(path, message))
  }
  for (const name of Object.keys(was))
    if (!(name in now) && !STRUCTURE.has(name) && !BOUNDS[name])
      flaws.push(...incompatibility(path, `had ${name}, which cannot be compared`))
  if (mayHaveType(was, 'object')) flaws.push(...compareFields(walk, was, now, path))
  if (mayHaveType(was, 'array')) flaws.push(...compareItems(walk, was, now, path))
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

const mayHaveType = ({ type }: JsonSchema, wanted: string): boolean =>
  type === undefined || type === wanted

function unlessSame(before: JsonSchema, name: string, value: unknown): string | undefined {
  return isSameLeaf(before[name], value)
    ? undefined
    : `has another ${name}, which cannot be compared`
}

function compareType(before: JsonSchema, now: JsonSchema, path: string): Incompatibilities {
  const { type } = now
  if (type === undefined || before['type'] === type) return NONE
  if (type === 'number' && before['type'] === 'integer') return NONE
  if (before['type'] === undefined)
    return incompatibility(path, `could be anything, and must be ${typeNoun(type)} now`, 'kind')
  return incompatibility(
    path,
    `was ${typeNoun(before['type'])}, and is ${typeNoun(type)} now`,
    'kind',
  )
}

const fieldsOf = (schema: JsonSchema): JsonSchema =>
  isSchema(schema['properties']) ? schema['properties'] : {}
const requiredOf = ({ required }: JsonSchema): ReadonlySet<string> =>
  new Set(Array.isArray(required) ? (required as string[]) : [])
/** The schema of fields that are not named; by default there are none. */
const othersOf = ({ additionalProperties: others }: JsonSchema): unknown =>
  others === undefined ? false : others

const below = (path: string, name: string): string => (path ? `${path}.${name}` : name)

function compareFields(
  walk: Comparison,
  before: JsonSchema,
  now: JsonSchema,
  path: string,
): Incompatibilities {
  const flaws: Incompatibility[] = []
  const [had, has] = [fieldsOf(before), fieldsOf(now)]
  const [always, must] = [requiredOf(before), requiredOf(now)]
  const [others, left] = [othersOf(before), now['additionalProperties']]
  for (const name of must)
    if (!always.has(name)) {
      const message = Object.hasOwn(had, name) ? 'could be left out' : 'is new'
      flaws.push(...incompatibility(below(path, name), `${message}, and must be there now`))
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
    else if (always.has(name) && !takesAnyFields(now))
      flaws.push(...incompatibility(below(path, name), 'was always there, and is gone'))
  }
  if (others !== false && left !== undefined)
    flaws.push(
      ...(left === false
        ? incompatibility(path, 'had fields of any name, and has only those that it names now')
        : compare(walk, others, left, below(path, '*'))),
    )
  flaws.push(...compareNames(walk, before, now, path))
  return flaws
}

/** A schema without keywords for fields accepts any. */
const takesAnyFields = (schema: JsonSchema): boolean =>
  !('properties' in schema) && !('additionalProperties' in schema)

function compareNames(
  walk: Comparison,
  before: JsonSchema,
  now: JsonSchema,
  path: string,
): Incompatibilities {
  const { propertyNames: names } = now
  if (names === undefined) return NONE
  const at = below(path, '(name)')
  const known = Object.keys(fieldsOf(before)).map((name) => ({ const: name }))
  const flaws = known.flatMap((name) => compare(walk, name, names, at))
  if (othersOf(before) === false) return flaws
  return [...flaws, ...compare(walk, before['propertyNames'] ?? { type: 'string' }, names, at)]
}

function compareItems(
  walk: Comparison,
  before: JsonSchema,
  now: JsonSchema,
  path: string,
): Incompatibilities {
  const flaws: Incompatibility[] = []
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
