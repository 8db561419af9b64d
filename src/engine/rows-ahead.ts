import type { RowKey } from '../ports/store.ts'
import { rowsToAdvance, rowsToFire } from './advance.ts'
import type { TimerRow } from './advance.ts'
import { rowsToDecide } from './decide.ts'
import { holdKeyOf } from './holds.ts'
import { rowsToProject } from './project.ts'
import type { Turn, TurnTools } from './turn.ts'

/** Rows that a turn will need, as far as can be told before it runs. */
export function rowsAhead(tools: TurnTools, { timers, items }: Turn): RowKey[] {
  const { around } = tools
  const { holds, held: heldRows } = around.service.names
  const isAnyHeld = tools.holds.count() > 0
  const rows: RowKey[] = timers.flatMap(({ table, key, value }) => [
    { table, key },
    ...rowsToFire(value as TimerRow),
  ])
  for (const { reaction, arrival, record, held, flaw } of items) {
    // Gathered already, and gone again where a conflict has emptied the cache.
    if (held) rows.push({ table: heldRows, key: held.key })
    if (held || isAnyHeld) {
      const holdKey = held?.holdKey ?? holdKeyOf(reaction.consumer, record)
      if (tools.holds.isKnown(holdKey)) rows.push({ table: holds, key: holdKey })
    }
    if (arrival.fault || flaw) continue
    try {
      const { is } = reaction.consumer.rule
      if (is === 'entity') rows.push(...rowsToDecide({ around, reaction, arrival }))
      if (is === 'projection') rows.push(...rowsToProject(reaction, arrival))
      if (is === 'saga') rows.push(...rowsToAdvance(reaction, arrival))
    } catch {
      // What is wrong here will be wrong again, and be recorded, when the rule itself runs.
    }
  }
  return rows
}

/** Items whose rows are loaded together: which ones they are is told by code of the user, too. */
export const ITEMS_PER_LOAD = 128

/** Loads the rows of the next items, and answers how long the rules took to name them. */
export async function loadAhead(
  tools: TurnTools,
  { slices, items }: Turn,
  from: number,
): Promise<number> {
  const { clock } = tools.around
  const beganAt = clock.elapsed()
  const next = items.slice(from, from + ITEMS_PER_LOAD)
  const keys = rowsAhead(tools, { timers: [], items: next, slices })
  const tookMs = clock.elapsed() - beganAt
  await tools.rows.load(keys)
  tools.budget.begin()
  return tookMs
}
