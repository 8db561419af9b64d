import { isNonRetryable } from '../../base/errors/fault.ts'
import { thrownError } from '../../base/errors/thrown-error.ts'
import { progressId } from '../../ports/composite-keys.ts'
import type { LogEvent, LogRecord } from '../../ports/event-log.ts'
import type { StreamEntry } from '../../ports/event-store.ts'
import {
  advanceSaga,
  fireTimer,
  timerIndex,
  decide,
  project,
  ruleFault,
  stageHandlerResult,
} from '../execution/index.ts'
import type {
  TimerRow,
  InboundMessage,
  RuleRun,
  Attempt,
  Delivery,
  Batch,
  DeliveryCounts,
} from '../execution/index.ts'
import type { RuleError, HoldReason } from '../failure/index.ts'
import {
  thrownFields,
  createRuleError,
  holdKeyOf,
  holdMessage,
  updateHold,
  releaseFront,
  backoffMs,
} from '../failure/index.ts'
import type { Consumer } from '../plan/index.ts'
import { loadRowsAhead, timerRowKeys } from './load-rows.ts'
import type { CachedRow, UnitDraft } from '../rows/index.ts'
import { createDraft } from '../rows/index.ts'
import type { BatchContext } from './load-rows.ts'

/** What a batch has staged for its unit. */
export interface StagedBatch {
  /** The part of the batch that was run; the rest is for the next unit. */
  readonly batch: Batch
  readonly draft: UnitDraft
  readonly appends: LogEvent[]
  readonly streams: StreamEntry[]
  readonly changedConversations: Set<string>
  /** Counts by consumer, topic, partition. */
  readonly counts: Map<string, DeliveryCounts>
  /** The same counts by consumer and topic, each a list by partition. */
  readonly countsByConsumer: Map<Consumer, Map<string, DeliveryCounts[]>>
  readonly ruleErrors: RuleError[]
  /** Computing time of the rules, in milliseconds. */
  readonly computedMs: number
}

/** Staged changes while the rules run. */
type StagingBatch = Omit<StagedBatch, 'batch' | 'computedMs'> & { computedMs: number }

/** Runs all rules of a batch in order, and stages what they return. */
export async function runBatch(context: BatchContext, batch: Batch): Promise<StagedBatch> {
  await context.rows.load(timerRowKeys(batch.timers))
  const staged: StagingBatch = {
    computedMs: 0,
    draft: createDraft({ row: context.rows.peek }),
    appends: [],
    streams: [],
    changedConversations: new Set(),
    counts: new Map(),
    countsByConsumer: new Map(),
    ruleErrors: [],
  }
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
  if (ran === batch.deliveries.length) return { ...staged, batch }
  // A record may have run for some of its consumers only: each has passed its own last delivery.
  return { ...staged, batch: { ...batch, deliveries: batch.deliveries.slice(0, ran), slices: [] } }
}

