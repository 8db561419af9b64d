import type { RowKey } from '../ports/store.ts'
import { rowsToAdvance, rowsToFire } from './advance.ts'
import type { TimerRow } from './timer-row.ts'
import { rowsToDecide } from './decide.ts'
import { holdKeyOf } from './hold-row.ts'
import { rowsToProject } from './project.ts'
import type { Cell } from './rows.ts'
import type { Item, Turn, TurnTools } from './turn.ts'

/** The rows that timers need. */
export function rowsOfTimers(timers: readonly Cell[]): RowKey[] {
  return timers.flatMap(({ table, key, value }) => [
    { table, key },
    ...rowsToFire(value as TimerRow),
  ])
}

/** Adds the rows that a delivery needs, as far as known before its rule runs. */
function addRowsOf(tools: TurnTools, item: Item, rows: RowKey[]): void {
  const { reaction, arrival, record, held, flaw } = item
  const { around } = tools
  const { holds, held: heldRows } = around.service.names
  // Normally cached already, unless a conflict has cleared the cache.
  if (held) rows.push({ table: heldRows, key: held.key })
  if (held || tools.holds.count() > 0) {
    const holdKey = held?.holdKey ?? holdKeyOf(reaction.consumer, record)
    if (tools.holds.isKnown(holdKey)) rows.push({ table: holds, key: holdKey })
  }
  if (flaw || arrival.fault) return
  try {
    const { consumer, rule } = reaction
    const { rule: of } = consumer
    if (of.is === 'entity') rows.push(...rowsToDecide({ around, consumer, arrival }, of, rule))
    if (of.is === 'projection') rows.push(...rowsToProject({ consumer, arrival }, of, rule))
    if (of.is === 'saga') rows.push(...rowsToAdvance({ consumer, arrival }, of, rule))
  } catch {
    // An error here occurs again, and is recorded, when the rule itself runs.
  }
}

/** Deliveries whose rows are loaded together at most. */
const ITEMS_PER_LOAD = 128
/** The share of a unit's computing time for finding the rows of its next deliveries. */
const NAMING_SHARE = 0.25

/**
 * Loads the rows of the next deliveries. User code names these rows, so it stops after a share of
 * the unit's time. Returns how long it took, and up to which delivery it has come.
 */
export async function loadAhead(
  tools: TurnTools,
  { items }: Turn,
  from: number,
): Promise<{ readonly tookMs: number; readonly upTo: number }> {
  const { clock } = tools.around
  const beganAt = clock.elapsed()
  const end = Math.min(items.length, from + ITEMS_PER_LOAD)
  const keys: RowKey[] = []
  let [upTo, tookMs] = [from, 0]
  while (upTo < end && tookMs <= tools.computeMsMax * NAMING_SHARE) {
    addRowsOf(tools, items[upTo] as Item, keys)
    upTo += 1
    tookMs = clock.elapsed() - beganAt
  }
  await tools.rows.load(keys)
  tools.budget.begin()
  return { tookMs, upTo }
}
