import { isComparable } from './definition.ts'

/** What rows are folded by. */
export interface Definition {
  /** What the code says: a higher one has the rows made anew. */
  readonly version: number
  /** Fingerprint of `by`, `indexes` and the messages that are heard; none in rows of older versions. */
  readonly declared?: string
  /** Fingerprint of the source of the rules: it may change although what they do does not. */
  readonly rules: string
}

/**
 * The steps of a rebuild, with those that may follow.
 *
 * - `emptying`: what an earlier one has left behind is removed
 * - `folding`: events are folded into shadow rows, from the first on
 * - `retiring`: what the live rows hold back goes, since the shadow rows have it
 * - `sweeping`: the shadow rows have become the live ones; the former are removed
 */
export const REBUILD_STEPS = {
  emptying: ['folding'],
  folding: ['retiring', 'sweeping'],
  retiring: ['folding'],
  sweeping: ['emptying'],
} as const

export type RebuildStep = keyof typeof REBUILD_STEPS

/** Rows that are made beside the live ones. */
export interface Shadow extends Definition {
  readonly is: RebuildStep
  /** Why it cannot go on. */
  readonly failure?: { readonly messageId: string; readonly error: string }
  /** Folding that has begun and not ended: how often at the same place, which is a sum of offsets. */
  readonly unended?: { readonly at: number; readonly count: number }
}

/** What the rows of one projection are made by. */
export interface Build {
  /** Once retired, the live rows stay as they are until others take their place. */
  readonly live: Definition & { readonly isRetired?: boolean }
  readonly shadow?: Shadow
}

/** Whether the rows of one are those of the other, as far as `version` and what is declared say. */
export function hasSameRows(one: Definition, other: Definition | undefined): boolean {
  if (one.version !== other?.version) return false
  const isKnown = isComparable(one.declared) && isComparable(other.declared)
  return !isKnown || one.declared === other.declared
}

/** Whether they have the same source as well. */
export function isSame(one: Definition, other: Definition | undefined): boolean {
  return hasSameRows(one, other) && one.rules === other?.rules
}

/** Whether only the source of the rules is another one, so that nobody knows whether it does the same. */
export function hasOtherSource(definition: Definition, build: Build | undefined): boolean {
  const live = build?.live
  return hasSameRows(definition, live) && isComparable(live?.rules) && !isSame(definition, live)
}

/** What becomes of a build when this definition runs; a text says why that may not be. */
export function judge(
  definition: Definition,
  build: Build | undefined,
  hasProgress: boolean,
): Build | string {
  if (!build) return { live: definition }
  const { live, shadow } = build
  if (hasSameRows(live, definition) && !live.isRetired) return kept(definition, build, hasProgress)
  if (!hasProgress) return { ...build, live: definition }
  if (definition.version < live.version)
    return `its rows were made by version ${live.version}, and this is ${definition.version}`
  if (definition.version === live.version && !hasSameRows(live, definition))
    return `its by, indexes or messages have changed, and its version is still ${live.version}`
  const isUnderWay = shadow && shadow.is !== 'sweeping' && isSame(shadow, definition)
  if (isUnderWay) return build
  return { live, shadow: { ...definition, is: 'emptying' } }
}

/** The rows stay; a rebuild that is under way is begun again where its rows would be mixed. */
function kept(definition: Definition, build: Build, hasProgress: boolean): Build {
  const { live, shadow } = build
  // Nothing was folded yet, or it is not known by which source.
  const isTaken = !isSame(live, definition) && (!hasProgress || !isComparable(live.rules))
  const next = isTaken ? { ...build, live: definition } : build
  if (!shadow || shadow.is === 'sweeping' || isSame(shadow, definition)) return next
  const isOurs = hasSameRows(shadow, definition)
  return { live: next.live, shadow: { ...definition, is: isOurs ? 'emptying' : 'sweeping' } }
}
