import type { Bell } from '../../base/bell.ts'
import type { Clock } from '../../base/clock.ts'
import { breathe } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { Verdict } from '../../ports/admit.ts'
import { admit, answersOf } from '../../ports/admit.ts'
import { DAMAGE, damageText } from '../../ports/damage.ts'
import type { Answer, EventLog, Health, LogEvent, Place } from '../../ports/log.ts'
import { mustBeStorable, unstorableIn } from '../../ports/text.ts'
import { isEmpty, readInTurns } from '../../ports/turns.ts'
import { sealCatalog } from './catalog-sum.ts'
import type { Commits, Decision } from './commits.ts'
import { commitOrThrow } from './commits.ts'
import type { Use } from './connection.ts'
import { mustHaveLostNothing } from './damage.ts'
import type { Put } from './puts.ts'
import { placeOf } from './puts.ts'
import { isFull } from './results.ts'
import type { Topics } from './topics.ts'

/** Records that one transaction trims or scans, so that no commit waits long for maintenance. */
const RECORDS_PER_COMMIT = 5_000

/** Records whose payloads one transaction removes, which is more work per record. */
const BODIES_PER_COMMIT = 500

/** Keys that one compaction considers; further keys are compacted by a later one. */
const COMPACTED_KEYS_MAX = 1_000_000

