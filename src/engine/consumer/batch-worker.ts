import { yieldToEventLoop } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { asFault } from '../../base/errors/thrown-error.ts'
import type { RowKey, Unit } from '../../ports/event-store.ts'
import type { ProjectionGuard, ProjectionStateStore } from '../projections/index.ts'
import { createProjectionGuard, hasProjections } from '../projections/index.ts'
import { createLeases } from './leases.ts'
import { createUnitConflicts } from './unit-conflicts.ts'
import { damageFault } from '../context/index.ts'
import { createDelayFilter } from '../delays/index.ts'
import type { BatchSources } from './gather-batch.ts'
import type { HoldSummary, CrashGuard } from '../failure/index.ts'
import {
  createEdits,
  createHolds,
  createCrashGuard,
  createPolicies,
  timerRetry,
} from '../failure/index.ts'
import { createOrderedReader } from './ordered-reader.ts'
import type { HandlerCaller, StopSignals } from './handler-caller.ts'
import { createHandlerCaller, createGroupSlots } from './handler-caller.ts'
import type { Consumer, ConsumerGroup, ServicePlan } from '../plan/index.ts'
import { createGroupProgress } from './group-progress.ts'
import { createServiceRefold } from '../execution/index.ts'
import type { CachedRow } from '../rows/index.ts'
import { createRowCache, createWrites } from '../rows/index.ts'
import { createDueTimers } from './due-timers.ts'
import type { EngineContext, EngineMonitor } from '../context/index.ts'
import type { StagedBatch } from './staged-batch.ts'
import { runBatch } from './run-batch.ts'
import type { Delivery, Batch } from '../execution/index.ts'
import { EMPTY_BATCH } from '../execution/index.ts'
import type { BatchContext } from './load-rows.ts'

/** Whether a group is a handler; other groups contain pure rules only. */
export const isHandlerGroup = ({ consumers }: ConsumerGroup): boolean =>
  consumers.some(({ rule }) => rule.kind === 'handler')

