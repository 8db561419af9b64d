import type { Clock } from '../base/clock.ts'
import { breathe } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { compareText } from '../base/text.ts'
import { thrownText } from '../base/thrown.ts'
import { complaintsOfForm, normalForm } from '../contract/normal-form.ts'
import { complaintsOfShape } from '../contract/shape.ts'
import { EMPTY_UNIT } from '../ports/empty-unit.ts'
import type { LogRecord } from '../ports/log.ts'
import type { EventStore, Row, RowKey, RowWrite } from '../ports/store.ts'
import { callRule } from '../rules/rule.ts'
import type { EntityRow, Fold } from './fold.ts'
import type { ServicePlan } from './plan.ts'
import type { Cell, Refold } from './rows.ts'
import { dataOf } from './arrival.ts'
import { ROW_SHAPE, bytesOfBody } from './rows.ts'
import { ruleFault } from './step.ts'
import { rowWrite } from './write-rows.ts'

/** Events in memory at a time. */
const PAGE = 500

/**
 * Events after which a fold stores a snapshot, so that a fold that outlasts a process or a lease
 * makes progress. Most streams are shorter.
 */
const EVENTS_PER_SNAPSHOT = 10_000

/** The snapshot row of a fold in progress. */
interface Snapshot {
  readonly rules: string
  readonly version: number
  readonly state: unknown
}

export interface RefoldParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly folds: ReadonlyMap<string, Fold>
  /** The table of snapshots. */
  readonly snapshots: string
  /** How long folding may compute before it yields. */
  readonly computeMsMax: number
  /** Called for each state folded again because the rules changed, and whether it stayed the same. */
  readonly refolded?: (entity: string, isUnchanged: boolean) => void
}

/**
 * Folds a state again from the entity's own events, in version order, if its rules have changed.
 * The result is written with the next unit under the same version, since the events are the same. A
 * row that is behind its stream is written at once. On failure, the row carries the fault, which
 * each user of the row gets.
 */
export function refolding(parts: RefoldParts): Refold {
  const { folds } = parts
  return async (cells, isInDoubt = () => false) => {
    const ends = await endsBehind(parts, cells.filter(isInDoubt))
    if (ends.size === 0 && !cells.some((cell) => staleBy(folds, cell))) return cells
    const fresh: Cell[] = []
    const rest = restOf(parts)
    for (const cell of cells) {
      const end = ends.get(cell)
      const fold = end === undefined ? staleBy(folds, cell) : folds.get(cell.table)
      fresh.push(fold ? await refold(parts, fold, cell, { end, rest }) : cell)
    }
    return fresh
  }
}

/** The part of the engine that a refold needs. */
export interface RefoldContext {
  readonly clock: Clock
  readonly options: { readonly unitComputeMsMax: number }
  readonly backend: { readonly store: EventStore }
  readonly watch: { refolded(entity: string, isUnchanged: boolean): void }
}

/** Creates the refold of a service's entities. */
export function refoldFor(
  engine: RefoldContext,
  { folds, name, names: { snapshots } }: Pick<ServicePlan, 'folds' | 'name' | 'names'>,
): Refold {
  const { clock, watch } = engine
  const { store } = engine.backend
  const { unitComputeMsMax: computeMsMax } = engine.options
  const refolded = (entity: string, isUnchanged: boolean): void =>
    watch.refolded(`${name}/${entity}`, isUnchanged)
  return refolding({ store, clock, folds, snapshots, computeMsMax, refolded })
}

/**
 * Called after each event: yields to the event loop after a page of events, or when folding took
 * long.
 */
type Rest = () => Promise<void> | undefined

function restOf({ clock, computeMsMax }: RefoldParts): Rest {
  let [count, begunAt] = [0, clock.elapsed()]
  return () => {
    count += 1
    if (count < PAGE && clock.elapsed() - begunAt <= computeMsMax) return undefined
    return breathe(clock).then(() => {
      count = 0
      begunAt = clock.elapsed()
    })
  }
}

