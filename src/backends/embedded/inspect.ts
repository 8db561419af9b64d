import type { DamageCode, DamagedRange } from '../../ports/damage.ts'
import type { Inspected } from '../../ports/log.ts'
import type { Head } from './heads.ts'
import { COLUMNS, isWhole, storedRecord } from './records.ts'
import { isDamaged } from './results.ts'
import type { Reading } from './slices.ts'
import { readableFrom } from './slices.ts'
import type { Columns } from './statements.ts'
import { chainAfter } from './sums.ts'

type Flaw = DamagedRange

const SELECT_RANGE = `SELECT ${COLUMNS} FROM log
  WHERE topic = ? AND part = ? AND off >= ? AND off < ? ORDER BY off`
const SELECT_CHAIN = 'SELECT chain FROM log WHERE topic = ? AND part = ? AND off = ?'

/** Verifies the checksums of records, and the chain of their partition. */
export function inspect(
  reading: Reading,
  head: Head,
  topicName: string,
  from: number,
  max: number,
): Inspected {
  const start = Math.max(from, head.first)
  const to = Math.min(head.next, start + max)
  if (start >= to) return { next: head.next, flaws: standing(reading, head) }
  const rows = fetch(reading, head, start, to)
  if (!rows) {
    const next = readableFrom(reading, head, start)
    return { next, flaws: unaccepted(reading, head, [flaw(start, next, 'UNREADABLE')]) }
  }
  const flaws: Flaw[] = []
  /** Not registered as damage: archive files may come back, and indexes can be rebuilt. */
  const elsewhere: Flaw[] = []
  let chain = chainBefore(reading, head, start)
  let at = start
  for (const row of rows) {
    const stored = storedRecord(row, topicName)
    const { offset } = stored.record
    if (offset > at) flaws.push(flaw(at, offset, 'MISSING'))
    if (!isWhole(stored)) flaws.push(flaw(offset, offset + 1, 'CONTENT_CHANGED'))
    else if (offset === at && chain !== undefined && chainAfter(chain, stored.sum) !== stored.chain)
      flaws.push(flaw(offset, offset + 1, 'CHAIN_BROKEN'))
    if (!isFound(reading, row)) elsewhere.push(flaw(offset, offset + 1, 'NOT_INDEXED'))
    const archive = stored.gone === null ? undefined : reading.archived(stored).damage
    if (archive) elsewhere.push({ ...archive, from: offset, to: offset + 1 })
    chain = stored.chain
    at = offset + 1
  }
  if (at < to) flaws.push(flaw(at, to, 'MISSING'))
  else if (to === head.next && chain !== undefined && chain !== head.chain)
    flaws.push(flaw(to - 1, to, 'LAST_CHANGED'))
  const open = unaccepted(reading, head, flaws)
  for (const each of open) note(reading, head, each)
  return { next: to, flaws: [...open, ...elsewhere] }
}

/** Registers damage, which stops the partition, as a read would. */
function note(
  { damage, nowMs }: Reading,
  { topic, partition }: Head,
  { code, from, to }: Flaw,
): void {
  damage.found({ topic, partition, code, from, to, foundMs: nowMs() })
}

function flaw(from: number, to: number, code: DamageCode): Flaw {
  return { code, from, to }
}

/** Whether a record is found by the index of ids, on which the detection of duplicates rests. */
function isFound({ sql }: Reading, row: Columns): boolean {
  const kind = typeof row[4] === 'string' ? 'text' : 'blob'
  const select = `SELECT position FROM log WHERE topic = ? AND id = ? AND typeof(id) = '${kind}'`
  try {
    return sql.get(select, row[1] as number, row[4] as string)?.[0] === row[0]
  } catch (cause) {
    if (isDamaged(cause)) return false
    throw cause
  }
}

function fetch(
  { sql }: Reading,
  { topic, partition }: Head,
  from: number,
  to: number,
): readonly Columns[] | undefined {
  try {
    return sql.all(SELECT_RANGE, topic, partition, from, to)
  } catch (cause) {
    if (isDamaged(cause)) return undefined
    throw cause
  }
}

/** The chain before an offset; unknown where the record before it is missing. */
function chainBefore({ sql }: Reading, head: Head, offset: number): number | undefined {
  if (offset === head.first) return head.base
  try {
    const row = sql.get(SELECT_CHAIN, head.topic, head.partition, offset - 1)
    return row?.[0] as number | undefined
  } catch (cause) {
    if (isDamaged(cause)) return undefined
    throw cause
  }
}

/** Known damage behind the end, such as a cut off end. */
function standing({ damage }: Reading, head: Head): readonly Flaw[] {
  return damage
    .all()
    .filter(({ topic, partition }) => topic === head.topic && partition === head.partition)
    .filter(({ from, isAccepted }) => !isAccepted && from >= head.next)
    .map(({ from, to, code }) => flaw(from, to, code))
}

function unaccepted({ damage }: Reading, head: Head, flaws: readonly Flaw[]): readonly Flaw[] {
  const { topic, partition } = head
  return flaws.filter(({ from }) => !damage.accepted(topic, partition, from))
}
