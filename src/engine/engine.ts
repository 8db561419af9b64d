import { withTimeout } from '../base/time/clock.ts'
import type { Issue } from '../base/errors/fault.ts'
import { issueCountText, Fault } from '../base/errors/fault.ts'
import { unknownNameDetail } from '../base/options.ts'
import {
  registerConsumers,
  assertKnownConsumers,
  storeSchemas,
  assertCompatible,
} from './startup/index.ts'
import { ledgerSubscriptions, storeCatalog } from './plan/index.ts'
import type { ProjectionStateStore } from './projections/index.ts'
import { createProjectionStateStore } from './projections/index.ts'
import { CLOCK_TABLE } from './delays/index.ts'
import type { Plan, ServicePlan } from './plan/index.ts'
import { createProcessor } from './consumer/index.ts'
import type { RebuildOptions, Rebuilder, RebuildResult } from './rebuild/index.ts'
import { createRebuilder } from './rebuild/index.ts'
import { runDamageScan, runMaintenance } from './maintenance/index.ts'
import type { Sender } from './producer/index.ts'
import { createSender } from './producer/index.ts'
import { supervise } from './context/index.ts'
import type { EngineContext } from './context/index.ts'

/**
 * A running engine: the processors of all services here, and the sender for messages from outside.
 */
export interface Engine {
  readonly sender: Sender
  /** By `SERVICE/PROJECTION`: see `Rebuilder`. */
  rebuild(projection: string, options: RebuildOptions): Promise<RebuildResult>
  /**
   * Finishes current units and releases leases. Work that exceeds the grace period is aborted, and
   * left behind if it does not end then. `onClosing` is called before the backend closes.
   */
  stop(graceMs: number, onClosing: () => void): Promise<void>
}

/** How long aborted work may take to end. */
const ABORT_MS = 1_000

/**
 * Declares topics and tables on an open backend, and starts the processors.
 *
 * @throws Fault `START_REFUSED` for consumers that do not match what is stored,
 * `CONTRACT_INCOMPATIBLE`, `TOPIC_DIFFERS`, `PROJECTION_CHANGED`, `STORE_UNKNOWN`
 */
export async function runEngine(engine: EngineContext): Promise<Engine> {
  const { plan, clock } = engine
  const projectionStates = await openProjectionStates(engine).catch(async (cause: unknown) => {
    await engine.threads?.stop()
    throw cause
  })
  const buildsFor = ({ name }: ServicePlan): ProjectionStateStore =>
    projectionStates.get(name) as ProjectionStateStore
  const processors = plan.services.flatMap((service) =>
    service.groups.map((group) => createProcessor(engine, service, group, buildsFor(service))),
  )
  const rebuilders = new Map(
    plan.services.map((each) => [each.name, createRebuilder(engine, each, buildsFor(each))]),
  )
  const loops = [...processors, ...rebuilders.values()]
  const stopping = new AbortController()
  const tasks = [
    publishCatalog(engine, stopping.signal),
    runDamageScan(engine, stopping.signal),
    runMaintenance(engine, stopping.signal),
    publishLedger(engine, stopping.signal),
  ]
  const running = [...tasks, ...loops.map((each) => each.run())]
  const createdSender = createSender(engine)
  let stopped: Promise<void> | undefined
  const stop = async (graceMs: number, onClosing: () => void): Promise<void> => {
    await createdSender.close()
    stopping.abort()
    for (const each of loops) each.stop()
    const all = Promise.all(running).then(() => 'ended')
    await withTimeout(clock, graceMs, all)
    for (const each of processors) each.abort()
    const ended = Promise.all([all, engine.runningCalls.allEnded()])
    if (!(await withTimeout(clock, ABORT_MS, ended))) {
      engine.monitor.failed('stop', new Error(leftBehindText(engine.runningCalls.counts())))
      const left = Promise.allSettled(processors.map((each) => each.abandon()))
      await withTimeout(clock, ABORT_MS, left)
    }
    const clockKept = engine.delays.close().catch((cause: unknown) => {
      engine.monitor.failed('the wall clock', cause)
    })
    await withTimeout(clock, ABORT_MS, clockKept)
    await engine.threads?.stop()
    onClosing()
    await engine.closeBackend()
  }
  return {
    sender: createdSender,
    rebuild: (projection, options) => rebuildByName(plan, rebuilders, projection, options),
    stop: (graceMs, onClosing) => (stopped ??= stop(graceMs, onClosing)),
  }
}

function leftBehindText(underWay: ReadonlyMap<string, number>): string {
  const left = [...underWay].map(([consumer, count]) => {
    return count === 1 ? consumer : `${consumer} (${count} messages)`
  })
  if (left.length === 0) return 'work has not ended in time'
  return `handlers that ignore their aborted signal were left behind: ${left.join(', ')}`
}

