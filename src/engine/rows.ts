import { compositeKey } from '../base/composite-key.ts'
import { Fault } from '../base/fault.ts'
import { frozen } from '../base/frozen.ts'
import { LIMITS } from '../base/limits.ts'
import { compareText } from '../base/text.ts'
import { complaintsOfForm, normalForm } from '../contract/normal-form.ts'
import type { EventStore, IndexValue, Row, RowCheck, RowKey, RowWrite } from '../ports/store.ts'

/** A row in memory: its value as immutable data. Version 0 means "no row". */
export interface Cell extends RowKey {
  readonly version: number
  readonly value: unknown
  readonly bytes: number
  /**
   * The value was folded again from the entity's events, and is to be written with the next unit.
   */
  readonly isRefolded?: boolean
  /** Why the value is not usable; thrown to each user of the row. */
  readonly flaw?: Fault
}

/** A change of a row: the next value, or `undefined` to delete the row. */
export interface Change {
  readonly value: unknown
  readonly version: number
  readonly index?: Readonly<Record<string, IndexValue>>
}

/**
 * Folds states again whose rules have changed; returns other rows unchanged. Rows in doubt may be
 * lost, or older than their streams: they are folded up to the end of their streams.
 */
export type Refold = (
  cells: readonly Cell[],
  isInDoubt?: (row: RowKey) => boolean,
) => Promise<readonly Cell[]>

/**
 * Caches the rows of a group between units, up to a limit in bytes; the row loaded or written
 * longest ago is evicted first. Cached rows are as last committed, which the expected versions of
 * each unit verify.
 */
export interface RowCache {
  peek(table: string, key: string): Cell | undefined
  /** Loads missing rows in one call. */
  load(keys: readonly RowKey[]): Promise<void>
  /** Marks rows of a conflicting unit: they may be behind their streams. */
  doubt(keys: readonly RowKey[]): void
  keep(cells: Iterable<Cell>): void
  clear(): void
  /** Evicts rows beyond the limit. Only between units. */
  trim(): void
}

export function rowCache(
  store: EventStore,
  bytesMax: number,
  refold: Refold = async (loaded) => loaded,
): RowCache {
  const cells = new Map<string, Cell>()
  const doubted = new Set<string>()
  let bytes = 0
  const keep = (cell: Cell): void => {
    const id = compositeKey(cell.table, cell.key)
    const old = cells.get(id)
    if (old) {
      bytes -= old.bytes
      cells.delete(id)
    }
    cells.set(id, cell)
    bytes += cell.bytes
  }
  return {
    peek: (table, key) => cells.get(compositeKey(table, key)),
    async load(keys) {
      const isMissing = ({ table, key }: RowKey): boolean => {
        const cell = cells.get(compositeKey(table, key))
        // A fault may have been fixed meanwhile.
        return !cell || cell.flaw !== undefined
      }
      const missing = keys.filter(isMissing)
      if (missing.length === 0) return
      const rows = await store.get(missing)
      const loaded = missing.map((key, at) => cellOf(key, rows[at]))
      const isInDoubt = ({ table, key }: RowKey): boolean => doubted.has(compositeKey(table, key))
      for (const cell of await refold(loaded, isInDoubt)) {
        if (!cell.flaw) doubted.delete(compositeKey(cell.table, cell.key))
        keep(cell)
      }
    },
    doubt(keys) {
      for (const { table, key } of keys) {
        const id = compositeKey(table, key)
        const cell = cells.get(id)
        if (cell) bytes -= cell.bytes
        cells.delete(id)
        doubted.add(id)
      }
    },
    keep(all) {
      for (const cell of all) keep(cell)
    },
    clear() {
      cells.clear()
      bytes = 0
    },
    trim() {
      for (const [id, cell] of cells) {
        if (bytes <= bytesMax) return
        cells.delete(id)
        bytes -= cell.bytes
      }
    },
  }
}

/** Bytes of a cached row beside its value. */
const CELL_BYTES = 200

export const bytesOfBody = (body: string): number => body.length + CELL_BYTES

export function cellOf({ table, key }: RowKey, row: Row | undefined): Cell {
  const bytes = bytesOfBody(row?.body ?? '')
  if (!row) return { table, key, version: 0, value: undefined, bytes }
  return { table, key, version: row.version, value: frozen(JSON.parse(row.body)), bytes }
}

/**
 * The changes of one unit over the cache. The changes of one message can be undone, so that an
 * error in a rule leaves nothing behind.
 */
export interface Draft {
  cell(table: string, key: string): Cell | undefined
  /**
   * Stages a change of a row that was read before; stores its value in normal form.
   *
   * @throws Fault `RULE_RETURNED` if no row can hold the value
   *
   * @throws Error if the row was not read: its version would be a guess
   */
  put(table: string, key: string, change: Change): void
  /** Stages a row with a new key, such as a fresh id. Otherwise like `put`. */
  add(table: string, key: string, change: Change): void
  /** Starts a group of changes that `undo` reverts. */
  begin(): void
  undo(): void
  /** The staged change of a row, if there is one. */
  changed(table: string, key: string): Changed | undefined
  /** Whether any row of a table has changed. */
  touches(table: string): boolean
  readonly changes: ReadonlyMap<string, Changed>
  /** Every row that was read: the staged changes may depend on it. */
  readonly reads: ReadonlyMap<string, Cell>
}