function runTimer(context: BatchContext, staged: StagingBatch, row: CachedRow): void {
  // After a conflict, the reloaded row may already be deleted: skip the timer.
  if (staged.draft.row(row.table, row.key)?.version === 0) return
  const timer = row.value as TimerRow
  const consumer = context.group.consumers.find(({ ruleId }) => ruleId === timer.rule)
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
  const delayMs = backoffMs(
    context.retry,
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
  const fault = { consumer, messageId, key, type, at, attempts, nextAttemptAt: at + delayMs }
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
  // A handler that was not called because its key was held is called in the next batch.
  const isUntried =
    subscription.consumer.rule.kind === 'handler' && !delivery.attempt && !delivery.fault
  const mayBeHeld = !held && context.holds.isAny(staged.draft)
  if ((!held && isUntried) || (mayBeHeld && context.holds.isHeld(staged.draft, holdKey()))) {
    count(staged, delivery, { accepted: 1, pending: 1 })
    holdMessage(staged.draft, tableNames, subscription.consumer, record, {
      due: 0,
      delayMs: 0,
      ...holdTimes(context),
    })
    return undefined
  }
  if (delivery.attempt?.status === 'later' || delivery.attempt?.status === 'running') {
    holdWithoutError(context, staged, delivery, delivery.attempt)
    blocked.add(holdKey())
    return undefined
  }
  const done = (fault: { cause: unknown } | undefined): void => {
    if (!fault && held) {
      releaseFront(staged.draft, tableNames, held.holdKey, held.key)
      count(staged, delivery, { completed: 1, pending: -1 })
    } else if (!fault) count(staged, delivery, DONE)
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

/** The current times for a hold. */
function holdTimes({
  environment: { clock, delays },
}: BatchContext): Pick<HoldReason, 'at' | 'since'> {
  return { at: clock.now(), since: Math.floor(delays.now()) }
}

/** Holds a message without an error: the handler asked for a later retry, or still runs. */
function holdWithoutError(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  attempt: Extract<Attempt, { readonly status: 'later' | 'running' }>,
): void {
  const { subscription, record, held } = delivery
  const { tableNames } = context.environment.service
  const delayMs = attempt.status === 'later' ? attempt.delayMs : 0
  const waits = { due: context.environment.delays.dueIn(delayMs), delayMs, ...holdTimes(context) }
  if (held) {
    if (attempt.status === 'later')
      updateHold(staged.draft, tableNames, held.holdKey, { ...waits, isFirst: held.isFirst })
    return
  }
  count(staged, delivery, { accepted: 1, pending: 1 })
  holdMessage(staged.draft, tableNames, subscription.consumer, record, waits)
}

function holdWithError(
  context: BatchContext,
  staged: StagingBatch,
  delivery: Delivery,
  cause: unknown,
): void {
  const { subscription, record, held } = delivery
  const { tableNames } = context.environment.service
  const holdKey = held?.holdKey ?? holdKeyOf(subscription.consumer, record)
  const row = staged.draft.row(tableNames.holds, holdKey)
  const before = (row?.value as { attempts: number } | undefined)?.attempts ?? 0
  const attempts = held ? before + 1 : 1
  const delayMs = backoffMs(
    context.retry,
    isNonRetryable(cause) ? Infinity : attempts,
    context.random(),
  )
  const error = thrownError(cause)
  const { at, since } = holdTimes(context)
  const fault = { error, due: context.environment.delays.dueIn(delayMs), delayMs, at, since }
  if (held) updateHold(staged.draft, tableNames, holdKey, { ...fault, isFirst: held.isFirst })
  else {
    count(staged, delivery, { accepted: 1, pending: 1 })
    holdMessage(staged.draft, tableNames, subscription.consumer, record, fault)
  }
  const nextAttemptAt = at + delayMs
  staged.ruleErrors.push(
    createRuleError(subscription.consumer, record, error, { at, attempts, nextAttemptAt }),
  )
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

function createRun(
  context: BatchContext,
  staged: StagingBatch,
  inbound: InboundMessage,
  consumer: Consumer,
): RuleRun {
  staged.draft.begin()
  return {
    environment: context.environment,
    inbound,
    consumer,
    draft: staged.draft,
    appends: [],
    streams: [],
    missingRows: [],
    // A notification for an unchanged conversation is harmless: its waiters look again.
    changedConversations: staged.changedConversations,
  }
}

function mergeRun(staged: StagingBatch, step: RuleRun): void {
  const first = staged.appends.length
  for (const event of step.appends) staged.appends.push(event)
  for (const entry of step.streams) staged.streams.push({ ...entry, append: entry.append + first })
}

function count(
  staged: StagingBatch,
  { subscription, record }: Delivery,
  added: Partial<Pick<DeliveryCounts, 'accepted' | 'completed' | 'pending'>>,
): void {
  const counts = findCounts(staged, subscription.consumer, record)
  counts.accepted += added.accepted ?? 0
  counts.completed += added.completed ?? 0
  counts.pending += added.pending ?? 0
}

const DONE = { accepted: 1, completed: 1 }

function findCounts(
  { counts, countsByConsumer }: StagingBatch,
  consumer: Consumer,
  { topic, partition }: LogRecord,
): DeliveryCounts {
  let topics = countsByConsumer.get(consumer)
  if (!topics) countsByConsumer.set(consumer, (topics = new Map()))
  let partitions = topics.get(topic)
  if (!partitions) topics.set(topic, (partitions = []))
  const known = partitions[partition]
  if (known) return known
  const nothing = { accepted: 0, completed: 0, pending: 0, expired: 0 }
  const made = { consumer: consumer.id, topic, partition, ...nothing }
  partitions[partition] = made
  counts.set(progressId(made), made)
  return made
}
