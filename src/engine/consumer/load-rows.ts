import type { RowKey } from '../../ports/event-store.ts'
import {
  rowsForSaga,
  rowsForTimer,
  rowsForDecision,
  rowsForProjection,
} from '../execution/index.ts'
import { operationKey } from '../execution/index.ts'
import type {
  TimerRow,
  Delivery,
  Batch,
  RuleEnvironment,
  ScheduledHold,
} from '../execution/index.ts'
import type { HeldMessage, HoldRow } from '../failure/index.ts'
import { holdKeyOf } from '../failure/index.ts'
import type { CachedRow, RowCache } from '../rows/index.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import type { Edits, FailurePolicy, Holds } from '../failure/index.ts'
import type { RetryOptions } from '../../rules/failure-policy.ts'
import type { Random } from '../../base/random.ts'
import type { ComputeBudget } from '../context/index.ts'
import { changeCountKey } from '../context/index.ts'
import type { Claims } from './claims.ts'

export interface BatchContext {
  readonly environment: RuleEnvironment
  readonly group: ConsumerGroup
  readonly rows: RowCache
  readonly holds: Holds
  readonly edits: Edits
  readonly claims: Claims
  /** Whether other instances hear of dead letters through the store. */
  readonly isShared: boolean
  readonly random: Random
  /** The failure policy of a consumer, by its id. */
  readonly policyOf: (consumer: string) => FailurePolicy
  /** The policy for timers, which belong to the engine. */
  readonly timerRetry: RetryOptions
  readonly budget: ComputeBudget
  /** How long the rules of one unit may compute before the unit ends early. */
  readonly computeMsMax: number
}

/** The rows that timers need. */
export function timerRowKeys(timers: readonly CachedRow[]): RowKey[] {
  return timers.flatMap(({ table, key, value }) => [
    { table, key },
    ...rowsForTimer(value as TimerRow),
  ])
}

/** Adds the rows that a delivery needs, as far as known before its rule runs. */
function addRowKeys(context: BatchContext, delivery: Delivery, rows: RowKey[]): void {
  const { subscription, inbound, record, held, fault } = delivery
  const { environment } = context
  const { holds, held: heldRows } = environment.service.tableNames
  // Normally cached already, unless a conflict has cleared the cache.
  if (held) rows.push({ table: heldRows, key: held.key })
  const dead = deadBefore(context, delivery)
  if (dead) rows.push({ table: holds, key: dead.holdKey }, { table: heldRows, key: dead.front })
  if (dead && context.isShared) rows.push(changeCountKey(environment.service.id))
  if (held || context.holds.count() > 0) {
    const holdKey = held?.holdKey ?? holdKeyOf(subscription.consumer, record)
    if (context.holds.isKnown(holdKey)) rows.push({ table: holds, key: holdKey })
  }
  if (fault || inbound.fault) return
  try {
    const { consumer, rule } = subscription
    const { rule: of } = consumer
    if (of.kind === 'entity')
      rows.push(
        ...rowsForDecision({ environment, consumer, inbound }, of, rule, held !== undefined),
      )
    if (of.kind === 'projection') rows.push(...rowsForProjection({ consumer, inbound }, of, rule))
    if (of.kind === 'saga') rows.push(...rowsForSaga({ consumer, inbound }, of, rule))
  } catch {
    // An error here occurs again, and is recorded, when the rule itself runs.
  }
}

/** The dead letter that a delivery undoes, if it is a compensation and the command has failed here. */
export function deadBefore({ holds }: BatchContext, delivery: Delivery): ScheduledHold | undefined {
  if (holds.deadCount() === 0) return undefined
  const undoes = undoneCommand(delivery)
  const holdKey = undoes === undefined ? undefined : holds.deadHoldOf(undoes)
  const front = holdKey === undefined ? undefined : holds.summary(holdKey)?.deadRow
  if (holdKey === undefined || front === undefined) return undefined
  return holdKey === delivery.held?.holdKey ? undefined : { holdKey, front }
}

/** The id of the command that a delivery undoes, if it is a compensation. */
export function undoneCommand({ subscription, inbound }: Delivery): string | undefined {
  // Only entities receive commands, and decoding an envelope takes time.
  return subscription.consumer.rule.kind === 'entity' ? inbound.envelope.undoes : undefined
}

/** Loads the rows that moving these holds on reads. */
export async function loadScheduledRows(
  { environment, group, isShared, rows }: BatchContext,
  scheduled: readonly ScheduledHold[],
): Promise<void> {
  if (scheduled.length === 0) return
  const { holds, held, heldPages, operations } = environment.service.tableNames
  const shared = isShared ? [changeCountKey(environment.service.id)] : []
  const fronts = scheduled.flatMap(({ holdKey, front, isPage }) => [
    { table: holds, key: holdKey },
    { table: isPage ? heldPages : held, key: front },
  ])
  await rows.load([...fronts, ...shared])
  const further = scheduled.flatMap(({ holdKey, front }): RowKey[] => {
    const record = rows.peek(held, front)?.value as HeldMessage | undefined
    if (!record) return []
    const { undoneBy = {} } = (rows.peek(holds, holdKey)?.value ?? {}) as Partial<HoldRow>
    const undoing = undoneBy[record.id]
    const [to] = group.subscriptions.get(record.topic)?.get(record.type) ?? []
    return [
      ...(undoing === undefined ? [] : [{ table: held, key: undoing }]),
      ...(to?.messageType.kind === 'command'
        ? [{ table: operations, key: operationKey(to.messageType, record.id) }]
        : []),
    ]
  })
  await rows.load(further)
}

/** Deliveries whose rows are loaded together at most. */
const DELIVERIES_PER_LOAD = 128
/** The share of a unit's computing time for finding the rows of its next deliveries. */
const NAMING_SHARE = 0.25

/**
 * Loads the rows of the next deliveries. User code names these rows, so it stops after a share of
 * the unit's time. Returns how long it took, and up to which delivery it has come.
 */
export async function loadRowsAhead(
  context: BatchContext,
  { deliveries }: Batch,
  from: number,
): Promise<{ readonly tookMs: number; readonly upTo: number }> {
  const { clock } = context.environment
  const beganAt = clock.elapsed()
  const end = Math.min(deliveries.length, from + DELIVERIES_PER_LOAD)
  const keys: RowKey[] = []
  let [upTo, tookMs] = [from, 0]
  while (upTo < end && tookMs <= context.computeMsMax * NAMING_SHARE) {
    addRowKeys(context, deliveries[upTo] as Delivery, keys)
    upTo += 1
    tookMs = clock.elapsed() - beganAt
  }
  await context.rows.load(keys)
  context.budget.begin()
  return { tookMs, upTo }
}
