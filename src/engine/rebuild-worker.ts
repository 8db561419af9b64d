import { breathe } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { Build, RebuildStep, Shadow } from './build.ts'
import { REBUILD_STEPS, isSame } from './build.ts'
import type { Builds } from './builds.ts'
import { leaseOn } from './lease.ts'
import type { ProjectionPlan, ServicePlan } from './plan.ts'
import type { Shadowing, Under } from './shadow.ts'
import { shadowing } from './shadow.ts'
import type { EngineTools } from './tools.ts'

/** Runs the rebuilds of a service; one instance at a time. */
export interface RebuildWorker {
  /** Whether this instance holds the rebuild lease; renews it when due. */
  claims(): Promise<boolean>
  release(): Promise<void>
  /** Continues a rebuild until it is done, fails, or has to be looked at again. */
  work(job: ProjectionPlan): Promise<Fault | undefined>
}

export function rebuildWorker(
  engine: EngineTools,
  service: ServicePlan,
  builds: Builds,
  signal: AbortSignal,
): RebuildWorker {
  const { clock, options, pauses } = engine
  const { store } = engine.backend
  const lease = leaseOn(`${service.id}.rebuild`, { store, clock }, engine.member, options.leaseMs)
  const shadows = new Map<string, Shadowing>()
  /** Rebuilds that this process has recorded as begun, and those it is folding. */
  const [noted, folding] = [new Set<string>(), new Set<string>()]

  async function shadowFor(job: ProjectionPlan): Promise<Shadowing> {
    const known = shadows.get(job.consumer.id)
    if (known) return known
    const made = shadowing(engine, service, job)
    await made.declare()
    shadows.set(job.consumer.id, made)
    return made
  }

  return {
    claims: async () => (await lease.claim()) !== undefined,
    async release() {
      for (const ruleId of noted) await builds.change(ruleId, withoutUnended)
      await lease.release()
    },
    async work(job) {
      const shadow = await shadowFor(job)
      while (!signal.aborted && !pauses.isPaused(service.name)) {
        const claim = await lease.claim()
        const step = claim && stepOf(job, builds)
        if (!step) break
        const { ruleId } = job.consumer
        if (step !== 'folding') folding.delete(ruleId)
        else if (!folding.has(ruleId)) {
          noted.add(ruleId)
          const failure = await beginFolding(engine, builds, job)
          if (failure) return failure
          folding.add(ruleId)
        }
        const under: Under = { claim, builds, version: builds.version() }
        const next = await STEPS[step]({ job, shadow, under, signal })
        if (next === 'lost') break
        if (next instanceof Fault) return next
        await breathe(clock)
        await pauses.look()
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
  { backend, options }: EngineTools,
  builds: Builds,
  job: ProjectionPlan,
): Promise<Fault | undefined> {
  const { name, ruleId } = job.consumer
  const progress = await backend.store.progress([job.shadow.id])
  const at = progress.reduce((sum, { next }) => sum + next, 0)
  let count = 0
  await builds.change(ruleId, (build) => {
    const { shadow } = build
    if (shadow?.is !== 'folding' || !isSame(shadow, job.definition)) return build
    count = shadow.unended?.at === at ? shadow.unended.count : 0
    return { ...build, shadow: { ...shadow, unended: { at, count: count + 1 } } }
  })
  if (count < options.unendedAttemptsMax) return undefined
  return failedAs(name, { messageId: '', error: `the process ended in each of ${count} attempts` })
}

/** The state after folding has ended cleanly. */
function withoutUnended(build: Build): Build {
  if (!build.shadow?.unended) return build
  const { unended: _, ...shadow } = build.shadow
  return { ...build, shadow }
}

/**
 * The step of a rebuild that this instance can continue. A shadow of other rules cannot be
 * continued here.
 */
export function stepOf(
  { consumer, definition }: ProjectionPlan,
  builds: Pick<Builds, 'of'>,
): RebuildStep | undefined {
  const shadow = builds.of(consumer.ruleId)?.shadow
  return shadow && (shadow.is === 'sweeping' || isSame(shadow, definition)) ? shadow.is : undefined
}

interface Work {
  readonly job: ProjectionPlan
  readonly shadow: Shadowing
  readonly under: Under
  readonly signal: AbortSignal
}

/** `again`: read the state and continue. `lost`: the state was changed by another instance. */
type StepEnd = 'again' | 'lost' | Fault

const STEPS: Readonly<Record<RebuildStep, (work: Work) => Promise<StepEnd>>> = {
  async emptying(work) {
    if (await work.shadow.empty(work.under)) return 'again'
    return moveOn(work, 'emptying', 'folding')
  },
  async folding(work) {
    const { job, shadow, under, signal } = work
    const folded = await shadow.fold(under, signal)
    if (folded.is === 'failed') return fail(work, folded)
    if (folded.is === 'lost') return 'lost'
    if (!folded.isAtEnd) return 'again'
    const { definition } = job
    const next: Build = { live: definition, shadow: { ...definition, is: 'sweeping' } }
    const swapped = await shadow.swap(under, next)
    if (swapped === 'held') return moveOn(work, 'folding', 'retiring')
    if (swapped === 'swapped') await under.builds.load()
    return swapped === 'lost' ? 'lost' : 'again'
  },
  async retiring(work) {
    if (await work.shadow.retire(work.under)) return 'again'
    return moveOn(work, 'retiring', 'folding')
  },
  async sweeping({ job, shadow, under }) {
    if (await shadow.empty(under)) return 'again'
    await under.builds.change(job.consumer.ruleId, (build) =>
      build.shadow?.is === 'sweeping' ? { live: build.live } : build,
    )
    return 'again'
  },
}

async function moveOn<S extends RebuildStep>(
  { job, under }: Work,
  from: S,
  to: (typeof REBUILD_STEPS)[S][number],
): Promise<StepEnd> {
  await under.builds.change(job.consumer.ruleId, (build) => {
    const { shadow, live } = build
    if (shadow?.is !== from || !isSame(shadow, job.definition)) return build
    const retired = to === 'retiring' ? { isRetired: true } : {}
    return { live: { ...live, ...retired }, shadow: { ...shadow, is: to } }
  })
  return 'again'
}

async function fail(
  { job, under }: Work,
  { messageId, error }: { readonly messageId: string; readonly error: string },
): Promise<Fault> {
  await under.builds.change(job.consumer.ruleId, (build) => {
    const { shadow } = build
    if (shadow?.is !== 'folding' || shadow.failure) return build
    return { ...build, shadow: { ...shadow, failure: { messageId, error } } }
  })
  return failedAs(job.consumer.name, { messageId, error })
}

/** The fault for those who wait for the rebuild. */
export function failedAs(
  projection: string,
  { messageId, error }: NonNullable<Shadow['failure']>,
): Fault {
  const at = messageId ? ` at message ${messageId}` : ''
  const detail = `${projection}${at}: ${error}`
  return new Fault('REBUILD_FAILED', { detail, ids: { projection } })
}
