import type { Clock } from '../base/time/clock.ts'
import { systemClock } from '../base/time/clock.ts'
import { createIdGenerator } from '../base/id-generator.ts'
import { guardHook } from '../base/errors/guard-hook.ts'
import { resolveOptions } from '../base/options.ts'
import type { Random } from '../base/random.ts'
import { systemRandom } from '../base/random.ts'
import { thrownMessage } from '../base/errors/thrown-error.ts'
import { createWarnOnce } from '../base/errors/warn-once.ts'
import type { AnyContract, ContractDefinition } from '../contract/contract.ts'
import {
  createComputeBudget,
  slowRuleText,
  slowUnitsText,
  createRunningCalls,
  withDeadlines,
  ENGINE_OPTIONS,
  createPauses,
  rejectAfterStop,
  createEngineMonitor,
} from '../engine/context/index.ts'
import { createExclusivePermit, ruleErrorText } from '../engine/failure/index.ts'
import {
  changedSourceText,
  createCatalog,
  CATALOG_TABLE,
  collectContracts,
  createPlan,
} from '../engine/plan/index.ts'
import { createDelayClock } from '../engine/delays/index.ts'
import type { StoredIdentity } from '../engine/startup/index.ts'
import { readIdentities, resolveStoredNames, assertUsableSchemas } from '../engine/startup/index.ts'
import type { EngineOptions, EngineContext, StartHooks } from '../engine/context/index.ts'
import type { Plan, StoredNames } from '../engine/plan/index.ts'
import type { Threads } from '../engine/handlers/index.ts'
import { threadsOf } from '../engine/handlers/index.ts'
import type { Backend } from '../ports/event-store.ts'
import type { RejectedRecord } from '../edges/wire-contract.ts'
import type { Service } from '../rules/service.ts'
import type { BackendHandle } from './backend-handle.ts'
import { createBackendHandle } from './backend-handle.ts'
import { validateServices } from './validate-services.ts'

export interface StartOptions extends StartHooks {
  /** An edge has received a body that cannot become a message. It is in the record of the edge, too. */
  readonly onEdgeRejected?: (edge: string, rejected: RejectedRecord) => void
  /** Contracts whose owners run in another process; rules here may subscribe to their events and send their commands. */
  readonly remote?: readonly AnyContract[]
  readonly clock?: Clock
  readonly random?: Random
  /** Limits and intervals of the engine: see `ENGINE_OPTIONS`. */
  readonly engine?: Partial<EngineOptions>
}

/** The callbacks of `start`. */
type Hooks = StartHooks & Pick<StartOptions, 'onEdgeRejected'>

const KNOWN: Readonly<Record<keyof StartOptions | 'tools', true>> = {
  remote: true,
  clock: true,
  random: true,
  engine: true,
  tools: true,
  onRuleError: true,
  onSlowRule: true,
  onSlowUnits: true,
  onBackendError: true,
  onChangedSource: true,
  onExpired: true,
  onEdgeRejected: true,
}
/** The names of all options of `start`. */
export const START_OPTIONS: readonly string[] = Object.keys(KNOWN)

/**
 * The hooks of `start`. Without a hook, the process emits a warning, so that no error goes unnoticed.
 * An error that a hook throws becomes a warning, too, and does not stop the engine.
 */
function hooksOf(reports: StartOptions): Required<Hooks> {
  const { onRuleError, onSlowRule, onSlowUnits, onBackendError, onChangedSource, onExpired } =
    reports
  const warn = createWarnOnce()
  const hook = <A extends readonly unknown[]>(
    name: keyof Hooks,
    given: ((...args: A) => unknown) | undefined,
    otherwise: (...args: A) => string,
  ): ((...args: A) => void) =>
    guardHook(given ?? ((...args: A) => warn(otherwise(...args))), (cause) =>
      warn(`the hook ${name} of start threw: ${thrownMessage(cause)}`),
    )
  return {
    onRuleError: hook('onRuleError', onRuleError, ruleErrorText),
    onSlowRule: hook('onSlowRule', onSlowRule, slowRuleText),
    onSlowUnits: hook('onSlowUnits', onSlowUnits, slowUnitsText),
    onBackendError: hook(
      'onBackendError',
      onBackendError,
      (group, cause) => `${group}: ${thrownMessage(cause)}`,
    ),
    onChangedSource: hook('onChangedSource', onChangedSource, changedSourceText),
    onExpired: hook(
      'onExpired',
      onExpired,
      ({ consumer, topic }) => `${consumer} lost records of ${topic} to retention`,
    ),
    onEdgeRejected: hook(
      'onEdgeRejected',
      reports.onEdgeRejected,
      (edge, { topic, code, message }) =>
        `edge ${edge} rejected a body of ${topic}: ${code}: ${message}`,
    ),
  }
}