/** Runs the batches of a group, and commits them. */
export interface BatchWorker {
  readonly sources: BatchSources
  readonly handlerCaller: HandlerCaller
  readonly crashGuard: CrashGuard
  /** Drops all state in memory; what is committed is the truth. */
  reset(): Promise<void>
  /** Whether a rebuild has replaced the rows in memory, or is about to. */
  isOutOfDate(): boolean
  /**
   * Runs a batch and commits it. A conflict splits it in halves, down to one message. Without a
   * batch, since its work went to another member, it resets. Returns the rest if a unit ended
   * early.
   */
  work(batch: Batch | undefined): Promise<Batch | undefined>
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
    engine,
  )
  const slots = createGroupSlots(engine, group, aborting)
  const policyOf = createPolicies(group, options)
  const [rule] = group.consumers.map((consumer) => consumer.rule)
  return {
    group,
    // Only rows of projections depend on the order of events over several topics.
    log: hasProjections(group) ? createOrderedReader(log) : log,
    clock,
    delays,
    options,
    rows: createRowCache(store, options.cacheBytesMax, createServiceRefold(engine, service)),
    holds: createHolds(store, service.tableNames, group.consumers, { delays, policyOf }),
    edits: createEdits(store, service.id),
    timers: createDueTimers(store, service.tableNames, { delays, rescanMs: options.idleMs }),
    progress,
    leases: createLeases(engine, group, progress),
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
  const { rows, holds, edits, timers, progress, leases, slots } = sources
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
    await progress.reload(isDormant)
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

interface UnitRunnerParts extends Pick<BatchWorker, 'sources' | 'crashGuard' | 'reset'> {
  readonly projectionGuard: ProjectionGuard
}

/** Creates the function that runs a batch and commits it. */
function createUnitRunner(
  engine: EngineContext,
  service: ServicePlan,
  { sources, projectionGuard, crashGuard, reset }: UnitRunnerParts,
): BatchWorker['work'] {
  const { budget, clock, delays, options, plan, newId, random, monitor } = engine
  const { store } = engine.backend
  const { group, rows, holds, edits, progress, slots } = sources
  const environment: BatchContext['environment'] = { plan, service, clock, delays, newId }
  // Handlers were called before; here their results are only staged.
  const computeMsMax = isHandlerGroup(group) ? Infinity : options.unitComputeMsMax
  const policyOf = createPolicies(group, options)
  const limits = { policyOf, timerRetry: timerRetry(options), computeMsMax }
  const context: BatchContext = {
    environment,
    group,
    rows,
    holds,
    edits,
    random,
    budget,
    ...limits,
  }
  const conflicts = createUnitConflicts(group.name, monitor)

  async function work(batch: Batch | undefined): Promise<Batch | undefined> {
    if (!batch) return reset().then(() => undefined)
    const { timers, scheduled } = batch
    const isEmpty = batch.deliveries.length + timers.length + scheduled.length === 0
    if (isEmpty && !progress.moves(batch.slices)) return undefined
    const staged = await runBatch(context, batch).catch(toDamageFault)
    if (staged instanceof Fault) return isolate(batch, staged)
    const { unit, rows: cachedRows } = createUnit(sources, projectionGuard, staged)
    const answer = await store.commit(unit).catch(toDamageFault)
    if (answer instanceof Fault) return isolate(batch, answer)
    if (answer.status === 'done') {
      conflicts.onCommit(staged.batch)
      crashGuard.onCommit(staged.batch)
      afterCommit(sources, monitor, staged, unit, cachedRows)
      if (staged.batch === batch) return undefined
      const { length: messages } = staged.batch.deliveries
      budget.endedEarly(group.name, { tookMs: staged.computedMs, messages })
      await yieldToEventLoop(clock)
      return { ...batch, timers: [], scheduled: [], deliveries: batch.deliveries.slice(messages) }
    }
    await reset()
    if (answer.status === 'conflict') await retryAfterConflict(batch, answer.rows)
    else slots?.forget()
    return undefined
  }

  /** Runs again in smaller units. A message whose conflicts no other commit explains is held as failed. */
  async function retryAfterConflict(batch: Batch, keys: readonly RowKey[]): Promise<void> {
    // Load rows that were believed to be new but exist, and rows that were lost.
    rows.markInDoubt(keys)
    await rows.load(keys)
    // The rest is read again after the first half.
    const isOpen = (each: Delivery): boolean => each.held !== undefined || progress.isAhead(each)
    const half = firstHalf(batch, isOpen)
    if (half) return void (await work(half))
    const stored = keys.map(({ table, key }) => rows.peek(table, key))
    const fault = conflicts.onConflict(batch, stored)
    if (fault) await isolate(batch, fault)
  }

  /** Finds the message whose changes cannot be committed, by halves, and holds it. */
  async function isolate(batch: Batch, fault: Fault): Promise<undefined> {
    const half = firstHalf(batch, () => true)
    if (half) return void (await work(half))
    const [one] = [...batch.timers, ...batch.deliveries]
    if (!one || one.fault) throw fault
    await work(withFault(batch, fault))
    return undefined
  }

  return work
}

/** Applies a committed unit in memory, and notifies the monitor. */
function afterCommit(
  { group, slots, rows, holds, timers, progress }: BatchSources,
  monitor: EngineMonitor,
  { batch, draft, changedConversations, ruleErrors }: StagedBatch,
  unit: Unit,
  cachedRows: readonly CachedRow[],
): void {
  slots?.onCommit(batch.deliveries)
  rows.put(cachedRows)
  rows.trim()
  holds.onCommit(draft)
  timers.onCommit(draft)
  progress.onCommit(unit.progress)
  for (const conversation of changedConversations) monitor.conversationChanged(conversation)
  for (const fault of ruleErrors) monitor.ruleFailed(fault)
  for (const lost of unit.progress) {
    if (lost.expired === 0) continue
    for (const { name: consumer, id } of group.consumers)
      if (id === lost.consumer) monitor.recordsExpired({ ...lost, consumer })
  }
}

function createUnit(
  { progress, leases }: BatchSources,
  projectionGuard: ProjectionGuard,
  staged: StagedBatch,
): { unit: Unit; rows: readonly CachedRow[] } {
  const { batch } = staged
  const { writes, checks, cached } = createWrites(staged.draft)
  const advances = progress.advances(batch, staged.counts)
  const fences = leases.fences(advances, batch.timers.length > 0)
  const { appends, streams } = staged
  const guarded = projectionGuard.addCheck(checks)
  const base = { fences, progress: advances, rows: writes, checks: guarded }
  const unit = { ...base, appends, streams, statuses: [...staged.statuses.values()] }
  return { unit, rows: cached }
}

const DAMAGE_CODES: ReadonlySet<string> = new Set(['DATA_DAMAGED', 'LOG_DAMAGED'])

/** Damage of a row or a partition affects some messages, and must not stop the others. */
function toDamageFault(cause: unknown): Fault {
  const fault = asFault(cause)
  if (fault && DAMAGE_CODES.has(fault.code)) return fault
  throw cause
}

/** A batch whose timers and deliveries all carry a fault. */
function withFault({ timers, deliveries }: Batch, fault: Fault): Batch {
  return {
    ...EMPTY_BATCH,
    timers: timers.map((timer): CachedRow => ({ ...timer, fault: fault })),
    deliveries: deliveries.map((delivery): Delivery => ({ ...delivery, fault: fault })),
  }
}

/** The first half of a batch, timers before deliveries; `undefined` if it cannot be split. */
function firstHalf(
  { timers, scheduled, deliveries }: Batch,
  isLeft: (delivery: Delivery) => boolean,
): Batch | undefined {
  const half = (timers.length + scheduled.length + deliveries.length) >> 1
  if (half === 0) return undefined
  if (timers.length > 0) return { ...EMPTY_BATCH, timers: timers.slice(0, half) }
  if (scheduled.length > 0) return { ...EMPTY_BATCH, scheduled: scheduled.slice(0, half) }
  return { ...EMPTY_BATCH, deliveries: deliveries.slice(0, half).filter(isLeft) }
}
