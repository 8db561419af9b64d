import type { Issue } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import { thrownMessage } from '../../base/errors/thrown-error.ts'

/** Keys that may pollute a prototype when data is merged or copied. */
export const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

interface PendingValue {
  readonly value: unknown
  readonly path: string
  readonly depth: number
}

/** The limits of a piece of data. */
export interface ShapeLimits {
  readonly valuesMax: number
  /** Text and property names together, in UTF-16 units. */
  readonly textLengthMax: number
}

/** The limits of the data of one message. */
export const MESSAGE_SHAPE_LIMITS: ShapeLimits = {
  valuesMax: LIMITS.valuesMax,
  textLengthMax: LIMITS.dataBytesMax,
}

/**
 * The issues of data that JSON cannot hold or that exceeds the limits: size, depth, functions, class
 * instances, NaN, keys that may pollute a prototype. Empty for valid data.
 */
export function shapeIssues(
  data: unknown,
  limits: ShapeLimits = MESSAGE_SHAPE_LIMITS,
): readonly Issue[] {
  try {
    const tally = { values: 0, textLength: 0, limits }
    return isWellShaped(data, 0, tally) ? NOTHING : findShapeIssues(data, limits)
  } catch (cause) {
    return [{ path: '', message: `cannot be read: ${thrownMessage(cause)}` }]
  }
}

const NOTHING: readonly Issue[] = []

/**
 * A fast check without paths and allocations, since it runs for every message and most data is valid.
 * Returns false for data that `findShapeIssues` has to examine.
 */
function isWellShaped(value: unknown, depth: number, tally: ShapeTally): boolean {
  tally.values += 1
  if (tally.values > tally.limits.valuesMax) return false
  if (typeof value === 'string') {
    tally.textLength += value.length
    return tally.textLength <= tally.limits.textLengthMax
  }
  if (invalidValueReason(value)) return false
  if (typeof value !== 'object' || value === null) return true
  if (depth >= LIMITS.depthMax) return false
  if (Array.isArray(value)) {
    for (const member of value)
      if (member === undefined || !isWellShaped(member, depth + 1, tally)) return false
    return true
  }
  for (const name in value) {
    tally.textLength += name.length
    if (FORBIDDEN_KEYS.has(name)) return false
    if (!isWellShaped((value as Record<string, unknown>)[name], depth + 1, tally)) return false
  }
  return tally.textLength <= tally.limits.textLengthMax
}

interface ShapeTally {
  values: number
  textLength: number
  readonly limits: ShapeLimits
}

/** Traverses data without recursion, so that deep data cannot overflow the stack. */
function findShapeIssues(data: unknown, { valuesMax, textLengthMax }: ShapeLimits): Issue[] {
  const issues: Issue[] = []
  const pending: PendingValue[] = [{ value: data, path: '', depth: 0 }]
  let values = 0
  let textLength = 0
  for (let visit = pending.pop(); visit; visit = pending.pop()) {
    const { value, path, depth } = visit
    values += 1
    if (typeof value === 'string') textLength += value.length
    if (values > valuesMax) return [{ path: '', message: `has over ${valuesMax} values` }]
    if (textLength > textLengthMax)
      return [{ path: '', message: `must be at most ${textLengthMax} bytes as JSON` }]
    if (issues.length >= LIMITS.issuesMax) break
    const reason = invalidValueReason(value)
    if (reason) issues.push({ path, message: reason })
    else if (typeof value === 'object' && value !== null) {
      if (depth >= LIMITS.depthMax)
        issues.push({ path, message: `is nested more than ${LIMITS.depthMax} deep` })
      else {
        if (!Array.isArray(value)) for (const name of Object.keys(value)) textLength += name.length
        visitMembers(value, path, depth + 1, pending, issues)
      }
    }
  }
  return issues.slice(0, LIMITS.issuesMax)
}

function visitMembers(
  value: object,
  path: string,
  depth: number,
  pending: PendingValue[],
  issues: Issue[],
): void {
  if (Array.isArray(value)) {
    for (let index = value.length - 1; index >= 0; index -= 1) {
      const member: unknown = value[index]
      if (member === undefined) issues.push({ path: `${path}[${index}]`, message: 'is missing' })
      else pending.push({ value: member, path: `${path}[${index}]`, depth })
    }
    return
  }
  for (const name of Object.keys(value)) {
    const at = path ? `${path}.${name}` : name
    if (FORBIDDEN_KEYS.has(name)) issues.push({ path: at, message: 'is a forbidden key' })
    else pending.push({ value: (value as Record<string, unknown>)[name], path: at, depth })
  }
}

/** Why JSON cannot hold a value, apart from its members. */
export function invalidValueReason(value: unknown): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'must be a finite number'
  return nonJsonReason(value)
}

/** Why a value is of a type that JSON does not have, such as a class instance. */
function nonJsonReason(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
    case 'number':
      return undefined
    case 'object': {
      if (value === null || Array.isArray(value)) return undefined
      const prototype = Object.getPrototypeOf(value) as object | null
      if (prototype !== Object.prototype && prototype !== null && !isOfOtherRealm(prototype))
        return 'must be plain data, not an instance of a class'
      return hasHiddenToJson(value) ? 'must not have a hidden toJSON' : undefined
    }
    default:
      return `must not be a ${typeof value}`
  }
}

/**
 * Finds the first value of a type that JSON does not have. The input of a schema has none, so one in its
 * output is a fault of the schema and not of the data.
 */
export function findNonJsonValue(value: unknown, path = '', depth = 0): Issue | undefined {
  const message = nonJsonReason(value)
  if (message) return { path, message }
  if (typeof value !== 'object' || value === null || depth >= LIMITS.depthMax) return undefined
  for (const [name, member] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${name}]` : path ? `${path}.${name}` : name
    const found = findNonJsonValue(member, at, depth + 1)
    if (found) return found
  }
  return undefined
}

/** Whether a prototype is the `Object.prototype` of another realm, such as of `node:vm` or Jest. */
function isOfOtherRealm(prototype: object): boolean {
  if (Object.getPrototypeOf(prototype) !== null || !Object.hasOwn(prototype, 'constructor'))
    return false
  const { constructor } = prototype
  return (
    typeof constructor === 'function' &&
    constructor.name === 'Object' &&
    constructor.prototype === prototype &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  )
}

/** An enumerable `toJSON` is refused as a function; a hidden one would change the stored data. */
function hasHiddenToJson(value: object): boolean {
  return 'toJSON' in value && !Object.prototype.propertyIsEnumerable.call(value, 'toJSON')
}
