import type { MessageType } from '../../contract/message.ts'
import type { IndexValue, RowKey } from '../../ports/event-store.ts'
import { indexValueOf } from '../../ports/storable-text.ts'
import type { Projection } from '../../rules/projection.ts'
import type { Rule } from '../../rules/rule.ts'
import { callRule } from '../../rules/rule.ts'
import type { FoldStep } from './rule-run.ts'
import { readRows, readId, readIds } from './rule-run.ts'

/** The rows that an event changes. */
export function rowsForProjection(
  { inbound, consumer: { table } }: Pick<FoldStep, 'inbound' | 'consumer'>,
  projection: Projection,
  rule: Rule,
): RowKey[] {
  return rowIds(projection, rule, inbound.data).map((key) => ({ table, key }))
}

function rowIds({ by }: Projection, rule: Rule, data: unknown): string[] {
  return rule.ids ? readIds(rule, data) : [readId(subjectOf(rule.on, data), by, rule.on)]
}

/** What a message is about. A refusal has the ids of its command. */
export function subjectOf({ kind }: MessageType, data: unknown): unknown {
  return kind === 'refusal' ? (data as { readonly command: unknown }).command : data
}

/** Folds an event into its rows. Returns false when rows have to be loaded first. */
export function project(step: FoldStep, projection: Projection, rule: Rule): boolean {
  const { inbound, consumer, draft } = step
  const rows = readRows(step, consumer.table, rowIds(projection, rule, inbound.data))
  if (!rows) return false
  for (const [id, cachedRow] of rows) {
    const row = callRule(rule, inbound.data, cachedRow.value, rule.ids ? id : inbound.context)
    const change = { value: row, version: cachedRow.version + 1 }
    const index = indexValues(row, projection.indexes)
    draft.put(consumer.table, id, index ? { ...change, index } : change)
  }
  return true
}

function indexValues(
  row: unknown,
  fields: readonly string[],
): Readonly<Record<string, IndexValue>> | undefined {
  if (fields.length === 0) return undefined
  const members = (row ?? {}) as Record<string, unknown>
  return Object.fromEntries(fields.map((field) => [field, indexValueOf(members[field])]))
}
