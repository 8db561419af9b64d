import { createEdits } from '../failure/index.ts'
import { NO_COUNTS } from '../../ports/progress.ts'
import type { Clock } from '../../base/time/clock.ts'
import { thrownMessage } from '../../base/errors/thrown-error.ts'
import { partitionId } from '../../ports/composite-keys.ts'
import { damageText } from '../../ports/damage.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { LogRecord, Slice } from '../../ports/event-log.ts'
import type { Advance, Lease, EventStore, Progress } from '../../ports/event-store.ts'
import type { RowKey, Unit } from '../../ports/event-store.ts'
import type { Projection } from '../../rules/projection.ts'
import type { ComputeBudget, EngineContext } from '../context/index.ts'
import type {
  ProjectionState,
  Plan,
  ProjectionPlan,
  Subscription,
  Subscriptions,
  ServicePlan,
} from '../plan/index.ts'
import type { ProjectionStateStore } from '../projections/index.ts'
import { createOrderedReader, slicesBefore } from '../consumer/index.ts'
import { project, rowsForProjection, createInboundMessage } from '../execution/index.ts'
import type { UnitDraft } from '../rows/index.ts'
import {
  compareRowKeys,
  createDraft,
  createRowCache,
  createWrites,
  rowWrite,
} from '../rows/index.ts'
import type { InboundMessage } from '../execution/index.ts'

/** The shadow of a projection: rows and progress of its own, beside the live ones. */
export interface ShadowRows {
  /** Declares the tables; call this first. */
  declare(): Promise<void>
  /** Deletes a page of rows, then the progress; returns whether there may be more. */
  clearPage(fence: RebuildFence): Promise<boolean>
  /** Folds the next page of events, if there is one. */
  fold(fence: RebuildFence, signal: AbortSignal): Promise<FoldPageResult>
  /** Drops a page of messages that the live rows hold back; returns whether there may be more. */
  releaseHeldPage(fence: RebuildFence): Promise<boolean>
  /** Replaces the live rows by the shadow rows, if these have caught up. */
  swap(fence: RebuildFence, next: ProjectionState): Promise<'swapped' | 'behind' | 'held' | 'lost'>
}

/** The fence of a rebuild: what each of its units depends on. */
export interface RebuildFence {
  readonly lease: Lease
  readonly projectionStates: ProjectionStateStore
  /** The version of the projection states when the step began. */
  readonly stateVersion: number
}

/**
 * `lost`: another instance works on it, or its state has changed. `failed`: a rule throws, and
 * would throw again.
 */
export type FoldPageResult =
  | { readonly status: 'folded'; readonly isAtEnd: boolean }
  | { readonly status: 'lost' }
  | { readonly status: 'failed'; readonly messageId: string; readonly error: string }

/**
 * Limits of a unit of a rebuild. Measured: four times as many records take as much time per record,
 * and block others longer.
 */
const PAGE_MAX = { records: 1_000, bytes: 8_388_608 }
const ROWS_PER_PAGE = 1_000
/** Each has up to 256 messages. */
const HELD_PAGES_PER_PAGE = 50

interface TopicPartition {
  readonly topic: string
  readonly partition: number
}
const sliceText = ({ topic, partition, next }: Slice): string => `${topic}/${partition}@${next}`

export function createShadowRows(
  engine: EngineContext,
  service: ServicePlan,
  job: ProjectionPlan,
): ShadowRows {
  const { store } = engine.backend
  const { consumer, shadow } = job
  const { table } = shadow
  const folding = createFolding(engine, service, job)

  async function retire(fence: RebuildFence): Promise<boolean> {
    const { holds, held, heldPages } = service.tableNames
    const where = { index: 'consumer', equals: consumer.id }
    const [hold] = await store.scan({ table: holds, where, limit: 1 })
    if (!hold) return false
    const ofHold = { index: 'hold', equals: hold.key }
    let rows = await store.scan({ table: held, where: ofHold, limit: ROWS_PER_PAGE })
    if (rows.length === 0)
      rows = await store.scan({ table: heldPages, where: ofHold, limit: HELD_PAGES_PER_PAGE })
    const byKeys = (rows.length > 0 ? rows : [hold])
      .map((row) => rowWrite(row, row, null))
      .toSorted(compareRowKeys)
    await commit(store, fence, { rows: byKeys })
    return true
  }

  return {
    declare: () => store.declare([{ name: table, indexes: [] }]),
    async clearPage(fence) {
      const page = await store.scan({ table, limit: ROWS_PER_PAGE })
      if (page.length > 0)
        return commit(store, fence, { rows: page.map((row) => rowWrite(row, row, null)) })
      // The rebuild before this one may have been dropped while it was retiring.
      if (fence.projectionStates.get(consumer.ruleId)?.live.isRetired && (await retire(fence)))
        return true
      const progress = await store.progress([shadow.id])
      const back = progress.filter((each) => each.next > 0 || each.accepted > 0).map(resetProgress)
      if (back.length > 0 && !(await commit(store, fence, { progress: back }))) return true
      folding.reset()
      if (consumer.rule.kind === 'projection')
        await store.declare([{ name: table, indexes: consumer.rule.indexes }])
      return false
    },
    fold: folding.fold,
    releaseHeldPage: retire,
    swap: (fence, next) => swap(engine, job, fence, next),
  }
}

