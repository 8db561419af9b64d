import type { Clock } from '../../base/clock.ts'
import type { Admission, Stored } from '../../ports/admit.ts'
import type { Inspected, LogEnd, LogRecord, Position, Slice, TopicSpec } from '../../ports/log.ts'
import type { TopicState } from '../../ports/log.ts'
import type { Budget } from '../../ports/turns.ts'
import type { Bodies } from './bodies.ts'
import { bodiesIn, dataHash } from './bodies.ts'
import type { DamageBook } from './damage.ts'
import type { Head, Heads } from './heads.ts'
import { headsIn } from './heads.ts'
import { storedId } from './ids.ts'
import { inspect } from './inspect.ts'
import type { Puts } from './puts.ts'
import { putsIn, recentRecords } from './puts.ts'
import type { StoredRecord } from './records.ts'
import { COLUMNS, isWhole, storedRecord } from './records.ts'
import { damagedRecord, damagedTable } from './results.ts'
import type { Reading } from './slices.ts'
import { readSlice } from './slices.ts'
import type { Columns, Statements } from './statements.ts'
import { streamSum } from './sums.ts'

/** The log in the database. */
export interface Topics extends Admission, Pick<Puts, 'put' | 'putIfNew' | 'written'> {
  readonly heads: Heads
  readonly bodies: Bodies
  find(topic: string, id: string): (LogRecord & Stored) | undefined
  /** As `find`, with its body from the archive; nothing where compaction took it. */
  readable(topic: string, id: string): LogRecord | undefined
  /** Reads again what memory knows. */
  load(): void
  declare(spec: TopicSpec): TopicState
  slice(position: Position, left: Budget, isFirst: boolean): Slice
  ends(topic: string): readonly LogEnd[]
  /** Forgets up to `countMax` records below an offset; whether there are more. */
  trim(topic: string, partition: number, before: number, countMax: number): boolean
  /** The first offset that was stored at a time or later. */
  offsetAt(topic: string, partition: number, atMs: number): number
  /** What is wrong with the records of a partition from an offset on, up to `max` of them. */
  inspect(topic: string, partition: number, from: number, max: number): Inspected
  /** The records of an entity's stream, in order of its versions. */
  stream(table: number, key: string, fromVersion: number, limit: number): readonly LogRecord[]
}

const SELECT_BY_ID = `SELECT ${COLUMNS} FROM log WHERE topic = ? AND id = ?`
const SELECT_STREAM = `SELECT ${COLUMNS}, topic.name, version, stream.sum FROM stream
  JOIN log USING (position) JOIN topic ON topic.id = log.topic
  WHERE tbl = ? AND stream.key = ? AND version >= ? ORDER BY version LIMIT ?`
const SELECT_STORED = 'SELECT stored FROM log WHERE topic = ? AND part = ? AND off = ?'
const SELECT_READABLE = `SELECT off FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND (gone IS NULL OR EXISTS (
    SELECT 1 FROM archive WHERE archive.topic = log.topic AND archive.part = log.part
    AND from_off <= off AND off < to_off))
  ORDER BY off LIMIT 1`
const SELECT_CHAIN = 'SELECT chain FROM log WHERE topic = ? AND part = ? AND off = ?'

export interface TopicsParts {
  readonly sql: Statements
  readonly damage: DamageBook
  readonly clock: Clock
  readonly archived: (stub: StoredRecord) => LogRecord | undefined
}

