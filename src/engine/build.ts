/** The definition that rows are folded by: its stated version, and the fingerprint of its rules. */
export interface Definition {
  readonly version: number
  readonly rules: string
}

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
export interface Shadow extends Definition {
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
export interface Build {
  /** Retired live rows no longer change until the shadow rows replace them. */
  readonly live: Definition & { readonly isRetired?: boolean }
  readonly shadow?: Shadow
}

export function isSame(one: Definition, other: Definition | undefined): boolean {
  return one.version === other?.version && one.rules === other.rules
}

/**
 * The next state of a projection when this definition runs, or a text that says why it must not
 * run.
 */
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
    return `its rows were made by version ${live.version}, which is newer than ${definition.version}`
  if (definition.version === live.version && !isSame(live, definition))
    return `its rules, by or indexes have changed but not its version: raise version from ${live.version}`
  const isUnderWay = shadow && shadow.is !== 'sweeping' && isSame(shadow, definition)
  if (isUnderWay) return build
  return { live, shadow: { ...definition, is: 'emptying' } }
}
