import type { Stored } from '../../ports/admit.ts'
import type { LogRecord } from '../../ports/log.ts'
import { dataHash } from './bodies.ts'
import type { Head, Heads } from './heads.ts'
import { storedId } from './ids.ts'
import type { StoredRecord } from './records.ts'
import { COLUMNS, WIDTH, isWhole, storedRecord } from './records.ts'
import { damagedRecord, damagedTable } from './results.ts'
import type { Reading } from './slices.ts'
import type { Columns, Statements } from './statements.ts'
import { streamSum } from './sums.ts'

/** Records that are looked up one by one, apart from the order of their partition. */
export interface Lookups {
  find(topic: string, id: string): (LogRecord & Stored) | undefined
  /** As `find`, with its body from the archive; nothing where compaction took it. */
  readable(topic: string, id: string): LogRecord | undefined
  /** The first offset that was stored at a time or later. */
  offsetAt(topic: string, partition: number, atMs: number): number
  /**
   * The records of an entity's stream, in order of its versions.
   *
   * @throws Fault `LOG_DAMAGED`, `DATA_DAMAGED`
   */
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

export function lookupsIn(reading: Reading, heads: Heads): Lookups {
  const { sql, archived } = reading
  const whole = (stored: StoredRecord): LogRecord | undefined =>
    stored.gone === null ? stored.record : archived(stored)
  const findRow = (topic: string, id: string): StoredRecord | undefined => {
    const key = storedId(id)
    const kind = typeof key === 'string' ? 'text' : 'blob'
    const select = `${SELECT_BY_ID} AND typeof(id) = '${kind}'`
    const row = sql.get(select, heads.topic(topic).id, key)
    return row && mustBeWhole(reading, row, topic)
  }
  return {
    find(topic, id) {
      const stored = findRow(topic, id)
      if (!stored || stored.gone === null) return stored?.record
      return { ...stored.record, isOf: (data) => dataHash(data) === stored.gone }
    },
    readable(topic, id) {
      const stored = findRow(topic, id)
      return stored && whole(stored)
    },
    offsetAt: (topic, partition, atMs) => offsetAt(sql, heads.head(topic, partition), atMs),
    stream(table, key, fromVersion, limit) {
      const rows = sql.all(SELECT_STREAM, table, key, fromVersion, limit)
      return rows.flatMap((row) => {
        const [name, version, sum] = row.slice(WIDTH) as [string, number, number]
        if (streamSum(table, key, version, row[0] as number) !== sum)
          throw damagedTable('stream', `version ${version} of ${key}`)
        return whole(mustBeWhole(reading, row, name)) ?? []
      })
    },
  }
}

/** A record that stands alone: where it is not what was written, its partition stands from then on. */
function mustBeWhole({ damage, nowMs }: Reading, row: Columns, topic: string): StoredRecord {
  const stored = storedRecord(row, topic)
  const { partition, offset } = stored.record
  if (isWhole(stored)) return stored
  const what = 'is not what was written'
  const range = { from: offset, to: offset + 1, foundMs: nowMs() }
  damage.found({ topic: stored.topic, partition, ...range, what })
  throw damagedRecord(topic, partition, `offset ${offset} ${what}`)
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
