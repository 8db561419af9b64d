import type { Clock } from '../base/clock.ts'
import { thrownText } from '../base/thrown.ts'
import { partitionId } from '../ports/composite-keys.ts'
import { damageText } from '../ports/damage.ts'
import { EMPTY_UNIT } from '../ports/empty-unit.ts'
import type { LogRecord, Slice } from '../ports/log.ts'
import type { Advance, Claim, EventStore, Progress } from '../ports/store.ts'
import type { RowKey, Unit } from '../ports/store.ts'
import type { Projection } from '../rules/projection.ts'
import type { Budget } from './budget.ts'
import type { Build } from './build.ts'
import type { Builds } from './builds.ts'
import { orderedReader } from './merge.ts'
import type { Plan, ProjectionPlan, Reaction, Reactions, ServicePlan } from './plan.ts'
import { project, rowsToProject } from './project.ts'
import type { Draft } from './rows.ts'
import { byKey, draftOver, rowCache, writesOf } from './rows.ts'
import { slicesBefore } from './slices-before.ts'
import type { Arrival } from './step.ts'
import type { EngineTools } from './tools.ts'
import { arrivalOf } from './arrival.ts'
import { rowWrite } from './write-rows.ts'

/** The shadow of a projection: rows and progress of its own, beside the live ones. */
export interface Shadowing {
  /** Declares the tables; call this first. */
  declare(): Promise<void>
  /** Deletes a page of rows, then the progress; returns whether there may be more. */
  empty(under: Under): Promise<boolean>
  /** Folds the next page of events, if there is one. */
  fold(under: Under, signal: AbortSignal): Promise<Folded>
  /** Drops a page of messages that the live rows hold back; returns whether there may be more. */
  retire(under: Under): Promise<boolean>
  /** Replaces the live rows by the shadow rows, if these have caught up. */
  swap(under: Under, next: Build): Promise<'swapped' | 'behind' | 'held' | 'lost'>
}

/** The fence of a rebuild: what each of its units depends on. */
export interface Under {
  readonly claim: Claim
  readonly builds: Builds
  /** The version of the projection states when the step began. */
  readonly version: number
}

/**
 * `lost`: another instance works on it, or its state has changed. `failed`: a rule throws, and
 * would throw again.
 */
export type Folded =
  | { readonly is: 'folded'; readonly isAtEnd: boolean }
  | { readonly is: 'lost' }
  | { readonly is: 'failed'; readonly messageId: string; readonly error: string }

/**
 * Limits of a unit of a rebuild. Measured: four times as many records take as much time per record,
 * and block others longer.
 */
const MAX = { records: 1_000, bytes: 8_388_608 }
const ROWS_PER_PAGE = 1_000

interface Place {
  readonly topic: string
  readonly partition: number
}
const nameOf = ({ topic, partition, next }: Slice): string => `${topic}/${partition}@${next}`

export function shadowing(
  engine: EngineTools,
  service: ServicePlan,
  job: ProjectionPlan,
): Shadowing {
  const { store } = engine.backend
  const { consumer, shadow } = job
  const { table } = shadow
  const folding = foldingOf(engine, job)

  async function retire(under: Under): Promise<boolean> {
    const { holds, held } = service.names
    const where = { index: 'consumer', equals: consumer.id }
    const [hold] = await store.scan({ table: holds, where, limit: 1 })
    if (!hold) return false
    const ofHold = { index: 'hold', equals: hold.key }
    const page = await store.scan({ table: held, where: ofHold, limit: ROWS_PER_PAGE })
    const byKeys = (page.length > 0 ? page : [hold])
      .map((row) => rowWrite(row, row, null))
      .toSorted(byKey)
    await commit(store, under, { rows: byKeys })
    return true
  }

  return {
    declare: () => store.declare([{ name: table, indexes: [] }]),
    async empty(under) {
      const page = await store.scan({ table, limit: ROWS_PER_PAGE })
      if (page.length > 0)
        return commit(store, under, { rows: page.map((row) => rowWrite(row, row, null)) })
      // The rebuild before this one may have been dropped while it was retiring.
      if (under.builds.of(consumer.ruleId)?.live.isRetired && (await retire(under))) return true
      const progress = await store.progress([shadow.id])
      const back = progress.filter((each) => each.next > 0 || each.accepted > 0).map(undone)
      if (back.length > 0 && !(await commit(store, under, { progress: back }))) return true
      folding.reset()
      if (consumer.rule.is === 'projection')
        await store.declare([{ name: table, indexes: consumer.rule.indexes }])
      return false
    },
    fold: folding.fold,
    retire,
    swap: (under, next) => swap(engine, job, under, next),
  }
}

