/** What rows are folded by: the version that is said, and the name of the rules. */
export interface Definition {
  readonly version: number
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

export function isSame(one: Definition, other: Definition | undefined): boolean {
  return one.version === other?.version && one.rules === other.rules
}

/** What becomes of a build when this definition runs; a text says why that may not be. */
export function judge(
  definition: Definition,
  build: Build | undefined,
  hasProgress: boolean,
): Build | string {
  if (!build) return { live: definition }
  const { live, shadow } = build
  if (isSame(live, definition) && !live.isRetired) {
    const isOurs = !shadow || shadow.is === 'sweeping' || isSame(shadow, definition)
    return isOurs ? build : { live, shadow: { ...definition, is: 'sweeping' } }
  }
  if (!hasProgress) return { ...build, live: definition }
  if (definition.version < live.version)
    return `its rows were made by version ${live.version}, and this is ${definition.version}`
  if (definition.version === live.version && !isSame(live, definition))
    return `its rules, by or indexes have changed, and its version is still ${live.version}`
  const isUnderWay = shadow && shadow.is !== 'sweeping' && isSame(shadow, definition)
  if (isUnderWay) return build
  return { live, shadow: { ...definition, is: 'emptying' } }
}
