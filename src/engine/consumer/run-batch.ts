import { isNonRetryable } from '../../base/errors/fault.ts'
import { thrownError } from '../../base/errors/thrown-error.ts'
import {
  advanceSaga,
  fireTimer,
  isForRollback,
  timerIndex,
  decide,
  project,
  ruleFault,
  stageHandlerResult,
} from '../execution/index.ts'
import type { TimerRow, InboundMessage, RuleRun, Delivery, Batch } from '../execution/index.ts'
import type { HeldMessage } from '../failure/index.ts'
import {
  closePages,
  thrownFields,
  holdKeyOf,
  readHold,
  releaseFront,
  retryDelayMs,
} from '../failure/index.ts'
import { deadBefore, loadRowsAhead, loadScheduledRows, timerRowKeys } from './load-rows.ts'
import type { CachedRow } from '../rows/index.ts'
import type { BatchContext } from './load-rows.ts'
import { scheduleHold, takePlaceOfDead } from './schedule-holds.ts'
import {
  holdBehind,
  holdWithError,
  holdWithoutError,
  keptError,
  statusBefore,
} from './stage-failure.ts'
import type { StagedBatch, StagingBatch } from './staged-batch.ts'
import { addCounts, createRun, createStagingBatch, mergeRun, stageStatus } from './staged-batch.ts'

/** Runs all rules of a batch in order, and stages what they return. */
export async function runBatch(context: BatchContext, batch: Batch): Promise<StagedBatch> {
  await context.rows.load(timerRowKeys(batch.timers))
  await loadScheduledRows(context, batch.scheduled)
  const staged = createStagingBatch(context)
  for (const hold of batch.scheduled) scheduleHold(context, staged, hold)
  for (const timer of batch.timers) runTimer(context, staged, timer)
  const blocked = new Set<string>()
  context.budget.begin()
  let [ran, loaded] = [0, 0]
  for (const delivery of batch.deliveries) {
    // Rules block the event loop: leave the rest for the next unit.
    if (staged.computedMs > context.computeMsMax) break
    if (ran === loaded) {
      const loadedRows = await loadRowsAhead(context, batch, ran)
      staged.computedMs += loadedRows.tookMs
      loaded = loadedRows.upTo
    }
    ran += 1
    // This waits only for rows that could not be named ahead.
    const pending = runDelivery(context, staged, delivery, blocked)
    if (!pending) continue
    await pending
    context.budget.begin()
  }
  closePages(staged)
  if (ran === batch.deliveries.length) return { ...staged, batch }
  // A record may have run for some of its consumers only: each has passed its own last delivery.
  return { ...staged, batch: { ...batch, deliveries: batch.deliveries.slice(0, ran), slices: [] } }
}

function runTimer(context: BatchContext, staged: StagingBatch, row: CachedRow): void {
  // After a conflict, the reloaded row may already be deleted: skip the timer.
  if (staged.draft.row(row.table, row.key)?.version === 0) return
  const timer = row.value as TimerRow
  const consumer = context.group.consumers.find(({ ruleId }) => ruleId === timer.rule)
  // What was staged before it stays, also where it throws before its run begins.
  staged.draft.begin()
  try {
    if (row.fault) throw row.fault
    if (consumer?.rule.kind !== 'saga') throw ruleFault(`the saga ${timer.rule} no longer exists`)
    const { id: messageId, at, key } = timer.cause
    const messageContext = { messageId, at, key }
    const inbound: InboundMessage = {
      envelope: timer.cause,
      context: messageContext,
      data: undefined,
    }
    const step = createRun(context, staged, inbound, consumer)
    fireTimer(step, consumer.rule, row.key, timer)
    mergeRun(staged, step)
  } catch (cause) {
    staged.draft.undo()
    delayTimer(context, staged, row, cause)
  }
}

/** Delays a timer that cannot be sent, longer each time. Other timers go on. */
function delayTimer(
  context: BatchContext,
  staged: StagingBatch,
  row: CachedRow,
  cause: unknown,
): void {
  const timer = row.value as TimerRow
  const { clock, delays, service } = context.environment
  const attempts = (timer.attempts ?? 0) + 1
  const delayMs = retryDelayMs(
    context.timerRetry,
    isNonRetryable(cause) ? Infinity : attempts,
    context.random(),
  )
  const at = clock.now()
  const index = timerIndex(delays, delayMs)
  staged.draft.put(service.tableNames.timers, row.key, {
    value: { ...timer, attempts, delayMs, dueAt: index.due },
    version: row.version + 1,
    index,
  })
  const { id: messageId, key } = timer.cause
  const saga = context.group.consumers.find(({ ruleId }) => ruleId === timer.rule)
  const consumer = saga?.name ?? `${service.name}/${timer.rule}`
  const type = `${timer.message.contract}.${timer.message.name}`
  const status = 'RETRY' as const
  const fault = {
    consumer,
    messageId,
    key,
    type,
    at,
    attempts,
    status,
    nextAttemptAt: at + delayMs,
  }
  staged.ruleErrors.push({ ...fault, ...thrownFields(thrownError(cause)) })
}