/**
 * Rebuilds one projection while its services do not run. Nothing else of them runs.
 *
 * @throws Fault as `runEngine` does, `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`
 */
export async function rebuildOffline(
  engine: EngineContext,
  projection: string,
  options: RebuildOptions,
): Promise<RebuildResult> {
  const { plan } = engine
  // An explicit request rebuilds even if the service is paused.
  const unpaused = { ...engine, pauses: { ...engine.pauses, isPaused: () => false } }
  const projectionStates = await openProjectionStates(unpaused)
  const rebuilders = new Map(
    plan.services.map((each) => [
      each.name,
      createRebuilder(unpaused, each, projectionStates.get(each.name) as ProjectionStateStore),
    ]),
  )
  const running = [...rebuilders.values()].map((each) => each.run())
  try {
    return await rebuildByName(plan, rebuilders, projection, options)
  } finally {
    for (const each of rebuilders.values()) each.stop()
    await Promise.all(running)
    await engine.closeBackend()
  }
}

/** Prepares the store, and returns the projection states of each service. */
async function openProjectionStates(
  engine: EngineContext,
): Promise<ReadonlyMap<string, ProjectionStateStore>> {
  const { plan, backend, clock, options } = engine
  const parts = { store: backend.store, clock, retryDelayMs: options.retryDelayMs }
  const projectionStates = plan.services.map((each) => createProjectionStateStore(parts, each))
  try {
    await prepare(engine, projectionStates)
  } catch (cause) {
    // Nothing runs yet, so close the backend again.
    await engine.closeBackend()
    throw cause
  }
  return new Map(
    plan.services.map(({ name }, at) => [name, projectionStates[at] as ProjectionStateStore]),
  )
}

/** Stores the catalog for tools that inspect the data without the code. Nothing waits for it. */
async function publishCatalog(engine: EngineContext, signal: AbortSignal): Promise<void> {
  const { backend, catalog, options } = engine
  const { retryDelayMs } = options
  await supervise(engine, { name: 'catalog', signal, pauseMs: retryDelayMs }, async () => {
    await storeCatalog(backend.store, catalog)
    return 'done'
  })
}

/** Tells the store who reads what, for the views of the ledger. Nothing waits for it. */
async function publishLedger(engine: EngineContext, signal: AbortSignal): Promise<void> {
  const { backend, options, plan } = engine
  const { retryDelayMs: pauseMs } = options
  await supervise(engine, { name: 'ledger', signal, pauseMs }, async () => {
    for (const service of plan.services)
      await backend.store.declareLedger(service.id, ledgerSubscriptions(service))
    return 'done'
  })
}

async function prepare(
  engine: EngineContext,
  projectionStates: readonly ProjectionStateStore[],
): Promise<void> {
  const { plan, backend } = engine
  const { log, store } = backend
  await store.declare([CLOCK_TABLE])
  await engine.delays.load()
  await assertKnownConsumers(engine)
  await assertCompatible(engine)
  const topics = await log.declare([...plan.topics.values()])
  const issues = topics.flatMap(({ name, differences }) =>
    differences.map((message) => ({ path: name, message })),
  )
  if (issues.length > 0) throw new Fault('TOPIC_DIFFERS', { detail: 'topics', issues })
  await store.declare(plan.services.flatMap(({ tables }) => tables))
  await storeSchemas(engine)
  await assertProjectionsUnchanged(projectionStates)
  await registerConsumers(engine)
}

/** Throws if a projection has changed without a new version. Lists every such projection. */
async function assertProjectionsUnchanged(
  projectionStates: readonly ProjectionStateStore[],
): Promise<void> {
  // States that cannot be read now are checked again before anything is folded.
  const unread = (): readonly Issue[] => []
  const found = await Promise.all(projectionStates.map((each) => each.findIssues().catch(unread)))
  const issues = found.flat()
  const detail = issueCountText(issues)
  if (issues.length > 0) throw new Fault('PROJECTION_CHANGED', { detail, issues })
}

async function rebuildByName(
  { services }: Plan,
  rebuilders: ReadonlyMap<string, Rebuilder>,
  projection: string,
  options: RebuildOptions,
): Promise<RebuildResult> {
  const [service = '', name = ''] = projection.split('/')
  const found = rebuilders.get(service)
  if (found) return found.rebuild(name, options)
  const known = services.flatMap(({ projections }) =>
    projections.map(({ consumer }) => consumer.name),
  )
  const detail = unknownNameDetail(projection, known)
  throw new Fault('PROJECTION_NOT_FOUND', { detail, ids: { service } })
}
