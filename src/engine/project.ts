import type { IndexValue, RowKey } from '../ports/store.ts'
import { indexValueOf } from '../ports/text.ts'
import type { Projection } from '../rules/projection.ts'
import type { Arrival, Step } from './step.ts'
import { cellsOf, idIn, idsBy } from './step.ts'
import type { Reaction } from './plan.ts'

/** The rows that an event changes. */
export function rowsToProject(reaction: Reaction, arrival: Arrival): RowKey[] {
  const { table } = reaction.consumer
  return idsOf(reaction, arrival).map((key) => ({ table, key }))
}

function idsOf({ consumer, message, rule }: Reaction, { data }: Arrival): string[] {
  if (rule.ids) return idsBy(rule, data)
  const { by } = consumer.rule as Projection
  // A refusal has the ids of its command.
  const about = message.kind === 'refusal' ? (data as { command: unknown }).command : data
  return [idIn(about, by, message)]
}

/** Folds an event into its rows. Returns false when rows have to be loaded first. */
export function project(step: Pick<Step, 'reaction' | 'arrival' | 'draft' | 'wanted'>): boolean {
  const { reaction, arrival } = step
  const { consumer, rule } = reaction
  const projection = consumer.rule as Projection
  const cells = cellsOf(step, consumer.table, idsOf(reaction, arrival))
  if (!cells) return false
  for (const [id, cell] of cells) {
    const third = rule.ids ? id : arrival.occasion
    const row = rule.run(arrival.data as never, cell.value as never, third as never)
    const change = { value: row, version: cell.version + 1 }
    const index = indexOf(row, projection.indexes)
    step.draft.put(consumer.table, id, index ? { ...change, index } : change)
  }
  return true
}

function indexOf(
  row: unknown,
  fields: readonly string[],
): Readonly<Record<string, IndexValue>> | undefined {
  if (fields.length === 0) return undefined
  const members = (row ?? {}) as Record<string, unknown>
  return Object.fromEntries(fields.map((field) => [field, indexValueOf(members[field])]))
}
