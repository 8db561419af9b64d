import type { RowCheck } from '../../ports/event-store.ts'
import type { ProjectionStateStore } from './projection-state-store.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import { compareRowKeys } from '../rows/index.ts'

/** Whether a group has projections. */
export function hasProjections({ consumers }: ConsumerGroup): boolean {
  return consumers.some(({ rule }) => rule.kind === 'projection')
}

/**
 * Guards the commits of a group that has projections: a unit conflicts if the definition or the
 * rebuild state of its rows has changed since `load`.
 */
export interface ProjectionGuard {
  load(): Promise<void>
  isOutOfDate(): boolean
  /** The row checks of a unit, plus one that the projection state is unchanged. */
  addCheck(checks: readonly RowCheck[]): readonly RowCheck[]
}

export function createProjectionGuard(
  group: ConsumerGroup,
  projectionStates: ProjectionStateStore,
): ProjectionGuard {
  const hasRows = hasProjections(group)
  let loadedVersion = -1
  return {
    async load() {
      if (!hasRows) return
      await projectionStates.load()
      loadedVersion = projectionStates.version()
    },
    isOutOfDate: () => hasRows && projectionStates.version() !== loadedVersion,
    addCheck: (checks) =>
      hasRows
        ? [...checks, projectionStates.versionCheck(loadedVersion)].toSorted(compareRowKeys)
        : checks,
  }
}
