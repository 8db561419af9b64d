// Finds out what a schema does with data by validating sample values: the JSON Schema that a library
// exports does not say whether unknown fields are kept and missing fields are filled in.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Issue } from '../../base/errors/fault.ts'
import { findNonJsonValue } from '../data/shape.ts'
import type { JsonSchema } from './json-schema.ts'
import {
  isSchema,
  jsonSchemaOf,
  LENIENT,
  resolveLocalRef,
  subschemaAt,
  subschemasOf,
} from './json-schema.ts'
import { formatPath } from './parse.ts'
import { FORMAT_SAMPLES, createSample } from './schema-sample.ts'

type Path = readonly PropertyKey[]
type TrialResult =
  | { readonly status: 'taken'; readonly value: unknown }
  | { readonly status: 'refused'; readonly paths: readonly Path[] }

/** Valid input of a schema and its output. */
interface Sample {
  readonly input: unknown
  readonly output: unknown
}

/** What was found out about a schema. */
interface Probe {
  /** The JSON Schema of its output, completed; `undefined` if its library has no JSON Schema. */
  readonly output: JsonSchema | undefined
  /** Where it accepts only values that JSON does not have. */
  readonly inputIssue: Issue | undefined
  /** Where its output has values that JSON does not have. */
  readonly outputIssue: Issue | undefined
  /** A promise that it returned, if any. */
  readonly promise: Promise<unknown> | undefined
  /** Whether some sample value was valid. */
  readonly isSampled: boolean
}

/** Values that are validated for one schema, in all trials together. */
const EFFORT_MAX = 20_000
/** The cost of an issue, in values. */
const ISSUE_EFFORT = 20
const CHOICES_MAX = 16

const known = new WeakMap<object, Probe>()

/** Probes each schema once. */
function probeSchema(schema: StandardSchemaV1): Probe {
  const before = known.get(schema)
  if (before) return before
  const probe = createProbe(schema)
  known.set(schema, probe)
  return probe
}

/** The JSON Schema of the output of a schema, completed by probing. */
export const probedOutputSchema = (schema: StandardSchemaV1): JsonSchema | undefined =>
  probeSchema(schema).output

/** Whether no sample value was valid, so that probing found nothing. */
export const isUnprobed = (schema: StandardSchemaV1): boolean => !probeSchema(schema).isSampled

/**
 * Why a schema cannot be used for a message, if probing shows so. `isAnswer`: its input comes from a rule
 * in this process, so only its output must be JSON.
 */
export async function unusableSchemaIssue(
  schema: StandardSchemaV1,
  isAnswer = false,
): Promise<Issue | undefined> {
  const { inputIssue, outputIssue, promise } = probeSchema(schema)
  if (inputIssue && !isAnswer) return inputIssue
  if (outputIssue) return outputIssue
  const isAsynchronous = promise !== undefined && !(await rejectsImmediately(promise))
  return isAsynchronous ? { path: '', message: ASYNCHRONOUS } : undefined
}

const ASYNCHRONOUS =
  'its schema is asynchronous, but messages are validated synchronously: do asynchronous checks in a handler'

const TICKS = 100

/** Some libraries also return a promise if a check throws. */
async function rejectsImmediately(promise: Promise<unknown>): Promise<boolean> {
  let hasFailed = false
  promise.catch(() => (hasFailed = true))
  for (let tick = 0; tick < TICKS && !hasFailed; tick += 1) await Promise.resolve()
  return hasFailed
}

function createProbe(schema: StandardSchemaV1): Probe {
  const trials = createTrials(schema)
  const stated = jsonSchemaOf(schema, 'input') ?? jsonSchemaOf(schema, 'input', LENIENT) ?? {}
  const resolve = (ref: string): JsonSchema | undefined => resolveLocalRef(stated, ref)
  const samples: Sample[] = []
  let [asks, makes]: (Issue | undefined)[] = []
  for (let choice = 0; choice < choicesIn(stated); choice += 1) {
    const found = repairSample(trials, createSample(stated, resolve, choice))
    asks ??= found.asks
    if (!found.sample) continue
    samples.push(found.sample)
    const made = findNonJsonValue(found.sample.output)
    makes ??= made && {
      path: made.path,
      message: `is converted to a value that JSON does not have: ${made.message}`,
    }
  }
  const output = jsonSchemaOf(schema, 'output')
  const completed = output && structuredClone(output)
  if (completed) completeSchema(trials, completed, samples)
  const isSampled = samples.length > 0
  return {
    output: completed,
    inputIssue: asks,
    outputIssue: makes,
    promise: trials.promise(),
    isSampled,
  }
}

