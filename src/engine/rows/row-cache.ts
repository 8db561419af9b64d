import { compositeKey } from '../../base/composite-key.ts'
import { Fault } from '../../base/errors/fault.ts'
import { deepFreeze } from '../../base/deep-freeze.ts'
import { LIMITS } from '../../base/limits.ts'
import { compareText } from '../../base/text/compare-text.ts'
import { normalFormIssues, toNormalForm } from '../../contract/data/normal-form.ts'
import type {
  EventStore,
  IndexValue,
  Row,
  RowCheck,
  RowKey,
  RowWrite,
} from '../../ports/event-store.ts'

/** A row in memory: its value as immutable data. Version 0 means "no row". */
export interface CachedRow extends RowKey {
  readonly version: number
  readonly value: unknown
  readonly bytes: number
  /**
   * The value was folded again from the entity's events, and is to be written with the next unit.
   */
  readonly isRefolded?: boolean
  /** Why the value is not usable; thrown to each user of the row. */
  readonly fault?: Fault
}

/** A change of a row: the next value, or `undefined` to delete the row. */
export interface RowChange {
  readonly value: unknown
  readonly version: number
  readonly index?: Readonly<Record<string, IndexValue>>
}

/**
 * Folds states again whose rules have changed; returns other rows unchanged. Rows in doubt may be
 * lost, or older than their streams: they are folded up to the end of their streams.
 */
export type Refold = (
  rows: readonly CachedRow[],
  isInDoubt?: (row: RowKey) => boolean,
) => Promise<readonly CachedRow[]>

/**
 * Caches the rows of a group between units, up to a limit in bytes; the row loaded or written
 * longest ago is evicted first. Cached rows are as last committed, which the expected versions of
 * each unit verify.
 */
export interface RowCache {
  peek(table: string, key: string): CachedRow | undefined
  /** Loads missing rows in one call. */
  load(keys: readonly RowKey[]): Promise<void>
  /** Marks rows of a conflicting unit: they may be behind their streams. */
  markInDoubt(keys: readonly RowKey[]): void
  put(rows: Iterable<CachedRow>): void
  clear(): void
  /** Evicts rows beyond the limit. Only between units. */
  trim(): void
}

export function createRowCache(
  store: EventStore,
  bytesMax: number,
  refold: Refold = async (loaded) => loaded,
): RowCache {
  const cachedRows = new Map<string, CachedRow>()
  const inDoubt = new Set<string>()
  let bytes = 0
  const put = (row: CachedRow): void => {
    const id = compositeKey(row.table, row.key)
    const old = cachedRows.get(id)
    if (old) {
      bytes -= old.bytes
      cachedRows.delete(id)
    }
    cachedRows.set(id, row)
    bytes += row.bytes
  }
  return {
    peek: (table, key) => cachedRows.get(compositeKey(table, key)),
    async load(keys) {
      const isMissing = ({ table, key }: RowKey): boolean => {
        const row = cachedRows.get(compositeKey(table, key))
        // A fault may have been fixed meanwhile.
        return !row || row.fault !== undefined
      }
      const missing = keys.filter(isMissing)
      if (missing.length === 0) return
      const rows = await store.get(missing)
      const loaded = missing.map((key, at) => createCachedRow(key, rows[at]))
      const isInDoubt = ({ table, key }: RowKey): boolean => inDoubt.has(compositeKey(table, key))
      for (const row of await refold(loaded, isInDoubt)) {
        if (!row.fault) inDoubt.delete(compositeKey(row.table, row.key))
        put(row)
      }
    },
    markInDoubt(keys) {
      for (const { table, key } of keys) {
        const id = compositeKey(table, key)
        const row = cachedRows.get(id)
        if (row) bytes -= row.bytes
        cachedRows.delete(id)
        inDoubt.add(id)
      }
    },
    put(all) {
      for (const row of all) put(row)
    },
    clear() {
      cachedRows.clear()
      bytes = 0
    },
    trim() {
      for (const [id, row] of cachedRows) {
        if (bytes <= bytesMax) return
        cachedRows.delete(id)
        bytes -= row.bytes
      }
    },
  }
}

/** Bytes of a cached row beside its value. */
const ROW_OVERHEAD_BYTES = 200

export const rowBytes = (body: string): number => body.length + ROW_OVERHEAD_BYTES

export function createCachedRow({ table, key }: RowKey, row: Row | undefined): CachedRow {
  const bytes = rowBytes(row?.body ?? '')
  if (!row) return { table, key, version: 0, value: undefined, bytes }
  return { table, key, version: row.version, value: deepFreeze(JSON.parse(row.body)), bytes }
}

/**
 * The changes of one unit over the cache. The changes of one message can be undone, so that an
 * error in a rule leaves nothing behind.
 */
export interface UnitDraft {
  row(table: string, key: string): CachedRow | undefined
  /**
   * Stages a change of a row that was read before; stores its value in normal form.
   *
   * @throws Fault `RULE_RETURNED` if no row can hold the value
   *
   * @throws Error if the row was not read: its version would be a guess
   */
  put(table: string, key: string, change: RowChange): void
  /** Stages a row with a new key, such as a fresh id. Otherwise like `put`. */
  insert(table: string, key: string, change: RowChange): void
  /** Starts a group of changes that `undo` reverts. */
  begin(): void
  undo(): void
  /** The staged change of a row, if there is one. */
  changed(table: string, key: string): DraftRow | undefined
  /** Whether any row of a table has changed. */
  touches(table: string): boolean
  readonly changes: ReadonlyMap<string, DraftRow>
  /** Every row that was read: the staged changes may depend on it. */
  readonly reads: ReadonlyMap<string, CachedRow>
}

/** A changed row, with its version before the unit. */
export interface DraftRow extends CachedRow, RowChange {
  readonly expected: number
}

