import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { isStorable } from '../ports/storable-text.ts'

/** The type and bounds of an argument of a verb; `number` means an integer. */
export interface ArgumentSpec {
  readonly kind: 'text' | 'number' | 'flag'
  readonly isRequired?: boolean
  /** Of a number. */
  readonly min?: number
  readonly max?: number
  /** Of a text, in UTF-16 units. Default 4,096. */
  readonly lengthMax?: number
  /** The text is stored, so it must not contain NUL or lone surrogates. */
  readonly isStored?: boolean
  readonly default?: number | string
}

export type ArgumentSpecs = Readonly<Record<string, ArgumentSpec>>

/** Unvalidated arguments. */
export type VerbArguments = Readonly<Record<string, unknown>>
export type ParsedArguments = Readonly<Record<string, string | number | boolean | undefined>>

const LENGTH_MAX = 4_096

/**
 * Validates the arguments of a verb and fills in the defaults.
 *
 * @param check finds issues that concern several arguments; sees only valid ones
 * @throws Fault `OPTION_INVALID` with all issues
 */
export function parseArguments(
  verb: string,
  takes: ArgumentSpecs,
  given: VerbArguments,
  check: (parsed: ParsedArguments) => readonly Issue[] = () => [],
): ParsedArguments {
  const names = Object.keys(takes).join(', ') || 'nothing'
  const issues: Issue[] = Object.keys(given)
    .filter((each) => !Object.hasOwn(takes, each))
    .map((path) => ({ path, message: `is unknown: ${verb} takes ${names}` }))
  const parsed: Record<string, string | number | boolean | undefined> = {}
  for (const [path, spec] of Object.entries(takes)) {
    const value = Object.hasOwn(given, path) ? given[path] : undefined
    const reason = invalidArgumentReason(spec, value)
    if (reason) issues.push({ path, message: reason })
    else parsed[path] = (value as string | number | boolean | undefined) ?? spec.default
  }
  issues.push(...check(parsed).filter(({ path }) => !issues.some((each) => each.path === path)))
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: verb, issues })
  return parsed
}

function invalidArgumentReason(spec: ArgumentSpec, value: unknown): string | undefined {
  if (value === undefined) return spec.isRequired ? 'is missing' : undefined
  if (spec.kind === 'flag') return typeof value === 'boolean' ? undefined : 'must be true or false'
  if (spec.kind === 'text') return invalidTextReason(spec, value)
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec
  const isFit = Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
  return isFit ? undefined : `must be a whole number from ${min} to ${max}`
}

function invalidTextReason(
  { lengthMax = LENGTH_MAX, isStored = false }: ArgumentSpec,
  value: unknown,
): string | undefined {
  if (typeof value !== 'string') return 'must be text'
  if (value === '') return 'is empty'
  if (value.length > lengthMax) return `is longer than ${lengthMax} characters`
  if (isStored && !isStorable(value)) return 'must not contain NUL or half of a surrogate pair'
  return undefined
}
