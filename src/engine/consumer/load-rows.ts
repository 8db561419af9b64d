import type { RowKey } from '../../ports/event-store.ts'
import {
  rowsForSaga,
  rowsForTimer,
  rowsForDecision,
  rowsForProjection,
} from '../execution/index.ts'
import type { TimerRow, Delivery, Batch, RuleEnvironment } from '../execution/index.ts'
import { holdKeyOf } from '../failure/index.ts'
import type { CachedRow, RowCache } from '../rows/index.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import type { Holds, RetryPolicy } from '../failure/index.ts'
import type { Random } from '../../base/random.ts'
import type { ComputeBudget } from '../context/index.ts'

export interface BatchContext {
  readonly environment: RuleEnvironment
  readonly group: ConsumerGroup
  readonly rows: RowCache
  readonly holds: Holds
  readonly random: Random
  readonly retry: RetryPolicy
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
  if (held || context.holds.count() > 0) {
    const holdKey = held?.holdKey ?? holdKeyOf(subscription.consumer, record)
    if (context.holds.isKnown(holdKey)) rows.push({ table: holds, key: holdKey })
  }
  if (fault || inbound.fault) return
  try {
    const { consumer, rule } = subscription
    const { rule: of } = consumer
    if (of.kind === 'entity')
      rows.push(...rowsForDecision({ environment, consumer, inbound }, of, rule))
    if (of.kind === 'projection') rows.push(...rowsForProjection({ consumer, inbound }, of, rule))
    if (of.kind === 'saga') rows.push(...rowsForSaga({ consumer, inbound }, of, rule))
  } catch {
    // An error here occurs again, and is recorded, when the rule itself runs.
  }
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
