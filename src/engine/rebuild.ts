import { pause } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { unknownOf } from '../base/options.ts'
import { faultIn } from '../base/thrown.ts'
import type { Build, Shadow } from './build.ts'
import { isSame } from './build.ts'
import type { Builds } from './builds.ts'
import type { ProjectionPlan, ServicePlan } from './plan.ts'
import { changedSource } from './changed-source.ts'
import { failedAs, rebuildWorker, stepOf } from './rebuild-worker.ts'
import { supervise } from './supervise.ts'
import type { EngineTools } from './tools.ts'

/** Progress of a rebuild, in records of the topics that the projection reads. */
export interface RebuildProgress {
  readonly done: number
  readonly total: number
}

export interface RebuildOptions {
  readonly tell?: (progress: RebuildProgress) => void
  /** Stops waiting; the rebuild continues. */
  readonly signal?: AbortSignal
}

/** The result of a rebuild. */
export interface Rebuilt {
  /** `SERVICE/PROJECTION`. */
  readonly projection: string
  readonly version: number
  /** Events that the rows were folded from. */
  readonly events: number
}

/** Rebuilds the projections of a service, one at a time. */
export interface Rebuilder {
  /** Runs pending rebuilds until stopped, including those begun before a restart. */
  run(): Promise<void>
  stop(): void
  /**
   * Starts a rebuild, or joins the running one, and waits for its end.
   *
   * @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`, `APP_STOPPING`
   */
  rebuild(projection: string, options: RebuildOptions): Promise<Rebuilt>
}

const LOOK_MS = 200

/** A failed rebuild is retried after this time, since another instance may run a fixed rule. */
const FAILED_MS = 60_000

export function rebuilder(engine: EngineTools, service: ServicePlan, builds: Builds): Rebuilder {
  const { clock, options, pauses, watch } = engine
  const stopping = new AbortController()
  const { signal } = stopping
  const failedUntil = new Map<string, number>()
  const worker = rebuildWorker(engine, service, builds, signal)
  const about = `rebuilds of ${service.name}`
  let hasBegun = false

  async function turn(): Promise<void> {
    await builds.load()
    // An instance of an older version that starts gives up a rebuild it cannot continue.
    if (!hasBegun || service.projections.some((each) => isWaiting(each, builds)))
      await builds.begin()
    hasBegun = true
    const changed = builds.otherSources()
    watch.otherSources(service.name, changed.map(changedSource))
    const job = service.projections.find((each) => {
      const isLate = (failedUntil.get(each.consumer.rule.name) ?? 0) <= clock.elapsed()
      return isLate && stepOf(each, builds) !== undefined
    })
    if (!job) return builds.changed(options.leaseMs, signal)
    if (!(await worker.claims())) return pause(clock, Math.floor(options.leaseMs / 3), signal)
    const failure = await worker.work(job)
    const { name, rule } = job.consumer
    if (failure) failedUntil.set(rule.name, clock.elapsed() + FAILED_MS)
    watch.rebuilding(name, failure)
  }

  return {
    async run() {
      if (service.projections.length === 0) return
      const { retryDelayMs } = options
      await supervise(engine, { name: about, signal, retryDelayMs }, async () => {
        await pauses.look()
        if (pauses.isPaused(service.name)) await pauses.changed(signal)
        else await turn()
      })
      await worker.release().catch((cause: unknown) => watch.broke(about, cause))
    },
    stop: () => stopping.abort(),
    async rebuild(name, { tell = () => undefined, signal: given }) {
      const job = projectionNamed(service, name)
      failedUntil.delete(name)
      await builds.begin()
      await builds.change(job.consumer.ruleId, (build) => begun(build, job.definition))
      for (;;) {
        given?.throwIfAborted()
        if (signal.aborted)
          throw new Fault('APP_STOPPING', { detail: 'the rebuild continues at the next start' })
        const seen = await look(engine, builds, job).catch(mustPass)
        if (seen?.is === 'rebuilt') return seen.rebuilt
        if (seen) tell(seen.progress)
        if (seen?.failure) throw failedAs(job.consumer.name, seen.failure)
        await builds.changed(LOOK_MS, given ? AbortSignal.any([signal, given]) : signal)
      }
    },
  }
}

async function look(engine: EngineTools, builds: Builds, job: ProjectionPlan): Promise<Seen> {
  const { consumer, definition } = job
  await builds.load()
  const shadow = builds.of(consumer.ruleId)?.shadow
  if (shadow && shadow.is !== 'sweeping') {
    const { failure } = shadow
    return { is: 'running', progress: await progressOf(engine, job), failure }
  }
  const rows = await engine.backend.store.progress([consumer.id])
  const events = rows.reduce((sum, { completed }) => sum + completed, 0)
  const { version } = definition
  return { is: 'rebuilt', rebuilt: { projection: consumer.name, version, events } }
}

/** Ignores errors that can pass, such as a store that does not answer; throws others. */
function mustPass(cause: unknown): undefined {
  if (faultIn(cause)?.retryable === false) throw cause
}

function projectionNamed(service: ServicePlan, name: string): ProjectionPlan {
  const found = service.projections.find(({ consumer }) => consumer.rule.name === name)
  if (found) return found
  const known = service.projections.map(({ consumer }) => consumer.name)
  const detail = unknownOf(`${service.name}/${name}`, known)
  throw new Fault('PROJECTION_NOT_FOUND', { detail, ids: { service: service.name } })
}

/** The state with a rebuild requested; a running one continues. */
function begun(build: Build, definition: ProjectionPlan['definition']): Build {
  const { live, shadow } = build
  if (!shadow || shadow.is === 'sweeping')
    return { live, shadow: { ...definition, is: 'emptying' } }
  if (!shadow.failure && !shadow.unended) return build
  const { failure: _, unended: __, ...again } = shadow
  return { live, shadow: again }
}

async function progressOf(
  { backend: { log, store } }: EngineTools,
  { reactions, shadow }: ProjectionPlan,
): Promise<RebuildProgress> {
  const ends = await log.ends([...reactions.keys()])
  const progress = await store.progress([shadow.id])
  let done = 0
  let total = 0
  for (const { topic, partition, first, next } of ends) {
    const reached = progress.find((each) => each.topic === topic && each.partition === partition)
    total += next - first
    done += Math.max(0, Math.min(reached?.next ?? 0, next) - first)
  }
  return { done, total }
}

/** The rebuild as seen by those who wait for it. */
type Seen =
  | { readonly is: 'rebuilt'; readonly rebuilt: Rebuilt }
  | {
      readonly is: 'running'
      readonly progress: RebuildProgress
      readonly failure: Shadow['failure']
    }

/** Whether the rows need a rebuild that has not been started. */
function isWaiting({ consumer, definition }: ProjectionPlan, builds: Builds): boolean {
  if (!builds.isDormant(consumer)) return false
  const shadow = builds.of(consumer.ruleId)?.shadow
  return !shadow || shadow.is === 'sweeping' || !isSame(shadow, definition)
}
