import { NO_COUNTS } from '../../ports/progress.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { Delivery, ScheduledHold } from '../execution/index.ts'
import { createDeliveries, failCommand } from '../execution/index.ts'
import type { DeadLetter, HoldRow } from '../failure/index.ts'
import {
  createRuleError,
  failFront,
  holdError,
  holdKeyOf,
  holdStatus,
  isQueueConsumer,
  nextStep,
  readHeld,
  readHold,
  redriveFront,
  releaseFront,
  replaceFront,
  setAside,
  unpackPage,
  updateHold,
} from '../failure/index.ts'
import { changeCountKey } from '../context/index.ts'
import type { Consumer } from '../plan/index.ts'
import type { BatchContext } from './load-rows.ts'
import type { StagingBatch } from './staged-batch.ts'
import { addCounts, createRun, mergeRun, stageStatus } from './staged-batch.ts'
import { errorDetail, holdTimes, keptError } from './stage-failure.ts'

/** The hold and its front, as one scheduling step sees them. */
interface Front extends ScheduledHold {
  readonly hold: HoldRow
  readonly consumer: Consumer
  readonly record: LogRecord
}

/**
 * Moves the message in front of a hold on: after an error to its next attempt, or to the dead letters;
 * a dead letter back to work, where a policy says so. Its rows were loaded before.
 */
export function scheduleHold(
  context: BatchContext,
  staged: StagingBatch,
  { holdKey, front, isPage }: ScheduledHold,
): void {
  if (isPage) return unpackPage(staged, holdKey, front)
  const hold = readHold(staged, holdKey)
  const record = readHeld(staged, front)
  const consumer = context.group.consumers.find(({ id }) => id === hold?.consumer)
  // Another instance has moved it on, or its consumer is gone.
  if (!hold || !record || !consumer) return
  const scheduled = { holdKey, front, hold, consumer, record }
  const status = holdStatus(hold)
  if (status === 'FAILED') redriveByPolicy(context, staged, scheduled)
  if (status === 'ERROR') afterError(context, staged, scheduled)
}

function afterError(context: BatchContext, staged: StagingBatch, front: Front): void {
  const { hold } = front
  const policy = context.policyOf(hold.consumer)
  const { attempts } = hold
  const step = nextStep(policy, { attempts, code: holdError(hold)?.code }, context.random())
  if (step.status === 'FAILED') fail(context, staged, front)
  else retryLater(context, staged, front, step.delayMs)
}

function retryLater(
  context: BatchContext,
  staged: StagingBatch,
  { holdKey, hold, consumer, record }: Front,
  delayMs: number,
): void {
  const due = context.environment.delays.dueIn(delayMs)
  const times = holdTimes(context)
  const reason = { status: 'RETRY', due, delayMs, isFirst: true, ...times } as const
  updateHold(staged, holdKey, { ...reason, keepsError: true })
  const { attempts } = hold
  const dueAt = times.at + delayMs
  stageStatus(context, staged, consumer, record, {
    from: 'ERROR',
    to: 'RETRY',
    attempts,
    dueAt,
    ...keptError(hold),
  })
  report(staged, { hold, consumer, record }, { status: 'RETRY', nextAttemptAt: dueAt })
}

/** Ends the attempts at a message: it is a dead letter from now on. */
function fail(context: BatchContext, staged: StagingBatch, front: Front): void {
  const { holdKey, hold, consumer, record } = front
  const undoing = hold.undoneBy?.[record.id]
  const compensation = undoing === undefined ? undefined : readHeld(staged, undoing)
  if (compensation) return undoAtOnce(context, staged, front, undoing as string, compensation)
  const policy = context.policyOf(hold.consumer)
  const dead = deadLetter(context, front)
  if (policy.onFailed === 'skip' && !isQueueConsumer(consumer))
    setAside(staged, consumer, holdKey, record, dead)
  else failFront(staged, holdKey, dead)
  addCounts(staged, consumer, record, { pending: -1, dead: 1 })
  if (context.isShared) tellOthers(context, staged)
  stageFailed(context, staged, front, {})
  replyFailed(context, staged, front)
  report(staged, front, { status: 'FAILED' })
}

/** Has other instances load the holds: a dead letter may stop them, or be undone by what they read. */
function tellOthers({ environment }: BatchContext, { draft }: StagingBatch): void {
  const { table, key } = changeCountKey(environment.service.id)
  draft.put(table, key, { value: {}, version: (draft.row(table, key)?.version ?? 0) + 1 })
}

