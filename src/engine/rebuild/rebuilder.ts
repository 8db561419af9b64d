import { sleep } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { unknownNameDetail } from '../../base/options.ts'
import { asFault } from '../../base/errors/thrown-error.ts'
import type { ProjectionState, ShadowState, ProjectionPlan, ServicePlan } from '../plan/index.ts'
import { isSameDefinition, createChangedSource } from '../plan/index.ts'
import type { ProjectionStateStore } from '../projections/index.ts'
import { rebuildFault, createRebuildWorker, currentStep } from './rebuild-worker.ts'
import { supervise } from '../context/index.ts'
import type { EngineContext } from '../context/index.ts'

/** Progress of a rebuild, in records of the topics that the projection reads. */
export interface RebuildProgress {
  readonly done: number
  readonly total: number
}

export interface RebuildOptions {
  readonly onProgress?: (progress: RebuildProgress) => void
  /** Stops waiting; the rebuild continues. */
  readonly signal?: AbortSignal
}

/** The result of a rebuild. */
export interface RebuildResult {
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
  rebuild(projection: string, options: RebuildOptions): Promise<RebuildResult>
}

const PROGRESS_MS = 200

/** A failed rebuild is retried after this time, since another instance may run a fixed rule. */
const RETRY_FAILED_MS = 60_000

export function createRebuilder(
  engine: EngineContext,
  service: ServicePlan,
  projectionStates: ProjectionStateStore,
): Rebuilder {
  const { clock, options, pauses, monitor } = engine
  const stopping = new AbortController()
  const { signal } = stopping
  const failedUntil = new Map<string, number>()
  const worker = createRebuildWorker(engine, service, projectionStates, signal)
  const monitorKey = `rebuilds of ${service.name}`
  let hasBegun = false

  async function runOnce(): Promise<void> {
    await projectionStates.load()
    // An instance of an older version that starts gives up a rebuild it cannot continue.
    if (!hasBegun || service.projections.some((each) => needsRebuild(each, projectionStates)))
      await projectionStates.applyDefinitions()
    hasBegun = true
    const changed = projectionStates.otherSources()
    monitor.otherSources(service.name, changed.map(createChangedSource))
    const job = service.projections.find((each) => {
      const isLate = (failedUntil.get(each.consumer.rule.name) ?? 0) <= clock.elapsed()
      return isLate && currentStep(each, projectionStates) !== undefined
    })
    if (!job) return projectionStates.waitForChange(options.leaseMs, signal)
    if (!(await worker.holdsLease())) return sleep(clock, Math.floor(options.leaseMs / 3), signal)
    const failure = await worker.work(job)
    const { name, rule } = job.consumer
    if (failure) failedUntil.set(rule.name, clock.elapsed() + RETRY_FAILED_MS)
    monitor.setRebuildFailure(name, failure)
  }

  return {
    async run() {
      if (service.projections.length === 0) return
      const { retryDelayMs } = options
      await supervise(engine, { name: monitorKey, signal, pauseMs: retryDelayMs }, async () => {
        await pauses.refreshIfStale()
        if (pauses.isPaused(service.name)) await pauses.waitForChange(signal)
        else await runOnce()
      })
      await worker.release().catch((cause: unknown) => monitor.failed(monitorKey, cause))
    },
    stop: () => stopping.abort(),
    async rebuild(name, { onProgress = () => undefined, signal: given }) {
      const job = projectionNamed(service, name)
      failedUntil.delete(name)
      await projectionStates.applyDefinitions()
      await projectionStates.edit(job.consumer.ruleId, (build) =>
        withRebuildRequested(build, job.definition),
      )
      for (;;) {
        given?.throwIfAborted()
        if (signal.aborted)
          throw new Fault('APP_STOPPING', { detail: 'the rebuild continues at the next start' })
        const view = await readView(engine, projectionStates, job).catch(throwIfPermanent)
        if (view?.status === 'rebuilt') return view.result
        if (view) onProgress(view.progress)
        if (view?.failure) throw rebuildFault(job.consumer.name, view.failure)
        await projectionStates.waitForChange(
          PROGRESS_MS,
          given ? AbortSignal.any([signal, given]) : signal,
        )
      }
    },
  }
}

async function readView(
  engine: EngineContext,
  projectionStates: ProjectionStateStore,
  job: ProjectionPlan,
): Promise<RebuildView> {
  const { consumer, definition } = job
  await projectionStates.load()
  const shadow = projectionStates.get(consumer.ruleId)?.shadow
  if (shadow && shadow.is !== 'sweeping') {
    const { failure } = shadow
    return { status: 'running', progress: await readProgress(engine, job), failure }
  }
  const rows = await engine.backend.store.progress([consumer.id])
  const events = rows.reduce((sum, { completed }) => sum + completed, 0)
  const { version } = definition
  return { status: 'rebuilt', result: { projection: consumer.name, version, events } }
}

/** Ignores errors that can pass, such as a store that does not answer; throws others. */
function throwIfPermanent(cause: unknown): undefined {
  if (asFault(cause)?.retryable === false) throw cause
}

function projectionNamed(service: ServicePlan, name: string): ProjectionPlan {
  const found = service.projections.find(({ consumer }) => consumer.rule.name === name)
  if (found) return found
  const known = service.projections.map(({ consumer }) => consumer.name)
  const detail = unknownNameDetail(`${service.name}/${name}`, known)
  throw new Fault('PROJECTION_NOT_FOUND', { detail, ids: { service: service.name } })
}

/** The state with a rebuild requested; a running one continues. */
function withRebuildRequested(
  build: ProjectionState,
  definition: ProjectionPlan['definition'],
): ProjectionState {
  const { live, shadow } = build
  if (!shadow || shadow.is === 'sweeping')
    return { live, shadow: { ...definition, is: 'emptying' } }
  if (!shadow.failure && !shadow.unended) return build
  const { failure: _, unended: __, ...again } = shadow
  return { live, shadow: again }
}

async function readProgress(
  { backend: { log, store } }: EngineContext,
  { subscriptions, shadow }: ProjectionPlan,
): Promise<RebuildProgress> {
  const ends = await log.ends([...subscriptions.keys()])
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
type RebuildView =
  | { readonly status: 'rebuilt'; readonly result: RebuildResult }
  | {
      readonly status: 'running'
      readonly progress: RebuildProgress
      readonly failure: ShadowState['failure']
    }

/** Whether the rows need a rebuild that has not been started. */
function needsRebuild(
  { consumer, definition }: ProjectionPlan,
  projectionStates: ProjectionStateStore,
): boolean {
  if (!projectionStates.isAwaitingRebuild(consumer)) return false
  const shadow = projectionStates.get(consumer.ruleId)?.shadow
  return !shadow || shadow.is === 'sweeping' || !isSameDefinition(shadow, definition)
}
