import type { Issue } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import type { ShapeLimits } from './shape.ts'
import { FORBIDDEN_KEYS, shapeIssues, invalidValueReason } from './shape.ts'

/** Data in normal form, and how much of it was copied. */
export interface NormalForm {
  readonly value: unknown
  /** The number of copied values; values shared with `before` are not counted. */
  readonly values: number
  /** The length of copied text and property names, in UTF-16 units. */
  readonly textLength: number
}

/**
 * Converts data to what JSON keeps of it, as frozen plain objects and arrays, so that rules see the same
 * data before and after a restart. Members that are `undefined` are removed, `-0` becomes `0`, getters
 * are read once, symbols and non-index members of arrays are dropped. Parts that are identical to the
 * same part of `before`, which must be in normal form, are shared and not copied.
 *
 * Returns `undefined` if JSON cannot hold the data or it exceeds the limits; `normalFormIssues` gives
 * the reasons.
 */
export function toNormalForm(
  value: unknown,
  limits: ShapeLimits,
  before?: unknown,
): NormalForm | undefined {
  const copy: CopyProgress = { values: 0, textLength: 0, isPlain: true, limits }
  try {
    const made = copyValue(value, before, 0, copy)
    if (copy.isPlain) return { value: made, values: copy.values, textLength: copy.textLength }
  } catch {
    // Getters and proxies may throw.
  }
  return undefined
}

/** The reasons why `toNormalForm` returned `undefined`; never empty. */
export function normalFormIssues(value: unknown, limits: ShapeLimits): readonly Issue[] {
  const issues = shapeIssues(value, limits)
  return issues.length > 0 ? issues : [{ path: '', message: 'changes while it is read' }]
}

interface CopyProgress {
  values: number
  textLength: number
  isPlain: boolean
  readonly limits: ShapeLimits
}

function copyValue(value: unknown, before: unknown, depth: number, copy: CopyProgress): unknown {
  copy.values += 1
  if (copy.values > copy.limits.valuesMax) return notPlain(copy)
  if (typeof value === 'string') {
    copy.textLength += value.length
    return copy.textLength > copy.limits.textLengthMax ? notPlain(copy) : value
  }
  if (typeof value === 'number' && Number.isFinite(value)) return value === 0 ? 0 : value
  if (typeof value === 'boolean' || value === null) return value
  if (typeof value !== 'object') return notPlain(copy)
  if (value === before) return value
  if (depth >= LIMITS.depthMax || invalidValueReason(value)) return notPlain(copy)
  if (Array.isArray(value)) return copyList(value, before, depth + 1, copy)
  return copyObject(value as PlainObject, before, depth + 1, copy)
}

type PlainObject = Readonly<Record<string, unknown>>

function copyList(
  list: readonly unknown[],
  before: unknown,
  depth: number,
  copy: CopyProgress,
): readonly unknown[] {
  const known: readonly unknown[] = Array.isArray(before) ? before : []
  const made: unknown[] = []
  for (let at = 0; at < list.length && copy.isPlain; at += 1)
    made.push(copyValue(list[at], known[at], depth, copy))
  return Object.freeze(made)
}

function copyObject(
  object: PlainObject,
  before: unknown,
  depth: number,
  copy: CopyProgress,
): PlainObject {
  const known = (typeof before === 'object' ? before : undefined) as PlainObject | null | undefined
  const made: Record<string, unknown> = {}
  // Plain objects inherit no enumerable members, so `for in` is safe and needs no array of names.
  for (const name in object) {
    const member = object[name]
    if (member === undefined) continue
    if (FORBIDDEN_KEYS.has(name)) return notPlain(copy)
    copy.textLength += name.length
    if (copy.textLength > copy.limits.textLengthMax) return notPlain(copy)
    made[name] = copyValue(member, known?.[name], depth, copy)
    if (!copy.isPlain) break
  }
  return Object.freeze(made)
}

function notPlain(copy: CopyProgress): never {
  copy.isPlain = false
  return undefined as never
}
