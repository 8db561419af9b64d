import type { Clock } from '../base/clock.ts'
import type { IdMaker } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { Backend } from '../ports/store.ts'
import type { Alone } from './alone.ts'
import type { Budget } from './budget.ts'
import type { Calls } from './calls.ts'
import type { Catalog } from './catalog.ts'
import type { DelayClock } from './delay-clock.ts'
import type { EngineOptions } from './options.ts'
import type { Pauses } from './pauses.ts'
import type { Plan } from './plan.ts'
import type { Threads } from './threads.ts'
import type { Watch } from './watch.ts'

/** What all parts of the engine share. */
export interface EngineTools {
  readonly backend: Backend
  /** Closes the backend. Idempotent. */
  readonly closeBackend: () => Promise<void>
  readonly clock: Clock
  readonly delays: DelayClock
  readonly random: Random
  readonly mint: IdMaker
  readonly options: EngineOptions
  readonly plan: Plan
  readonly catalog: Catalog
  /** The id of this running engine, as the store knows it. */
  readonly member: string
  /** The tools of `start` that handlers use to reach other systems. */
  readonly tools: Readonly<Record<string, unknown>>
  readonly budget: Budget
  readonly calls: Calls
  /** Runs handlers that ask for a thread. */
  readonly threads: Threads | undefined
  readonly watch: Watch
  readonly alone: Alone
  readonly pauses: Pauses
  /** Aborts once the engine has stopped, for those who still wait for something. */
  readonly ended: AbortSignal
}
