import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { compareText } from '../base/text.ts'
import { complaintsOfShape } from '../contract/door.ts'
import type { EventStore, IndexValue, RowCheck, RowKey, RowWrite } from '../ports/store.ts'

/** A row in memory: its value as data, never changed in place. Version 0 is "no row". */
export interface Cell extends RowKey {
  readonly version: number
  readonly value: unknown
  readonly bytes: number
}

/** A change of a row: the next value, or `undefined` for "the row goes". */
export interface Change {
  readonly value: unknown
  readonly version: number
  readonly index?: Readonly<Record<string, IndexValue>>
}

const idOf = (table: string, key: string): string => `${table}\n${key}`

/**
 * The rows that a group works on, kept between units up to a bound in bytes; what was loaded or
 * written longest ago goes first. What is kept is what was last committed, and the expected
 * versions of each unit prove it.
 */
export interface RowCache {
  peek(table: string, key: string): Cell | undefined
  /** Loads what is missing, in one call. */
  load(keys: readonly RowKey[]): Promise<void>
  keep(cells: Iterable<Cell>): void
  clear(): void
  /** Lets go of what exceeds the bound; between units only. */
  trim(): void
}

export function rowCache(store: EventStore, bytesMax: number): RowCache {
  const cells = new Map<string, Cell>()
  let bytes = 0
  const keep = (cell: Cell): void => {
    const id = idOf(cell.table, cell.key)
    const old = cells.get(id)
    if (old) {
      bytes -= old.bytes
      cells.delete(id)
    }
    cells.set(id, cell)
    bytes += cell.bytes
  }
  return {
    peek: (table, key) => cells.get(idOf(table, key)),
    async load(keys) {
      const missing = keys.filter(({ table, key }) => !cells.has(idOf(table, key)))
      if (missing.length === 0) return
      const rows = await store.get(missing)
      for (const [at, { table, key }] of missing.entries()) {
        const row = rows[at]
        keep({
          table,
          key,
          version: row?.version ?? 0,
          value: row ? JSON.parse(row.body) : undefined,
          bytes: (row?.body.length ?? 0) + CELL_BYTES,
        })
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

/**
 * The changes of one unit over the cache. A change of one message is staged on a layer of its
 * own, so that a fault in the middle of a rule leaves nothing behind.
 */
export interface Draft {
  cell(table: string, key: string): Cell | undefined
  put(table: string, key: string, change: Change): void
  /** A new layer over this one. */
  layer(): Draft
  /** Takes over what was put into a layer. */
  take(layer: Draft): void
  readonly changes: ReadonlyMap<string, Changed>
  /** Every row that was looked at: what is staged may rest on it. */
  readonly reads: ReadonlyMap<string, Cell>
}

/** A row with the version that was there before the unit. */
export interface Changed extends RowKey, Change {
  readonly expected: number
}

export function draftOver(below: Pick<Draft, 'cell'>): Draft {
  const changes = new Map<string, Changed>()
  const reads = new Map<string, Cell>()
  const draft: Draft = {
    changes,
    reads,
    cell(table, key) {
      const id = idOf(table, key)
      const changed = changes.get(id)
      if (changed) return { ...changed, bytes: 0 }
      const cell = below.cell(table, key)
      if (cell) reads.set(id, cell)
      return cell
    },
    put(table, key, change) {
      const id = idOf(table, key)
      const before = changes.get(id)
      const expected = before ? before.expected : (below.cell(table, key)?.version ?? 0)
      changes.set(id, { table, key, ...change, expected })
    },
    layer: () => draftOver(draft),
    take(layer) {
      for (const [id, changed] of layer.changes) {
        const before = changes.get(id)
        changes.set(id, before ? { ...changed, expected: before.expected } : changed)
      }
    },
  }
  return draft
}

const ROW_SHAPE = { valuesMax: LIMITS.rowValuesMax, textLengthMax: LIMITS.rowBytesMax }

/** Why a draft cannot be kept: rules may return what JSON would make into something else. */
export function flawOf(draft: Draft): Fault | undefined {
  for (const { table, key, value } of draft.changes.values()) {
    const complaints = complaintsOfShape(value, ROW_SHAPE)
    if (complaints.length > 0)
      return new Fault('RULE_RETURNED', { detail: `${table} ${key} cannot be kept`, complaints })
  }
  return undefined
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
    const bytes = (body?.length ?? 0) + CELL_BYTES
    cells.push({ table, key, version: isGone ? 0 : version, value, bytes })
  }
  for (const [id, { table, key, version }] of draft.reads)
    if (!draft.changes.has(id)) checks.push({ table, key, expected: version })
  return { writes: writes.toSorted(byKey), checks: checks.toSorted(byKey), cells }
}

function byKey(a: RowKey, b: RowKey): number {
  return compareText(a.table, b.table) || compareText(a.key, b.key)
}
