import { partitionId, progressId } from '../ports/composite-keys.ts'
import { breathe } from '../base/clock.ts'
import type { LogEnd, TopicSpec } from '../ports/log.ts'
import { bytesOf } from '../ports/turns.ts'
import { storedCatalog } from './catalog.ts'
import { leaseOn } from './lease.ts'
import type { SeenEnds } from './seen-ends.ts'
import { seenEnds } from './seen-ends.ts'
import { supervise } from './supervise.ts'
import type { EngineTools } from './tools.ts'

/** Offsets that one call deletes, so that each call ends well within its deadline. */
const TRIM_STEP = 10_000
/** The limits of a read that measures the size of a topic. */
const CHUNK = { records: 1_000, bytes: 1_048_576 }
/** The share of a partition that must be new before it is compacted again. */
const NEW_PART = 0.1
/** Past ends of a partition that are remembered at most, to know the age of its records. */
const MARKS_MAX = 1_000

/** The state of a partition between rounds. */
interface Kept {
  /** Sizes counted so far, for topics limited by size: chunks that begin at the oldest record. */
  readonly chunks: { readonly to: number; readonly bytes: number }[]
  countedTo: number
  compactedTo: number
  compactedAt: number
  /** All tombstones that may be deleted are deleted. */
  isSettled: boolean
}

/**
 * Applies retention by age and size, and compaction by key, until the signal aborts. The slowest
 * consumer, running or not, keeps its unread records, until it lags by more than
 * `retentionLagEventsMax`; records deleted beyond that count as expired. One member does this for
 * all.
 */
export async function keepUp(tools: EngineTools, signal: AbortSignal): Promise<void> {
  const { backend, clock, member, options, plan } = tools
  const topics = [...plan.topics.values()].filter((spec) => spec.retention ?? spec.compaction)
  if (topics.length === 0) return
  const states = new Map<string, Kept>()
  const ageMsMax = Math.max(...topics.map(({ retention }) => retention?.ageMs ?? 0))
  const stepMs = Math.max(options.upkeepMs, ageMsMax / MARKS_MAX)
  const seen = seenEnds(clock, { stepMs, ageMsMax })
  const leaseMs = 3 * Math.max(options.upkeepMs, options.leaseMs)
  // The lease only saves work: two members at once would be harmless.
  const lease = leaseOn(TASK, { store: backend.store, clock }, member, leaseMs)
  const { upkeepMs } = options
  const supervised = { name: TASK, signal, retryDelayMs: upkeepMs, intervalMs: upkeepMs }
  await supervise(tools, supervised, async () => {
    if (await lease.claim()) await round(tools, topics, { states, seen }, signal)
  })
  await lease.release().catch(() => undefined)
}

const TASK = 'throughline/upkeep'

async function round(
  tools: EngineTools,
  topics: readonly TopicSpec[],
  { states, seen }: { readonly states: Map<string, Kept>; readonly seen: SeenEnds },
  signal: AbortSignal,
): Promise<void> {
  const { backend, clock } = tools
  const ends = await backend.log.ends(topics.map(({ name }) => name))
  const needed = await neededFrom(tools, ends)
  for (const end of ends) {
    if (signal.aborted) return
    const spec = topics.find(({ name }) => name === end.topic)
    const place = partitionId(end)
    const one = states.get(place) ?? nothingKept()
    states.set(place, one)
    seen.note(place, end.next)
    const floor = needed.get(place) ?? end.next
    if (spec?.retention)
      await trim({ ...tools, seen }, spec.retention, { end, floor, kept: one }, signal)
    if (spec?.compaction) await compact(tools, spec.compaction, end, floor, one)
    await breathe(clock)
  }
}

function nothingKept(): Kept {
  return { chunks: [], countedTo: 0, compactedTo: 0, compactedAt: -Infinity, isSettled: true }
}

/**
 * The first offset of each partition that is still needed: by its slowest consumer, up to the lag
 * limit.
 */
async function neededFrom(
  { backend: { store }, catalog, options }: EngineTools,
  ends: readonly LogEnd[],
): Promise<ReadonlyMap<string, number>> {
  // Consumers of this process may not be in the stored catalog yet.
  const services = [...(await storedCatalog(store)).services, ...catalog.services]
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
  { backend: { log }, clock, delays, seen }: EngineTools & { readonly seen: SeenEnds },
  { ageMs, bytes }: NonNullable<TopicSpec['retention']>,
  { end, floor, kept }: { readonly end: LogEnd; readonly floor: number; readonly kept: Kept },
  signal: AbortSignal,
): Promise<void> {
  const { topic, partition, first } = end
  // If storage times are ahead of the clock, records that were seen long enough ago count as old.
  const byAge =
    ageMs === undefined
      ? 0
      : Math.max(
          await log.offsetAt(topic, partition, delays.notAhead() - ageMs),
          seen.olderThan(partitionId(end), ageMs),
        )
  const bySize = bytes === undefined ? 0 : await beyond({ log, clock }, bytes, end, kept, signal)
  const to = Math.min(floor, Math.max(byAge, bySize))
  for (let at = first; at < to && !signal.aborted;) {
    at = Math.min(to, at + TRIM_STEP)
    await log.trim(topic, partition, at)
    await breathe(clock)
  }
}

/** The offset below which a partition exceeds its size. Counts only new records. */
async function beyond(
  { log, clock }: { log: EngineTools['backend']['log']; clock: EngineTools['clock'] },
  bytesMax: number,
  { topic, partition, first, next }: LogEnd,
  kept: Kept,
  signal: AbortSignal,
): Promise<number> {
  const { chunks } = kept
  while (chunks[0] && chunks[0].to <= first) chunks.shift()
  kept.countedTo = Math.max(kept.countedTo, first)
  while (kept.countedTo < next && !signal.aborted) {
    const from = { topic, partition, next: kept.countedTo }
    const [slice] = await log.read([from], CHUNK, { ms: 0 })
    if (!slice || slice.next <= kept.countedTo) break
    const bytes = slice.records.reduce((sum, record) => sum + bytesOf(record), 0)
    chunks.push({ to: slice.next, bytes })
    kept.countedTo = slice.next
    await breathe(clock)
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
  { backend: { log }, clock, delays }: EngineTools,
  { deleteRetentionMs }: NonNullable<TopicSpec['compaction']>,
  { topic, partition, first }: LogEnd,
  floor: number,
  kept: Kept,
): Promise<void> {
  const now = clock.elapsed()
  const isNew = floor > kept.compactedTo
  const isMuch = floor - kept.compactedTo > NEW_PART * Math.max(0, kept.compactedTo - first)
  // Tombstones that are young now are compacted away later.
  const isLater = now - kept.compactedAt > deleteRetentionMs
  if (!(isNew && isMuch) && !(isLater && (isNew || !kept.isSettled))) return
  await log.compact(topic, partition, floor, delays.notAhead() - deleteRetentionMs)
  kept.isSettled = isLater && !isNew
  kept.compactedTo = Math.max(floor, kept.compactedTo)
  kept.compactedAt = now
}
