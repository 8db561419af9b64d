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
import type { Cell } from './rows.ts'
import { dataOf } from './arrival.ts'
import { ROW_SHAPE, bytesOfBody } from './rows.ts'
import { ruleFault } from './step.ts'
import type { EngineTools } from './tools.ts'
import { rowWrite } from './write-rows.ts'

/**
 * Brings states up to the rules of today; other rows are answered as they are. Rows in doubt may have
 * been lost, or be older than their streams: those are brought up to the ends of their streams.
 */
export type Refold = (
  cells: readonly Cell[],
  isInDoubt?: (row: RowKey) => boolean,
) => Promise<readonly Cell[]>

/** Events that are in memory at a time. */
const PAGE = 500

/**
 * Events after which a fold that is under way is kept, so that one which takes longer than a process
 * or a lease lasts gets on all the same. Most streams never come to that.
 */
const EVENTS_PER_SNAPSHOT = 10_000

/** A fold that is under way, as a row keeps it. */
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
  /** How long folding may compute before everybody else gets a turn. */
  readonly computeMsMax: number
}

/**
 * A state that other rules have folded is folded again from the entity's own events, in the order of
 * their versions. What comes of it is to be written with the next unit, under the version that it
 * has: the events are the same. A row that is behind its stream is written at once. Where it fails,
 * the cell carries the flaw, which is the fault of whoever looks at it.
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

/** For the entities of a service. */
export function refoldFor(
  { clock, options, backend: { store } }: Pick<EngineTools, 'clock' | 'options' | 'backend'>,
  { folds, names }: Pick<ServicePlan, 'folds' | 'names'>,
): Refold {
  const { unitComputeMsMax: computeMsMax } = options
  return refolding({ store, clock, folds, snapshots: names.snapshots, computeMsMax })
}

/** Called after each event: everybody else gets a turn after a page of them, or once that took long. */
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

/** The fold of a cell whose state other rules have made. */
function staleBy(folds: ReadonlyMap<string, Fold>, { table, value }: Cell): Fold | undefined {
  if (value === undefined) return undefined
  const fold = folds.get(table)
  return fold && (value as EntityRow).rules !== fold.rules ? fold : undefined
}

/** Where the streams of those entities end whose rows are behind. */
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
  if (outcome.is === 'flawed') return { ...row, flaw: outcome.fault }
  const value: EntityRow = { state: outcome.state, rules: fold.rules }
  const bytes = bytesOfBody(JSON.stringify(value))
  const folded: Cell = { table, key, version, value, bytes }
  if (await keeper.finish(folded)) return folded
  if (version === row.version) return { ...folded, isRefolded: true }
  // Where another one was faster, or the answer is lost, the next unit conflicts and looks again.
  await parts.store.commit({ ...EMPTY_UNIT, rows: [writeOf(folded, row.version)] })
  return folded
}

/** What becomes of folding. A store that does not answer throws; that is nobody's flaw. */
type Outcome =
  | { readonly is: 'folded'; readonly state: unknown }
  | { readonly is: 'flawed'; readonly fault: Fault }

async function foldOn(
  store: EventStore,
  fold: Fold,
  { table, key, version: end }: Cell,
  { keeper, rest }: { readonly keeper: Keeper; readonly rest: Rest },
): Promise<Outcome> {
  let { version, state } = await keeper.begin()
  let last: LogRecord | undefined
  while (version < end) {
    // The last event is asked for once more: were one before it missing, another would come.
    const again = last ? 1 : 0
    const count = Math.min(PAGE, end - version)
    const records = await store.stream({ table, key }, version + 1 - again, count + again)
    const isWhole = records.length === count + again && (!last || records[0]?.id === last.id)
    if (!isWhole) return incomplete(fold, key, end)
    for (const record of records.slice(again)) {
      const outcome = evolved(fold, key, record, state)
      if (outcome.is === 'flawed') return outcome
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
  const detail = `${entity.name} ${key} cannot be kept`
  return { is: 'flawed', fault: new Fault('RULE_RETURNED', { detail, complaints }) }
}

function incomplete({ entity }: Fold, key: string, version: number): Outcome {
  const detail = `${entity.name} ${key}, of which there were ${version} events`
  const fault = new Fault('STREAM_INCOMPLETE', { detail, ids: { entity: entity.name, key } })
  return { is: 'flawed', fault }
}

function evolved(fold: Fold, key: string, record: LogRecord, state: unknown): Outcome {
  const { entity, byWire } = fold
  const { type, id } = record
  const flawed = (why: string, cause?: unknown): Outcome => {
    const detail = `${entity.name} ${key} cannot be folded again at ${type} ${id}: ${why}`
    return { is: 'flawed', fault: ruleFault(detail, cause) }
  }
  if (!byWire.has(type)) return flawed('its contract has no event of that wire name or alias')
  const rule = byWire.get(type)
  if (!rule) return { is: 'folded', state }
  try {
    const next = callRule(rule, dataOf(record, rule.on), state, key)
    if (next === undefined) return flawed('it evolved to undefined')
    const form = normalForm(next, ROW_SHAPE, state)
    if (!form) return unkept(fold, key, complaintsOfForm(next, ROW_SHAPE))
    return { is: 'folded', state: form.value }
  } catch (cause) {
    return flawed(thrownText(cause), cause)
  }
}

/** Keeps a fold that takes long. */
interface Keeper {
  /** Where to begin. */
  begin(): Promise<Pick<Snapshot, 'version' | 'state'>>
  /** Keeps what has been folded so far, where it is worth it. */
  keep(version: number, state: unknown): Promise<void>
  /** Has the row take the place of its snapshot, if there is one; says whether it did. */
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
      // Somebody else is at it, too: then one of the two keeps it.
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

/**
 * Writes states that were folded again for somebody who only reads. Where it fails, they are folded
 * again by the next one.
 */
export async function keepStates(store: EventStore, cells: readonly Cell[]): Promise<void> {
  const rows = cells.filter(({ isRefolded }) => isRefolded).map((cell) => writeOf(cell))
  if (rows.length > 0) await store.commit({ ...EMPTY_UNIT, rows }).catch(() => undefined)
}

/** The same version with another state, since the events are the same; or the end of the stream. */
function writeOf({ table, key, version, value }: Cell, expected = version): RowWrite {
  return { table, key, expected, version, body: JSON.stringify(value) }
}