/** The fold of a row whose state was made by other rules. */
function staleBy(folds: ReadonlyMap<string, Fold>, { table, value }: Cell): Fold | undefined {
  if (value === undefined) return undefined
  const fold = folds.get(table)
  return fold && (value as EntityRow).rules !== fold.rules ? fold : undefined
}

/** The stream ends of entities whose rows are behind. */
async function endsBehind(
  { store, folds }: RefoldParts,
  cells: readonly Cell[],
): Promise<ReadonlyMap<Cell, number>> {
  const entities = cells.filter(({ table }) => folds.has(table))
  if (entities.length === 0) return new Map()
  const ends = await store.streamEnds(entities)
  const known = entities.map((cell, at) => [cell, ends[at] ?? 0] as const)
  return new Map(known.filter(([{ version }, end]) => end > version))
}

async function refold(
  parts: RefoldParts,
  fold: Fold,
  row: Cell,
  { end: version = row.version, rest }: { readonly end: number | undefined; readonly rest: Rest },
): Promise<Cell> {
  const { table, key } = row
  const keeper = keeperOf(parts, fold, { ...row, version }, row.version)
  const outcome = await foldOn(parts.store, fold, { ...row, version }, { keeper, rest })
  if (outcome.is === 'failed') return { ...row, flaw: outcome.fault }
  if (version === row.version) parts.refolded?.(fold.entity.name, isSameState(row, outcome.state))
  const value: EntityRow = { state: outcome.state, rules: fold.rules }
  const bytes = bytesOfBody(JSON.stringify(value))
  const folded: Cell = { table, key, version, value, bytes }
  if (await keeper.finish(folded)) return folded
  if (version === row.version) return { ...folded, isRefolded: true }
  // If another instance was faster, or the answer is lost, the next unit conflicts and reads again.
  await parts.store.commit({ ...EMPTY_UNIT, rows: [writeOf(folded, row.version)] })
  return folded
}

/** Compares states as text: a different order of members counts as a change, which does no harm. */
function isSameState({ value }: Cell, state: unknown): boolean {
  return JSON.stringify((value as EntityRow | undefined)?.state) === JSON.stringify(state)
}

/** The result of a fold. A store that does not answer throws instead: no rule is at fault. */
type Outcome =
  | { readonly is: 'folded'; readonly state: unknown }
  | { readonly is: 'failed'; readonly fault: Fault }

async function foldOn(
  store: EventStore,
  fold: Fold,
  { table, key, version: end }: Cell,
  { keeper, rest }: { readonly keeper: Keeper; readonly rest: Rest },
): Promise<Outcome> {
  let { version, state } = await keeper.begin()
  let last: LogRecord | undefined
  while (version < end) {
    // Read the previous event again: if one before it were missing, a different one would come.
    const again = last ? 1 : 0
    const count = Math.min(PAGE, end - version)
    const records = await store.stream({ table, key }, version + 1 - again, count + again)
    const isWhole = records.length === count + again && (!last || records[0]?.id === last.id)
    if (!isWhole) return incomplete(fold, key, end)
    for (const record of records.slice(again)) {
      const outcome = evolved(fold, key, record, state)
      if (outcome.is === 'failed') return outcome
      state = outcome.state
      version += 1
      const resting = rest()
      if (resting) await resting
    }
    last = records.at(-1)
    if (version < end) await keeper.keep(version, state)
  }
  const complaints = complaintsOfShape(state, ROW_SHAPE)
  return complaints.length === 0 ? { is: 'folded', state } : unkept(fold, key, complaints)
}

function unkept({ entity }: Fold, key: string, complaints: readonly Complaint[]): Outcome {
  const detail = `the state of ${entity.name} ${key} cannot be stored`
  return { is: 'failed', fault: new Fault('RULE_RETURNED', { detail, complaints }) }
}

