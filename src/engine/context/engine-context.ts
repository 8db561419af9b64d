import type { Clock } from '../../base/time/clock.ts'
import type { IdGenerator } from '../../base/id-generator.ts'
import type { Random } from '../../base/random.ts'
import type { Backend } from '../../ports/event-store.ts'
import type { ExclusivePermit } from '../failure/index.ts'
import type { ComputeBudget } from './compute-budget.ts'
import type { RunningCalls } from './running-calls.ts'
import type { Catalog, Plan } from '../plan/index.ts'
import type { DelayClock } from '../delays/index.ts'
import type { EngineOptions } from './engine-options.ts'
import type { Pauses } from './pauses.ts'
import type { HandlerThreads } from '../execution/index.ts'
import type { EngineMonitor } from './engine-monitor.ts'

/** What all parts of the engine share. */
export interface EngineContext {
  readonly backend: Backend
  /** Closes the backend. Idempotent. */
  readonly closeBackend: () => Promise<void>
  readonly clock: Clock
  readonly delays: DelayClock
  readonly random: Random
  readonly newId: IdGenerator
  readonly options: EngineOptions
  readonly plan: Plan
  readonly catalog: Catalog
  /** The id of this running engine, as the store knows it. */
  readonly member: string
  /** The tools of `start` that handlers use to reach other systems. */
  readonly tools: Readonly<Record<string, unknown>>
  readonly budget: ComputeBudget
  readonly runningCalls: RunningCalls
  readonly threads: HandlerThreads | undefined
  readonly monitor: EngineMonitor
  readonly crashPermit: ExclusivePermit
  readonly pauses: Pauses
  /** Aborts once the engine has stopped, for those who still wait for something. */
  readonly stopped: AbortSignal
}
