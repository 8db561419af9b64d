import type { Notifier } from '../../../base/time/notifier.ts'
import type { Clock } from '../../../base/time/clock.ts'
import { yieldToEventLoop } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { AppendDecision } from '../../../ports/append-decision.ts'
import { decideAppend, appendResults } from '../../../ports/append-decision.ts'
import { DAMAGE, damageText } from '../../../ports/damage.ts'
import type {
  LogAppendResult,
  EventLog,
  Health,
  LogEvent,
  Place,
} from '../../../ports/event-log.ts'
import { assertStorable, unstorableField } from '../../../ports/storable-text.ts'
import { isEmpty, readRoundRobin } from '../../../ports/round-robin.ts'
import { writeCatalogChecksum, isDiskFull, withDamageFault } from '../sql/index.ts'
import type { GroupCommit, Decision } from '../commit/index.ts'
import { commitOrThrow } from '../commit/index.ts'
import type { SharedConnection } from './connection.ts'
import { assertNothingLost, placeOf } from '../log/index.ts'
import type { AppendedRecord, Topics } from '../log/index.ts'

/** Records that one transaction trims or scans, so that no commit waits long for maintenance. */
const RECORDS_PER_COMMIT = 5_000

/** Records whose payloads one transaction removes, which is more work per record. */
const BODIES_PER_COMMIT = 500

/** Keys that one compaction considers; further keys are compacted by a later one. */
const COMPACTED_KEYS_MAX = 1_000_000

export function createEmbeddedLog(
  shared: SharedConnection,
  notifier: Notifier,
  clock: Clock,
): EventLog {
  return {
    can: {
      ack: 'disk',
      atomicBatch: true,
      places: true,
      positions: true,
      findById: true,
      findByConversation: true,
    },
    open: shared.open,
    close: shared.close,
    async declare(specs) {
      for (const { name } of specs) assertStorable(name, 'the name of a topic')
      const { topics, commits, sql, damage } = shared.connection()
      // Topics that exist need no write, which also works on a full disk.
      if (specs.every(({ name }) => topics.partitions(name) !== undefined))
        return specs.map(topics.declare)
      assertNothingLost(damage)
      return commitOrThrow(commits, () => {
        const states = specs.map((spec) => topics.declare(spec))
        if (states.some(({ isNew }) => isNew)) writeCatalogChecksum(sql)
        return states
      })
    },
    async append(events, { isAtomic = false } = {}) {
      const { topics, commits } = shared.connection()
      return commits.submit<readonly LogAppendResult[]>({
        decide: () => decide(events, topics, isAtomic),
        onFailure: (cause) => events.map(() => failedResult(commits, cause)),
      })
    },
    async read(from, max, { ms, signal }) {
      const readSlices = () => readRoundRobin(from, max, shared.connection().topics.slice)
      const found = readSlices()
      if (ms <= 0 || !isEmpty(found)) return found
      await notifier.wait(ms, signal)
      return shared.isOpen() ? readSlices() : found
    },
    ends: async (names) => names.flatMap(shared.connection().topics.ends),
    offsetAt: async (topic, partition, atMs) =>
      shared.connection().topics.offsetAt(topic, partition, atMs),
    async trim(topic, partition, before) {
      // Get the connection at each step, since the directory may be closed between two of them.
      const step = (): Promise<boolean> => {
        const { topics, commits } = shared.connection()
        return commitOrThrow(commits, () =>
          topics.trim(topic, partition, before, RECORDS_PER_COMMIT),
        )
      }
      while (await step());
    },
    compact: (topic, partition, before, tombstonesBeforeMs) =>
      compact(shared, clock, { topic, partition, before, tombstonesBefore: tombstonesBeforeMs }),
    inspect: async (topic, partition, from, max) =>
      shared.connection().topics.inspect(topic, partition, from, max),
    find: async (topic, id) => shared.connection().topics.findReadable(topic, id),
    conversation: async (correlation, limit, after = 0) =>
      withDamageFault('the log', () =>
        shared.connection().topics.conversation(correlation, limit, after),
      ),
    health: async () => readHealth(shared),
  }
}

/**
 * Appends optimistically: most events are new, and the index of ids refuses duplicates. Only after
 * such a refusal is each event decided by itself.
 */
