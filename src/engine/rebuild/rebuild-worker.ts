import { yieldToEventLoop } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type {
  ProjectionState,
  RebuildStep,
  ShadowState,
  ProjectionPlan,
  ServicePlan,
} from '../plan/index.ts'
import { REBUILD_STEPS, isSameDefinition } from '../plan/index.ts'
import type { ProjectionStateStore } from '../projections/index.ts'
import { createTaskLease } from '../context/index.ts'
import type { ShadowRows, RebuildFence } from './shadow-rows.ts'
import { createShadowRows } from './shadow-rows.ts'
import type { EngineContext } from '../context/index.ts'

/** Runs the rebuilds of a service; one instance at a time. */
export interface RebuildWorker {
  /** Whether this instance holds the rebuild lease; renews it when due. */
  holdsLease(): Promise<boolean>
  release(): Promise<void>
  /** Continues a rebuild until it is done, fails, or has to be looked at again. */
  work(job: ProjectionPlan): Promise<Fault | undefined>
}

export function createRebuildWorker(
  engine: EngineContext,
  service: ServicePlan,
  projectionStates: ProjectionStateStore,
  signal: AbortSignal,
): RebuildWorker {
  const { clock, options, pauses } = engine
  const { store } = engine.backend
  const taskLease = createTaskLease(
    `${service.id}.rebuild`,
    { store, clock },
    engine.member,
    options.leaseMs,
  )
  const shadows = new Map<string, ShadowRows>()
  /** Rebuilds that this process has recorded as begun, and those it is folding. */
  const [noted, folding] = [new Set<string>(), new Set<string>()]

  async function shadowFor(job: ProjectionPlan): Promise<ShadowRows> {
    const known = shadows.get(job.consumer.id)
    if (known) return known
    const made = createShadowRows(engine, service, job)
    await made.declare()
    shadows.set(job.consumer.id, made)
    return made
  }

  return {
    holdsLease: async () => (await taskLease.hold()) !== undefined,
    async release() {
      for (const ruleId of noted) await projectionStates.edit(ruleId, withoutCrashCount)
      await taskLease.release()
    },
    async work(job) {
      const shadow = await shadowFor(job)
      while (!signal.aborted && !pauses.isPaused(service.name)) {
        const lease = await taskLease.hold()
        const step = lease && currentStep(job, projectionStates)
        if (!step) break
        const { ruleId } = job.consumer
        if (step !== 'folding') folding.delete(ruleId)
        else if (!folding.has(ruleId)) {
          noted.add(ruleId)
          const failure = await beginFolding(engine, projectionStates, job)
          if (failure) return failure
          folding.add(ruleId)
        }
        const fence: RebuildFence = {
          lease,
          projectionStates,
          stateVersion: projectionStates.version(),
        }
        const next = await STEPS[step]({ job, shadow, fence, signal })
        if (next === 'lost') break
        if (next instanceof Fault) return next
        await yieldToEventLoop(clock)
        await pauses.refreshIfStale()
      }
      return undefined
    },
  }
}

/**
 * Records that folding begins. If it has begun repeatedly at the same place and crashed the process
 * each time, the rebuild fails, so that everything else continues.
 */
async function beginFolding(
  { backend, options }: EngineContext,
  projectionStates: ProjectionStateStore,
  job: ProjectionPlan,
): Promise<Fault | undefined> {
  const { name, ruleId } = job.consumer
  const progress = await backend.store.progress([job.shadow.id])
  const at = progress.reduce((sum, { next }) => sum + next, 0)
  let count = 0
  await projectionStates.edit(ruleId, (build) => {
    const { shadow } = build
    if (shadow?.is !== 'folding' || !isSameDefinition(shadow, job.definition)) return build
    count = shadow.unended?.at === at ? shadow.unended.count : 0
    return { ...build, shadow: { ...shadow, unended: { at, count: count + 1 } } }
  })
  if (count < options.crashAttemptsMax) return undefined
  return rebuildFault(name, {
    messageId: '',
    error: `the process ended in each of ${count} attempts`,
  })
}