/** The largest number of alternatives in a schema. */
function choicesIn(schema: unknown): number {
  if (typeof schema !== 'object' || schema === null) return 1
  const own = ['anyOf', 'oneOf'].map((name) => (schema as JsonSchema)[name])
  const counts = own.map((each) => (Array.isArray(each) ? each.length : 1))
  return Math.min(CHOICES_MAX, Math.max(...counts, ...Object.values(schema).map(choicesIn)))
}

interface SchemaTrials {
  /** Validates a value. */
  of(value: unknown): TrialResult
  promise(): Promise<unknown> | undefined
  /** Whether the budget of trials is used up. */
  isSpent(): boolean
}

function createTrials(schema: StandardSchemaV1): SchemaTrials {
  let left = EFFORT_MAX
  let promise: Promise<unknown> | undefined
  const refused: TrialResult = { status: 'refused', paths: [] }
  return {
    of(value) {
      left -= countIn(value)
      if (left < 0) return refused
      try {
        const outcome = schema['~standard'].validate(value)
        if (outcome instanceof Promise) {
          outcome.catch(() => undefined)
          promise ??= outcome
          return refused
        }
        if (!outcome.issues) return { status: 'taken', value: outcome.value }
        left -= outcome.issues.length * ISSUE_EFFORT
        const paths = outcome.issues.map(({ path = [] }) =>
          path.map((step) => (typeof step === 'object' ? step.key : step)),
        )
        return { status: 'refused', paths }
      } catch {
        return refused
      }
    },
    promise: () => promise,
    isSpent: () => left <= 0,
  }
}

function countIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce<number>((count, each) => count + countIn(each), 1)
}

/** Replacements for a sample value that is invalid, simplest first. */
const JSON_VALUES: readonly unknown[] = [
  'text',
  1,
  true,
  null,
  {},
  [],
  '1',
  ...Object.values(FORMAT_SAMPLES),
]
/** Values of types that JSON does not have. */
const NON_JSON_VALUES: readonly (readonly [name: string, value: unknown])[] = [
  ['a Date', new Date(0)],
  ['a bigint', 1n],
  ['a Map', new Map()],
  ['a Set', new Set()],
  ['a Uint8Array', new Uint8Array(1)],
  ['a function', () => undefined],
  ['a symbol', Symbol('probe')],
]

/** Replaces values at the paths of issues until the sample is valid. */
function repairSample(
  trials: SchemaTrials,
  start: unknown,
): { readonly sample?: Sample; readonly asks: Issue | undefined } {
  let input = start
  let asks: Issue | undefined
  const visited = new Set<string>()
  for (;;) {
    const trial = trials.of(input)
    if (trial.status === 'taken') return { sample: { input, output: trial.value }, asks }
    const path = trial.paths.find((each) => !visited.has(keyOf(each)))
    if (!path) return { asks }
    visited.add(keyOf(path))
    const plain = JSON_VALUES.map((value) => withAt(input, path, value)).find((next) =>
      isCleared(trials.of(next), path),
    )
    if (plain !== undefined) {
      input = plain
      continue
    }
    const others = new Set(trial.paths.map(keyOf).filter((key) => key !== keyOf(path)))
    for (const [name, value] of NON_JSON_VALUES) {
      const next = withAt(input, path, value)
      const tried = trials.of(next)
      // The replacement must not cause new issues.
      if (tried.status === 'refused' && !(isCleared(tried, path) && isAmong(tried.paths, others)))
        continue
      asks ??= { path: formatPath(path), message: `must be ${name}, which JSON does not have` }
      input = next
      break
    }
  }
}

const keyOf = (path: Path): string => JSON.stringify(path.map(String))

/** Whether a path has no issue any more; paths below it are tried next. */
const isCleared = (trial: TrialResult, path: Path): boolean =>
  trial.status === 'taken' ||
  (trial.paths.length > 0 && trial.paths.every((each) => keyOf(each) !== keyOf(path)))

const isAmong = (paths: readonly Path[], known: ReadonlySet<string>): boolean =>
  paths.every((path) => known.has(keyOf(path)))

/**
 * Completes the objects of a JSON Schema with what probing shows: see `completeObject`. An object that no
 * sample reached and that does not mention other fields may have any.
 */
function completeSchema(trials: SchemaTrials, root: JsonSchema, samples: readonly Sample[]): void {
  const seen = new Set<JsonSchema>()
  const visit = (
    sample: Sample,
    schema: unknown,
    path: Path,
    depth: number,
    isPart = false,
  ): void => {
    const value = valueAt(sample.output, path)
    const found = isSchema(schema) && depth < DEPTH_MAX ? branchOf(root, schema, value) : undefined
    if (!found) return
    const { allOf, prefixItems, items } = found
    if (Array.isArray(allOf)) for (const part of allOf) visit(sample, part, path, depth + 1, true)
    if (Array.isArray(value)) {
      const fixed: readonly unknown[] = Array.isArray(prefixItems) ? prefixItems : []
      for (const at of value.keys()) visit(sample, fixed[at] ?? items, [...path, at], depth + 1)
    }
    const properties = subschemaAt(found, 'properties')
    if (!properties || !isObject(value)) return
    if (completeObject(trials, found, sample, path, isPart)) seen.add(found)
    for (const [name, property] of Object.entries(properties))
      visit(sample, property, [...path, name], depth + 1)
  }
  for (const sample of samples) visit(sample, root, [], 0)
  for (const part of subschemasOf(root))
    if (isSchema(part['properties']) && saysNothing(part) && !seen.has(part))
      Object.assign(part, { additionalProperties: {} })
}

