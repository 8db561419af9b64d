import { partitionOf } from '../../../contract/partition.ts'
import type { LedgerQuery } from '../../../ports/ledger.ts'
import type { Status } from '../../../ports/status.ts'
import { STATUSES } from '../../../ports/status.ts'
import { NO_SENTINEL, storedId } from '../sql/index.ts'
import type { Statements } from '../sql/index.ts'

/** A set of events: the newest ones up to a position, each once, from the newest. */
export type Source = (to: number, count: number) => readonly number[]

/**
 * The positions of the newest events up to one that may have rows of a query. They are merged from
 * indexes that have them in the order of the log. For open events, and for a status other than
 * COMPLETED, those are the index of open statuses, the copies of events that wait behind another one, and
 * what lies ahead of the progress of consumers: however many events are completed, none of them is read.
 * Only from where pages of copies begin is the log read.
 */
export function newestPositions(
  sql: Statements,
  query: LedgerQuery,
  to: number,
  count: number,
): readonly number[] {
  return newestOf(sourcesOf(sql, query), to, count)
}

/** The newest positions of several sets of events together. */
export function newestOf(sources: readonly Source[], to: number, count: number): readonly number[] {
  const found = new Set<number>()
  for (const source of sources) for (const each of source(to, count)) found.add(each)
  return [...found].toSorted((a, b) => b - a).slice(0, count)
}

function sourcesOf(sql: Statements, query: LedgerQuery): readonly Source[] {
  const { eventId, status, isOpen, consumer, type, key } = query
  if (eventId !== undefined) return [withId(sql, eventId)]
  if (status === 'UNPROCESSED')
    return [
      withStatus(sql, status),
      heldEvents(sql),
      pagedEvents(sql),
      ...partitionsOf(sql, query, true),
    ]
  if (status === 'FAILED') return [withStatus(sql, status), discarded(sql)]
  if (status !== undefined && status !== 'COMPLETED') return [withStatus(sql, status)]
  if (isOpen) {
    const stored = STATUSES.filter((each) => each !== 'COMPLETED')
    const ofStatus = stored.map((each) => withStatus(sql, each))
    return [...ofStatus, heldEvents(sql), pagedEvents(sql), ...partitionsOf(sql, query, true)]
  }
  const isWhole = consumer === undefined && type === undefined && key === undefined
  return isWhole ? [wholeLog(sql)] : partitionsOf(sql, query, false)
}

const SELECT_WITH_ID = `SELECT position FROM topic CROSS JOIN log ON log.topic = topic.id
  AND log.id = ?`

/** The events with an id; each topic has an index of them. */
export function withId(sql: Statements, id: string): Source {
  const stored = storedId(id)
  const kind = typeof stored === 'string' ? 'text' : 'blob'
  const select = `${SELECT_WITH_ID} AND typeof(log.id) = '${kind}' WHERE position <= ?
    ORDER BY position DESC LIMIT ?`
  return (to, count) => positionsIn(sql.all(select, stored, to, count))
}

const SELECT_WHOLE = 'SELECT position FROM log WHERE position <= ? ORDER BY position DESC LIMIT ?'

export function wholeLog(sql: Statements): Source {
  return (to, count) => positionsIn(sql.all(SELECT_WHOLE, to, count))
}

const NEWEST = 'AND position BETWEEN 1 AND ? ORDER BY position DESC LIMIT ?'
const SELECT_OPEN = `SELECT DISTINCT position FROM status
  WHERE status = ? AND status <> 'COMPLETED' AND resolution IS NULL ${NEWEST}`
const SELECT_DISCARDED = `SELECT DISTINCT position FROM status
  WHERE resolution IS NOT NULL ${NEWEST}`

function withStatus(sql: Statements, status: Status): Source {
  return (to, count) => positionsIn(sql.all(SELECT_OPEN, status, to, count))
}

function discarded(sql: Statements): Source {
  return (to, count) => positionsIn(sql.all(SELECT_DISCARDED, to, count))
}

const SELECT_HELD = `SELECT DISTINCT position FROM held_event
  WHERE position <= ? ORDER BY position DESC LIMIT ?`

