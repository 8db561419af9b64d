import { within } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { complaintsText, Fault } from '../base/fault.ts'
import { unknownOf } from '../base/options.ts'
import { beginConsumers, mustKnowConsumers } from './begin-consumers.ts'
import { keepCatalog } from './catalog.ts'
import type { Builds } from './builds.ts'
import { buildsOf } from './builds.ts'
import { keepSchemas, mustBeCompatible } from './compatibility.ts'
import { CLOCK_TABLE } from './delay-clock.ts'
import type { Plan, ServicePlan } from './plan.ts'
import { processor } from './processor.ts'
import type { RebuildOptions, Rebuilder, Rebuilt } from './rebuild.ts'
import { rebuilder } from './rebuild.ts'
import { scan } from './scan.ts'
import type { Sender } from './sender.ts'
import { sender } from './sender.ts'
import { supervise } from './supervise.ts'
import type { EngineTools } from './tools.ts'
import { keepUp } from './upkeep.ts'

/**
 * A running engine: the processors of all services here, and the sender for messages from outside.
 */
export interface Engine {
  readonly sender: Sender
  /** By `SERVICE/PROJECTION`: see `Rebuilder`. */
  rebuild(projection: string, options: RebuildOptions): Promise<Rebuilt>
  /**
   * Finishes current units and releases leases. Work that exceeds the grace period is aborted, and
   * left behind if it does not end then. `onClosing` is called before the backend closes.
   */
  stop(graceMs: number, ending: () => void): Promise<void>
}

/** How long aborted work may take to end. */
const ABORT_MS = 1_000

/**
 * Declares topics and tables on an open backend, and starts the processors.
 *
 * @throws Fault `START_REFUSED` for consumers that do not match what is stored,
 * `CONTRACT_INCOMPATIBLE`, `TOPIC_DIFFERS`, `PROJECTION_CHANGED`, `STORE_UNKNOWN`
 */
export async function runEngine(tools: EngineTools): Promise<Engine> {
  const { plan, clock } = tools
  const builds = await prepared(tools).catch(async (cause: unknown) => {
    await tools.threads?.stop()
    throw cause
  })
  const buildsFor = ({ name }: ServicePlan): Builds => builds.get(name) as Builds
  const processors = plan.services.flatMap((service) =>
    service.groups.map((group) => processor(tools, service, group, buildsFor(service))),
  )
  const rebuilders = new Map(
    plan.services.map((each) => [each.name, rebuilder(tools, each, buildsFor(each))]),
  )
  const loops = [...processors, ...rebuilders.values()]
  const told = new AbortController()
  const tasks = [
    tellCatalog(tools, told.signal),
    scan(tools, told.signal),
    keepUp(tools, told.signal),
  ]
  const running = [...tasks, ...loops.map((each) => each.run())]
  const door = sender(tools)
  let stopped: Promise<void> | undefined
  const stop = async (graceMs: number, ending: () => void): Promise<void> => {
    await door.close()
    told.abort()
    for (const each of loops) each.stop()
    const all = Promise.all(running).then(() => 'ended')
    await within(clock, graceMs, all)
    for (const each of processors) each.abort()
    const ended = Promise.all([all, tools.calls.ended()])
    if (!(await within(clock, ABORT_MS, ended))) {
      tools.watch.broke('stop', new Error(leftText(tools.calls.underWay())))
      const left = Promise.allSettled(processors.map((each) => each.leave()))
      await within(clock, ABORT_MS, left)
    }
    const clockKept = tools.delays.end().catch((cause: unknown) => {
      tools.watch.broke('the wall clock', cause)
    })
    await within(clock, ABORT_MS, clockKept)
    await tools.threads?.stop()
    ending()
    await tools.closeBackend()
  }
  return {
    sender: door,
    rebuild: (projection, options) => rebuilt(plan, rebuilders, projection, options),
    stop: (graceMs, ending) => (stopped ??= stop(graceMs, ending)),
  }
}

function leftText(underWay: ReadonlyMap<string, number>): string {
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
export async function rebuildAlone(
  tools: EngineTools,
  projection: string,
  options: RebuildOptions,
): Promise<Rebuilt> {
  const { plan } = tools
  // An explicit request rebuilds even if the service is paused.
  const alone = { ...tools, pauses: { ...tools.pauses, isPaused: () => false } }
  const builds = await prepared(alone)
  const rebuilders = new Map(
    plan.services.map((each) => [
      each.name,
      rebuilder(alone, each, builds.get(each.name) as Builds),
    ]),
  )
  const running = [...rebuilders.values()].map((each) => each.run())
  try {
    return await rebuilt(plan, rebuilders, projection, options)
  } finally {
    for (const each of rebuilders.values()) each.stop()
    await Promise.all(running)
    await tools.closeBackend()
  }
}

/** Prepares the store, and returns the projection states of each service. */
async function prepared(tools: EngineTools): Promise<ReadonlyMap<string, Builds>> {
  const { plan, backend, clock, options } = tools
  const parts = { store: backend.store, clock, retryDelayMs: options.retryDelayMs }
  const builds = plan.services.map((each) => buildsOf(parts, each))
  try {
    await prepare(tools, builds)
  } catch (cause) {
    // Nothing runs yet, so close the backend again.
    await tools.closeBackend()
    throw cause
  }
  return new Map(plan.services.map(({ name }, at) => [name, builds[at] as Builds]))
}

/** Stores the catalog for tools that inspect the data without the code. Nothing waits for it. */
async function tellCatalog(tools: EngineTools, signal: AbortSignal): Promise<void> {
  const { backend, catalog, options } = tools
  const { retryDelayMs } = options
  await supervise(tools, { name: 'catalog', signal, retryDelayMs }, async () => {
    await keepCatalog(backend.store, catalog)
    return 'done'
  })
}

async function prepare(tools: EngineTools, builds: readonly Builds[]): Promise<void> {
  const { plan, backend } = tools
  const { log, store } = backend
  await store.declare([CLOCK_TABLE])
  await tools.delays.load()
  await mustKnowConsumers(tools)
  await mustBeCompatible(tools)
  const topics = await log.declare([...plan.topics.values()])
  const complaints = topics.flatMap(({ name, differences }) =>
    differences.map((message) => ({ path: name, message })),
  )
  if (complaints.length > 0) throw new Fault('TOPIC_DIFFERS', { detail: 'topics', complaints })
  await store.declare(plan.services.flatMap(({ tables }) => tables))
  await keepSchemas(tools)
  await mustBeMadeBy(builds)
  await beginConsumers(tools)
}

/** Throws if a projection has changed without a new version. Lists every such projection. */
async function mustBeMadeBy(builds: readonly Builds[]): Promise<void> {
  // States that cannot be read now are checked again before anything is folded.
  const unread = (): readonly Complaint[] => []
  const found = await Promise.all(builds.map((each) => each.complaints().catch(unread)))
  const complaints = found.flat()
  const detail = complaintsText(complaints)
  if (complaints.length > 0) throw new Fault('PROJECTION_CHANGED', { detail, complaints })
}

async function rebuilt(
  { services }: Plan,
  rebuilders: ReadonlyMap<string, Rebuilder>,
  projection: string,
  options: RebuildOptions,
): Promise<Rebuilt> {
  const [service = '', name = ''] = projection.split('/')
  const found = rebuilders.get(service)
  if (found) return found.rebuild(name, options)
  const known = services.flatMap(({ projections }) =>
    projections.map(({ consumer }) => consumer.name),
  )
  const detail = unknownOf(projection, known)
  throw new Fault('PROJECTION_NOT_FOUND', { detail, ids: { service } })
}
