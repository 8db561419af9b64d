import { topicDifferences } from '../../../ports/topic-differences.ts'
import type { LogRecord, TopicSpec, TopicState } from '../../../ports/event-log.ts'
import { rowChecksum, damagedTableFault } from '../sql/index.ts'
import type { Statements } from '../sql/index.ts'

/** The first and next offset of a partition, and its newest records. */
export interface PartitionHead {
  readonly topic: number
  readonly partition: number
  /** The slot of this partition in the high-water file. */
  readonly slot: number
  first: number
  next: number
  /** The chain before the first record, and after the last. */
  base: number
  chain: number
  /** When the last record was stored; the next one is never earlier. */
  storedAt: number
  /** The cached newest records. */
  readonly recent: RecentRecords
}

/** Cached newest records of a partition; the array is cut from time to time. */
export interface RecentRecords {
  records: LogRecord[]
  /** How many at the front of `records` were dropped. */
  dropped: number
}

/** The offset of the first cached record. */
export function firstRecentOffset({ next, recent }: PartitionHead): number {
  return next - recent.records.length + recent.dropped
}

/** Drops the oldest cached records. */
export function dropRecent(recent: RecentRecords, count: number): void {
  recent.dropped = Math.min(recent.dropped + count, recent.records.length)
  if (recent.dropped < CUT_MIN || recent.dropped * 2 < recent.records.length) return
  recent.records = recent.records.slice(recent.dropped)
  recent.dropped = 0
}

const CUT_MIN = 256

export interface Topic {
  readonly id: number
  readonly spec: TopicSpec
  readonly heads: readonly PartitionHead[]
}

/** All topics with the heads of their partitions, in memory and in the database. */
export interface TopicHeads {
  /** Reloads the in-memory state. */
  load(): void
  declare(spec: TopicSpec): TopicState
  all(): readonly Topic[]
  known(topic: string): Topic | undefined
  nameOf(id: number): string
  /** @throws Error when the topic was not declared */
  topic(name: string): Topic
  /** @throws Error when there is no such partition */
  head(topic: string, partition: number): PartitionHead
  /** The number of used high-water slots. */
  slots(): number
  /** The number of commits. */
  commits(): number
  /** Continues the commit count after lost commits. */
  skipCommitsTo(from: number): void
  /** Marks a head as changed, to be written with the commit. */
  markChanged(head: PartitionHead): void
  /** The number of progress rows at the last commit, by which a missing one is detected. */
  progressRows(): number
  /** Writes changed heads, the commit count and the number of progress rows. Returns the heads. */
  write(progressRows: number): readonly PartitionHead[]
}

/** The row of `head` that counts commits: it is on a page that an append writes anyway. */
const COMMITS = { topic: 0, partition: 0 }

const INSERT_HEAD = 'INSERT INTO head (topic, part, first, next, base, chain, stored, sum)'
const HEAD_WIDTH = 8
const UPSERT_TAIL = `ON CONFLICT (topic, part) DO UPDATE SET first = excluded.first,
  next = excluded.next, base = excluded.base, chain = excluded.chain, stored = excluded.stored,
  sum = excluded.sum`

