import type { Issue } from './errors/fault.ts'
import { Fault } from './errors/fault.ts'

/** An option: an integer with a default and bounds. */
export interface NumberOption {
  readonly default: number
  readonly min: number
  readonly max: number
}

export type OptionTable = Readonly<Record<string, NumberOption>>
export type Options<T extends OptionTable> = { readonly [K in keyof T]: number }

/**
 * Validates options against their table and fills in the defaults. All issues are listed at once; for
 * an unknown name, the most similar known name is suggested.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function resolveOptions<T extends OptionTable>(
  owner: string,
  table: T,
  given: Partial<Options<T>> = {},
): Options<T> {
  const issues: Issue[] = []
  for (const [path, value] of Object.entries(given)) {
    const option = Object.hasOwn(table, path) ? table[path] : undefined
    if (!option) issues.push({ path, message: unknownNameMessage(path, Object.keys(table)) })
    else if (value !== undefined && !isInRange(value, option))
      issues.push({ path, message: `must be a whole number from ${option.min} to ${option.max}` })
  }
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: owner, issues })
  return Object.fromEntries(
    Object.entries(table).map(([name, { default: initial }]) => {
      return [name, (Object.hasOwn(given, name) ? given[name] : undefined) ?? initial]
    }),
  ) as Options<T>
}

function isInRange(value: unknown, { min, max }: NumberOption): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

/**
 * Refuses options that do not exist, which are ignored otherwise where no compiler checks them.
 *
 * @throws Fault `OPTION_INVALID`, with the most similar known name for each
 */
export function assertKnownOptions(owner: string, known: readonly string[], given: object): void {
  const issues = Object.keys(given)
    .filter((path) => !known.includes(path))
    .map((path) => ({ path, message: unknownNameMessage(path, known) }))
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: owner, issues })
}

/** The message for an unknown name: "is not known: did you mean …?" */
export function unknownNameMessage(name: string, known: readonly string[]): string {
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .toSorted((a, b) => a.distance - b.distance)[0]
  const close = nearest && nearest.distance <= Math.max(2, name.length / 3)
  return close ? `is not known: did you mean "${nearest.candidate}"?` : 'is not known'
}

/** The same with the name in front and all known names behind. */
export function unknownNameDetail(name: string, known: readonly string[]): string {
  const all = known.toSorted().join(', ') || 'none'
  return `"${name}" ${unknownNameMessage(name, known)} (known: ${all})`
}

/** Levenshtein distance, computed with one row of the table. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