function incomplete({ entity }: Fold, key: string, version: number): Outcome {
  const detail = `${entity.name} ${key}, of which there were ${version} events`
  const fault = new Fault('STREAM_INCOMPLETE', { detail, ids: { entity: entity.name, key } })
  return { is: 'failed', fault }
}

function evolved(fold: Fold, key: string, record: LogRecord, state: unknown): Outcome {
  const { entity, byWire } = fold
  const { type, id } = record
  const flawed = (why: string, cause?: unknown): Outcome => {
    const detail = `${entity.name} ${key} cannot be folded again at ${type} ${id}: ${why}`
    return { is: 'failed', fault: ruleFault(detail, cause) }
  }
  if (!byWire.has(type)) return flawed('its contract has no event with this wire name or alias')
  const rule = byWire.get(type)
  if (!rule) return { is: 'folded', state }
  try {
    const next = callRule(rule, dataOf(record, rule.on), state, key)
    if (next === undefined) return flawed('its evolve rule returned undefined')
    const form = normalForm(next, ROW_SHAPE, state)
    if (!form) return unkept(fold, key, complaintsOfForm(next, ROW_SHAPE))
    return { is: 'folded', state: form.value }
  } catch (cause) {
    return flawed(thrownText(cause), cause)
  }
}

/** Stores snapshots of a long fold. */
interface Keeper {
  /** The snapshot to start from. */
  begin(): Promise<Pick<Snapshot, 'version' | 'state'>>
  /** Stores a snapshot, if enough events were folded. */
  keep(version: number, state: unknown): Promise<void>
  /** Replaces the snapshot by the row, if there is one; returns whether it did. */
  finish(folded: Cell): Promise<boolean>
}

function keeperOf(
  { store, snapshots }: RefoldParts,
  fold: Fold,
  cell: Cell,
  rowVersion: number,
): Keeper {
  const { rules, entity } = fold
  const row: RowKey = { table: snapshots, key: `${entity.name}:${cell.key}` }
  const initial = { version: 0, state: entity.initial as unknown }
  let before: Pick<Row, 'version'> | undefined
  let keptAt = 0
  let isAlone = true
  return {
    async begin() {
      if (cell.version <= EVENTS_PER_SNAPSHOT) return initial
      const [kept] = await store.get([row])
      before = kept
      const snapshot = kept && (JSON.parse(kept.body) as Snapshot)
      if (snapshot?.rules !== rules || snapshot.version > cell.version) return initial
      keptAt = snapshot.version
      return snapshot
    },
    async keep(version, state) {
      if (version - keptAt < EVENTS_PER_SNAPSHOT || !isAlone) return
      const body = JSON.stringify({ rules, version, state } satisfies Snapshot)
      const kept = rowWrite(row, before, body)
      const answer = await store.commit({ ...EMPTY_UNIT, rows: [kept] })
      // Another instance folds the same stream: then only one of them stores snapshots.
      isAlone = answer.is === 'done'
      keptAt = version
      before = kept
    },
    async finish(folded) {
      if (!before || !isAlone) return false
      const gone = rowWrite(row, before, null)
      const rows = [writeOf(folded, rowVersion), gone].toSorted((a, b) =>
        compareText(a.table, b.table),
      )
      return (await store.commit({ ...EMPTY_UNIT, rows })).is === 'done'
    },
  }
}

/** Writes refolded states for a reader. If that fails, the next reader folds them again. */
export async function keepStates(store: EventStore, cells: readonly Cell[]): Promise<void> {
  const rows = cells.filter(({ isRefolded }) => isRefolded).map((cell) => writeOf(cell))
  if (rows.length > 0) await store.commit({ ...EMPTY_UNIT, rows }).catch(() => undefined)
}

/**
 * Writes the state under its version: the same one if only the rules have changed, or that of the
 * stream's end.
 */
function writeOf({ table, key, version, value }: Cell, expected = version): RowWrite {
  return { table, key, expected, version, body: JSON.stringify(value) }
}
