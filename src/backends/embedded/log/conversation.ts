import { correlationIn } from '../../../contract/envelope.ts'
import type { LogRecord } from '../../../ports/event-log.ts'
import { isStorable } from '../../../ports/storable-text.ts'
import { RECORD_COLUMNS, candidatesFrom, decodeRecord, storedId } from '../sql/index.ts'
import type { Candidate, Statements, StoredRecord } from '../sql/index.ts'
import { assertIntact } from './assert-intact.ts'
import type { TopicHeads } from './partition-heads.ts'
import type { ReadContext } from './read-partition.ts'
import { restoreOrThrow } from './restore-archived.ts'

const SELECT_AT_POSITION = `SELECT ${RECORD_COLUMNS} FROM log WHERE position = ?`
const SELECT_POSITIONS = `SELECT position FROM topic
  CROSS JOIN log ON log.topic = topic.id AND log.id = ?`

/**
 * The records of a conversation behind a position, in order of their positions.
 *
 * @throws Fault `LOG_DAMAGED`, `ARCHIVE_MISSING`, `ARCHIVE_DAMAGED` where one of them cannot be read
 */
export function conversation(
  reading: ReadContext,
  heads: TopicHeads,
  correlation: string,
  limit: number,
  after: number,
): readonly LogRecord[] {
  if (!isStorable(correlation)) return []
  const records: LogRecord[] = []
  const isPart = ({ id, head }: LogRecord): boolean =>
    id === correlation || correlationIn(head) === correlation
  for (const { position, isLikely } of candidates(reading.sql, correlation, after)) {
    if (records.length >= limit) break
    const row = reading.sql.get(SELECT_AT_POSITION, position)
    if (!row) continue
    const topic = heads.nameOf(row[1] as number)
    const found = decodeRecord(row, topic)
    // Damage elsewhere hides no conversation.
    if (found.gone === null && !isPart(found.record)) continue
    const record = wholeRecord(reading, assertIntact(reading, heads, row, topic), isLikely)
    if (record && isPart(record)) records.push(record)
  }
  return records
}

/** A record with its archived payload; of one that is unlikely a part, only where that can be read. */
function wholeRecord(
  { restoreArchived }: ReadContext,
  stored: StoredRecord,
  isLikely: boolean,
): LogRecord | undefined {
  if (stored.gone === null) return stored.record
  return isLikely ? restoreOrThrow(restoreArchived, stored) : restoreArchived(stored).record
}

/**
 * The records that may belong to a conversation: its first message, which is found by its id, and those
 * behind it. An id that was made here begins one conversation only.
 */
function* candidates(sql: Statements, correlation: string, after: number): Generator<Candidate> {
  const id = storedId(correlation)
  const kind = typeof id === 'string' ? 'text' : 'blob'
  const select = `${SELECT_POSITIONS} AND typeof(log.id) = '${kind}' ORDER BY position`
  const firsts = sql.all(select, id).map(([position]) => position as number)
  const start = (kind === 'blob' ? (firsts[0] ?? 0) : 0) + 1
  const others = candidatesFrom(sql, correlation, Math.max(after + 1, start))
  let left = firsts.filter((position) => position > after)
  for (const other of others) {
    while (left[0] !== undefined && left[0] < other.position) {
      yield { position: left[0], isLikely: true }
      left = left.slice(1)
    }
    if (left[0] === other.position) left = left.slice(1)
    yield other
  }
  for (const position of left) yield { position, isLikely: true }
}
