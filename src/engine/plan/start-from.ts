import type { EventLog, LogEnd } from '../../ports/event-log.ts'
import type { StartFrom } from '../../rules/rule.ts'

/** The offset where a partition is read from. */
export async function startOffset(
  log: EventLog,
  { topic, partition, first, next }: LogEnd,
  from: StartFrom,
): Promise<number> {
  if (from === 'beginning') return first
  if (from === 'now') return next
  return log.offsetAt(topic, partition, from.atMs)
}

/** What is wrong with a start, if anything. */
export function startFromIssue(from: unknown): string | undefined {
  if (from === 'beginning' || from === 'now') return undefined
  const { atMs } = (from ?? {}) as { readonly atMs?: unknown }
  if (typeof atMs === 'number' && Number.isFinite(atMs) && Object.keys(from as object).length === 1)
    return undefined
  return `must be 'beginning', 'now' or { atMs: a time in milliseconds }`
}
