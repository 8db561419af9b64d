import type { Admission, Stored } from '../../ports/admit.ts'
import type { LogEnd, LogEvent, LogRecord, Place, Position, Slice } from '../../ports/log.ts'
import type { TopicSpec, TopicState } from '../../ports/log.ts'
import type { Budget } from '../../ports/turns.ts'
import { bytesOf } from '../../ports/turns.ts'
import type { Head } from './heads.ts'
import { headsIn } from './heads.ts'
import { idText, storedId } from './ids.ts'
import type { Columns, Statements } from './statements.ts'

/** Where an event went: its place, and its position over all topics. */
export interface Put {
  readonly place: Place
  readonly position: number
}

/** The log in the database. */
export interface Topics extends Admission {
  find(topic: string, id: string): (LogRecord & Stored) | undefined
  /** Reads again what memory knows. */
  load(): void
  declare(spec: TopicSpec): TopicState
  put(events: readonly LogEvent[]): readonly Put[]
  slice(position: Position, left: Budget, isFirst: boolean): Slice
  ends(topic: string): readonly LogEnd[]
  /** Forgets up to `countMax` records below an offset; whether there are more. */
  trim(topic: string, partition: number, before: number, countMax: number): boolean
  /** The records of an entity's stream, in order of its versions. */
  stream(table: number, key: string, fromVersion: number, limit: number): readonly LogRecord[]
}

/** Rows that one statement of a read fetches; what exceeds the budget is read again later. */
const RECORDS_PER_FETCH = 64

const COLUMNS = 'log.position, log.off, log.id, log.key, log.type, log.at, log.head, log.data'
const SELECT_SLICE = `SELECT ${COLUMNS} FROM log
  WHERE topic = ? AND part = ? AND off >= ? ORDER BY off LIMIT ?`
const SELECT_BY_ID = `SELECT ${COLUMNS}, part FROM log WHERE topic = ? AND id = ?`
const SELECT_STREAM = `SELECT ${COLUMNS}, log.part, topic.name FROM stream
  JOIN log USING (position) JOIN topic ON topic.id = log.topic
  WHERE tbl = ? AND stream.key = ? AND version >= ? ORDER BY version LIMIT ?`
const INSERT = 'INSERT INTO log (position, topic, part, off, id, key, type, at, head, data)'

export function topicsIn(sql: Statements): Topics {
  const heads = headsIn(sql)
  let position = 0
  const record = (topic: string, id: string): LogRecord | undefined => {
    const row = sql.get(SELECT_BY_ID, heads.topic(topic).id, storedId(id))
    return row && recordOf(row, topic, row[8] as number)
  }
  return {
    load() {
      heads.load()
      const trimmed = sql.get("SELECT value FROM meta WHERE name = 'position'")
      const last = sql.get('SELECT max(position) FROM log')
      position = Math.max(Number(trimmed?.[0] ?? 0), Number(last?.[0] ?? 0))
    },
    partitions: (topic) => heads.known(topic)?.spec.partitions,
    find: record,
    declare: heads.declare,
    put(events) {
      const moved = new Map<Head, readonly [topic: number, partition: number]>()
      const puts: Put[] = []
      const rows = events.map((event) => {
        const { topic, partition, id, key, type, at, head, data } = event
        const { id: topicId } = heads.topic(topic)
        const end = heads.head(topic, partition)
        const offset = end.next
        end.next += 1
        position += 1
        moved.set(end, [topicId, partition])
        puts.push({ place: { topic, partition, offset }, position })
        return [position, topicId, partition, offset, storedId(id), key, type, at, head, data]
      })
      sql.insert(INSERT, '', rows)
      for (const [{ next }, [topic, partition]] of moved)
        sql.run('UPDATE head SET next = ? WHERE topic = ? AND part = ?', next, topic, partition)
      return puts
    },
    slice(position, left, isFirst) {
      const { topic, partition } = position
      const head = heads.head(topic, partition)
      return sliceOf(sql, heads.topic(topic).id, head, position, left, isFirst)
    },
    ends: (topic) =>
      (heads.known(topic)?.heads ?? []).map((head, partition) => ({ topic, partition, ...head })),
    trim(topic, partition, before, countMax) {
      const head = heads.head(topic, partition)
      const to = Math.min(before, head.next, head.first + countMax)
      if (to <= head.first) return false
      const { id } = heads.topic(topic)
      sql.run('DELETE FROM log WHERE topic = ? AND part = ? AND off < ?', id, partition, to)
      sql.run('UPDATE head SET first = ? WHERE topic = ? AND part = ?', to, id, partition)
      sql.run("INSERT OR REPLACE INTO meta (name, value) VALUES ('position', ?)", String(position))
      head.first = to
      return to < Math.min(before, head.next)
    },
    stream: (table, key, fromVersion, limit) =>
      sql
        .all(SELECT_STREAM, table, key, fromVersion, limit)
        .map((row) => recordOf(row, row[9] as string, row[8] as number)),
  }
}

function sliceOf(
  sql: Statements,
  topicId: number,
  { first, next: end }: Head,
  { topic, partition, next }: Position,
  left: Budget,
  isFirst: boolean,
): Slice {
  const lost = next < first ? { lost: { from: next, to: first } } : {}
  const records: LogRecord[] = []
  let at = Math.max(next, first)
  let { bytes } = left
  while (at < end && records.length < left.records) {
    const count = Math.min(RECORDS_PER_FETCH, left.records - records.length)
    const rows = sql.all(SELECT_SLICE, topicId, partition, at, count)
    for (const row of rows) {
      const record = recordOf(row, topic, partition)
      bytes -= bytesOf(record)
      const mayStandAlone = isFirst && records.length === 0
      if (bytes < 0 && !mayStandAlone) return { topic, partition, records, next: at, end, ...lost }
      records.push(record)
      at = record.offset + 1
    }
    // What is left up to the end are holes.
    if (rows.length < count) at = end
  }
  return { topic, partition, records, next: at, end, ...lost }
}

function recordOf(row: Columns, topic: string, partition: number): LogRecord {
  return {
    topic,
    partition,
    position: row[0] as number,
    offset: row[1] as number,
    id: idText(row[2]),
    key: row[3] as string,
    type: row[4] as string,
    at: row[5] as number,
    head: row[6] as string,
    data: row[7] as string | null,
  }
}