function heldEvents(sql: Statements): Source {
  return (to, count) => positionsIn(sql.all(SELECT_HELD, to, count))
}

/** Events of keys that have pages, from the oldest page on. */
const SELECT_PAGED = `SELECT log.position FROM log CROSS JOIN topic ON topic.id = log.topic
  WHERE log.position BETWEEN (SELECT min(position) FROM held_page) AND ? AND EXISTS (
    SELECT 1 FROM subscription s CROSS JOIN held_page
      ON held_page.hold = s.consumer || ':' || log.key AND held_page.topic = topic.name
        AND held_page.off <= log.off
    WHERE s.topic = topic.name AND s.type = log.type)
  ORDER BY log.position DESC LIMIT ?`

function pagedEvents(sql: Statements): Source {
  return (to, count) => positionsIn(sql.all(SELECT_PAGED, to, count))
}

/** The partitions of topics that consumers read, with the lowest progress of those consumers. */
const SELECT_PARTITIONS = `
  SELECT topic.id, topic.partitions, head.part, head.next, min(coalesce(p.next, 0)),
    json_group_array(DISTINCT s.type)
  FROM subscription s JOIN topic ON topic.name = s.topic JOIN head ON head.topic = topic.id
  LEFT JOIN progress p ON p.consumer = s.consumer AND p.topic = s.topic AND p.part = head.part
  WHERE s.${NO_SENTINEL} AND (?1 IS NULL OR s.consumer = ?1) AND (?2 IS NULL OR s.type = ?2)
  GROUP BY topic.id, head.part`

const SELECT_PARTITION = `SELECT position FROM log
  WHERE topic = ? AND part = ? AND off BETWEEN ? AND ?`
const OF_TYPES = 'AND type IN (SELECT value FROM json_each(?))'

/** The records of each partition; of unread ones only those that a consumer has not passed. */
function partitionsOf(
  sql: Statements,
  { consumer, type, key }: LedgerQuery,
  areUnread: boolean,
): readonly Source[] {
  const rows = sql.all(SELECT_PARTITIONS, consumer ?? null, type ?? null)
  const types = areUnread ? OF_TYPES : ''
  return rows.flatMap((row): Source[] => {
    const [topic = 0, partitions = 0, partition = 0, end = 0, next = 0] = row as number[]
    const isOther = key !== undefined && partitionOf(key, partitions) !== partition
    if (isOther || (areUnread && next >= end)) return []
    const from = areUnread ? next : 0
    const ofTypes = areUnread ? [row[5] as string] : []
    return [partitionSource(sql, { topic, partition, from, end }, types, ofTypes)]
  })
}

/** The records of a partition from an offset on. */
export interface PartitionRange {
  readonly topic: number
  readonly partition: number
  readonly from: number
  readonly end: number
}

/** The records of a partition that meet a condition. */
export function partitionSource(
  sql: Statements,
  { topic, partition, from, end }: PartitionRange,
  condition = '',
  values: readonly string[] = [],
): Source {
  const select = `${SELECT_PARTITION} ${condition} ORDER BY off DESC LIMIT ?`
  return (to, count) => {
    const last = offsetUpTo(sql, topic, partition, end, to)
    return positionsIn(sql.all(select, topic, partition, from, last, ...values, count))
  }
}

const SELECT_BEFORE = `SELECT off, position FROM log
  WHERE topic = ? AND part = ? AND off <= ? ORDER BY off DESC LIMIT 1`

/** The last offset up to a position: positions increase with the offsets of a partition. */
function offsetUpTo(
  sql: Statements,
  topic: number,
  partition: number,
  end: number,
  to: number,
): number {
  if (to === Number.MAX_SAFE_INTEGER) return end
  let [low, high] = [-1, end]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const row = sql.get(SELECT_BEFORE, topic, partition, middle)
    if (!row || (row[1] as number) <= to) low = middle
    else high = (row[0] as number) - 1
  }
  return low
}

const positionsIn = (rows: readonly (readonly unknown[])[]): readonly number[] =>
  rows.map(([position]) => position as number)