async function swap(
  { plan, backend: { store } }: EngineContext,
  { consumer, shadow, subscriptions }: ProjectionPlan,
  fence: RebuildFence,
  next: ProjectionState,
): ReturnType<ShadowRows['swap']> {
  const { projectionStates, stateVersion } = fence
  const places = listPartitions(plan, subscriptions)
  const progress = await store.progress([consumer.id, shadow.id])
  const of = (id: string, place: TopicPartition): number =>
    progress.find((each) => each.consumer === id && partitionId(each) === partitionId(place))
      ?.next ?? 0
  const isDormant = projectionStates.isAwaitingRebuild(consumer)
  if (!isDormant && places.some((place) => of(consumer.id, place) > of(shadow.id, place)))
    return 'behind'
  const isHeld = progress.some((each) => each.consumer === consumer.id && each.pending > 0)
  const { ruleId } = consumer
  if (isHeld && !projectionStates.get(ruleId)?.live.isRetired) return 'held'
  if (projectionStates.version() !== stateVersion) return 'lost'
  // Neither the shadow nor the live consumer may have advanced since.
  const unmoved = [consumer.id, shadow.id].flatMap((id) =>
    places.map((place) => unmovedAt(id, place, of(id, place))),
  )
  const answer = await store.commit({
    ...EMPTY_UNIT,
    fences: [fence.lease],
    progress: unmoved,
    rows: [projectionStates.createWrite(ruleId, next)],
    swap: { tables: [consumer.table, shadow.table], consumers: [consumer.id, shadow.id] },
  })
  return answer.status === 'done' ? 'swapped' : 'lost'
}

/** Commits a part of a rebuild; returns false if its fence no longer holds. */
async function commit(
  store: EventStore,
  { lease, projectionStates, stateVersion }: RebuildFence,
  parts: Pick<Partial<Unit>, 'rows' | 'progress'>,
): Promise<boolean> {
  const checks = [projectionStates.versionCheck(stateVersion)]
  const answer = await store.commit({ ...EMPTY_UNIT, ...parts, fences: [lease], checks })
  return answer.status === 'done'
}

interface Folding extends Pick<ShadowRows, 'fold'> {
  /** Drops all state in memory; what is committed is the truth. */
  reset(): void
}

function createFolding(
  { plan, budget, clock, options, backend: { log, store } }: EngineContext,
  service: ServicePlan,
  { consumer, shadow, subscriptions }: ProjectionPlan,
): Folding {
  const { unitComputeMsMax: computeMsMax } = options
  const reader = createOrderedReader(log)
  const rows = createRowCache(store, options.cacheBytesMax)
  const edits = createEdits(store, service.id)
  const places = listPartitions(plan, subscriptions)
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
    async fold(fence, signal) {
      const at = await reached()
      const from = places.map((place) => ({ ...place, next: at.get(partitionId(place)) ?? 0 }))
      const slices = await reader.read(from, PAGE_MAX, { ms: 0, signal })
      const damaged = slices.find(({ damage }) => damage !== undefined)
      if (damaged?.damage)
        return foldFailure(undefined, `${sliceText(damaged)}: ${damageText(damaged.damage)}`)
      await edits.load()
      const heard = findSubscribed(slices, subscriptions).flatMap(({ record, ...each }) => {
        const read = edits.readRecord(consumer.id, record)
        return read ? [{ ...each, record: read }] : []
      })
      const prepared = preparePage(heard, clock, computeMsMax / 2)
      await rows.load(prepared.items.flatMap(({ keys }) => keys))
      const draft = createDraft({ row: rows.peek })
      const run = foldPage(prepared, draft, budget, computeMsMax)
      if (run.status === 'failed') reset()
      if (run.status === 'failed') return run
      const deliveries = prepared.items.slice(0, run.count)
      const records = new Set(deliveries.map(({ record }) => record))
      const rest = heard.flatMap(({ record }) => (records.has(record) ? [] : [record]))
      const read = slicesBefore(slices, rest)
      const isAtEnd = read.every(({ next, end }) => next >= end)
      const progress = createAdvances(shadow.id, read, at, deliveries)
      if (progress.length === 0) return { status: 'folded', isAtEnd }
      const { writes, cached } = createWrites(draft)
      const isDone = await commit(store, fence, { progress, rows: writes })
      if (!isDone) reset()
      if (!isDone) return { status: 'lost' }
      rows.put(cached)
      rows.trim()
      for (const each of progress) at.set(partitionId(each), each.next)
      const unit = { tookMs: run.computedMs, messages: records.size }
      if (rest.length > 0) budget.endedEarly(consumer.name, unit)
      return { status: 'folded', isAtEnd }
    },
  }
}

