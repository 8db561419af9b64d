import type { RowKey } from '../ports/store.ts'
import { rowsToAdvance, rowsToFire } from './advance.ts'
import type { TimerRow } from './advance.ts'
import { rowsToDecide } from './decide.ts'
import { holdKeyOf } from './holds.ts'
import { rowsToProject } from './project.ts'
import type { Cell } from './rows.ts'
import type { Item, Turn, TurnTools } from './turn.ts'

/** Rows that timers will need. */
export function rowsOfTimers(timers: readonly Cell[]): RowKey[] {
  return timers.flatMap(({ table, key, value }) => [
    { table, key },
    ...rowsToFire(value as TimerRow),
  ])
}

/** Adds the rows that an item will need, as far as can be told before it runs. */
function addRowsOf(tools: TurnTools, item: Item, rows: RowKey[]): void {
  const { reaction, arrival, record, held, flaw } = item
  const { around } = tools
  const { holds, held: heldRows } = around.service.names
  // Gathered already, and gone again where a conflict has emptied the cache.
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
    // What is wrong here will be wrong again, and be recorded, when the rule itself runs.
  }
}

/** Items whose rows are loaded together at most. */
const ITEMS_PER_LOAD = 128
/** The part of a unit's time that naming rows may take before what is named is worked on. */
const NAMING_SHARE = 0.25

/**
 * Loads the rows of the next items. Which ones they are is told by code of the user, so that it stops
 * after a share of the unit's time. Answers how long it took, and up to which item it has come.
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