function decide(
  events: readonly LogEvent[],
  topics: Topics,
  isAtomic: boolean,
): Decision<readonly LogAppendResult[]> {
  let answers: readonly LogAppendResult[] = []
  return {
    answer: () => answers,
    write() {
      const appended = areAppendable(events, topics) ? topics.appendIfNew(events) : undefined
      if (appended) {
        answers = appended.map((record) => ({
          status: 'stored',
          place: placeOf(record),
          isDuplicate: false,
        }))
        return true
      }
      const decisions = decideAppend(events, topics, isAtomic)
      const fresh = events.filter((_, at) => decisions[at]?.status === 'new')
      answers = appendResults(decisions, placesOf(decisions, topics.append(fresh)))
      return fresh.length > 0
    },
  }
}

/** Whether only a known id could prevent the events from being appended. */
function areAppendable(events: readonly LogEvent[], topics: Topics): boolean {
  let last = ''
  let count = 0
  for (const event of events) {
    const { topic, partition } = event
    if (unstorableField(event) !== undefined) return false
    if (topic !== last) count = topics.partitions(topic) ?? 0
    last = topic
    if (!Number.isInteger(partition) || partition < 0 || partition >= count) return false
    if (topics.damageAt?.(topic, partition) !== undefined) return false
  }
  return true
}

function placesOf(
  decisions: readonly AppendDecision[],
  appended: readonly AppendedRecord[],
): Map<number, Place> {
  const places = new Map<number, Place>()
  for (const [at, { status }] of decisions.entries())
    if (status === 'new') places.set(at, placeOf(appended[places.size] as AppendedRecord))
  return places
}

/** SQLite reports a full disk before it commits, so nothing was stored. Other errors are unknown. */
function failedResult(commits: GroupCommit, cause: unknown): LogAppendResult {
  const stopped = commits.stopReason()
  if (stopped !== undefined) return { status: 'refused', code: 'LOG_DAMAGED', detail: stopped }
  // The record with this id cannot be read, which is found before anything is written.
  if (cause instanceof Fault && cause.code === 'LOG_DAMAGED')
    return { status: 'refused', code: cause.code, detail: cause.detail ?? cause.message }
  if (!isDiskFull(cause)) return { status: 'unknown', cause }
  return { status: 'refused', code: 'LOG_FULL', detail: 'the disk of the data directory is full' }
}

interface CompactionRequest {
  readonly topic: string
  readonly partition: number
  readonly before: number
  readonly tombstonesBefore: number
}

/** First finds the last offset of each key, then removes the payloads of superseded records. */
async function compact(
  shared: SharedConnection,
  clock: Clock,
  what: CompactionRequest,
): Promise<number> {
  const { topic, partition, tombstonesBefore } = what
  const { next: end, first } = shared.connection().topics.heads.head(topic, partition)
  const offsets = new Map<string, number>()
  for (let from = first; from < end; from += RECORDS_PER_COMMIT) {
    const { topics } = shared.connection()
    const to = Math.min(end, from + RECORDS_PER_COMMIT)
    const found = { offsets, keysMax: COMPACTED_KEYS_MAX }
    topics.payloads.addLatest(topics.heads.head(topic, partition), topic, from, to, found)
    await yieldToEventLoop(clock)
  }
  let count = 0
  const before = Math.min(what.before, end)
  for (let from = first; from < before; from += BODIES_PER_COMMIT) {
    const { topics, commits } = shared.connection()
    const to = Math.min(before, from + BODIES_PER_COMMIT)
    const head = topics.heads.head(topic, partition)
    const latest = { offsets, tombstonesBefore }
    count += await commitOrThrow(commits, () =>
      topics.payloads.compact(head, topic, from, to, latest),
    )
  }
  return count
}

export function readHealth(shared: SharedConnection): Health {
  const trouble = failureDetail(shared)
  if (trouble === undefined)
    return { status: 'well', ack: 'disk', detail: 'synced before each ack' }
  return { status: 'failing', ack: 'disk', detail: trouble }
}

function failureDetail({ isOpen, connection }: SharedConnection): string | undefined {
  if (!isOpen()) return 'the data directory is closed'
  try {
    const { commits, checkpoints, archive } = connection()
    const trouble = commits.stopReason() ?? commits.lastFailure() ?? checkpoints.alarm()
    return trouble ?? openDamageText(connection()) ?? archive.readFailure()
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'the data directory cannot be read'
  }
}

function openDamageText({
  damage,
  topics,
}: ReturnType<SharedConnection['connection']>): string | undefined {
  const open = damage.all().filter(({ isAccepted }) => !isAccepted)
  if (open.length === 0) return undefined
  const names = new Map(topics.heads.all().map(({ id, spec }) => [id, spec.name]))
  return open
    .map((each) => {
      const name = names.get(each.topic)
      return name === undefined
        ? DAMAGE[each.code]
        : `${name}/${each.partition}: ${damageText(each)}`
    })
    .join('; ')
}
