import { partitionOf } from '../../../contract/partition.ts'
import { PAYLOAD_COLUMNS, WIRE_TOPIC_SUFFIX } from '../../../ports/payloads.ts'
import type { PayloadPage, PayloadQuery, PayloadRow } from '../../../ports/payloads.ts'
import { withDamageFault } from '../sql/index.ts'
import type { Columns, Statements } from '../sql/index.ts'
import type { Source } from './ledger-sources.ts'
import { newestOf, partitionSource, wholeLog, withId } from './ledger-sources.ts'
import type { NewestRow } from './newest-rows.ts'
import { readNewest } from './newest-rows.ts'

const SELECT = `SELECT position, ${PAYLOAD_COLUMNS.join(', ')} FROM payload_row
  WHERE position IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR EVENT_ID = ?2)
    AND (?3 IS NULL OR TOPIC = ?3)
    AND (?4 IS NULL OR SOURCE_SERVICE = ?4 OR TARGET_SERVICE = ?4)
  ORDER BY position DESC, coalesce(TARGET_SERVICE, '')`

/**
 * Reads the bodies of messages, the newest first. A message with an id is found by the index of ids, and a
 * body on the wire in the partition of its id, which is its key.
 */
export function readPayloads(sql: Statements, query: PayloadQuery): PayloadPage {
  const { limit, after, eventId = null, topic = null, service = null } = query
  return withDamageFault('the payloads', () => {
    const sources = sourcesOf(sql, query)
    const { rows, next } = readNewest<PayloadRow>({
      limit,
      after: after && { position: after.position, name: after.target },
      positions: (to, count) => newestOf(sources, to, count),
      rowsAt: (positions) =>
        sql.all(SELECT, JSON.stringify(positions), eventId, topic, service).map(foundRow),
    })
    return next ? { rows, next: { position: next.position, target: next.name } } : { rows }
  })
}

function sourcesOf(sql: Statements, { eventId, topic }: PayloadQuery): readonly Source[] {
  if (eventId === undefined && topic === undefined) return [wholeLog(sql)]
  const onWire = partitionsOf(sql, 'substr(topic.name, ?1) = ?2', eventId, [
    -WIRE_TOPIC_SUFFIX.length,
    WIRE_TOPIC_SUFFIX,
  ])
  if (eventId !== undefined) return [withId(sql, eventId), ...onWire]
  return [...partitionsOf(sql, 'topic.name = ?1', undefined, [topic ?? '']), ...onWire]
}

/** The partitions of some topics; with a key, only those in which its records are. */
function partitionsOf(
  sql: Statements,
  condition: string,
  key: string | undefined,
  values: readonly (string | number)[],
): readonly Source[] {
  const select = `SELECT topic.id, topic.partitions, head.part, head.next
    FROM topic JOIN head ON head.topic = topic.id WHERE ${condition}`
  return sql.all(select, ...values).flatMap((row): Source[] => {
    const [topic = 0, partitions = 0, partition = 0, end = 0] = row as number[]
    if (key !== undefined && partitionOf(key, partitions) !== partition) return []
    return [partitionSource(sql, { topic, partition, from: 0, end })]
  })
}

function foundRow([position, ...columns]: Columns): NewestRow<PayloadRow> {
  const named = Object.fromEntries(PAYLOAD_COLUMNS.map((name, at) => [name, columns[at]]))
  const row = named as unknown as PayloadRow
  return { position: position as number, name: row.TARGET_SERVICE ?? '', row }
}
