import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { idMaker } from '../base/id.ts'
import { guarded } from '../base/guard.ts'
import { completeOptions } from '../base/options.ts'
import type { Random } from '../base/random.ts'
import { systemRandom } from '../base/random.ts'
import { thrownText } from '../base/thrown.ts'
import { warnOnce } from '../base/warning.ts'
import type { AnyContract } from '../contract/contract.ts'
import { budgetOf, slowText, slowUnitsText } from '../engine/budget.ts'
import { callsOf } from '../engine/calls.ts'
import { catalogOf } from '../engine/catalog.ts'
import { delayClock } from '../engine/delay-clock.ts'
import { withDeadlines } from '../engine/deadlines.ts'
import { faultText } from '../engine/faulted.ts'
import type { EngineOptions } from '../engine/options.ts'
import { ENGINE_OPTIONS } from '../engine/options.ts'
import { pausesOf } from '../engine/pauses.ts'
import { planOf } from '../engine/plan.ts'
import type { RuleSeen } from '../engine/seen.ts'
import { threadsOf } from '../engine/threads.ts'
import type { EngineTools } from '../engine/tools.ts'
import { untilEnded } from '../engine/until-ended.ts'
import type { Reports } from '../engine/watch.ts'
import { watch } from '../engine/watch.ts'
import type { Backend } from '../ports/store.ts'
import type { Service } from '../rules/service.ts'
import { mustFit } from './fit.ts'

export interface StartOptions extends Reports {
  /** Contracts whose owners run in another process, so that rules here may hear and send them. */
  readonly elsewhere?: readonly AnyContract[]
  readonly clock?: Clock
  readonly random?: Random
  /** Limits and waits of the engine: see `ENGINE_OPTIONS`. */
  readonly engine?: Partial<EngineOptions>
}

/**
 * Where nobody asked to be told, the process warns: what nobody hears of is not mended. Each hook is
 * guarded: what it throws becomes a warning, and the work that it was told of goes on.
 */
function reportsOf({ faulted, slow, onSlowUnits, broke, expired }: Reports): Required<Reports> {
  const warn = warnOnce()
  const hook = <A extends readonly unknown[]>(
    name: keyof Reports,
    given: ((...args: A) => unknown) | undefined,
    otherwise: (...args: A) => string,
  ): ((...args: A) => void) =>
    guarded(given ?? ((...args: A) => warn(otherwise(...args))), (cause) =>
      warn(`the hook ${name} of start threw: ${thrownText(cause)}`),
    )
  return {
    faulted: hook('faulted', faulted, faultText),
    slow: hook('slow', slow, slowText),
    onSlowUnits: hook('onSlowUnits', onSlowUnits, slowUnitsText),
    broke: hook('broke', broke, (group, cause) => `${group}: ${thrownText(cause)}`),
    expired: hook(
      'expired',
      expired,
      ({ consumer, topic }) => `${consumer} lost records of ${topic} to retention`,
    ),
  }
}

/**
 * Holds the services against one another, and gives what an engine is made with.
 *
 * @throws Fault `START_REFUSED` with all complaints, `OPTION_INVALID`
 */
export function equip(
  services: readonly Service[],
  backend: Backend,
  given: StartOptions & { readonly tools?: unknown },
  ended: AbortSignal,
  seen?: RuleSeen,
): EngineTools {
  const { elsewhere = [], clock = systemClock(), random = systemRandom } = given
  const tools = (given.tools ?? {}) as Readonly<Record<string, unknown>>
  const options = completeOptions('engine', ENGINE_OPTIONS, given.engine)
  mustFit(services, elsewhere, tools)
  const plan = planOf(services, elsewhere, seen)
  const mint = idMaker(clock, random)
  const inTime = withDeadlines(untilEnded(backend, ended), clock, options.deadlineMs)
  const tell = watch(reportsOf(given))
  const names = plan.services.map(({ name }) => name)
  return {
    backend: inTime,
    clock,
    delays: delayClock(inTime.store, clock, (cause) => {
      tell.broke('the wall clock', cause)
      tell.mended('the wall clock')
    }),
    random,
    mint,
    options,
    plan,
    catalog: catalogOf(plan),
    member: mint(),
    tools,
    watch: tell,
    budget: budgetOf(clock, options, tell),
    calls: callsOf(),
    threads: threadsOf(plan, options, clock, (cause) => {
      tell.broke('threads', cause)
      tell.mended('threads')
    }),
    pauses: pausesOf(inTime.store, clock, names, options.idleMs),
    ended,
  }
}
