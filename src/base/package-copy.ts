import type { Issue } from './errors/fault.ts'
import { Fault } from './errors/fault.ts'

/** The version in package.json; a test compares the two. */
export const VERSION = '0.1.0'

/** One copy of the package in this process. */
export interface PackageCopy {
  readonly version: string
  /** The path of this module. */
  readonly path: string
}

/** Shared by all copies of the package, so that each recognizes values of another copy. */
const BRAND = Symbol.for('throughline.copy')
const THIS_COPY: PackageCopy = Object.freeze({ version: VERSION, path: import.meta.filename })

/** Marks a value as made by this copy of the package. */
export function brand<T extends object>(value: T): T {
  return Object.defineProperty(value, BRAND, { value: THIS_COPY })
}

/** The copy that made a value, if it is not this one. */
function otherCopyOf(value: unknown): PackageCopy | undefined {
  const copy = (value as { readonly [BRAND]?: PackageCopy } | null | undefined)?.[BRAND]
  return copy === THIS_COPY ? undefined : copy
}

/**
 * Refuses values that another copy of the package has made, such as one of two versions in
 * node_modules: a copy does not recognize the contracts and apps of another.
 *
 * @throws Fault `TWO_COPIES`, with one issue for each such value
 */
export function assertSinglePackageCopy(
  values: Iterable<readonly [path: string, value: unknown]>,
): void {
  const issues: Issue[] = []
  for (const [path, value] of values) {
    const copy = otherCopyOf(value)
    if (!copy) continue
    const message = `was made by version ${copy.version} at ${copy.path}`
    if (!issues.some((each) => each.path === path)) issues.push({ path, message })
  }
  const detail = `this is version ${THIS_COPY.version} at ${THIS_COPY.path}`
  if (issues.length > 0) throw new Fault('TWO_COPIES', { detail, issues: issues })
}
