import type { Complaint } from './fault.ts'
import { Fault } from './fault.ts'

/** As package.json says; a test holds the two together. */
export const VERSION = '0.1.0'

/** One copy of the package in this process. */
export interface Copy {
  readonly version: string
  /** Where this module is. */
  readonly from: string
}

/** Known to every copy of the package, so that each can tell what another one has made. */
const BRAND = Symbol.for('throughline.copy')
const THIS: Copy = Object.freeze({ version: VERSION, from: import.meta.filename })

/** Marks a value as made by this copy of the package. */
export function branded<T extends object>(value: T): T {
  return Object.defineProperty(value, BRAND, { value: THIS })
}

/** The copy that made a value, where that is another one. */
function otherCopyOf(value: unknown): Copy | undefined {
  const copy = (value as { readonly [BRAND]?: Copy } | null | undefined)?.[BRAND]
  return copy === THIS ? undefined : copy
}

/**
 * Refuses values that another copy of the package has made, as with two versions in one node_modules:
 * neither copy knows the contracts, apps and faults of the other.
 *
 * @throws Fault `TWO_COPIES`, with all of them
 */
export function mustBeOneCopy(values: Iterable<readonly [path: string, value: unknown]>): void {
  const complaints: Complaint[] = []
  for (const [path, value] of values) {
    const copy = otherCopyOf(value)
    if (!copy) continue
    const message = `was made by version ${copy.version} at ${copy.from}`
    if (!complaints.some((each) => each.path === path)) complaints.push({ path, message })
  }
  const detail = `this is version ${THIS.version} at ${THIS.from}`
  if (complaints.length > 0) throw new Fault('TWO_COPIES', { detail, complaints })
}