function runDelivery(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  blocked: Set<string>,
): Promise<void> | undefined {
  const { subscription, record, held } = delivery
  const { tableNames } = context.environment.service
  if (held && blocked.has(held.holdKey)) return undefined
  // Released by another instance: a conflict has had it read again.
  if (held && staged.draft.row(tableNames.held, held.key)?.version === 0) return undefined
  // Usually nothing is held, and no hold key is needed.
  const holdKey = (): string => held?.holdKey ?? holdKeyOf(subscription.consumer, record)
  const dead = deadBefore(context, delivery)
  if (dead && takePlaceOfDead(context, staged, dead, delivery)) return undefined
  // A handler that was not called because its key was held is called in the next batch.
  const isUntried =
    subscription.consumer.rule.kind === 'handler' && !delivery.attempt && !delivery.fault
  // It was not called, since one before it has failed.
  if (held && isUntried) return undefined
  const mayBeHeld = !held && context.holds.isAny(staged.draft)
  const isBehind = mayBeHeld && context.holds.isHeld(staged.draft, holdKey())
  if ((!held && isUntried) || (isBehind && !passesHold(staged, delivery))) {
    holdBehind(context, staged, delivery)
    return undefined
  }
  if (delivery.attempt?.status === 'later' || delivery.attempt?.status === 'running') {
    holdWithoutError(context, staged, delivery, delivery.attempt)
    blocked.add(holdKey())
    return undefined
  }
  const done = (fault: { cause: unknown } | undefined): void => {
    if (!fault && held) completeHeld(context, staged, delivery, held)
    else if (!fault) completeFresh(context, staged, delivery, isBehind)
    else if (isBehind) holdBehind(context, staged, delivery)
    else {
      holdWithError(context, staged, delivery, fault.cause)
      blocked.add(holdKey())
    }
  }
  const outcome = tryDelivery(context, staged, delivery)
  if (outcome instanceof Promise) return outcome.then(done)
  done(outcome)
  return undefined
}

/**
 * `undefined` if the rule ran; the cause if it threw. Asynchronous only if rows have to be loaded.
 */
function tryDelivery(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
): Promise<{ cause: unknown } | undefined> | { cause: unknown } | undefined {
  const fault = delivery.fault ?? delivery.inbound.fault
  if (fault) return { cause: fault }
  const step = createRun(context, staged, delivery.inbound, delivery.subscription.consumer)
  try {
    if (runRule(step, delivery)) {
      mergeRun(staged, step)
      return undefined
    }
    staged.draft.undo()
  } catch (cause) {
    staged.draft.undo()
    return { cause }
  } finally {
    staged.computedMs += context.budget.end(delivery)
  }
  return context.rows.load(step.missingRows).then(() => {
    context.budget.begin()
    return tryDelivery(context, staged, delivery)
  })
}

/** Whether a message goes on although its key is held: a hold never blocks its own cure. */
function passesHold({ draft }: StagingBatch, { subscription, inbound }: Delivery): boolean {
  const { consumer, rule } = subscription
  if (consumer.rule.kind !== 'saga') return false
  try {
    return isForRollback({ consumer, inbound, draft }, consumer.rule, rule)
  } catch {
    // Its instance cannot be told: the rule itself says why, when its turn comes.
    return false
  }
}

/** Releases a held message whose rule has run. */
function completeHeld(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  held: NonNullable<Delivery['held']>,
): void {
  const { subscription, record } = delivery
  const { consumer } = subscription
  const hold = readHold(staged, held.holdKey)
  const from = statusBefore(context, staged, delivery)
  releaseFront(staged, held.holdKey, held.key)
  addCounts(staged, consumer, record, { completed: 1, pending: -1 })
  const isRecorded = hold?.isRecorded || (record as HeldMessage).isRecorded
  if (!isRecorded && from !== 'IN_PROGRESS') return
  const attempts = hold?.attempts ?? 0
  const kept = hold ? keptError(hold) : {}
  stageStatus(context, staged, consumer, record, { from, to: 'COMPLETED', attempts, ...kept })
}

/**
 * Counts a message whose rule has run. One that was claimed has a status, and one that has passed a hold
 * gets one, since its key still waits.
 */
function completeFresh(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  hasPassedHold: boolean,
): void {
  const { subscription, record } = delivery
  const { consumer } = subscription
  addCounts(staged, consumer, record, { accepted: 1, completed: 1 })
  const from = statusBefore(context, staged, delivery)
  if (from === 'UNPROCESSED' && !hasPassedHold) return
  stageStatus(context, staged, consumer, record, { from, to: 'COMPLETED', attempts: 0 })
}

function runRule(step: RuleRun, { attempt, subscription }: Delivery): boolean {
  const { consumer, rule } = subscription
  switch (consumer.rule.kind) {
    case 'entity':
      return decide(step, consumer.rule, rule)
    case 'projection':
      return project(step, consumer.rule, rule)
    case 'saga':
      return advanceSaga(step, consumer.rule, rule)
    case 'handler': {
      if (attempt?.status === 'failed') throw attempt.cause
      stageHandlerResult(
        step,
        consumer.rule,
        attempt?.status === 'handled' ? attempt.returned : undefined,
      )
      return true
    }
  }
}
