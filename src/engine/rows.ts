import { compositeKey } from '../base/composite-key.ts'
import { Fault } from '../base/fault.ts'
import { frozen } from '../base/frozen.ts'
import { LIMITS } from '../base/limits.ts'
import { compareText } from '../base/text.ts'
import { complaintsOfForm, normalForm } from '../contract/normal-form.ts'
import type { EventStore, IndexValue, Row, RowCheck, RowKey, RowWrite } from '../ports/store.ts'
import type { Refold } from './refold.ts'

/** A row in memory: its value as data, never changed in place. Version 0 is "no row". */
export interface Cell extends RowKey {
  readonly version: number
  readonly value: unknown
  readonly bytes: number
  /** The value was made anew from what the row rests on, and is to be written with the next unit. */
  readonly isRefolded?: boolean
  /** Why the value is not what it should be: whoever looks at it is told. */
  readonly flaw?: Fault
}

/** A change of a row: the next value, or `undefined` for "the row goes". */
export interface Change {
  readonly value: unknown
  readonly version: number
  readonly index?: Readonly<Record<string, IndexValue>>
}

/**
 * The rows that a group works on, kept between units up to a bound in bytes; what was loaded or
 * written longest ago goes first. What is kept is what was last committed, and the expected
 * versions of each unit prove it.
 */
export interface RowCache {
  peek(table: string, key: string): Cell | undefined
  /** Loads what is missing, in one call. */
  load(keys: readonly RowKey[]): Promise<void>
  /** A unit that rested on these rows was a conflict: they may be behind their streams. */
  doubt(keys: readonly RowKey[]): void
  keep(cells: Iterable<Cell>): void
  clear(): void
  /** Lets go of what exceeds the bound; between units only. */
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
        // What was flawed may have been mended.
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

/** What a cell weighs beside its value. */
const CELL_BYTES = 200

export const bytesOfBody = (body: string): number => body.length + CELL_BYTES

export function cellOf({ table, key }: RowKey, row: Row | undefined): Cell {
  const bytes = bytesOfBody(row?.body ?? '')
  if (!row) return { table, key, version: 0, value: undefined, bytes }
  return { table, key, version: row.version, value: frozen(JSON.parse(row.body)), bytes }
}

/**
 * The changes of one unit over the cache. What one message changes can be undone, so that a fault in
 * the middle of a rule leaves nothing behind.
 */
export interface Draft {
  cell(table: string, key: string): Cell | undefined
  /**
   * Stages a row that was looked at before; its value is kept in normal form.
   *
   * @throws Fault `RULE_RETURNED` where no row can hold the value
   * @throws Error where the row was not looked at: its version would be a guess
   */
  put(table: string, key: string, change: Change): void
  /** Stages a row whose key is in no row yet, such as one that was just made. Else as `put`. */
  add(table: string, key: string, change: Change): void
  /** From here on, until the next `begin`, changes can be undone. */
  begin(): void
  undo(): void
  /** The change of a row, as far as there is one. */
  changed(table: string, key: string): Changed | undefined
  /** Whether any row of a table is changed. */
  touches(table: string): boolean
  readonly changes: ReadonlyMap<string, Changed>
  /** Every row that was looked at: what is staged may rest on it. */
  readonly reads: ReadonlyMap<string, Cell>
}

/** A row as it shall be, with the version that was there before the unit. */
export interface Changed extends Cell, Change {
  readonly expected: number
}

/** What stands for a row that cannot be there yet. */
const ABSENT = { version: 0, value: undefined, bytes: 0 }

export function draftOver(below: Pick<Draft, 'cell'>): Draft {
  const changes = new Map<string, Changed>()
  const reads = new Map<string, Cell>()
  const tables = new Set<string>()
  /** What was there before each change since `begin`. */
  let journal: (readonly [id: string, before: Changed | undefined])[] = []
  // Most rows are changed just after they were looked at.
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
      // Where it is there all the same, a conflict has had it loaded.
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

/** What a value of a row may be. */
export const ROW_SHAPE = { valuesMax: LIMITS.rowValuesMax, textLengthMax: LIMITS.rowBytesMax }

/** What is no larger than this is within both bounds of a row. */
const BYTES_SURELY_KEPT = Math.min(LIMITS.rowValuesMax, LIMITS.rowBytesMax)

/**
 * A value as its row will give it back. `bytes` bounds its size: what was there, and what is new.
 *
 * @throws Fault `RULE_RETURNED`: rules may return what JSON would make into something else
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
  // It may be too large: then what is shared with the value before counts, too.
  const whole = normalForm(value, ROW_SHAPE)
  if (whole) return { value: whole.value, bytes: whole.values + whole.textLength }
  const complaints = complaintsOfForm(value, ROW_SHAPE)
  throw new Fault('RULE_RETURNED', { detail: `${table} ${key} cannot be kept`, complaints })
}

/** A draft as part of a unit. */
export interface Writes {
  readonly writes: readonly RowWrite[]
  /** What was read and is not written: a decision of another instance may have changed it since. */
  readonly checks: readonly RowCheck[]
  /** What the cache will hold. */
  readonly cells: readonly Cell[]
}

/** The writes of a draft, in the order that every unit keeps. */
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
    // Nothing was decided on a row that is flawed.
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

/** The order of the rows in every unit. */
export function byKey(a: RowKey, b: RowKey): number {
  return compareText(a.table, b.table) || compareText(a.key, b.key)
}