export function createTopicHeads(sql: Statements): TopicHeads {
  const topics = new Map<string, Topic>()
  const dirty = new Set<PartitionHead>()
  let commits = 0
  let progressRows = 0
  let slots = 1
  const topicOf = (name: string): Topic => {
    const topic = topics.get(name)
    if (!topic) throw new Error(`the topic ${name} was not declared`)
    return topic
  }
  return {
    load() {
      topics.clear()
      dirty.clear()
      slots = 1
      const rows = loadHeads(sql)
      const counts = rows.get(`${COMMITS.topic}/${COMMITS.partition}`)
      commits = counts?.next ?? 0
      progressRows = counts?.first ?? 0
      for (const { id, spec } of loadTopics(sql)) {
        topics.set(spec.name, { id, spec, heads: partitionHeads(id, spec, rows, slots) })
        slots += spec.partitions
      }
    },
    declare(spec) {
      const known = topics.get(spec.name)
      if (known)
        return { ...known.spec, isNew: false, differences: topicDifferences(known.spec, spec) }
      topics.set(spec.name, createTopic(sql, spec, slots))
      slots += spec.partitions
      return { ...spec, isNew: true, differences: [] }
    },
    all: () => [...topics.values()],
    known: (name) => topics.get(name),
    nameOf: (wanted) => [...topics.values()].find(({ id }) => id === wanted)?.spec.name ?? '',
    topic: topicOf,
    head(name, partition) {
      const head = topicOf(name).heads[partition]
      if (!head) throw new Error(`${name} has no partition ${partition}`)
      return head
    },
    slots: () => slots,
    commits: () => commits,
    progressRows: () => progressRows,
    skipCommitsTo(from) {
      commits = Math.max(commits, from)
    },
    markChanged: (head) => void dirty.add(head),
    write(rows) {
      commits += 1
      progressRows = rows
      const written = [...dirty]
      dirty.clear()
      const values: number[] = []
      for (const head of written) values.push(...headRow(head))
      const count = { ...COMMITS, first: rows, next: commits, base: 0, chain: 0, storedAt: 0 }
      values.push(...headRow(count))
      sql.insert(INSERT_HEAD, UPSERT_TAIL, HEAD_WIDTH, values)
      return written
    },
  }
}

function partitionHeads(
  topic: number,
  { name, partitions }: TopicSpec,
  rows: ReadonlyMap<string, Omit<HeadRow, 'topic' | 'partition'>>,
  slot: number,
): readonly PartitionHead[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const row = rows.get(`${topic}/${partition}`)
    if (!row) throw damagedTableFault('head', `${name}/${partition} is missing`)
    const recent: RecentRecords = { records: [], dropped: 0 }
    return { topic, partition, slot: slot + partition, ...row, recent }
  })
}

type HeadRow = Omit<PartitionHead, 'slot' | 'recent'>

function headRow({ topic, partition, first, next, base, chain, storedAt }: HeadRow): number[] {
  const row = [topic, partition, first, next, base, chain, storedAt]
  return [...row, rowChecksum(row)]
}

function loadHeads(sql: Statements): Map<string, Omit<HeadRow, 'topic' | 'partition'>> {
  const rows = sql.all('SELECT topic, part, first, next, base, chain, stored, sum FROM head')
  const heads = new Map<string, Omit<HeadRow, 'topic' | 'partition'>>()
  for (const row of rows as readonly number[][]) {
    const [topic, partition, first, next, base, chain, storedAt, sum] = row
    const place = `${topic}/${partition}`
    if (rowChecksum(row.slice(0, -1)) !== sum) throw damagedTableFault('head', place)
    heads.set(place, { first, next, base, chain, storedAt } as Omit<HeadRow, 'topic' | 'partition'>)
  }
  return heads
}

function loadTopics(sql: Statements): readonly Omit<Topic, 'heads'>[] {
  const rows = sql.all('SELECT id, name, partitions, strategy, settings FROM topic ORDER BY id')
  return rows.map((row) => {
    const [id, name, partitions, strategy, settings] = row as [
      number,
      string,
      number,
      TopicSpec['strategy'],
      string,
    ]
    return { id, spec: { name, partitions, strategy, ...settingsIn(settings) } }
  })
}

/** Decodes stored settings: JSON without absent members. */
function settingsIn(text: string): Pick<TopicSpec, 'retention' | 'compaction'> {
  return JSON.parse(text) as Pick<TopicSpec, 'retention' | 'compaction'>
}

function createTopic(sql: Statements, spec: TopicSpec, slot: number): Topic {
  const { name, partitions, strategy, retention, compaction } = spec
  const created = sql.get(
    'INSERT INTO topic (name, partitions, strategy, settings) VALUES (?, ?, ?, ?) RETURNING id',
    name,
    partitions,
    strategy,
    JSON.stringify({ retention, compaction }),
  )
  const id = created?.[0] as number
  const heads = Array.from({ length: partitions }, (_, partition): PartitionHead => {
    const start = { first: 0, next: 0, base: 0, chain: 0, storedAt: 0 }
    return {
      topic: id,
      partition,
      slot: slot + partition,
      ...start,
      recent: { records: [], dropped: 0 },
    }
  })
  sql.insert(INSERT_HEAD, '', HEAD_WIDTH, heads.flatMap(headRow))
  return { id, spec, heads }
}
