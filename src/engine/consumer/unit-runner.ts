import { yieldToEventLoop } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { asFault } from '../../base/errors/thrown-error.ts'
import type { RowKey, Unit } from '../../ports/event-store.ts'
import type { ProjectionGuard } from '../projections/index.ts'
import { createUnitConflicts } from './unit-conflicts.ts'
import type { BatchSources } from './gather-batch.ts'
import type { CrashGuard } from '../failure/index.ts'
import { createPolicies, timerRetry } from '../failure/index.ts'
import type { ConsumerGroup, ServicePlan } from '../plan/index.ts'
import type { CachedRow } from '../rows/index.ts'
import { createWrites } from '../rows/index.ts'
import type { EngineContext, EngineMonitor } from '../context/index.ts'
import type { StagedBatch } from './staged-batch.ts'
import { runBatch } from './run-batch.ts'
import type { Delivery, Batch } from '../execution/index.ts'
import { EMPTY_BATCH } from '../execution/index.ts'
import type { BatchContext } from './load-rows.ts'

/** Whether a group is a handler; other groups contain pure rules only. */
export const isHandlerGroup = ({ consumers }: ConsumerGroup): boolean =>
  consumers.some(({ rule }) => rule.kind === 'handler')

/**
 * Runs a batch and commits it. A conflict splits it in halves, down to one message. Without a batch,
 * since its work went to another member, it resets. Returns the rest if a unit ended early.
 */
export type RunUnit = (batch: Batch | undefined) => Promise<Batch | undefined>

export interface UnitRunnerParts {
  readonly sources: BatchSources
  readonly crashGuard: CrashGuard
  readonly projectionGuard: ProjectionGuard
  /** Drops all state in memory; what is committed is the truth. */
  reset(): Promise<void>
}

/** What the rules of a group run with. */
function createBatchContext(
  { backend, budget, clock, delays, options, plan, newId, random }: EngineContext,
  service: ServicePlan,
  { group, rows, holds, edits, claims }: BatchSources,
): BatchContext {
  // Handlers were called before; here their results are only staged.
  const computeMsMax = isHandlerGroup(group) ? Infinity : options.unitComputeMsMax
  const policyOf = createPolicies(group, options)
  const environment = { plan, service, clock, delays, newId }
  const limits = { policyOf, timerRetry: timerRetry(options), computeMsMax }
  const isShared = backend.store.can.shared
  const sources = { group, rows, holds, edits, claims }
  return { environment, ...sources, isShared, random, budget, ...limits }
}

/** Creates the function that runs a batch and commits it. */
export function createUnitRunner(
  engine: EngineContext,
  service: ServicePlan,
  { sources, projectionGuard, crashGuard, reset }: UnitRunnerParts,
): RunUnit {
  const { budget, clock, monitor } = engine
  const { store } = engine.backend
  const { group, rows, progress, slots } = sources
  const context = createBatchContext(engine, service, sources)
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
  { group, slots, rows, holds, timers, progress, claims }: BatchSources,
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
  claims.onCommit(unit.statuses)
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
  const base = {
    fences,
    progress: [...advances, ...staged.resolved],
    rows: writes,
    checks: guarded,
  }
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