async function swap(
  { plan, backend: { store } }: EngineTools,
  { consumer, shadow, reactions }: ProjectionPlan,
  under: Under,
  next: Build,
): ReturnType<Shadowing['swap']> {
  const { builds, version } = under
  const places = placesOf(plan, reactions)
  const progress = await store.progress([consumer.id, shadow.id])
  const of = (id: string, place: Place): number =>
    progress.find((each) => each.consumer === id && partitionId(each) === partitionId(place))
      ?.next ?? 0
  const isDormant = builds.isDormant(consumer)
  if (!isDormant && places.some((place) => of(consumer.id, place) > of(shadow.id, place)))
    return 'behind'
  const isHeld = progress.some((each) => each.consumer === consumer.id && each.pending > 0)
  const { ruleId } = consumer
  if (isHeld && !builds.of(ruleId)?.live.isRetired) return 'held'
  if (builds.version() !== version) return 'lost'
  // Neither the shadow nor the live consumer may have advanced since.
  const still = [consumer.id, shadow.id].flatMap((id) =>
    places.map((place) => stillAt(id, place, of(id, place))),
  )
  const answer = await store.commit({
    ...EMPTY_UNIT,
    fences: [under.claim],
    progress: still,
    rows: [builds.writeOf(ruleId, next)],
    swap: { tables: [consumer.table, shadow.table], consumers: [consumer.id, shadow.id] },
  })
  return answer.is === 'done' ? 'swapped' : 'lost'
}

/** Commits a part of a rebuild; returns false if its fence no longer holds. */
async function commit(
  store: EventStore,
  { claim, builds, version }: Under,
  parts: Pick<Partial<Unit>, 'rows' | 'progress'>,
): Promise<boolean> {
  const checks = [builds.guard(version)]
  const answer = await store.commit({ ...EMPTY_UNIT, ...parts, fences: [claim], checks })
  return answer.is === 'done'
}

interface Folding extends Pick<Shadowing, 'fold'> {
  /** Drops all state in memory; what is committed is the truth. */
  reset(): void
}

function foldingOf(
  { plan, budget, clock, options, backend: { log, store } }: EngineTools,
  { consumer, shadow, reactions }: ProjectionPlan,
): Folding {
  const { unitComputeMsMax: computeMsMax } = options
  const reader = orderedReader(log)
  const rows = rowCache(store, options.cacheBytesMax)
  const places = placesOf(plan, reactions)
  let known: Map<string, number> | undefined

  function reset(): void {
    known = undefined
    rows.clear()
    reader.clear()
  }

  async function reached(): Promise<Map<string, number>> {
    const progress = known ? [] : await store.progress([shadow.id])
    return (known ??= new Map(progress.map((each) => [partitionId(each), each.next])))
  }

  return {
    reset,
    async fold(under, signal) {
      const at = await reached()
      const from = places.map((place) => ({ ...place, next: at.get(partitionId(place)) ?? 0 }))
      const slices = await reader.read(from, MAX, { ms: 0, signal })
      const damaged = slices.find(({ damage }) => damage !== undefined)
      if (damaged?.damage)
        return failed(undefined, `${nameOf(damaged)}: ${damageText(damaged.damage)}`)
      const heard = heardIn(slices, reactions)
      const prepared = preparedOf(heard, clock, computeMsMax / 2)
      await rows.load(prepared.items.flatMap(({ keys }) => keys))
      const draft = draftOver({ cell: rows.peek })
      const run = projected(prepared, draft, budget, computeMsMax)
      if (run.is === 'failed') reset()
      if (run.is === 'failed') return run
      const items = prepared.items.slice(0, run.count)
      const records = new Set(items.map(({ record }) => record))
      const rest = heard.flatMap(({ record }) => (records.has(record) ? [] : [record]))
      const read = slicesBefore(slices, rest)
      const isAtEnd = read.every(({ next, end }) => next >= end)
      const progress = advancesOf(shadow.id, read, at, items)
      if (progress.length === 0) return { is: 'folded', isAtEnd }
      const { writes, cells } = writesOf(draft)
      const isDone = await commit(store, under, { progress, rows: writes })
      if (!isDone) reset()
      if (!isDone) return { is: 'lost' }
      rows.keep(cells)
      rows.trim()
      for (const each of progress) at.set(partitionId(each), each.next)
      const unit = { tookMs: run.computedMs, messages: records.size }
      if (rest.length > 0) budget.endedEarly(consumer.name, unit)
      return { is: 'folded', isAtEnd }
    },
  }
}

/** Events of a unit, and how long decoding them has computed. */
interface Prepared {
  readonly items: readonly ShadowItem[]
  readonly computedMs: number
}

/**
 * Decodes events for the projection. Upcasters and `ids` compute, too, and can end a unit early
 * like rules.
 */