/** Everything that the engine needs and that does not depend on stored data. */
export interface PreparedEngine extends Omit<
  EngineContext,
  'plan' | 'catalog' | 'pauses' | 'threads'
> {
  /** Plans the services, given the names under which they are stored. */
  readonly planBy: (names: StoredNames) => Plan
  readonly services: readonly Service[]
  readonly contracts: ReadonlyMap<string, ContractDefinition>
  readonly handle: BackendHandle
  readonly onEdgeRejected: NonNullable<StartOptions['onEdgeRejected']>
  readonly threads: Threads | undefined
}

/**
 * Validates services and options and creates what the engine needs; does not touch the backend.
 *
 * @throws Fault `START_REFUSED` with all issues, `OPTION_INVALID`
 */
export function prepareEngine(
  services: readonly Service[],
  backend: Backend,
  given: StartOptions & { readonly tools?: unknown },
  ended: AbortSignal,
): PreparedEngine {
  const { remote = [], clock = systemClock(), random = systemRandom } = given
  const tools = (given.tools ?? {}) as Readonly<Record<string, unknown>>
  const options = resolveOptions('engine', ENGINE_OPTIONS, given.engine)
  validateServices(services, remote, tools)
  const newId = createIdGenerator(clock, random)
  const inTime = withDeadlines(rejectAfterStop(backend, ended), clock, options.deadlineMs)
  const hooks = hooksOf(given)
  const watcher = createEngineMonitor(hooks)
  const use = createBackendHandle(backend, inTime)
  return {
    backend: inTime,
    closeBackend: use.close,
    handle: use,
    onEdgeRejected: hooks.onEdgeRejected,
    clock,
    delays: createDelayClock(inTime.store, clock, (cause) => {
      watcher.failed('the wall clock', cause)
      watcher.recovered('the wall clock')
    }),
    random,
    newId,
    options,
    planBy: (names) => createPlan(services, remote, names),
    contracts: collectContracts(services, remote),
    services,
    member: newId(),
    tools,
    monitor: watcher,
    budget: createComputeBudget(clock, options, watcher),
    runningCalls: createRunningCalls(),
    crashPermit: createExclusivePermit(clock, options.leaseMs),
    threads: threadsOf(services, options, clock, (cause) => {
      watcher.failed('threads', cause)
      watcher.recovered('threads')
    }),
    stopped: ended,
  }
}

/**
 * Checks the schemas, opens the backend and completes the engine context. Services are planned by the
 * names under which they are stored.
 *
 * @throws Fault `SCHEMA_INVALID`, and what opening the backend throws
 */
export async function createEngineContext(prepared: PreparedEngine): Promise<EngineContext> {
  const { planBy, services, contracts, handle, onEdgeRejected: _, ...tools } = prepared
  await assertUsableSchemas(contracts.values())
  const { backend, clock, options } = tools
  const plan = planBy(resolveStoredNames(services, await identitiesIn(backend, handle)))
  const pauses = createPauses(backend.store, clock, plan.services, options.idleMs)
  return { ...tools, plan, catalog: createCatalog(plan), pauses }
}

async function identitiesIn(
  { store }: Backend,
  handle: BackendHandle,
): Promise<readonly StoredIdentity[]> {
  try {
    await handle.open()
    await store.declare([{ name: CATALOG_TABLE, indexes: [] }])
    return await readIdentities(store)
  } catch (cause) {
    // The start has failed, so the backend must not stay open.
    await handle.close()
    throw cause
  }
}
