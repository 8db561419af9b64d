import type { ProjectionStateStore } from '../projections/index.ts'
import { createProjectionGuard, hasProjections } from '../projections/index.ts'
import { createClaims } from './claims.ts'
import { createLeases } from './leases.ts'
import { damageFault } from '../context/index.ts'
import { createDelayFilter } from '../delays/index.ts'
import type { BatchSources } from './gather-batch.ts'
import type { HoldSummary, CrashGuard } from '../failure/index.ts'
import {
  createEdits,
  createRedriveRate,
  createHolds,
  createCrashGuard,
  createPolicies,
} from '../failure/index.ts'
import { createOrderedReader } from './ordered-reader.ts'
import type { HandlerCaller, StopSignals } from './handler-caller.ts'
import { createHandlerCaller, createGroupSlots } from './handler-caller.ts'
import type { Consumer, ConsumerGroup, ServicePlan } from '../plan/index.ts'
import { createGroupProgress } from './group-progress.ts'
import { createServiceRefold } from '../execution/index.ts'
import { createRowCache } from '../rows/index.ts'
import { createDueTimers } from './due-timers.ts'
import type { EngineContext } from '../context/index.ts'
import type { Delivery } from '../execution/index.ts'
import type { RunUnit } from './unit-runner.ts'
import { createUnitRunner } from './unit-runner.ts'

/** Runs the batches of a group, and commits them. */
export interface BatchWorker {
  readonly sources: BatchSources
  readonly handlerCaller: HandlerCaller
  readonly crashGuard: CrashGuard
  /** Drops all state in memory; what is committed is the truth. */
  reset(): Promise<void>
  /** Whether a rebuild has replaced the rows in memory, or is about to. */
  isOutOfDate(): boolean
  readonly work: RunUnit
}

function createSources(
  engine: EngineContext,
  service: ServicePlan,
  group: ConsumerGroup,
  aborting: AbortSignal,
): BatchSources {
  const { clock, delays, options, plan } = engine
  const { log, store } = engine.backend
  const progress = createGroupProgress(
    store,
    group,
    (topic) => plan.topics.get(topic)?.partitions ?? 0,
    { clock, by: service.name },
  )
  const policyOf = createPolicies(group, options)
  const holds = createHolds(store, service.tableNames, group.consumers, { delays, policyOf })
  const slots = createGroupSlots(engine, group, holds, aborting)
  const [rule] = group.consumers.map((consumer) => consumer.rule)
  const leases = createLeases(engine, group, progress)
  return {
    group,
    // Only rows of projections depend on the order of events over several topics.
    log: hasProjections(group) ? createOrderedReader(log) : log,
    clock,
    delays,
    options,
    rows: createRowCache(store, options.cacheBytesMax, createServiceRefold(engine, service)),
    holds,
    edits: createEdits(store, service.id),
    redriveRate: createRedriveRate(clock, policyOf),
    timers: createDueTimers(store, service.tableNames, { delays, rescanMs: options.idleMs }),
    progress,
    leases,
    claims: createClaims(engine, group, service.name, { holds, leases }),
    ...(rule?.kind === 'handler' && rule.delayMs > 0
      ? { delayed: createDelayFilter(clock, delays, rule.delayMs) }
      : {}),
    reportDamage: createDamageReporter(group, engine),
    ...(slots ? { slots } : {}),
  }
}

/** The held keys that this instance works on: the state of others may be out of date. */
function holdsWorkedOnHere({ leases, holds, progress }: BatchSources): Iterable<HoldSummary> {
  const { held, shards } = leases.share()
  if (held === shards) return holds.summaries()
  const isHere = ({ key }: HoldSummary): boolean =>
    leases.holds({ resource: progress.resourceForKey(key) })
  return [...holds.summaries()].filter(isHere)
}

/** Whether a consumer reads nothing more until its dead letters are resolved. */
function isStopped({ id, rule }: Consumer, holds: BatchSources['holds']): boolean {
  return rule.onFailed === 'stop' && holds.deadCount(id) > 0
}

/** Reports once that a group is stopped by damage, and once that it continues. */
function createDamageReporter(
  { name }: ConsumerGroup,
  { monitor }: EngineContext,
): BatchSources['reportDamage'] {
  const reported = new Set<string>()
  return ({ topic, partition, damage }) => {
    const monitorKey = `${name} at ${topic}/${partition}`
    if (damage === undefined) {
      if (reported.delete(monitorKey)) monitor.recovered(monitorKey)
    } else if (!reported.has(monitorKey)) {
      reported.add(monitorKey)
      monitor.failed(monitorKey, damageFault(topic, `${topic}/${partition}`, damage))
    }
  }
}

export function createBatchWorker(
  engine: EngineContext,
  service: ServicePlan,
  group: ConsumerGroup,
  signals: StopSignals,
  projectionStates: ProjectionStateStore,
): BatchWorker {
  const sources = createSources(engine, service, group, signals.aborting)
  const { rows, holds, edits, timers, progress, leases, claims, slots } = sources
  const handlerCaller = createHandlerCaller(engine, sources, signals)
  const projectionGuard = createProjectionGuard(group, projectionStates)
  engine.monitor.trackHolds(group.name, () => holdsWorkedOnHere(sources))
  const isHere = ({ record }: Delivery): boolean =>
    leases.holds({ resource: progress.resourceForKey(record.key) })

  /** A consumer that awaits a rebuild, or that a dead letter has stopped. */
  const isDormant = (consumer: Consumer): boolean =>
    projectionStates.isAwaitingRebuild(consumer) || isStopped(consumer, holds)

  const stoppedText = (): string =>
    group.consumers
      .filter((each) => isStopped(each, holds))
      .map(({ id }) => id)
      .join()
  let stoppedAtReset = ''

  async function reset(): Promise<void> {
    slots?.retain(isHere)
    handlerCaller.forgetResults()
    rows.clear()
    await projectionGuard.load()
    await holds.load()
    await edits.load()
    await claims.load()
    await progress.reload(isDormant)
    // The progress of a dormant consumer is not known here.
    if (!group.consumers.some(isDormant)) await claims.completePassed(progress.hasPassed)
    slots?.forgetCommitted(progress.isAhead)
    stoppedAtReset = stoppedText()
    await timers.load()
  }

  const { store } = engine.backend
  const { crashPermit, clock, options } = engine
  const crashGuard = createCrashGuard({
    store,
    clock,
    group,
    holds,
    progress,
    permit: crashPermit,
    options,
  })
  const work = createUnitRunner(engine, service, { sources, projectionGuard, crashGuard, reset })
  return {
    sources,
    handlerCaller,
    crashGuard,
    reset,
    isOutOfDate: () => projectionGuard.isOutOfDate() || stoppedText() !== stoppedAtReset,
    work,
  }
}
