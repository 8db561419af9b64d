import { damagedRecordFault, decodeRecord, isIntact } from '../sql/index.ts'
import type { Columns, StoredRecord } from '../sql/index.ts'
import type { TopicHeads } from './partition-heads.ts'
import type { ReadContext } from './read-partition.ts'

/** Verifies a single record. A damaged one is reported, which stops its partition. */
export function assertIntact(
  { damage, nowMs }: ReadContext,
  heads: TopicHeads,
  row: Columns,
  topic: string,
): StoredRecord {
  const stored = decodeRecord(row, topic)
  const { partition, offset } = stored.record
  if (isIntact(stored)) return stored
  const range = { code: 'CONTENT_CHANGED', from: offset, to: offset + 1 } as const
  // A record with an impossible place says nothing about that partition.
  const head = heads.known(topic)?.heads[partition]
  if (head && head.first <= offset && offset < head.next)
    damage.report({ topic: stored.topic, partition, ...range, foundMs: nowMs() })
  throw damagedRecordFault(topic, partition, range)
}
