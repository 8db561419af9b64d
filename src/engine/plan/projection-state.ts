import { isComparable } from './rule-fingerprint.ts'
import type { ProjectionDefinition } from './rule-fingerprint.ts'

/**
 * The steps of a rebuild, each with the steps that may follow.
 *
 * - `emptying`: rows left over from an earlier rebuild are deleted
 * - `folding`: events are folded into shadow rows, from the first on
 * - `retiring`: messages that the live rows hold back are dropped, since the shadow rows contain
 * them
 * - `sweeping`: the shadow rows have become the live ones; the former rows are deleted
 */
export const REBUILD_STEPS = {
  emptying: ['folding'],
  folding: ['retiring', 'sweeping'],
  retiring: ['folding'],
  sweeping: ['emptying'],
} as const

export type RebuildStep = keyof typeof REBUILD_STEPS

/** The shadow rows of a rebuild, beside the live ones. */
export interface ShadowState extends ProjectionDefinition {
  readonly is: RebuildStep
  /** Why the rebuild failed. */
  readonly failure?: { readonly messageId: string; readonly error: string }
  /**
   * Folding that has begun and not ended, for crash detection: how often at the same place, given
   * as a sum of offsets.
   */
  readonly unended?: { readonly at: number; readonly count: number }
}

/** The definition of a projection's rows, and the rebuild under way. */
export interface ProjectionState {
  /** Retired live rows no longer change until the shadow rows replace them. */
  readonly live: ProjectionDefinition & { readonly isRetired?: boolean }
  readonly shadow?: ShadowState
}

/** Whether both make the same rows as far as `version` and the declared options tell. */
export function hasSameRows(
  one: ProjectionDefinition,
  other: ProjectionDefinition | undefined,
): boolean {
  if (one.version !== other?.version) return false
  const isKnown = isComparable(one.declared) && isComparable(other.declared)
  return !isKnown || one.declared === other.declared
}

/** Whether they have the same source text as well. */
export function isSameDefinition(
  one: ProjectionDefinition,
  other: ProjectionDefinition | undefined,
): boolean {
  return hasSameRows(one, other) && one.rules === other?.rules
}

/** Whether only the source text of the rules differs, so that their behaviour may be the same. */
export function hasOtherSource(
  definition: ProjectionDefinition,
  build: ProjectionState | undefined,
): boolean {
  const live = build?.live
  return (
    hasSameRows(definition, live) &&
    isComparable(live?.rules) &&
    !isSameDefinition(definition, live)
  )
}

/**
 * The next state of a projection when this definition runs, or a text that says why it must not
 * run.
 */
export function nextProjectionState(
  definition: ProjectionDefinition,
  build: ProjectionState | undefined,
  hasProgress: boolean,
): ProjectionState | string {
  if (!build) return { live: definition }
  const { live, shadow } = build
  if (hasSameRows(live, definition) && !live.isRetired) return kept(definition, build, hasProgress)
  if (!hasProgress) return { ...build, live: definition }
  if (definition.version < live.version)
    return `its rows were made by version ${live.version}, which is newer than ${definition.version}`
  if (definition.version === live.version && !hasSameRows(live, definition))
    return `its by, indexes or messages have changed but not its version: raise version from ${live.version}`
  const isUnderWay = shadow && shadow.is !== 'sweeping' && isSameDefinition(shadow, definition)
  if (isUnderWay) return build
  return { live, shadow: { ...definition, is: 'emptying' } }
}

/** Keeps the rows; restarts a rebuild under way where its rows would be mixed. */
function kept(
  definition: ProjectionDefinition,
  build: ProjectionState,
  hasProgress: boolean,
): ProjectionState {
  const { live, shadow } = build
  // Nothing was folded yet, or the source text that folded it is unknown.
  const isTaken = !isSameDefinition(live, definition) && (!hasProgress || !isComparable(live.rules))
  const next = isTaken ? { ...build, live: definition } : build
  if (!shadow || shadow.is === 'sweeping' || isSameDefinition(shadow, definition)) return next
  const isOurs = hasSameRows(shadow, definition)
  return { live: next.live, shadow: { ...definition, is: isOurs ? 'emptying' : 'sweeping' } }
}
