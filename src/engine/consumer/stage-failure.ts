import { thrownError } from '../../base/errors/thrown-error.ts'
import type { Status } from '../../ports/status.ts'
import type { Attempt, Delivery } from '../execution/index.ts'
import type { HoldReason, HoldRow, StatusStep } from '../failure/index.ts'
import {
  holdError,
  holdKeyOf,
  holdMessage,
  holdStatus,
  readHold,
  updateHold,
} from '../failure/index.ts'
import type { BatchContext } from './load-rows.ts'
import { undoneCommand } from './load-rows.ts'
import type { StagingBatch } from './staged-batch.ts'
import { addCounts, stageStatus } from './staged-batch.ts'

/** The current times for a hold. */
export function holdTimes({
  environment: { clock, delays },
}: BatchContext): Pick<HoldReason, 'at' | 'since'> {
  return { at: clock.now(), since: Math.floor(delays.now()) }
}

/** The status of a delivery before its attempt: of a held one, that of the message in front. */
export function statusBefore(
  { claims }: Pick<BatchContext, 'claims'>,
  staged: StagingBatch,
  delivery: Delivery,
): Status {
  const { held } = delivery
  if (claims.has(delivery)) return 'IN_PROGRESS'
  const hold = held && readHold(staged, held.holdKey)
  // Rows of earlier versions have a status that the store does not know.
  return hold?.isRecorded ? holdStatus(hold) : 'UNPROCESSED'
}

/** Holds a delivery behind others of its key. It has not been tried. */
export function holdBehind(context: BatchContext, staged: StagingBatch, delivery: Delivery): void {
  const { consumer } = delivery.subscription
  const { record } = delivery
  addCounts(staged, consumer, record, { accepted: 1, pending: 1 })
  const reason = { status: 'UNPROCESSED', due: 0, delayMs: 0, ...holdTimes(context) } as const
  const isClaimed = context.claims.has(delivery)
  const held = isClaimed ? { ...record, isRecorded: true as const } : record
  holdMessage(staged, consumer, held, reason, undoneCommand(delivery))
  // Its call has ended with the process or the lease that it was claimed by.
  const step = { from: 'IN_PROGRESS', to: 'UNPROCESSED', attempts: 0 } as const
  if (isClaimed) stageStatus(context, staged, consumer, record, step)
}

/** Holds a message without an error: the handler asked for a later retry, or still runs. */
export function holdWithoutError(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  attempt: Extract<Attempt, { readonly status: 'later' | 'running' }>,
): void {
  const { held } = delivery
  if (held && attempt.status === 'running') return
  const delayMs = attempt.status === 'later' ? attempt.delayMs : 0
  const status = attempt.status === 'later' ? 'RETRY' : 'IN_PROGRESS'
  const due = context.environment.delays.dueIn(delayMs)
  stageHold(context, staged, delivery, { status, due, delayMs, ...holdTimes(context) })
}

/** Holds a message whose rule has thrown. What follows is decided when the error is committed. */
export function holdWithError(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  cause: unknown,
): void {
  const times = holdTimes(context)
  const error = thrownError(cause)
  stageHold(context, staged, delivery, { status: 'ERROR', error, due: 0, delayMs: 0, ...times })
}

function stageHold(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  reason: HoldReason,
): void {
  const { subscription, record, held } = delivery
  const { consumer } = subscription
  const from = statusBefore(context, staged, delivery)
  const holdKey = held?.holdKey ?? holdKeyOf(consumer, record)
  if (held) updateHold(staged, holdKey, { ...reason, isFirst: held.isFirst })
  else {
    addCounts(staged, consumer, record, { accepted: 1, pending: 1 })
    holdMessage(staged, consumer, record, reason, undoneCommand(delivery))
  }
  const { attempts, error } = readHold(staged, holdKey) as HoldRow
  stageStatus(context, staged, consumer, record, {
    from,
    to: reason.status,
    attempts,
    ...(reason.status === 'RETRY' ? { dueAt: reason.at + reason.delayMs } : {}),
    ...(reason.error && error ? { error: reason.error, detail: errorDetail({ error }) } : {}),
  })
}

/** What a stored status keeps of an error beside its text. */
export function errorDetail(hold: Pick<HoldRow, 'error'>): object {
  const { stack, firstAt, lastAt } = holdError(hold as HoldRow) ?? {}
  return { stack, firstAt, lastAt }
}

/** The last error of a hold, for a status that does not come from a new one. */
export function keptError(hold: HoldRow): Pick<StatusStep, 'error' | 'detail'> {
  const error = holdError(hold)
  return error ? { error, detail: errorDetail(hold) } : {}
}
