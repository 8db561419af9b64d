import type { Clock } from '../base/clock.ts'
import type { Catalog } from '../engine/catalog.ts'
import type { DelayClock } from '../engine/delay-clock.ts'
import type { HealthReport } from '../engine/health.ts'
import type { OperationState } from '../engine/operations.ts'
import type { RewindRequest, Rewound } from '../engine/rewind.ts'
import type { RebuildProgress, Rebuilt } from '../engine/rebuild.ts'
import type { Backend } from '../ports/store.ts'

/** A system as operators see it: one that runs in this process, or the data that it left. */
export interface System {
  readonly backend: Backend
  readonly catalog: Catalog
  readonly clock: Clock
  /** By what times in rows are counted. */
  readonly delays: Pick<DelayClock, 'now'>
  health(): Promise<HealthReport>
  /** @throws Fault `SERVICE_NOT_FOUND`, `DATA_READ_ONLY` */
  setPaused(service: string, isPaused: boolean): Promise<void>
  /** @throws Fault `RULE_NOT_FOUND`, `REWIND_REFUSED`, `OPTION_INVALID`, `DATA_READ_ONLY` */
  rewind(asked: RewindRequest): Promise<readonly Rewound[]>
  /** @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`; `DATA_READ_ONLY` where nobody runs it */
  rebuild(projection: string, tell: (progress: RebuildProgress) => void): Promise<Rebuilt>
  /** What became of a command from outside, that in `topic` where several have the id. */
  operation(id: string, topic?: string): Promise<OperationState | undefined>
}
