import type { Clock } from '../base/time/clock.ts'
import type { DeadLetters } from '../engine/dead-letters/index.ts'
import type { Catalog } from '../engine/plan/index.ts'
import type { DelayClock } from '../engine/delays/index.ts'
import type { HealthReport, RewindRequest, RewoundPartition } from '../engine/operations/index.ts'
import type { OperationState } from '../engine/producer/index.ts'
import type { RebuildProgress, RebuildResult } from '../engine/rebuild/index.ts'
import type { Backend } from '../ports/event-store.ts'

/** A system as operators see it: a running app of this process, or its data without a running app. */
export interface System {
  readonly backend: Backend
  readonly catalog: Catalog
  readonly clock: Clock
  /** The clock of the times that are stored in rows. */
  readonly delays: Pick<DelayClock, 'now'>
  readonly deadLetters: DeadLetters
  health(): Promise<HealthReport>
  /** @throws Fault `SERVICE_NOT_FOUND`, `DATA_READ_ONLY` */
  setPaused(service: string, isPaused: boolean): Promise<void>
  /** @throws Fault `RULE_NOT_FOUND`, `REWIND_REFUSED`, `OPTION_INVALID`, `DATA_READ_ONLY` */
  rewind(request: RewindRequest): Promise<readonly RewoundPartition[]>
  /** @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`; `DATA_READ_ONLY` without a running app */
  rebuild(
    projection: string,
    onProgress: (progress: RebuildProgress) => void,
  ): Promise<RebuildResult>
  /** The state of the operation of a command from outside; `topic` selects one of several with the same id. */
  operation(id: string, topic?: string): Promise<OperationState | undefined>
}