/** Events of a unit, and how long decoding them has computed. */
interface PreparedPage {
  readonly items: readonly ShadowDelivery[]
  readonly computedMs: number
}

/**
 * Decodes events for the projection. Upcasters and `ids` compute, too, and can end a unit early
 * like rules.
 */
function preparePage(
  heard: readonly SubscribedRecord[],
  clock: Pick<Clock, 'elapsed'>,
  computeMsMax: number,
): PreparedPage {
  const begunAt = clock.elapsed()
  const deliveries: ShadowDelivery[] = []
  let computedMs = 0
  for (const { record, subscriptions } of heard) {
    const inbound = createInboundMessage(record, subscriptions)
    for (const subscription of subscriptions)
      deliveries.push({ record, subscription, inbound, keys: rowKeysAhead(subscription, inbound) })
    computedMs = clock.elapsed() - begunAt
    if (computedMs > computeMsMax) break
  }
  return { items: deliveries, computedMs }
}

type FoldedPage =
  | { readonly status: 'projected'; readonly count: number; readonly computedMs: number }
  | Extract<FoldPageResult, { readonly status: 'failed' }>

/**
 * Folds events into a draft until the computing time of a unit is used up. Returns how many were
 * folded, or the first that failed.
 */
function foldPage(
  { items: deliveries, computedMs: preparedMs }: PreparedPage,
  draft: UnitDraft,
  budget: ComputeBudget,
  computeMsMax: number,
): FoldedPage {
  let [count, computedMs] = [0, preparedMs]
  budget.begin()
  for (const { record, subscription, inbound } of deliveries) {
    // All deliveries of a record are folded, or none.
    if (computedMs > computeMsMax && record !== deliveries[count - 1]?.record) break
    try {
      if (inbound.fault) throw inbound.fault
      const { consumer, rule } = subscription
      project({ consumer, inbound, draft, missingRows: [] }, consumer.rule, rule)
    } catch (cause) {
      return foldFailure(inbound, cause)
    } finally {
      computedMs += budget.end({ subscription, inbound })
    }
    count += 1
  }
  return { status: 'projected', count, computedMs }
}

function foldFailure(
  inbound: InboundMessage | undefined,
  cause: unknown,
): Extract<FoldPageResult, { readonly status: 'failed' }> {
  return { status: 'failed', messageId: inbound?.envelope.id ?? '', error: thrownMessage(cause) }
}

interface SubscribedRecord {
  readonly record: LogRecord
  readonly subscriptions: readonly Subscription<Projection>[]
}

interface ShadowDelivery {
  readonly record: LogRecord
  readonly subscription: Subscription<Projection>
  readonly inbound: InboundMessage
  readonly keys: readonly RowKey[]
}

/** The records that the projection subscribes to, in log order. */
function findSubscribed(
  slices: readonly Slice[],
  subscriptions: Subscriptions<Projection>,
): readonly SubscribedRecord[] {
  const records = slices.flatMap((slice) => slice.records)
  if (slices.length > 1) records.sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  return records.flatMap((record) => {
    const heard = subscriptions.get(record.topic)?.get(record.type)
    return heard ? [{ record, subscriptions: heard }] : []
  })
}

function rowKeysAhead(
  { consumer, rule }: Subscription<Projection>,
  inbound: InboundMessage,
): readonly RowKey[] {
  try {
    return rowsForProjection({ consumer, inbound }, consumer.rule, rule)
  } catch {
    // An error here occurs again, and is reported, when the rule itself runs.
    return []
  }
}

function listPartitions({ topics }: Plan, subscriptions: Subscriptions): readonly TopicPartition[] {
  return [...subscriptions.keys()].flatMap((topic) => {
    const count = topics.get(topic)?.partitions ?? 0
    return Array.from({ length: count }, (_, partition) => ({ topic, partition }))
  })
}

function createAdvances(
  consumer: string,
  slices: readonly Slice[],
  reached: ReadonlyMap<string, number>,
  deliveries: readonly ShadowDelivery[],
): readonly Advance[] {
  const counts = new Map<string, number>()
  for (const { record } of deliveries) {
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
    return [{ ...unmovedAt(consumer, { topic, partition }, from), next, ...added }]
  })
}

/** Advances nothing, but fails if the progress has changed. */
function unmovedAt(consumer: string, { topic, partition }: TopicPartition, next: number): Advance {
  return { consumer, topic, partition, from: next, next, ...NO_COUNTS }
}

function resetProgress({ consumer, topic, partition, next, ...counted }: Progress): Advance {
  const { accepted, completed, pending, dead, discarded, expired } = counted
  const counts = {
    accepted: -accepted,
    completed: -completed,
    pending: -pending,
    dead: -dead,
    discarded: -discarded,
    expired: -expired,
  }
  return { consumer, topic, partition, from: next, next: 0, ...counts }
}