export function topicsIn({ sql, damage, clock, archived }: TopicsParts): Topics {
  const heads = headsIn(sql)
  const recents = recentRecords()
  const puts = putsIn(sql, heads, recents, clock)
  const reading: Reading = { sql, damage, archived, nowMs: clock.now }
  /** A record that stands alone, as `find` and a stream give it. */
  const checked = (row: Columns, topic: string): StoredRecord => {
    const stored = storedRecord(row, topic)
    const { partition, offset } = stored.record
    if (isWhole(stored)) return stored
    const what = 'is not what was written'
    const range = { from: offset, to: offset + 1, foundMs: clock.now() }
    damage.found({ topic: stored.topic, partition, ...range, what })
    throw damagedRecord(topic, partition, `offset ${offset} ${what}`)
  }
  const whole = (stored: StoredRecord): LogRecord | undefined =>
    stored.gone === null ? stored.record : archived(stored)
  const findRow = (topic: string, id: string): StoredRecord | undefined => {
    const key = storedId(id)
    const kind = typeof key === 'string' ? 'text' : 'blob'
    const select = `${SELECT_BY_ID} AND typeof(id) = '${kind}'`
    const row = sql.get(select, heads.topic(topic).id, key)
    return row && checked(row, topic)
  }
  return {
    ...puts,
    heads,
    bodies: bodiesIn(sql),
    load() {
      recents.clear()
      heads.load()
      const trimmed = sql.get("SELECT value FROM meta WHERE name = 'position'")
      const last = sql.get('SELECT max(position) FROM log')
      puts.startAt(Math.max(Number(trimmed?.[0] ?? 0), Number(last?.[0] ?? 0)))
    },
    partitions: (topic) => heads.known(topic)?.spec.partitions,
    stops(topic, partition) {
      const known = heads.known(topic)
      return known && damage.stops(known.id, partition)?.what
    },
    find(topic, id) {
      const stored = findRow(topic, id)
      if (!stored || stored.gone === null) return stored?.record
      return { ...stored.record, isOf: (data) => dataHash(data) === stored.gone }
    },
    readable(topic, id) {
      const stored = findRow(topic, id)
      return stored && whole(stored)
    },
    declare: heads.declare,
    slice(position, left, isFirst) {
      const head = heads.head(position.topic, position.partition)
      return readSlice(reading, head, position, left, isFirst)
    },
    ends: (topic) =>
      (heads.known(topic)?.heads ?? []).map(({ partition, first, next }) => {
        return { topic, partition, first, next }
      }),
    trim(topic, partition, before, countMax) {
      const head = heads.head(topic, partition)
      const to = Math.min(before, head.next, head.first + countMax)
      if (to <= head.first) return false
      trimHead(sql, head, to, puts.position())
      heads.moved(head)
      return to < Math.min(before, head.next)
    },
    offsetAt: (topic, partition, atMs) => offsetAt(sql, heads.head(topic, partition), atMs),
    inspect: (topic, partition, from, max) =>
      inspect(reading, heads.head(topic, partition), topic, from, max),
    stream(table, key, fromVersion, limit) {
      const rows = sql.all(SELECT_STREAM, table, key, fromVersion, limit)
      return rows.flatMap((row) => {
        const [name, version, sum] = row.slice(14) as [string, number, number]
        if (streamSum(table, key, version, row[0] as number) !== sum)
          throw damagedTable('stream', `version ${version} of ${key}`)
        return whole(checked(row, name)) ?? []
      })
    },
  }
}

/** The head goes first: a trigger lets only records go that lie before it. */
function trimHead(sql: Statements, head: Head, to: number, position: number): void {
  const { topic, partition } = head
  const last = sql.get(SELECT_CHAIN, topic, partition, to - 1)
  head.first = to
  head.base = (last?.[0] as number | undefined) ?? head.base
  head.recent = head.recent.slice(Math.max(0, to - (head.next - head.recent.length)))
  sql.run('UPDATE head SET first = ? WHERE topic = ? AND part = ?', to, topic, partition)
  sql.run('DELETE FROM log WHERE topic = ? AND part = ? AND off < ?', topic, partition, to)
  sql.run('DELETE FROM archive WHERE topic = ? AND part = ? AND to_off <= ?', topic, partition, to)
  sql.run("INSERT OR REPLACE INTO meta (name, value) VALUES ('position', ?)", String(position))
}

/** By halves: the times at which a partition stored its records never go back. */
function offsetAt(sql: Statements, head: Head, atMs: number): number {
  const { topic, partition, first, next } = head
  let [from, to] = [first, next]
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    const storedAt = sql.get(SELECT_STORED, topic, partition, middle)?.[0] as number | undefined
    if (storedAt !== undefined && storedAt >= atMs) to = middle
    else from = middle + 1
  }
  // What compaction took is a hole, and nobody's offset.
  return (sql.get(SELECT_READABLE, topic, partition, from)?.[0] as number | undefined) ?? next
}