function deadLetter(
  { environment, policyOf }: BatchContext,
  { hold, record, front }: Front,
): DeadLetter {
  const { redrive, code } = policyOf(hold.consumer)
  const at = Math.floor(environment.delays.now())
  const isRedriven = redrive.afterMs > 0 && (hold.redrives ?? 0) < redrive.times
  const redriveAt = isRedriven ? { redriveAt: environment.delays.dueIn(redrive.afterMs) } : {}
  return { id: record.id, row: front, at, code, ...redriveAt }
}

function stageFailed(
  context: BatchContext,
  staged: StagingBatch,
  { hold, consumer, record }: Front,
  resolved: { readonly resolution?: 'DISCARDED'; readonly by?: string },
): void {
  const error = holdError(hold)
  const { resolution, by } = resolved
  stageStatus(context, staged, consumer, record, {
    from: holdStatus(hold),
    to: 'FAILED',
    attempts: hold.attempts,
    ...(error ? { error } : {}),
    ...(resolution ? { resolution } : {}),
    detail: { ...errorDetail(hold), ...(by === undefined ? {} : { discardedBy: by }) },
  })
}

/** The compensation of a command waits behind it: it takes the place of the command, which is given up. */
function undoAtOnce(
  context: BatchContext,
  staged: StagingBatch,
  front: Front,
  from: string,
  compensation: LogRecord,
): void {
  const { holdKey, consumer, record } = front
  replaceFront(staged, holdKey, front.front, compensation, { due: 0, from })
  addCounts(staged, consumer, record, { pending: -1, discarded: 1 })
  stageFailed(context, staged, front, { resolution: 'DISCARDED', by: compensation.id })
  report(staged, front, { status: 'FAILED' })
}

/** Tells who sent a command that it has failed: its operation, and the saga that waits for an answer. */
function replyFailed(
  context: BatchContext,
  staged: StagingBatch,
  { consumer, record, hold }: Front,
) {
  if (consumer.rule.kind !== 'entity') return
  const delivery = createDeliveries(context.group, record, context.edits.editedRecord).find(
    ({ subscription }) => subscription.consumer === consumer,
  )
  if (!delivery) return
  const run = createRun(context, staged, delivery.inbound, consumer)
  const { code, message } = holdError(hold) ?? { message: 'no error is known' }
  failCommand(run, delivery.subscription.messageType, {
    reason: message,
    ...(code ? { code } : {}),
  })
  mergeRun(staged, run)
}

function redriveByPolicy(
  context: BatchContext,
  staged: StagingBatch,
  { holdKey, hold, consumer, record }: Front,
): void {
  redriveFront(staged, holdKey, Math.floor(context.environment.delays.now()), 'policy')
  addCounts(staged, consumer, record, { dead: -1, pending: 1 })
  const step = { from: 'FAILED', to: 'UNPROCESSED', attempts: 0, ...keptError(hold) } as const
  stageStatus(context, staged, consumer, record, step)
}

/**
 * Gives up the dead letter that a compensation undoes. Returns whether the compensation has taken its
 * place; otherwise it goes on as any message.
 */
export function takePlaceOfDead(
  context: BatchContext,
  staged: StagingBatch,
  dead: ScheduledHold,
  { subscription, record: compensation }: Delivery,
): boolean {
  const hold = readHold(staged, dead.holdKey)
  const record = readHeld(staged, dead.front)
  const consumer = context.group.consumers.find(({ id }) => id === hold?.consumer)
  if (!hold?.dead || !record || !consumer) return false
  const front = { ...dead, hold, consumer, record }
  const { topic, partition } = record
  const place = { consumer: consumer.id, topic, partition, from: null, next: 0 }
  if (context.isShared) tellOthers(context, staged)
  staged.resolved.push({ ...place, ...NO_COUNTS, dead: -1, discarded: 1 })
  stageFailed(context, staged, front, { resolution: 'DISCARDED', by: compensation.id })
  if (holdKeyOf(subscription.consumer, compensation) !== dead.holdKey) {
    releaseFront(staged, dead.holdKey, dead.front)
    return false
  }
  replaceFront(staged, dead.holdKey, dead.front, compensation, { due: 0 })
  addCounts(staged, subscription.consumer, compensation, { accepted: 1, pending: 1 })
  return true
}

function report(
  staged: StagingBatch,
  { hold, consumer, record }: Pick<Front, 'hold' | 'consumer' | 'record'>,
  next:
    | { readonly status: 'RETRY'; readonly nextAttemptAt: number }
    | { readonly status: 'FAILED' },
): void {
  const error = holdError(hold)
  if (!error) return
  const { attempts } = hold
  staged.ruleErrors.push(
    createRuleError(consumer, record, error, { at: error.lastAt ?? 0, attempts, ...next }),
  )
}
