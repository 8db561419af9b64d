import type { DamageCode, DamagedRange } from '../../../ports/damage.ts'
import type { InspectedRange } from '../../../ports/event-log.ts'
import type { PartitionHead } from './partition-heads.ts'
import { RECORD_COLUMNS, isIntact, decodeRecord, isCorrupt, nextChain } from '../sql/index.ts'
import type { ReadContext } from './read-partition.ts'
import { readableFrom } from './read-partition.ts'
import type { Columns } from '../sql/index.ts'

const SELECT_RANGE = `SELECT ${RECORD_COLUMNS} FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? ORDER BY off`
const SELECT_CHAIN = 'SELECT chain FROM log WHERE topic = ? AND part = ? AND off = ?'

/** Verifies the checksums of records, and the chain of their partition. */
export function inspectPartition(
  reading: ReadContext,
  head: PartitionHead,
  topicName: string,
  from: number,
  max: number,
): InspectedRange {
  const start = Math.max(from, head.first)
  const to = Math.min(head.next, start + max)
  if (start >= to) return { next: head.next, damaged: knownDamage(reading, head) }
  const rows = fetch(reading, head, start, to)
  if (!rows) {
    const next = readableFrom(reading, head, start)
    return { next, damaged: unaccepted(reading, head, [damagedRange(start, next, 'UNREADABLE')]) }
  }
  const damaged: DamagedRange[] = []
  /** Not registered as damage: archive files may come back, and indexes can be rebuilt. */
  const unregistered: DamagedRange[] = []
  let chain = chainBefore(reading, head, start)
  let at = start
  for (const row of rows) {
    const stored = decodeRecord(row, topicName)
    const { offset } = stored.record
    if (offset > at) damaged.push(damagedRange(at, offset, 'MISSING'))
    if (!isIntact(stored)) damaged.push(damagedRange(offset, offset + 1, 'CONTENT_CHANGED'))
    else if (offset === at && chain !== undefined && nextChain(chain, stored.sum) !== stored.chain)
      damaged.push(damagedRange(offset, offset + 1, 'CHAIN_BROKEN'))
    if (!isIndexed(reading, row)) unregistered.push(damagedRange(offset, offset + 1, 'NOT_INDEXED'))
    const archive = stored.gone === null ? undefined : reading.restoreArchived(stored).damage
    if (archive) unregistered.push({ ...archive, from: offset, to: offset + 1 })
    chain = stored.chain
    at = offset + 1
  }
  if (at < to) damaged.push(damagedRange(at, to, 'MISSING'))
  else if (to === head.next && chain !== undefined && chain !== head.chain)
    damaged.push(damagedRange(to - 1, to, 'LAST_CHANGED'))
  const open = unaccepted(reading, head, damaged)
  for (const each of open) reportDamage(reading, head, each)
  return { next: to, damaged: [...open, ...unregistered] }
}

/** Registers damage, which stops the partition, as a read would. */
function reportDamage(
  { damage, nowMs }: ReadContext,
  { topic, partition }: PartitionHead,
  { code, from, to }: DamagedRange,
): void {
  damage.report({ topic, partition, code, from, to, foundMs: nowMs() })
}

function damagedRange(from: number, to: number, code: DamageCode): DamagedRange {
  return { code, from, to }
}

/** Whether a record is found by the index of ids, on which the detection of duplicates rests. */
function isIndexed({ sql }: ReadContext, row: Columns): boolean {
  const kind = typeof row[4] === 'string' ? 'text' : 'blob'
  const select = `SELECT position FROM log WHERE topic = ? AND id = ? AND typeof(id) = '${kind}'`
  try {
    return sql.get(select, row[1] as number, row[4] as string)?.[0] === row[0]
  } catch (cause) {
    if (isCorrupt(cause)) return false
    throw cause
  }
}

function fetch(
  { sql }: ReadContext,
  { topic, partition }: PartitionHead,
  from: number,
  to: number,
): readonly Columns[] | undefined {
  try {
    return sql.all(SELECT_RANGE, topic, partition, from, to)
  } catch (cause) {
    if (isCorrupt(cause)) return undefined
    throw cause
  }
}

/** The chain before an offset; unknown where the record before it is missing. */
function chainBefore(
  { sql }: ReadContext,
  head: PartitionHead,
  offset: number,
): number | undefined {
  if (offset === head.first) return head.base
  try {
    const row = sql.get(SELECT_CHAIN, head.topic, head.partition, offset - 1)
    return row?.[0] as number | undefined
  } catch (cause) {
    if (isCorrupt(cause)) return undefined
    throw cause
  }
}

/** Known damage behind the end, such as a cut off end. */
function knownDamage({ damage }: ReadContext, head: PartitionHead): readonly DamagedRange[] {
  return damage
    .all()
    .filter(({ topic, partition }) => topic === head.topic && partition === head.partition)
    .filter(({ from, isAccepted }) => !isAccepted && from >= head.next)
    .map(({ from, to, code }) => damagedRange(from, to, code))
}

function unaccepted(
  { damage }: ReadContext,
  head: PartitionHead,
  damaged: readonly DamagedRange[],
): readonly DamagedRange[] {
  const { topic, partition } = head
  return damaged.filter(({ from }) => !damage.acceptedAt(topic, partition, from))
}
