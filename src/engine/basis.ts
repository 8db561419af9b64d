import type { RowCheck } from '../ports/store.ts'
import type { Builds } from './builds.ts'
import type { Group } from './plan.ts'
import { byKey } from './rows.ts'

/** Whether a group has projections. */
export function keepsRows({ consumers }: Group): boolean {
  return consumers.some(({ rule }) => rule.is === 'projection')
}

/**
 * Guards the commits of a group that has projections: a unit conflicts if the definition or the
 * rebuild state of its rows has changed since `load`.
 */
export interface Basis {
  load(): Promise<void>
  isOutOfDate(): boolean
  /** The row checks of a unit, plus one that the projection state is unchanged. */
  guarded(checks: readonly RowCheck[]): readonly RowCheck[]
}

export function basisOf(group: Group, builds: Builds): Basis {
  const hasRows = keepsRows(group)
  let seen = -1
  return {
    async load() {
      if (!hasRows) return
      await builds.load()
      seen = builds.version()
    },
    isOutOfDate: () => hasRows && builds.version() !== seen,
    guarded: (checks) => (hasRows ? [...checks, builds.guard(seen)].toSorted(byKey) : checks),
  }
}
