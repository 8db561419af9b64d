import type { MessageType } from '../contract/message.ts'
import type { IndexValue, RowKey } from '../ports/store.ts'
import { indexValueOf } from '../ports/text.ts'
import type { Projection } from '../rules/projection.ts'
import type { Rule } from '../rules/rule.ts'
import { callRule } from '../rules/rule.ts'
import type { FoldStep } from './step.ts'
import { cellsOf, idIn, idsBy } from './step.ts'

/** The rows that an event changes. */
export function rowsToProject(
  { arrival, consumer: { table } }: Pick<FoldStep, 'arrival' | 'consumer'>,
  projection: Projection,
  rule: Rule,
): RowKey[] {
  return idsOf(projection, rule, arrival.data).map((key) => ({ table, key }))
}

function idsOf({ by }: Projection, rule: Rule, data: unknown): string[] {
  return rule.ids ? idsBy(rule, data) : [idIn(subjectOf(rule.on, data), by, rule.on)]
}

/** What a message is about. A refusal has the ids of its command. */
export function subjectOf({ kind }: MessageType, data: unknown): unknown {
  return kind === 'refusal' ? (data as { readonly command: unknown }).command : data
}

/** Folds an event into its rows. Returns false when rows have to be loaded first. */
export function project(step: FoldStep, projection: Projection, rule: Rule): boolean {
  const { arrival, consumer, draft } = step
  const cells = cellsOf(step, consumer.table, idsOf(projection, rule, arrival.data))
  if (!cells) return false
  for (const [id, cell] of cells) {
    const row = callRule(rule, arrival.data, cell.value, rule.ids ? id : arrival.occasion)
    const change = { value: row, version: cell.version + 1 }
    const index = indexOf(row, projection.indexes)
    draft.put(consumer.table, id, index ? { ...change, index } : change)
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
