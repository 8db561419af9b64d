import type { Clock } from '../../base/time/clock.ts'
import { yieldToEventLoop } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { compareText } from '../../base/text/compare-text.ts'
import { thrownMessage } from '../../base/errors/thrown-error.ts'
import { normalFormIssues, toNormalForm } from '../../contract/data/normal-form.ts'
import { shapeIssues } from '../../contract/data/shape.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { EventStore, Row, RowKey, RowWrite } from '../../ports/event-store.ts'
import { callRule } from '../../rules/rule.ts'
import type { EntityRow, EntityFold, ServicePlan } from '../plan/index.ts'
import type { CachedRow, Refold } from '../rows/index.ts'
import { upcastRecord } from './inbound-message.ts'
import { ROW_SHAPE, rowBytes, rowWrite } from '../rows/index.ts'
import { ruleFault } from './rule-run.ts'

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
  readonly folds: ReadonlyMap<string, EntityFold>
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
export function createRefold(parts: RefoldParts): Refold {
  const { folds } = parts
  return async (rows, isInDoubt = () => false) => {
    const ends = await streamsAhead(parts, rows.filter(isInDoubt))
    if (ends.size === 0 && !rows.some((row) => staleFold(folds, row))) return rows
    const fresh: CachedRow[] = []
    const yieldIfDue = createYielder(parts)
    for (const row of rows) {
      const end = ends.get(row)
      const fold = end === undefined ? staleFold(folds, row) : folds.get(row.table)
      fresh.push(fold ? await refold(parts, fold, row, { end, yieldIfDue }) : row)
    }
    return fresh
  }
}

/** The part of the engine that a refold needs. */
export interface RefoldContext {
  readonly clock: Clock
  readonly options: { readonly unitComputeMsMax: number }
  readonly backend: { readonly store: EventStore }
  readonly monitor: { refolded(entity: string, isUnchanged: boolean): void }
}

/** Creates the refold of a service's entities. */
export function createServiceRefold(
  engine: RefoldContext,
  { folds, name, tableNames: { snapshots } }: Pick<ServicePlan, 'folds' | 'name' | 'tableNames'>,
): Refold {
  const { clock, monitor } = engine
  const { store } = engine.backend
  const { unitComputeMsMax: computeMsMax } = engine.options
  const refolded = (entity: string, isUnchanged: boolean): void =>
    monitor.refolded(`${name}/${entity}`, isUnchanged)
  return createRefold({ store, clock, folds, snapshots, computeMsMax, refolded })
}

/**
 * Called after each event: yields to the event loop after a page of events, or when folding took
 * long.
 */
type Yielder = () => Promise<void> | undefined

function createYielder({ clock, computeMsMax }: RefoldParts): Yielder {
  let [count, begunAt] = [0, clock.elapsed()]
  return () => {
    count += 1
    if (count < PAGE && clock.elapsed() - begunAt <= computeMsMax) return undefined
    return yieldToEventLoop(clock).then(() => {
      count = 0
      begunAt = clock.elapsed()
    })
  }
}

/** The fold of a row whose state was made by other rules. */
function staleFold(
  folds: ReadonlyMap<string, EntityFold>,
  { table, value }: CachedRow,
): EntityFold | undefined {
  if (value === undefined) return undefined
  const fold = folds.get(table)
  return fold && (value as EntityRow).rules !== fold.rules ? fold : undefined
}

/** The stream ends of entities whose rows are behind. */
async function streamsAhead(
  { store, folds }: RefoldParts,
  rows: readonly CachedRow[],
): Promise<ReadonlyMap<CachedRow, number>> {
  const entities = rows.filter(({ table }) => folds.has(table))
  if (entities.length === 0) return new Map()
  const ends = await store.streamEnds(entities)
  const known = entities.map((row, at) => [row, ends[at] ?? 0] as const)
  return new Map(known.filter(([{ version }, end]) => end > version))
}

async function refold(
  parts: RefoldParts,
  fold: EntityFold,
  row: CachedRow,
  {
    end: version = row.version,
    yieldIfDue,
  }: { readonly end: number | undefined; readonly yieldIfDue: Yielder },
): Promise<CachedRow> {
  const { table, key } = row
  const keeper = createSnapshotKeeper(parts, fold, { ...row, version }, row.version)
  const outcome = await foldStream(parts.store, fold, { ...row, version }, { keeper, yieldIfDue })
  if (outcome.status === 'failed') return { ...row, fault: outcome.fault }
  if (version === row.version) parts.refolded?.(fold.entity.name, isSameState(row, outcome.state))
  const value: EntityRow = { state: outcome.state, rules: fold.rules }
  const bytes = rowBytes(JSON.stringify(value))
  const folded: CachedRow = { table, key, version, value, bytes }
  if (await keeper.finish(folded)) return folded
  if (version === row.version) return { ...folded, isRefolded: true }
  // If another instance was faster, or the answer is lost, the next unit conflicts and reads again.
  await parts.store.commit({ ...EMPTY_UNIT, rows: [stateWrite(folded, row.version)] })
  return folded
}

/** Compares states as text: a different order of members counts as a change, which does no harm. */
function isSameState({ value }: CachedRow, state: unknown): boolean {
  return JSON.stringify((value as EntityRow | undefined)?.state) === JSON.stringify(state)
}

/** The result of a fold. A store that does not answer throws instead: no rule is at fault. */
type FoldOutcome =
  | { readonly status: 'folded'; readonly state: unknown }
  | { readonly status: 'failed'; readonly fault: Fault }