/** A changed row, with its version before the unit. */
export interface Changed extends Cell, Change {
  readonly expected: number
}

/** Stands for a row that cannot exist yet. */
const ABSENT = { version: 0, value: undefined, bytes: 0 }

export function draftOver(below: Pick<Draft, 'cell'>): Draft {
  const changes = new Map<string, Changed>()
  const reads = new Map<string, Cell>()
  const tables = new Set<string>()
  /** The previous change of each row since `begin`. */
  let journal: (readonly [id: string, before: Changed | undefined])[] = []
  // Most rows are changed right after they were read.
  let [lastTable, lastKey, lastId] = ['', '', '']
  const idFor = (table: string, key: string): string => {
    if (table === lastTable && key === lastKey) return lastId
    lastId = compositeKey(table, key)
    lastTable = table
    lastKey = key
    return lastId
  }
  const stage = (
    table: string,
    key: string,
    { value, version, index }: Change,
    before: Pick<Cell, 'version' | 'value' | 'bytes'> | Changed,
  ): void => {
    const id = idFor(table, key)
    const kept = keptForm({ table, key }, value, before)
    const expected = 'expected' in before ? before.expected : before.version
    journal.push([id, changes.get(id)])
    tables.add(table)
    const row = { table, key, ...kept, version, expected }
    changes.set(id, index ? { ...row, index } : row)
  }
  return {
    changes,
    reads,
    cell(table, key) {
      const id = idFor(table, key)
      const changed = changes.get(id)
      if (changed) return changed
      const cell = below.cell(table, key)
      if (cell) reads.set(id, cell)
      return cell
    },
    put(table, key, change) {
      const before = changes.get(idFor(table, key)) ?? below.cell(table, key)
      if (!before) throw new Error(`${table} ${key} is written without having been read`)
      stage(table, key, change, before)
    },
    add(table, key, change) {
      // If it exists nevertheless, a conflict has had it loaded.
      stage(table, key, change, changes.get(idFor(table, key)) ?? below.cell(table, key) ?? ABSENT)
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
    changed: (table, key) => (tables.has(table) ? changes.get(idFor(table, key)) : undefined),
    touches: (table) => tables.has(table),
  }
}

/** The limits of a row's value. */
export const ROW_SHAPE = { valuesMax: LIMITS.rowValuesMax, textLengthMax: LIMITS.rowBytesMax }

/** Values of at most this size are within both limits of a row. */
const BYTES_SURELY_KEPT = Math.min(LIMITS.rowValuesMax, LIMITS.rowBytesMax)

/**
 * Normalizes a value to what its row will return when read. `bytes` is an upper bound of its size:
 * the value before plus what is new.
 *
 * @throws Fault `RULE_RETURNED` for values that JSON would change
 */
function keptForm(
  { table, key }: RowKey,
  value: unknown,
  before: Pick<Cell, 'value' | 'bytes'>,
): Pick<Cell, 'value' | 'bytes'> {
  if (value === undefined) return { value, bytes: 0 }
  const form = normalForm(value, ROW_SHAPE, before.value)
  const bytes = before.bytes + (form ? form.values + form.textLength : 0)
  if (form && bytes <= BYTES_SURELY_KEPT) return { value: form.value, bytes }
  // It may be too large: measure the whole value, including parts shared with the value before.
  const whole = normalForm(value, ROW_SHAPE)
  if (whole) return { value: whole.value, bytes: whole.values + whole.textLength }
  const complaints = complaintsOfForm(value, ROW_SHAPE)
  throw new Fault('RULE_RETURNED', {
    detail: `the value of ${table} ${key} cannot be stored`,
    complaints,
  })
}

/** The rows of a draft, as part of a unit. */
export interface Writes {
  readonly writes: readonly RowWrite[]
  /** Checks of rows that were read and not written: another instance may have changed them. */
  readonly checks: readonly RowCheck[]
  /** The rows to cache after the commit. */
  readonly cells: readonly Cell[]
}

/** The writes of a draft, in row order. */
export function writesOf(draft: Draft): Writes {
  const writes: RowWrite[] = []
  const checks: RowCheck[] = []
  const cells: Cell[] = []
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
    const bytes = bytesOfBody(body ?? '')
    cells.push({ table, key, version: isGone ? 0 : version, value, bytes })
  }
  for (const [id, { table, key, version, value, isRefolded, flaw }] of draft.reads) {
    // No rule has used a row with a fault.
    if (draft.changes.has(id) || flaw) continue
    if (!isRefolded) {
      checks.push({ table, key, expected: version })
      continue
    }
    const body = JSON.stringify(value)
    writes.push({ table, key, expected: version, version, body })
    cells.push({ table, key, version, value, bytes: bytesOfBody(body) })
  }
  return { writes: writes.toSorted(byKey), checks: checks.toSorted(byKey), cells }
}

/** The order of rows within a unit. */
export function byKey(a: RowKey, b: RowKey): number {
  return compareText(a.table, b.table) || compareText(a.key, b.key)
}