function preparedOf(
  heard: readonly Heard[],
  clock: Pick<Clock, 'elapsed'>,
  computeMsMax: number,
): Prepared {
  const begunAt = clock.elapsed()
  const items: ShadowItem[] = []
  let computedMs = 0
  for (const { record, reactions } of heard) {
    const arrival = arrivalOf(record, reactions)
    for (const reaction of reactions)
      items.push({ record, reaction, arrival, keys: rowsAhead(reaction, arrival) })
    computedMs = clock.elapsed() - begunAt
    if (computedMs > computeMsMax) break
  }
  return { items, computedMs }
}

type Projected =
  | { readonly is: 'projected'; readonly count: number; readonly computedMs: number }
  | Extract<Folded, { readonly is: 'failed' }>

/**
 * Folds events into a draft until the computing time of a unit is used up. Returns how many were
 * folded, or the first that failed.
 */
function projected(
  { items, computedMs: preparedMs }: Prepared,
  draft: Draft,
  budget: Budget,
  computeMsMax: number,
): Projected {
  let [count, computedMs] = [0, preparedMs]
  budget.begin()
  for (const { record, reaction, arrival } of items) {
    // All deliveries of a record are folded, or none.
    if (computedMs > computeMsMax && record !== items[count - 1]?.record) break
    try {
      if (arrival.fault) throw arrival.fault
      const { consumer, rule } = reaction
      project({ consumer, arrival, draft, wanted: [] }, consumer.rule, rule)
    } catch (cause) {
      return failed(arrival, cause)
    } finally {
      computedMs += budget.end({ reaction, arrival })
    }
    count += 1
  }
  return { is: 'projected', count, computedMs }
}

function failed(
  arrival: Arrival | undefined,
  cause: unknown,
): Extract<Folded, { readonly is: 'failed' }> {
  return { is: 'failed', messageId: arrival?.envelope.id ?? '', error: thrownText(cause) }
}

interface Heard {
  readonly record: LogRecord
  readonly reactions: readonly Reaction<Projection>[]
}

interface ShadowItem {
  readonly record: LogRecord
  readonly reaction: Reaction<Projection>
  readonly arrival: Arrival
  readonly keys: readonly RowKey[]
}

/** The records that the projection subscribes to, in log order. */
function heardIn(slices: readonly Slice[], reactions: Reactions<Projection>): readonly Heard[] {
  const records = slices.flatMap((slice) => slice.records)
  if (slices.length > 1) records.sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  return records.flatMap((record) => {
    const heard = reactions.get(record.topic)?.get(record.type)
    return heard ? [{ record, reactions: heard }] : []
  })
}

function rowsAhead({ consumer, rule }: Reaction<Projection>, arrival: Arrival): readonly RowKey[] {
  try {
    return rowsToProject({ consumer, arrival }, consumer.rule, rule)
  } catch {
    // An error here occurs again, and is reported, when the rule itself runs.
    return []
  }
}

function placesOf({ topics }: Plan, reactions: Reactions): readonly Place[] {
  return [...reactions.keys()].flatMap((topic) => {
    const count = topics.get(topic)?.partitions ?? 0
    return Array.from({ length: count }, (_, partition) => ({ topic, partition }))
  })
}

function advancesOf(
  consumer: string,
  slices: readonly Slice[],
  reached: ReadonlyMap<string, number>,
  items: readonly ShadowItem[],
): readonly Advance[] {
  const counts = new Map<string, number>()
  for (const { record } of items) {
    const place = partitionId(record)
    counts.set(place, (counts.get(place) ?? 0) + 1)
  }
  return slices.flatMap(({ topic, partition, next, lost }) => {
    const place = partitionId({ topic, partition })
    const from = reached.get(place) ?? 0
    if (next <= from) return []
    const completed = counts.get(place) ?? 0
    // A rebuild starts where a partition begins; only records deleted while it runs are lost.
    const expired = lost && from > 0 ? lost.to - lost.from : 0
    const added = { accepted: completed + expired, completed, expired }
    return [{ ...stillAt(consumer, { topic, partition }, from), next, ...added }]
  })
}

/** Advances nothing, but fails if the progress has changed. */
function stillAt(consumer: string, { topic, partition }: Place, next: number): Advance {
  const counts = { accepted: 0, completed: 0, pending: 0, expired: 0 }
  return { consumer, topic, partition, from: next, next, ...counts }
}

function undone({ consumer, topic, partition, next, ...counted }: Progress): Advance {
  const { accepted, completed, pending, expired } = counted
  const counts = {
    accepted: -accepted,
    completed: -completed,
    pending: -pending,
    expired: -expired,
  }
  return { consumer, topic, partition, from: next, next: 0, ...counts }
}
