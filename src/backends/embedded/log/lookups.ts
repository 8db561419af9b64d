import type { StoredEvent } from '../../../ports/append-decision.ts'
import type { LogRecord } from '../../../ports/event-log.ts'
import { isStorable } from '../../../ports/storable-text.ts'
import { payloadHash } from './payloads.ts'
import type { TopicHeads } from './partition-heads.ts'
import {
  storedId,
  RECORD_COLUMNS,
  RECORD_WIDTH,
  payloadHashIn,
  damagedRecordFault,
  damagedTableFault,
  streamEntryChecksum,
} from '../sql/index.ts'
import type { StoredRecord } from '../sql/index.ts'
import type { ReadContext } from './read-partition.ts'
import { assertIntact } from './assert-intact.ts'
import { conversation } from './conversation.ts'
import { restoreOrThrow } from './restore-archived.ts'

/** Looks up single records, by id, by time or by entity. */
export interface Lookups {
  find(topic: string, id: string): (LogRecord & StoredEvent) | undefined
  /** Like `find`, with the payload from the archive; nothing where compaction removed it. */
  findReadable(topic: string, id: string): LogRecord | undefined
  /** The records of a conversation behind a position, in order of their positions. */
  conversation(correlation: string, limit: number, after: number): readonly LogRecord[]
  /** The first offset stored at or after a time. */
  offsetAt(topic: string, partition: number, atMs: number): number
  /**
   * The records of an entity's stream, in order of its versions.
   *
   * @throws Fault `LOG_DAMAGED`, `DATA_DAMAGED`
   */
  stream(table: number, key: string, fromVersion: number, limit: number): readonly LogRecord[]
}

const SELECT_BY_ID = `SELECT ${RECORD_COLUMNS} FROM log WHERE topic = ? AND id = ?`
const SELECT_STREAM = `SELECT ${RECORD_COLUMNS}, version, stream.sum, stream.position, topic.name
  FROM stream LEFT JOIN log ON log.position = stream.position
  LEFT JOIN topic ON topic.id = log.topic
  WHERE tbl = ? AND stream.key = ? AND version >= ? ORDER BY version LIMIT ?`
const SELECT_AT = `SELECT ${RECORD_COLUMNS} FROM log WHERE topic = ? AND part = ? AND off = ?`
const SELECT_READABLE = `SELECT off FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND (gone IS NULL OR EXISTS (
    SELECT 1 FROM archive WHERE archive.topic = log.topic AND archive.part = log.part
    AND from_off <= off AND off < to_off))
  ORDER BY off LIMIT 1`

export function createLookups(reading: ReadContext, heads: TopicHeads): Lookups {
  const { sql, restoreArchived } = reading
  const whole = (stored: StoredRecord): LogRecord | undefined =>
    stored.gone === null ? stored.record : restoreOrThrow(restoreArchived, stored)
  const findRow = (topic: string, id: string): StoredRecord | undefined => {
    if (!isStorable(id)) return undefined
    const key = storedId(id)
    const kind = typeof key === 'string' ? 'text' : 'blob'
    const select = `${SELECT_BY_ID} AND typeof(id) = '${kind}'`
    const row = sql.get(select, heads.topic(topic).id, key)
    return row && assertIntact(reading, heads, row, topic)
  }
  const wasTrimmed = (): boolean =>
    sql.get("SELECT 1 FROM meta WHERE name = 'position'") !== undefined
  return {
    find(topic, id) {
      const stored = findRow(topic, id)
      if (!stored || stored.gone === null) return stored?.record
      return {
        ...stored.record,
        matchesData: (data) => payloadHash(data) === payloadHashIn(stored.gone ?? ''),
      }
    },
    findReadable(topic, id) {
      const stored = findRow(topic, id)
      return stored && whole(stored)
    },
    conversation: (...page) => conversation(reading, heads, ...page),
    offsetAt: (topic, partition, atMs) => offsetAt(reading, heads, topic, partition, atMs),
    stream(table, key, fromVersion, limit) {
      const records: LogRecord[] = []
      for (let from = fromVersion; records.length < limit;) {
        const count = limit - records.length
        const rows = sql.all(SELECT_STREAM, table, key, from, count)
        for (const row of rows) {
          const [version, sum, position, name] = row.slice(RECORD_WIDTH) as [
            number,
            number,
            number,
            string,
          ]
          if (streamEntryChecksum(table, key, version, position) !== sum)
            throw damagedTableFault('stream', `version ${version} of ${key}`)
          const stored = row[0] === null ? undefined : assertIntact(reading, heads, row, name)
          if (!stored && !wasTrimmed())
            throw damagedTableFault('log', `version ${version} of ${key}`)
          const record = stored && whole(stored)
          if (record) records.push(record)
          from = version + 1
        }
        // Compacted and trimmed records are left out, and do not end the page.
        if (rows.length < count) break
      }
      return records
    },
  }
}

/**
 * Binary search: storage times never decrease inside a partition.
 *
 * @throws Fault `LOG_DAMAGED` where a record on the way is damaged
 */
function offsetAt(
  reading: ReadContext,
  heads: TopicHeads,
  name: string,
  partition: number,
  atMs: number,
): number {
  const { sql, damage } = reading
  const { topic, first, next } = heads.head(name, partition)
  let [from, to] = [first, next]
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    const row = sql.get(SELECT_AT, topic, partition, middle)
    if (!row && !damage.acceptedAt(topic, partition, middle))
      throw damagedRecordFault(name, partition, { code: 'MISSING', from: middle, to: middle + 1 })
    const stored = row && assertIntact(reading, heads, row, name)
    if (stored && stored.record.storedAt >= atMs) to = middle
    else from = middle + 1
  }
  // Skip compacted records, which are holes.
  return (sql.get(SELECT_READABLE, topic, partition, from)?.[0] as number | undefined) ?? next
}