/** Stands for a row that cannot exist yet. */
const ABSENT = { version: 0, value: undefined, bytes: 0 }

export function createDraft(below: Pick<UnitDraft, 'row'>): UnitDraft {
  const changes = new Map<string, DraftRow>()
  const reads = new Map<string, CachedRow>()
  const tables = new Set<string>()
  /** The previous change of each row since `begin`. */
  let journal: (readonly [id: string, before: DraftRow | undefined])[] = []
  // Most rows are changed right after they were read.
  let [lastTable, lastKey, lastId] = ['', '', '']
  const cachedRowId = (table: string, key: string): string => {
    if (table === lastTable && key === lastKey) return lastId
    lastId = compositeKey(table, key)
    lastTable = table
    lastKey = key
    return lastId
  }
  const stage = (
    table: string,
    key: string,
    { value, version, index }: RowChange,
    before: Pick<CachedRow, 'version' | 'value' | 'bytes'> | DraftRow,
  ): void => {
    const id = cachedRowId(table, key)
    const kept = normalizeValue({ table, key }, value, before)
    const expected = 'expected' in before ? before.expected : before.version
    journal.push([id, changes.get(id)])
    tables.add(table)
    const row = { table, key, ...kept, version, expected }
    changes.set(id, index ? { ...row, index } : row)
  }
  return {
    changes,
    reads,
    row(table, key) {
      const id = cachedRowId(table, key)
      const changed = changes.get(id)
      if (changed) return changed
      const row = below.row(table, key)
      if (row) reads.set(id, row)
      return row
    },
    put(table, key, change) {
      const before = changes.get(cachedRowId(table, key)) ?? below.row(table, key)
      if (!before) throw new Error(`${table} ${key} is written without having been read`)
      stage(table, key, change, before)
    },
    insert(table, key, change) {
      // If it exists nevertheless, a conflict has had it loaded.
      stage(
        table,
        key,
        change,
        changes.get(cachedRowId(table, key)) ?? below.row(table, key) ?? ABSENT,
      )
    },
    begin() {
      if (journal.length > 0) journal = []
    },
    undo() {
      for (const [id, before] of journal.toReversed())
        if (before) changes.set(id, before)
        else changes.delete(id)
      journal = []
    },
    changed: (table, key) => (tables.has(table) ? changes.get(cachedRowId(table, key)) : undefined),
    touches: (table) => tables.has(table),
  }
}

/** The limits of a row's value. */
export const ROW_SHAPE = { valuesMax: LIMITS.rowValuesMax, textLengthMax: LIMITS.rowBytesMax }

/** Values of at most this size are within both limits of a row. */
const BYTES_ALWAYS_ALLOWED = Math.min(LIMITS.rowValuesMax, LIMITS.rowBytesMax)

/**
 * Normalizes a value to what its row will return when read. `bytes` is an upper bound of its size:
 * the value before plus what is new.
 *
 * @throws Fault `RULE_RETURNED` for values that JSON would change
 */
function normalizeValue(
  { table, key }: RowKey,
  value: unknown,
  before: Pick<CachedRow, 'value' | 'bytes'>,
): Pick<CachedRow, 'value' | 'bytes'> {
  if (value === undefined) return { value, bytes: 0 }
  const form = toNormalForm(value, ROW_SHAPE, before.value)
  const bytes = before.bytes + (form ? form.values + form.textLength : 0)
  if (form && bytes <= BYTES_ALWAYS_ALLOWED) return { value: form.value, bytes }
  // It may be too large: measure the whole value, including parts shared with the value before.
  const whole = toNormalForm(value, ROW_SHAPE)
  if (whole) return { value: whole.value, bytes: whole.values + whole.textLength }
  const issues = normalFormIssues(value, ROW_SHAPE)
  throw new Fault('RULE_RETURNED', {
    detail: `the value of ${table} ${key} cannot be stored`,
    issues,
  })
}

/** The rows of a draft, as part of a unit. */
export interface DraftWrites {
  readonly writes: readonly RowWrite[]
  /** Checks of rows that were read and not written: another instance may have changed them. */
  readonly checks: readonly RowCheck[]
  /** The rows to cache after the commit. */
  readonly cached: readonly CachedRow[]
}

/** The writes of a draft, in row order. */
export function createWrites(draft: UnitDraft): DraftWrites {
  const writes: RowWrite[] = []
  const checks: RowCheck[] = []
  const cached: CachedRow[] = []
  for (const { table, key, expected, version, value, index } of draft.changes.values()) {
    const isGone = value === undefined
    if (isGone && expected === 0) {
      checks.push({ table, key, expected })
      continue
    }
    const body = isGone ? null : JSON.stringify(value)
    writes.push({
      table,
      key,
      expected,
      version: isGone ? 0 : version,
      body,
      ...(index ? { index } : {}),
    })
    const bytes = rowBytes(body ?? '')
    cached.push({ table, key, version: isGone ? 0 : version, value, bytes })
  }
  for (const [id, { table, key, version, value, isRefolded, fault }] of draft.reads) {
    // No rule has used a row with a fault.
    if (draft.changes.has(id) || fault) continue
    if (!isRefolded) {
      checks.push({ table, key, expected: version })
      continue
    }
    const body = JSON.stringify(value)
    writes.push({ table, key, expected: version, version, body })
    cached.push({ table, key, version, value, bytes: rowBytes(body) })
  }
  return {
    writes: writes.toSorted(compareRowKeys),
    checks: checks.toSorted(compareRowKeys),
    cached,
  }
}

/** The order of rows within a unit. */
export function compareRowKeys(a: RowKey, b: RowKey): number {
  return compareText(a.table, b.table) || compareText(a.key, b.key)
}
