import type { Clock } from '../base/clock.ts'
import type { Catalog } from '../engine/catalog.ts'
import type { DelayClock } from '../engine/delay-clock.ts'
import type { HealthReport } from '../engine/health.ts'
import type { OperationState } from '../engine/operations.ts'
import type { RewindRequest, Rewound } from '../engine/rewind.ts'
import type { RebuildProgress, Rebuilt } from '../engine/rebuild.ts'
import type { Backend } from '../ports/store.ts'

/** A system as operators see it: a running app of this process, or its data without a running app. */
export interface System {
  readonly backend: Backend
  readonly catalog: Catalog
  readonly clock: Clock
  /** The clock of the times that are stored in rows. */
  readonly delays: Pick<DelayClock, 'now'>
  health(): Promise<HealthReport>
  /** @throws Fault `SERVICE_NOT_FOUND`, `DATA_READ_ONLY` */
  setPaused(service: string, isPaused: boolean): Promise<void>
  /** @throws Fault `RULE_NOT_FOUND`, `REWIND_REFUSED`, `OPTION_INVALID`, `DATA_READ_ONLY` */
  rewind(asked: RewindRequest): Promise<readonly Rewound[]>
  /** @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`; `DATA_READ_ONLY` without a running app */
  rebuild(projection: string, tell: (progress: RebuildProgress) => void): Promise<Rebuilt>
  /** The state of the operation of a command from outside; `topic` selects one of several with the same id. */
  operation(id: string, topic?: string): Promise<OperationState | undefined>
}
