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

/** Offsets that one call forgets, so that each ends well within its deadline. */
const TRIM_STEP = 10_000
/** What one read looks at where a topic is kept by its size. */
const CHUNK = { records: 1_000, bytes: 1_048_576 }
/** The part of a compacted partition that has to be new before it is gone through again. */
const NEW_PART = 0.1
/** Ends of a partition that are remembered at most, to know the age of its records by. */
const MARKS_MAX = 1_000

/** A partition with what is left of it from one round to the next. */
interface Kept {
  /** Counted so far, where the size matters: chunks that begin at the oldest record. */
  readonly chunks: { readonly to: number; readonly bytes: number }[]
  countedTo: number
  compactedTo: number
  compactedAt: number
  /** Every tombstone that may go has gone. */
  isSettled: boolean
}

/**
 * Takes away what topics need not keep, until the signal aborts: by age, by size and by key. The
 * slowest consumer wins, also one that is not running, until it lags by more than
 * `retentionLagEventsMax`; what goes then is counted by it as expired. One member does this for all.
 */
export async function keepUp(tools: EngineTools, signal: AbortSignal): Promise<void> {
  const { backend, clock, member, options, plan } = tools
  const topics = [...plan.topics.values()].filter((spec) => spec.retention ?? spec.compaction)
  if (topics.length === 0) return
  const kept = new Map<string, Kept>()
  const ageMsMax = Math.max(...topics.map(({ retention }) => retention?.ageMs ?? 0))
  const stepMs = Math.max(options.upkeepMs, ageMsMax / MARKS_MAX)
  const seen = seenEnds(clock, { stepMs, ageMsMax })
  const leaseMs = 3 * Math.max(options.upkeepMs, options.leaseMs)
  // It only keeps members from doing the same twice, which would be harmless.
  const lease = leaseOn(TASK, { store: backend.store, clock }, member, leaseMs)
  const { upkeepMs } = options
  const supervised = { name: TASK, signal, retryDelayMs: upkeepMs, intervalMs: upkeepMs }
  await supervise(tools, supervised, async () => {
    if (await lease.claim()) await round(tools, topics, { kept, seen }, signal)
  })
  await lease.release().catch(() => undefined)
}

const TASK = 'throughline/upkeep'

async function round(
  tools: EngineTools,
  topics: readonly TopicSpec[],
  { kept, seen }: { readonly kept: Map<string, Kept>; readonly seen: SeenEnds },
  signal: AbortSignal,
): Promise<void> {
  const { backend, clock } = tools
  const ends = await backend.log.ends(topics.map(({ name }) => name))
  const needed = await neededFrom(tools, ends)
  for (const end of ends) {
    if (signal.aborted) return
    const spec = topics.find(({ name }) => name === end.topic)
    const place = partitionId(end)
    const one = kept.get(place) ?? nothingKept()
    kept.set(place, one)
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

/** From where each partition is still needed: by its slowest consumer, or the limit of its lag. */
async function neededFrom(
  { backend: { store }, catalog, options }: EngineTools,
  ends: readonly LogEnd[],
): Promise<ReadonlyMap<string, number>> {
  // What runs here may not be in the stored one yet.
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
  // Where times of storing are ahead of the clock, what was seen long enough ago is as old.
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

/** The offset below which a partition holds more than it is to. Counts only what is new. */
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
  // What is young now is gone through once more when it is old enough.
  const isLater = now - kept.compactedAt > deleteRetentionMs
  if (!(isNew && isMuch) && !(isLater && (isNew || !kept.isSettled))) return
  await log.compact(topic, partition, floor, delays.notAhead() - deleteRetentionMs)
  kept.isSettled = isLater && !isNew
  kept.compactedTo = Math.max(floor, kept.compactedTo)
  kept.compactedAt = now
}