/** The state after folding has ended cleanly. */
function withoutCrashCount(build: ProjectionState): ProjectionState {
  if (!build.shadow?.unended) return build
  const { unended: _, ...shadow } = build.shadow
  return { ...build, shadow }
}

/**
 * The step of a rebuild that this instance can continue. A shadow of other rules cannot be
 * continued here.
 */
export function currentStep(
  { consumer, definition }: ProjectionPlan,
  projectionStates: Pick<ProjectionStateStore, 'get'>,
): RebuildStep | undefined {
  const shadow = projectionStates.get(consumer.ruleId)?.shadow
  return shadow && (shadow.is === 'sweeping' || isSameDefinition(shadow, definition))
    ? shadow.is
    : undefined
}

interface StepContext {
  readonly job: ProjectionPlan
  readonly shadow: ShadowRows
  readonly fence: RebuildFence
  readonly signal: AbortSignal
}

/** `again`: read the state and continue. `lost`: the state was changed by another instance. */
type StepResult = 'again' | 'lost' | Fault

const STEPS: Readonly<Record<RebuildStep, (work: StepContext) => Promise<StepResult>>> = {
  async emptying(work) {
    if (await work.shadow.clearPage(work.fence)) return 'again'
    return moveTo(work, 'emptying', 'folding')
  },
  async folding(work) {
    const { job, shadow, fence, signal } = work
    const folded = await shadow.fold(fence, signal)
    if (folded.status === 'failed') return failRebuild(work, folded)
    if (folded.status === 'lost') return 'lost'
    if (!folded.isAtEnd) return 'again'
    const { definition } = job
    const next: ProjectionState = { live: definition, shadow: { ...definition, is: 'sweeping' } }
    const swapped = await shadow.swap(fence, next)
    if (swapped === 'held') return moveTo(work, 'folding', 'retiring')
    if (swapped === 'swapped') await fence.projectionStates.load()
    return swapped === 'lost' ? 'lost' : 'again'
  },
  async retiring(work) {
    if (await work.shadow.releaseHeldPage(work.fence)) return 'again'
    return moveTo(work, 'retiring', 'folding')
  },
  async sweeping({ job, shadow, fence }) {
    if (await shadow.clearPage(fence)) return 'again'
    await fence.projectionStates.edit(job.consumer.ruleId, (build) =>
      build.shadow?.is === 'sweeping' ? { live: build.live } : build,
    )
    return 'again'
  },
}

async function moveTo<S extends RebuildStep>(
  { job, fence }: StepContext,
  from: S,
  to: (typeof REBUILD_STEPS)[S][number],
): Promise<StepResult> {
  await fence.projectionStates.edit(job.consumer.ruleId, (build) => {
    const { shadow, live } = build
    if (shadow?.is !== from || !isSameDefinition(shadow, job.definition)) return build
    const retired = to === 'retiring' ? { isRetired: true } : {}
    return { live: { ...live, ...retired }, shadow: { ...shadow, is: to } }
  })
  return 'again'
}

async function failRebuild(
  { job, fence }: StepContext,
  { messageId, error }: { readonly messageId: string; readonly error: string },
): Promise<Fault> {
  await fence.projectionStates.edit(job.consumer.ruleId, (build) => {
    const { shadow } = build
    if (shadow?.is !== 'folding' || shadow.failure) return build
    return { ...build, shadow: { ...shadow, failure: { messageId, error } } }
  })
  return rebuildFault(job.consumer.name, { messageId, error })
}

/** The fault for those who wait for the rebuild. */
export function rebuildFault(
  projection: string,
  { messageId, error }: NonNullable<ShadowState['failure']>,
): Fault {
  const at = messageId ? ` at message ${messageId}` : ''
  const detail = `${projection}${at}: ${error}`
  return new Fault('REBUILD_FAILED', { detail, ids: { projection } })
}
