import type { RowCheck } from '../ports/store.ts'
import type { Builds } from './builds.ts'
import type { Group } from './plan.ts'
import { byKey } from './rows.ts'

/** Whether a group keeps rows of projections. */
export function keepsRows({ consumers }: Group): boolean {
  return consumers.some(({ rule }) => rule.is === 'projection')
}

/** What the rows of a group's projections are made by, as of the last time that it was looked at. */
export interface Basis {
  load(): Promise<void>
  isOutOfDate(): boolean
  /** The checks of a unit, and that nothing else makes those rows by now. */
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
