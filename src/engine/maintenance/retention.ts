import { partitionId, progressId } from '../../ports/composite-keys.ts'
import { yieldToEventLoop } from '../../base/time/clock.ts'
import type { LogEnd, TopicSpec } from '../../ports/event-log.ts'
import { bytesOf } from '../../ports/round-robin.ts'
import { readCatalog } from '../plan/index.ts'
import type { OffsetHistory } from '../delays/index.ts'
import { createOffsetHistory } from '../delays/index.ts'
import type { EngineContext } from '../context/index.ts'

/** Offsets that one call deletes, so that each call ends well within its deadline. */
const TRIM_STEP = 10_000
/** The limits of a read that measures the size of a topic. */
const CHUNK = { records: 1_000, bytes: 1_048_576 }
/** The share of a partition that must be new before it is compacted again. */
const NEW_SHARE = 0.1
/** Past ends of a partition that are remembered at most, to know the age of its records. */
const HISTORY_MAX = 1_000

/** The state of a partition between rounds. */
interface PartitionState {
  /** Sizes counted so far, for topics limited by size: chunks that begin at the oldest record. */
  readonly chunks: { readonly to: number; readonly bytes: number }[]
  countedTo: number
  compactedTo: number
  compactedAt: number
  /** All tombstones that may be deleted are deleted. */
  isSettled: boolean
}

/**
 * One round of retention by age and size, and of compaction by key. The slowest consumer, running or
 * not, keeps its unread records, until it lags by more than `retentionLagEventsMax`; records deleted
 * beyond that count as expired.
 */
export function createRetention(engine: EngineContext): (signal: AbortSignal) => Promise<void> {
  const { clock, options, plan } = engine
  const topics = [...plan.topics.values()].filter((spec) => spec.retention ?? spec.compaction)
  const states = new Map<string, PartitionState>()
  const ageMsMax = Math.max(0, ...topics.map(({ retention }) => retention?.ageMs ?? 0))
  const stepMs = Math.max(options.retentionCheckMs, ageMsMax / HISTORY_MAX)
  const history = createOffsetHistory(clock, { stepMs, ageMsMax })
  return async (signal) => {
    if (topics.length > 0) await runRound(engine, topics, { states, history }, signal)
  }
}

async function runRound(
  engine: EngineContext,
  topics: readonly TopicSpec[],
  {
    states,
    history,
  }: { readonly states: Map<string, PartitionState>; readonly history: OffsetHistory },
  signal: AbortSignal,
): Promise<void> {
  const { backend, clock } = engine
  const ends = await backend.log.ends(topics.map(({ name }) => name))
  const needed = await neededOffsets(engine, ends)
  for (const end of ends) {
    if (signal.aborted) return
    const spec = topics.find(({ name }) => name === end.topic)
    const place = partitionId(end)
    const state = states.get(place) ?? newPartitionState()
    states.set(place, state)
    history.record(place, end.next)
    const floor = needed.get(place) ?? end.next
    if (spec?.retention)
      await trim({ ...engine, history }, spec.retention, { end, floor, state: state }, signal)
    if (spec?.compaction) await compact(engine, spec.compaction, end, floor, state)
    await yieldToEventLoop(clock)
  }
}

function newPartitionState(): PartitionState {
  return { chunks: [], countedTo: 0, compactedTo: 0, compactedAt: -Infinity, isSettled: true }
}

/**
 * The first offset of each partition that is still needed: by its slowest consumer, up to the lag
 * limit.
 */
async function neededOffsets(
  { backend: { store }, catalog, options }: EngineContext,
  ends: readonly LogEnd[],
): Promise<ReadonlyMap<string, number>> {
  // Consumers of this process may not be in the stored catalog yet.
  const services = [...(await readCatalog(store)).services, ...catalog.services]
  const consumers = services.flatMap(({ rules }) => rules)
  const progress = await store.progress(consumers.map(({ id }) => id))
  const reached = new Map(progress.map((each) => [progressId(each), each.next]))
  return new Map(
    ends.map((end) => {
      const readers = consumers.filter(({ reads }) => reads.includes(end.topic))
      const slowest = Math.min(
        end.next,
        ...readers.map(({ id }) => reached.get(progressId({ ...end, consumer: id })) ?? 0),
      )
      return [partitionId(end), Math.max(slowest, end.next - options.retentionLagEventsMax)]
    }),
  )
}

async function trim(
  { backend: { log }, clock, delays, history }: EngineContext & { readonly history: OffsetHistory },
  { ageMs, bytes }: NonNullable<TopicSpec['retention']>,
  {
    end,
    floor,
    state,
  }: { readonly end: LogEnd; readonly floor: number; readonly state: PartitionState },
  signal: AbortSignal,
): Promise<void> {
  const { topic, partition, first } = end
  // If storage times are ahead of the clock, records that were seen long enough ago count as old.
  const byAge =
    ageMs === undefined
      ? 0
      : Math.max(
          await log.offsetAt(topic, partition, delays.wallTimeNotAhead() - ageMs),
          history.offsetOlderThan(partitionId(end), ageMs),
        )
  const bySize =
    bytes === undefined ? 0 : await offsetOverSize({ log, clock }, bytes, end, state, signal)
  const to = Math.min(floor, Math.max(byAge, bySize))
  for (let at = first; at < to && !signal.aborted;) {
    at = Math.min(to, at + TRIM_STEP)
    await log.trim(topic, partition, at)
    await yieldToEventLoop(clock)
  }
}

/** The offset below which a partition exceeds its size. Counts only new records. */
async function offsetOverSize(
  { log, clock }: { log: EngineContext['backend']['log']; clock: EngineContext['clock'] },
  bytesMax: number,
  { topic, partition, first, next }: LogEnd,
  state: PartitionState,
  signal: AbortSignal,
): Promise<number> {
  const { chunks } = state
  while (chunks[0] && chunks[0].to <= first) chunks.shift()
  state.countedTo = Math.max(state.countedTo, first)
  while (state.countedTo < next && !signal.aborted) {
    const from = { topic, partition, next: state.countedTo }
    const [slice] = await log.read([from], CHUNK, { ms: 0 })
    if (!slice || slice.next <= state.countedTo) break
    const bytes = slice.records.reduce((sum, record) => sum + bytesOf(record), 0)
    chunks.push({ to: slice.next, bytes })
    state.countedTo = slice.next
    await yieldToEventLoop(clock)
  }
  let left = chunks.reduce((sum, { bytes }) => sum + bytes, 0)
  let to = 0
  for (const chunk of chunks) {
    left -= chunk.bytes
    if (left < bytesMax) break
    to = chunk.to
  }
  return to
}

async function compact(
  { backend: { log }, clock, delays }: EngineContext,
  { deleteRetentionMs }: NonNullable<TopicSpec['compaction']>,
  { topic, partition, first }: LogEnd,
  floor: number,
  state: PartitionState,
): Promise<void> {
  const now = clock.elapsed()
  const isNew = floor > state.compactedTo
  const isMuch = floor - state.compactedTo > NEW_SHARE * Math.max(0, state.compactedTo - first)
  // Tombstones that are young now are compacted away later.
  const isLater = now - state.compactedAt > deleteRetentionMs
  if (!(isNew && isMuch) && !(isLater && (isNew || !state.isSettled))) return
  await log.compact(topic, partition, floor, delays.wallTimeNotAhead() - deleteRetentionMs)
  state.isSettled = isLater && !isNew
  state.compactedTo = Math.max(floor, state.compactedTo)
  state.compactedAt = now
}