async function foldStream(
  store: EventStore,
  fold: EntityFold,
  { table, key, version: end }: CachedRow,
  { keeper, yieldIfDue }: { readonly keeper: SnapshotKeeper; readonly yieldIfDue: Yielder },
): Promise<FoldOutcome> {
  let { version, state } = await keeper.load()
  let last: LogRecord | undefined
  while (version < end) {
    // Read the previous event again: if one before it were missing, a different one would come.
    const again = last ? 1 : 0
    const count = Math.min(PAGE, end - version)
    const records = await store.stream({ table, key }, version + 1 - again, count + again)
    const isWhole = records.length === count + again && (!last || records[0]?.id === last.id)
    if (!isWhole) return incompleteStream(fold, key, end)
    for (const record of records.slice(again)) {
      const outcome = foldEvent(fold, key, record, state)
      if (outcome.status === 'failed') return outcome
      state = outcome.state
      version += 1
      const resting = yieldIfDue()
      if (resting) await resting
    }
    last = records.at(-1)
    if (version < end) await keeper.store(version, state)
  }
  const issues = shapeIssues(state, ROW_SHAPE)
  return issues.length === 0 ? { status: 'folded', state } : cannotStore(fold, key, issues)
}

function cannotStore({ entity }: EntityFold, key: string, issues: readonly Issue[]): FoldOutcome {
  const detail = `the state of ${entity.name} ${key} cannot be stored`
  return { status: 'failed', fault: new Fault('RULE_RETURNED', { detail, issues }) }
}

function incompleteStream({ entity }: EntityFold, key: string, version: number): FoldOutcome {
  const detail = `${entity.name} ${key}, of which there were ${version} events`
  const fault = new Fault('STREAM_INCOMPLETE', { detail, ids: { entity: entity.name, key } })
  return { status: 'failed', fault }
}

function foldEvent(fold: EntityFold, key: string, record: LogRecord, state: unknown): FoldOutcome {
  const { entity, byWire } = fold
  const { type, id } = record
  const failed = (why: string, cause?: unknown): FoldOutcome => {
    const detail = `${entity.name} ${key} cannot be folded again at ${type} ${id}: ${why}`
    return { status: 'failed', fault: ruleFault(detail, cause) }
  }
  if (!byWire.has(type)) return failed('its contract has no event with this wire name or alias')
  const rule = byWire.get(type)
  if (!rule) return { status: 'folded', state }
  try {
    const next = callRule(rule, upcastRecord(record, rule.on), state, key)
    if (next === undefined) return failed('its evolve rule returned undefined')
    const form = toNormalForm(next, ROW_SHAPE, state)
    if (!form) return cannotStore(fold, key, normalFormIssues(next, ROW_SHAPE))
    return { status: 'folded', state: form.value }
  } catch (cause) {
    return failed(thrownMessage(cause), cause)
  }
}

/** Stores snapshots of a long fold. */
interface SnapshotKeeper {
  /** The snapshot to start from. */
  load(): Promise<Pick<Snapshot, 'version' | 'state'>>
  /** Stores a snapshot, if enough events were folded. */
  store(version: number, state: unknown): Promise<void>
  /** Replaces the snapshot by the row, if there is one; returns whether it did. */
  finish(folded: CachedRow): Promise<boolean>
}

function createSnapshotKeeper(
  { store, snapshots }: RefoldParts,
  fold: EntityFold,
  cachedRow: CachedRow,
  rowVersion: number,
): SnapshotKeeper {
  const { rules, entity } = fold
  const row: RowKey = { table: snapshots, key: `${entity.name}:${cachedRow.key}` }
  const initial = { version: 0, state: entity.initial as unknown }
  let before: Pick<Row, 'version'> | undefined
  let keptAt = 0
  let isSoleWriter = true
  return {
    async load() {
      if (cachedRow.version <= EVENTS_PER_SNAPSHOT) return initial
      const [kept] = await store.get([row])
      before = kept
      const snapshot = kept && (JSON.parse(kept.body) as Snapshot)
      if (snapshot?.rules !== rules || snapshot.version > cachedRow.version) return initial
      keptAt = snapshot.version
      return snapshot
    },
    async store(version, state) {
      if (version - keptAt < EVENTS_PER_SNAPSHOT || !isSoleWriter) return
      const body = JSON.stringify({ rules, version, state } satisfies Snapshot)
      const kept = rowWrite(row, before, body)
      const answer = await store.commit({ ...EMPTY_UNIT, rows: [kept] })
      // Another instance folds the same stream: then only one of them stores snapshots.
      isSoleWriter = answer.status === 'done'
      keptAt = version
      before = kept
    },
    async finish(folded) {
      if (!before || !isSoleWriter) return false
      const gone = rowWrite(row, before, null)
      const rows = [stateWrite(folded, rowVersion), gone].toSorted((a, b) =>
        compareText(a.table, b.table),
      )
      return (await store.commit({ ...EMPTY_UNIT, rows })).status === 'done'
    },
  }
}

/** Writes refolded states for a reader. If that fails, the next reader folds them again. */
export async function storeRefoldedStates(
  store: EventStore,
  cachedRows: readonly CachedRow[],
): Promise<void> {
  const rows = cachedRows.filter(({ isRefolded }) => isRefolded).map((row) => stateWrite(row))
  if (rows.length > 0) await store.commit({ ...EMPTY_UNIT, rows }).catch(() => undefined)
}

/**
 * Writes the state under its version: the same one if only the rules have changed, or that of the
 * stream's end.
 */
function stateWrite({ table, key, version, value }: CachedRow, expected = version): RowWrite {
  return { table, key, expected, version, body: JSON.stringify(value) }
}
