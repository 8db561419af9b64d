import { thrownText } from '../base/thrown.ts'
import type { Ack } from '../ports/log.ts'
import { alarmsInMemory, alarmsInStore } from './alarms.ts'
import type { SlowRule, SlowUnits } from './budget.ts'
import type { Alarm } from './listings.ts'
import type { Refolds } from './refolds.ts'
import type { EngineTools } from './tools.ts'
import type { Watch } from './watch.ts'

/** The health of a running system. */
export interface HealthReport {
  /**
   * `failing`: the log, the store or a processor does not work. `degraded`: all of it works, but
   * work is stuck or late: see `alarms`. `paused`: an operator has paused a service, and there are
   * no other problems.
   */
  readonly is: 'well' | 'paused' | 'degraded' | 'failing'
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
  readonly refolds: readonly Refolds[]
  /** The groups that run in this process; empty if nothing runs. */
  readonly groups: readonly GroupShare[]
  /** Conditions that need attention although everything works. */
  readonly alarms: readonly Alarm[]
}

/** This process's share of a consumer group: the pure rules of a service, or one handler. */
export interface GroupShare {
  /** `<service>`, or `<service>/<handler>`. */
  readonly group: string
  /** Shards leased by this process … */
  readonly held: number
  /** … of how many there are. With more members than shards, some members hold none. */
  readonly shards: number
  /** It holds no shard, and takes over when a member that does goes away. */
  readonly isStandingBy: boolean
}

const ACKS: readonly Ack[] = ['memory', 'disk', 'replicated']

export async function healthOf(engine: EngineTools): Promise<HealthReport> {
  const { backend, budget, pauses, plan, watch } = engine
  const ports = await Promise.all([backend.log.health(), backend.store.health()])
  await pauses.look()
  const paused = plan.services.map(({ name }) => name).filter(pauses.isPaused)
  const ack = ACKS.find((each) => ports.some((port) => port.ack === each)) ?? 'memory'
  const failing = ports.filter(({ is }) => is === 'failing').map(({ detail }) => detail)
  for (const [group, cause] of watch.broken()) failing.push(`${group}: ${thrownText(cause)}`)
  const alarms = [...alarmsInMemory(engine)]
  // Do not query a backend that fails already.
  if (failing.length === 0)
    await alarmsInStore(engine).then(
      (found) => alarms.push(...found),
      (cause: unknown) => failing.push(thrownText(cause)),
    )
  const told = {
    ack,
    paused,
    slowRules: budget.slow(),
    slowUnits: budget.slowUnits(),
    refolds: watch.refolds(),
    groups: sharesOf(watch),
    alarms,
  }
  if (failing.length > 0) return { is: 'failing', ...told, detail: failing.join('; ') }
  const degrading = alarms.filter(({ isDegrading }) => isDegrading).map(({ message }) => message)
  if (degrading.length > 0) return { is: 'degraded', ...told, detail: degrading.join('; ') }
  if (paused.length > 0) return { is: 'paused', ...told, detail: `paused: ${paused.join(', ')}` }
  return { is: 'well', ...told, detail: ports[0].detail }
}

function sharesOf({ shares }: Watch): readonly GroupShare[] {
  return [...shares()].map(([group, { held, shards }]) => {
    return { group, held, shards, isStandingBy: held === 0 }
  })
}
