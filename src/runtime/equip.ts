import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { idMaker } from '../base/id.ts'
import { guarded } from '../base/guard.ts'
import { completeOptions } from '../base/options.ts'
import type { Random } from '../base/random.ts'
import { systemRandom } from '../base/random.ts'
import { thrownText } from '../base/thrown.ts'
import { warnOnce } from '../base/warning.ts'
import type { AnyContract, ContractFacts } from '../contract/contract.ts'
import { budgetOf, slowText, slowUnitsText } from '../engine/budget.ts'
import { aloneOf } from '../engine/alone.ts'
import { callsOf } from '../engine/calls.ts'
import { changedSourceText } from '../engine/changed-source.ts'
import { catalogOf, CATALOG_TABLE } from '../engine/catalog.ts'
import { delayClock } from '../engine/delay-clock.ts'
import { withDeadlines } from '../engine/deadlines.ts'
import { faultText } from '../engine/faulted.ts'
import type { StoredIdentity } from '../engine/identity.ts'
import { storedIdentities, storedNames } from '../engine/identity.ts'
import type { EngineOptions } from '../engine/options.ts'
import { ENGINE_OPTIONS } from '../engine/options.ts'
import { pausesOf } from '../engine/pauses.ts'
import type { Plan } from '../engine/plan.ts'
import { contractsOf, planOf } from '../engine/plan.ts'
import { schemasMustBeUsable } from '../engine/schemas.ts'
import type { StoredNames } from '../engine/stored-names.ts'
import { threadsOf } from '../engine/threads.ts'
import type { EngineTools } from '../engine/tools.ts'
import { untilEnded } from '../engine/until-ended.ts'
import type { Reports } from '../engine/watch.ts'
import { watch } from '../engine/watch.ts'
import type { Backend } from '../ports/store.ts'
import type { Service } from '../rules/service.ts'
import type { BackendUse } from './backend-use.ts'
import { useOf } from './backend-use.ts'
import { mustFit } from './fit.ts'

export interface StartOptions extends Reports {
  /** Contracts whose owners run in another process; rules here may subscribe to their events and send their commands. */
  readonly elsewhere?: readonly AnyContract[]
  readonly clock?: Clock
  readonly random?: Random
  /** Limits and intervals of the engine: see `ENGINE_OPTIONS`. */
  readonly engine?: Partial<EngineOptions>
}

/**
 * The hooks of `start`. Without a hook, the process emits a warning, so that no error goes unnoticed.
 * An error that a hook throws becomes a warning, too, and does not stop the engine.
 */
function reportsOf(reports: Reports): Required<Reports> {
  const { faulted, slow, onSlowUnits, broke, onChangedSource, expired } = reports
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
    onChangedSource: hook('onChangedSource', onChangedSource, changedSourceText),
    expired: hook(
      'expired',
      expired,
      ({ consumer, topic }) => `${consumer} lost records of ${topic} to retention`,
    ),
  }
}

/** Everything that the engine needs and that does not depend on stored data. */
export interface Equipment extends Omit<EngineTools, 'plan' | 'catalog' | 'pauses'> {
  /** Plans the services, given the names under which they are stored. */
  readonly planBy: (names: StoredNames) => Plan
  readonly services: readonly Service[]
  readonly contracts: ReadonlyMap<string, ContractFacts>
  readonly use: BackendUse
}

/**
 * Validates services and options and creates what the engine needs; does not touch the backend.
 *
 * @throws Fault `START_REFUSED` with all issues, `OPTION_INVALID`
 */
export function equip(
  services: readonly Service[],
  backend: Backend,
  given: StartOptions & { readonly tools?: unknown },
  ended: AbortSignal,
): Equipment {
  const { elsewhere = [], clock = systemClock(), random = systemRandom } = given
  const tools = (given.tools ?? {}) as Readonly<Record<string, unknown>>
  const options = completeOptions('engine', ENGINE_OPTIONS, given.engine)
  mustFit(services, elsewhere, tools)
  const mint = idMaker(clock, random)
  const inTime = withDeadlines(untilEnded(backend, ended), clock, options.deadlineMs)
  const tell = watch(reportsOf(given))
  const use = useOf(backend, inTime)
  return {
    backend: inTime,
    closeBackend: use.close,
    use,
    clock,
    delays: delayClock(inTime.store, clock, (cause) => {
      tell.broke('the wall clock', cause)
      tell.mended('the wall clock')
    }),
    random,
    mint,
    options,
    planBy: (names) => planOf(services, elsewhere, names),
    contracts: contractsOf(services, elsewhere),
    services,
    member: mint(),
    tools,
    watch: tell,
    budget: budgetOf(clock, options, tell),
    calls: callsOf(),
    alone: aloneOf(clock, options.leaseMs),
    threads: threadsOf(services, options, clock, (cause) => {
      tell.broke('threads', cause)
      tell.mended('threads')
    }),
    ended,
  }
}

/**
 * Checks the schemas, opens the backend and completes the engine context. Services are planned by the
 * names under which they are stored.
 *
 * @throws Fault `SCHEMA_INVALID`, and what opening the backend throws
 */
export async function opened(equipment: Equipment): Promise<EngineTools> {
  const { planBy, services, contracts, use, ...tools } = equipment
  await schemasMustBeUsable(contracts.values())
  const { backend, clock, options } = tools
  const plan = planBy(storedNames(services, await identitiesIn(backend, use)))
  const pauses = pausesOf(backend.store, clock, plan.services, options.idleMs)
  return { ...tools, plan, catalog: catalogOf(plan), pauses }
}

async function identitiesIn(
  { store }: Backend,
  use: BackendUse,
): Promise<readonly StoredIdentity[]> {
  try {
    await use.open()
    await store.declare([{ name: CATALOG_TABLE, indexes: [] }])
    return await storedIdentities(store)
  } catch (cause) {
    // The start has failed, so the backend must not stay open.
    await use.close()
    throw cause
  }
}
