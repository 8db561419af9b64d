// The audit trail: one row for each write of an operator, in a table of the store.
import { asFault } from '../base/errors/thrown-error.ts'
import { Fault } from '../base/errors/fault.ts'
import { LIST_LIMIT, SEARCH_MS_MAX } from '../engine/listing/index.ts'
import type { ListPage } from '../engine/listing/index.ts'
import { rowWrite, updateRow } from '../engine/rows/index.ts'
import { EMPTY_UNIT } from '../ports/empty-unit.ts'
import type { EventStore, RowKey, TableSpec } from '../ports/event-store.ts'
import type { System } from './system.ts'
import type { ParsedArguments } from './verb-arguments.ts'
import type { AuditEntry } from './views.ts'

export const AUDIT_TABLE: TableSpec = { name: 'throughline.audit', indexes: [] }

/** The newest entries are kept; each new one replaces the oldest. */
export const AUDIT_ENTRIES_MAX = 100_000

/** Longer texts are left out of an entry, and longer results, too. */
const VALUE_BYTES_MAX = 1_000
const ATTEMPTS = 20
const RETRY_DELAY_MS = 200
const ROWS_PER_SCAN = 1_000

/** A write that is about to begin. */
export interface AuditedCall {
  readonly verb: string
  readonly taken: ParsedArguments
  /** The call may run if its entry cannot be stored, since it changes nothing in the store. */
  readonly isOptional: boolean
}

/**
 * Runs a write of an operator with an entry in the audit trail. The entry is stored before the write
 * begins, so a crash cannot hide it, and gets its outcome afterwards.
 *
 * @throws whatever `run` throws; Fault `STORE_UNKNOWN` or `DATA_READ_ONLY` where the entry cannot be
 * stored, and `run` was not called then
 */
export async function runAudited<T>(
  system: System,
  call: AuditedCall,
  run: () => Promise<T>,
): Promise<T> {
  const begun = await beginEntry(system, call).catch((cause: unknown) => {
    if (call.isOptional) return undefined
    throw cause
  })
  try {
    const result = await run()
    await endEntry(system, begun, { outcome: 'done', ...resultOf(result) })
    return result
  } catch (cause) {
    const code = asFault(cause)?.code ?? 'INTERNAL'
    await endEntry(system, begun, { outcome: 'failed', code })
    throw cause
  }
}

/** Newest first, since rows are read in the order of their keys. */
const keyOf = (sequence: number): RowKey => ({
  table: AUDIT_TABLE.name,
  key: String(Number.MAX_SAFE_INTEGER - sequence).padStart(16, '0'),
})
const sequenceOf = (key: string): number => Number.MAX_SAFE_INTEGER - Number(key)

type StoredEntry = Omit<AuditEntry, 'sequence'>

async function beginEntry(
  { backend: { store }, clock }: System,
  { verb, taken }: AuditedCall,
): Promise<RowKey> {
  const { by, reason = '', ...rest } = taken
  const entry: StoredEntry = {
    at: clock.now(),
    by: String(by),
    verb,
    arguments: boundedArguments(rest),
    reason: String(reason),
    outcome: 'started',
  }
  const body = JSON.stringify(entry)
  await store.declare([AUDIT_TABLE])
  let cause: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const sequence = (await newestSequence(store)) + 1
    const [row, oldest] = [keyOf(sequence), keyOf(sequence - AUDIT_ENTRIES_MAX)]
    const [expired] = sequence > AUDIT_ENTRIES_MAX ? await store.get([oldest]) : []
    const removed = expired ? [rowWrite(oldest, expired, null)] : []
    const rows = [rowWrite(row, undefined, body), ...removed]
    const answer = await store.commit({ ...EMPTY_UNIT, rows })
    if (answer.status === 'done') return row
    const [stored] = answer.status === 'unknown' ? await store.get([row]) : []
    if (stored?.body === body) return row
    cause = answer.status === 'unknown' ? answer.cause : answer.status
  }
  throw new Fault('STORE_UNKNOWN', { detail: `the audit entry of ${verb}`, cause })
}

async function newestSequence(store: EventStore): Promise<number> {
  const [newest] = await store.scan({ table: AUDIT_TABLE.name, limit: 1 })
  return newest ? sequenceOf(newest.key) : 0
}

async function endEntry(
  { backend: { store }, clock }: System,
  key: RowKey | undefined,
  ended: Pick<AuditEntry, 'outcome' | 'code' | 'result'>,
): Promise<void> {
  if (!key) return
  const parts = { store, clock, retryDelayMs: RETRY_DELAY_MS }
  // What was done is done, and the caller hears of it, even if this cannot be stored.
  await updateRow(parts, key, 'an audit entry', (row) =>
    row
      ? JSON.stringify({ ...(JSON.parse(row.body) as object), ...ended, endedAt: clock.now() })
      : undefined,
  ).catch(() => undefined)
}

function boundedArguments(taken: ParsedArguments): AuditEntry['arguments'] {
  const given = Object.entries(taken).flatMap(([name, value]) => {
    if (value === undefined) return []
    const bytes = typeof value === 'string' ? Buffer.byteLength(value) : 0
    return [[name, bytes > VALUE_BYTES_MAX ? `left out: ${bytes} bytes` : value] as const]
  })
  return Object.fromEntries(given)
}

function resultOf(result: unknown): Pick<AuditEntry, 'result'> {
  const json = JSON.stringify(result)
  if (json === undefined || Buffer.byteLength(json) > VALUE_BYTES_MAX) return {}
  return { result }
}

/** Which entries; an absent member sets no limit. */
export interface AuditOptions {
  readonly by?: string
  readonly verb?: string
  readonly limit?: number
  readonly after?: string
}

/**
 * The entries of the audit trail, newest first. One call takes a quarter of a second: if few entries
 * match, a page may have fewer than `limit` items and still a `next`.
 *
 * @throws Fault `OPTION_INVALID`
 */
export async function listAudit(
  { backend: { store }, clock }: Pick<System, 'backend' | 'clock'>,
  { by, verb, limit = LIST_LIMIT.default, after }: AuditOptions,
): Promise<ListPage<AuditEntry>> {
  const items: AuditEntry[] = []
  const table = AUDIT_TABLE.name
  // Data that can only be read has no such table before the first entry.
  if (!store.tables) await store.declare([AUDIT_TABLE])
  else if (!(await store.tables()).includes(table)) return { items }
  let last = parseCursor(after)
  const endsAt = clock.elapsed() + SEARCH_MS_MAX
  for (;;) {
    const from = last === undefined ? {} : { after: { key: keyOf(last).key } }
    const rows = await store.scan({ table, limit: ROWS_PER_SCAN, ...from })
    for (const { key, body } of rows) {
      const entry = { sequence: sequenceOf(key), ...(JSON.parse(body) as StoredEntry) }
      const isWanted =
        (by === undefined || entry.by === by) && (verb === undefined || entry.verb === verb)
      if (!isWanted) continue
      if (items.length === limit) return { items, next: String(items.at(-1)?.sequence) }
      items.push(entry)
    }
    if (rows.length < ROWS_PER_SCAN) return { items }
    last = sequenceOf(rows.at(-1)?.key ?? '')
    if (clock.elapsed() >= endsAt) return { items, next: String(last) }
  }
}

function parseCursor(after: string | undefined): number | undefined {
  if (after === undefined) return undefined
  if (/^\d{1,15}$/.test(after)) return Number(after)
  const issues = [{ path: 'after', message: 'must be the next of an earlier page' }]
  throw new Fault('OPTION_INVALID', { detail: 'audit', issues })
}