const saysNothing = (schema: JsonSchema): boolean =>
  schema['additionalProperties'] === undefined && !('patternProperties' in schema)

const DEPTH_MAX = 32

/** The schema that describes a value, after resolving references and alternatives. */
function branchOf(root: JsonSchema, schema: JsonSchema, value: unknown): JsonSchema | undefined {
  let found: JsonSchema | undefined = schema
  for (let steps = 0; found && '$ref' in found; steps += 1)
    found = steps < DEPTH_MAX ? resolveLocalRef(root, found['$ref']) : undefined
  const branches = found && (found['anyOf'] ?? found['oneOf'])
  if (!Array.isArray(branches)) return found
  return branches
    .filter(isSchema)
    .map((branch) => branchOf(root, branch, value))
    .find((branch) => branch && couldDescribe(branch, value))
}

function couldDescribe({ type, properties }: JsonSchema, value: unknown): boolean {
  if (type === 'object' && !isObject(value)) return false
  if (type === 'array' && !Array.isArray(value)) return false
  if (!isSchema(properties) || !isObject(value)) return true
  return Object.entries(properties).every(
    ([name, property]) =>
      !isSchema(property) || !('const' in property) || property['const'] === value[name],
  )
}

/**
 * Finds out whether an object keeps unknown fields and which fields are always present: fields with a
 * default are in the output although the input lacks them. A part of an `allOf` cannot exclude other
 * fields, since its sibling parts may name them.
 */
function completeObject(
  trials: SchemaTrials,
  schema: JsonSchema,
  { input }: Sample,
  path: Path,
  isPart: boolean,
): boolean {
  const given = valueAt(input, path)
  if (!isObject(given) || trials.isSpent()) return false
  const properties = schema['properties'] as JsonSchema
  const { additionalProperties: others } = schema
  const isOpen = others === true || (isSchema(others) && Object.keys(others).length === 0)
  if (isOpen || others === false || saysNothing(schema)) {
    const name = unusedName(properties)
    const isKept = name in fieldsAt(trials, withAt(input, [...path, name], 1), path)
    if (isKept) Object.assign(schema, { additionalProperties: {} })
    else if (!isPart) Object.assign(schema, { additionalProperties: false })
  }
  const required = new Set((schema['required'] as readonly string[] | undefined) ?? [])
  const names = Object.keys(properties)
  // Optional fields first, since they may have a default.
  for (const name of [...names.filter((each) => !required.has(each)), ...required]) {
    if (!Object.hasOwn(given, name) || trials.isSpent()) continue
    const trial = trials.of(without(input, path, name))
    if (trial.status === 'refused') continue
    const made = valueAt(trial.value, path)
    if (isObject(made) && made[name] !== undefined) required.add(name)
    else required.delete(name)
  }
  if (required.size > 0 || 'required' in schema) Object.assign(schema, { required: [...required] })
  return true
}

/** The output fields at a path; none if the input is invalid. */
function fieldsAt(
  trials: SchemaTrials,
  input: unknown,
  path: Path,
): Readonly<Record<string, unknown>> {
  const trial = trials.of(input)
  const value = trial.status === 'taken' ? valueAt(trial.value, path) : undefined
  return isObject(value) ? value : {}
}

function unusedName(properties: JsonSchema): string {
  let name = 'undeclared'
  while (Object.hasOwn(properties, name)) name += '_'
  return name
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function valueAt(value: unknown, path: Path): unknown {
  let found = value
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Record<PropertyKey, unknown>)[step]
  }
  return found
}

/** A copy of data with another value at a path; missing parents are created. */
function withAt(data: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  if (Array.isArray(data)) {
    const list: unknown[] = [...(data as readonly unknown[])]
    list[Number(step)] = withAt(list[Number(step)], rest, value)
    return list
  }
  const fields = isObject(data) ? data : {}
  return { ...fields, [step]: withAt(fields[String(step)], rest, value) }
}

function without(data: unknown, path: Path, name: string): unknown {
  const rest = { ...(valueAt(data, path) as Record<string, unknown>) }
  delete rest[name]
  return withAt(data, path, rest)
}
