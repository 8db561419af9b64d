import { thrownMessage } from '../../base/errors/thrown-error.ts'
import type { Ack } from '../../ports/event-log.ts'
import { alarmsInMemory, alarmsInStore } from './alarms.ts'
import type {
  SlowRule,
  SlowUnits,
  RefoldReport,
  EngineContext,
  EngineMonitor,
} from '../context/index.ts'
import type { Alarm } from '../listing/index.ts'

/** The health of a running system. */
export interface HealthReport {
  /**
   * `failing`: the log, the store or a processor does not work. `degraded`: all of it works, but
   * work is stuck or late: see `alarms`. `paused`: an operator has paused a service, and there are
   * no other problems.
   */
  readonly status: 'well' | 'paused' | 'degraded' | 'failing'
  /** What an ack promises: the weaker of what log and store promise. */
  readonly ack: Ack
  readonly detail: string
  /** Names of paused services. */
  readonly paused: readonly string[]
  /** Rules that exceeded their time budget since the start, and so blocked the event loop. */
  readonly slowRules: readonly SlowRule[]
  /**
   * Groups whose units were committed early since the start because their rules computed for too
   * long.
   */
  readonly slowUnits: readonly SlowUnits[]
  /** The entities whose states were folded again since the start, because their evolve rules changed. */
  readonly refolds: readonly RefoldReport[]
  /** The groups that run in this process; empty if nothing runs. */
  readonly groups: readonly GroupAssignment[]
  /** Conditions that need attention although everything works. */
  readonly alarms: readonly Alarm[]
}

/** This process's share of a consumer group: the pure rules of a service, or one handler. */
export interface GroupAssignment {
  /** `<service>`, or `<service>/<handler>`. */
  readonly group: string
  /** Shards leased by this process … */
  readonly leased: number
  /** … of how many there are. With more members than shards, some members hold none. */
  readonly shards: number
  /** It holds no shard, and takes over when a member that does goes away. */
  readonly isStandby: boolean
}

const ACKS: readonly Ack[] = ['memory', 'disk', 'replicated']

export async function checkHealth(engine: EngineContext): Promise<HealthReport> {
  const { backend, budget, pauses, plan, monitor } = engine
  const backendHealth = await Promise.all([backend.log.health(), backend.store.health()])
  await pauses.refreshIfStale()
  const paused = plan.services.map(({ name }) => name).filter(pauses.isPaused)
  const ack = ACKS.find((each) => backendHealth.some((port) => port.ack === each)) ?? 'memory'
  const failing = backendHealth
    .filter(({ status }) => status === 'failing')
    .map(({ detail }) => detail)
  for (const [group, cause] of monitor.failures()) failing.push(`${group}: ${thrownMessage(cause)}`)
  const alarms = [...alarmsInMemory(engine)]
  // Do not query a backend that fails already.
  if (failing.length === 0)
    await alarmsInStore(engine).then(
      (found) => alarms.push(...found),
      (cause: unknown) => failing.push(thrownMessage(cause)),
    )
  const report = {
    ack,
    paused,
    slowRules: budget.slowRules(),
    slowUnits: budget.slowUnits(),
    refolds: monitor.refolds(),
    groups: groupShares(monitor),
    alarms,
  }
  if (failing.length > 0) return { status: 'failing', ...report, detail: failing.join('; ') }
  const degrading = alarms.filter(({ isDegrading }) => isDegrading).map(({ message }) => message)
  if (degrading.length > 0) return { status: 'degraded', ...report, detail: degrading.join('; ') }
  if (paused.length > 0)
    return { status: 'paused', ...report, detail: `paused: ${paused.join(', ')}` }
  return { status: 'well', ...report, detail: backendHealth[0].detail }
}

function groupShares({ shares }: EngineMonitor): readonly GroupAssignment[] {
  return [...shares()].map(([group, { held, shards }]) => {
    return { group, leased: held, shards, isStandby: held === 0 }
  })
}