export function embeddedLog(use: Use, news: Bell, clock: Clock): EventLog {
  return {
    can: { ack: 'disk', atomicBatch: true, places: true, positions: true, findById: true },
    open: use.open,
    close: use.close,
    async declare(specs) {
      for (const { name } of specs) mustBeStorable(name, 'the name of a topic')
      const { topics, commits, sql, damage } = use.connection()
      // Topics that exist need no write, which also works on a full disk.
      if (specs.every(({ name }) => topics.partitions(name) !== undefined))
        return specs.map(topics.declare)
      mustHaveLostNothing(damage)
      return commitOrThrow(commits, () => {
        const states = specs.map((spec) => topics.declare(spec))
        if (states.some(({ isNew }) => isNew)) sealCatalog(sql)
        return states
      })
    },
    async append(events, { isAtomic = false } = {}) {
      const { topics, commits } = use.connection()
      return commits.submit<readonly Answer[]>({
        decide: () => decide(events, topics, isAtomic),
        failed: (cause) => events.map(() => notStored(commits, cause)),
      })
    },
    async read(from, max, { ms, signal }) {
      const look = () => readInTurns(from, max, use.connection().topics.slice)
      const found = look()
      if (ms <= 0 || !isEmpty(found)) return found
      await news.wait(ms, signal)
      return use.isOpen() ? look() : found
    },
    ends: async (names) => names.flatMap(use.connection().topics.ends),
    offsetAt: async (topic, partition, atMs) =>
      use.connection().topics.offsetAt(topic, partition, atMs),
    async trim(topic, partition, before) {
      // Get the connection at each step, since the directory may be closed between two of them.
      const step = (): Promise<boolean> => {
        const { topics, commits } = use.connection()
        return commitOrThrow(commits, () =>
          topics.trim(topic, partition, before, RECORDS_PER_COMMIT),
        )
      }
      while (await step());
    },
    compact: (topic, partition, before, tombstonesBeforeMs) =>
      compact(use, clock, { topic, partition, before, tombstonesBefore: tombstonesBeforeMs }),
    inspect: async (topic, partition, from, max) =>
      use.connection().topics.inspect(topic, partition, from, max),
    find: async (topic, id) => use.connection().topics.readable(topic, id),
    health: async () => healthOf(use),
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
): Decision<readonly Answer[]> {
  let answers: readonly Answer[] = []
  return {
    answer: () => answers,
    write() {
      const puts = arePlaceable(events, topics) ? topics.putIfNew(events) : undefined
      if (puts) {
        answers = puts.map((put) => ({ is: 'stored', place: placeOf(put), isRepeat: false }))
        return true
      }
      const verdicts = admit(events, topics, isAtomic)
      const fresh = events.filter((_, at) => verdicts[at]?.is === 'new')
      answers = answersOf(verdicts, placesOf(verdicts, topics.put(fresh)))
      return fresh.length > 0
    },
  }
}

/** Whether only a known id could prevent the events from being appended. */
function arePlaceable(events: readonly LogEvent[], topics: Topics): boolean {
  let last = ''
  let count = 0
  for (const event of events) {
    const { topic, partition } = event
    if (unstorableIn(event) !== undefined) return false
    if (topic !== last) count = topics.partitions(topic) ?? 0
    last = topic
    if (!Number.isInteger(partition) || partition < 0 || partition >= count) return false
    if (topics.stops?.(topic, partition) !== undefined) return false
  }
  return true
}

function placesOf(verdicts: readonly Verdict[], puts: readonly Put[]): Map<number, Place> {
  const places = new Map<number, Place>()
  for (const [at, { is }] of verdicts.entries())
    if (is === 'new') places.set(at, placeOf(puts[places.size] as Put))
  return places
}

/** SQLite reports a full disk before it commits, so nothing was stored. Other errors are unknown. */
function notStored(commits: Commits, cause: unknown): Answer {
  const stopped = commits.stopped()
  if (stopped !== undefined) return { is: 'refused', code: 'LOG_DAMAGED', detail: stopped }
  // The record with this id cannot be read, which is found before anything is written.
  if (cause instanceof Fault && cause.code === 'LOG_DAMAGED')
    return { is: 'refused', code: cause.code, detail: cause.detail ?? cause.message }
  if (!isFull(cause)) return { is: 'unknown', cause }
  return { is: 'refused', code: 'LOG_FULL', detail: 'the disk of the data directory is full' }
}

interface CompactionOf {
  readonly topic: string
  readonly partition: number
  readonly before: number
  readonly tombstonesBefore: number
}

/** First finds the last offset of each key, then removes the payloads of superseded records. */
async function compact(use: Use, clock: Clock, what: CompactionOf): Promise<number> {
  const { topic, partition, tombstonesBefore } = what
  const { next: end, first } = use.connection().topics.heads.head(topic, partition)
  const offsets = new Map<string, number>()
  for (let from = first; from < end; from += RECORDS_PER_COMMIT) {
    const { topics } = use.connection()
    const to = Math.min(end, from + RECORDS_PER_COMMIT)
    const found = { offsets, keysMax: COMPACTED_KEYS_MAX }
    topics.bodies.addLatest(topics.heads.head(topic, partition), topic, from, to, found)
    await breathe(clock)
  }
  let count = 0
  const before = Math.min(what.before, end)
  for (let from = first; from < before; from += BODIES_PER_COMMIT) {
    const { topics, commits } = use.connection()
    const to = Math.min(before, from + BODIES_PER_COMMIT)
    const head = topics.heads.head(topic, partition)
    const latest = { offsets, tombstonesBefore }
    count += await commitOrThrow(commits, () =>
      topics.bodies.compact(head, topic, from, to, latest),
    )
  }
  return count
}

export function healthOf(use: Use): Health {
  const trouble = troubleOf(use)
  if (trouble === undefined) return { is: 'well', ack: 'disk', detail: 'synced before each ack' }
  return { is: 'failing', ack: 'disk', detail: trouble }
}

function troubleOf({ isOpen, connection }: Use): string | undefined {
  if (!isOpen()) return 'the data directory is closed'
  try {
    const { commits, checkpoints, archive } = connection()
    const trouble = commits.stopped() ?? commits.trouble() ?? checkpoints.alarm()
    return trouble ?? openDamageText(connection()) ?? archive.trouble()
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'the data directory cannot be read'
  }
}

function openDamageText({ damage, topics }: ReturnType<Use['connection']>): string | undefined {
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
