import { Fault } from '../../../base/errors/fault.ts'
import type { DamageCode } from '../../../ports/damage.ts'
import { DAMAGE } from '../../../ports/damage.ts'
import { damagedTableFault } from '../sql/index.ts'
import type { Statements } from '../sql/index.ts'

/** A damaged range of a partition. */
export interface Damage {
  readonly topic: number
  readonly partition: number
  readonly from: number
  /** Excluded. */
  readonly to: number
  readonly code: DamageCode
  readonly foundMs: number
  /** An operator accepted the loss: readers skip the range and get it as `lost`. */
  readonly isAccepted: boolean
}

/** All known damage, in memory and in the database. Damage stops its partition until accepted. */
export interface DamageRegistry {
  load(): void
  all(): readonly Damage[]
  /** The first damage of a partition that is not accepted. */
  firstUnaccepted(topic: number, partition: number): Damage | undefined
  /** The accepted damage that contains an offset. */
  acceptedAt(topic: number, partition: number, offset: number): Damage | undefined
  /** Registers damage; it is written with the next commit. Returns false where it was known. */
  report(damage: Omit<Damage, 'isAccepted'>): boolean
  /** Accepts all damage of a partition; returns it. */
  accept(topic: number, partition: number): readonly Damage[]
  /** Writes new damage; inside a transaction. */
  write(): void
  /** Called once the write is committed; until then a rollback may undo it. */
  onCommitted(): void
  /** Forgets damage before the first offset of a partition, which was trimmed. */
  forgetBefore(topic: number, partition: number, first: number): void
}

/** The topic of damage outside of partitions: units that were lost with the end of the log. */
export const NO_TOPIC = 0

export function createDamageRegistry(sql: Statements): DamageRegistry {
  let known: Damage[] = []
  /** Reported and not yet in the database. */
  let unwritten: Damage[] = []
  /** How many of `unwritten` are in the running transaction. */
  let writing = 0
  let trimmed: Trimmed[] = []
  const isOf = (topic: number, partition: number) => (each: Damage) =>
    each.topic === topic && each.partition === partition
  return {
    load() {
      const stored = storedDamage(sql)
      writing = 0
      trimmed = []
      known = [
        ...stored,
        ...unwritten.filter((each) => !stored.some((other) => isSameRange(each, other))),
      ]
    },
    all: () => known,
    firstUnaccepted: (topic, partition) =>
      known.length === 0
        ? undefined
        : known.filter(isOf(topic, partition)).find(({ isAccepted }) => !isAccepted),
    acceptedAt: (topic, partition, offset) =>
      known.length === 0
        ? undefined
        : known
            .filter(isOf(topic, partition))
            .find(({ from, to, isAccepted }) => isAccepted && from <= offset && offset < to),
    report(found) {
      const damage = { ...found, isAccepted: false }
      if (known.some((each) => covers(each, damage))) return false
      known = [...known.filter((each) => !isSameRange(each, damage)), damage]
      unwritten.push(damage)
      return true
    },
    accept(topic, partition) {
      const open = known.filter((each) => isOf(topic, partition)(each) && !each.isAccepted)
      const accepted = open.map((each) => ({ ...each, isAccepted: true }))
      known = [...known.filter((each) => !open.includes(each)), ...accepted]
      unwritten = [...unwritten.filter((each) => !open.includes(each)), ...accepted]
      return accepted
    },
    write() {
      writing = unwritten.length
      writeDamage(sql, unwritten, trimmed)
    },
    onCommitted() {
      unwritten = unwritten.slice(writing)
      writing = 0
      trimmed = []
    },
    forgetBefore(topic, partition, first) {
      const isGone = (each: Damage): boolean => isOf(topic, partition)(each) && each.to <= first
      if (!known.some(isGone)) return
      known = known.filter((each) => !isGone(each))
      unwritten = unwritten.filter((each) => !isGone(each))
      trimmed.push([topic, partition, first])
    },
  }
}

type Trimmed = readonly [topic: number, partition: number, first: number]

function storedDamage(sql: Statements): readonly Damage[] {
  const rows = sql.all(
    'SELECT topic, part, from_off, to_off, what, found, is_accepted FROM damage ORDER BY 1, 2, 3',
  )
  return rows.map((row) => {
    const [topic, partition, from, to] = row as [number, number, number, number]
    const [what, foundMs, isAccepted] = row.slice(4) as [string, number, number]
    // A damaged page may contain rows of another table.
    const code = codeOf(what)
    if (!code || (isAccepted !== 0 && isAccepted !== 1))
      throw damagedTableFault('damage', `${topic}/${partition}`)
    return { topic, partition, from, to, code, foundMs, isAccepted: isAccepted === 1 }
  })
}

/** Sentences of earlier versions that `DAMAGE` words differently today. */
const FORMER_TEXTS: Partial<Record<DamageCode, string>> = {
  CHAIN_BROKEN: 'does not follow the one before it',
  LAST_CHANGED: 'is not the last one that was written',
}

/** Reads a stored code. Earlier versions stored a sentence instead. */
function codeOf(what: unknown): DamageCode | undefined {
  const codes = Object.keys(DAMAGE) as readonly DamageCode[]
  return codes.find((code) => [code, DAMAGE[code], FORMER_TEXTS[code]].includes(what as string))
}

function writeDamage(sql: Statements, fresh: readonly Damage[], trimmed: readonly Trimmed[]): void {
  const values = fresh.flatMap(({ topic, partition, from, to, code, foundMs, isAccepted }) => {
    return [topic, partition, from, to, code, foundMs, isAccepted ? 1 : 0]
  })
  const columns = 'topic, part, from_off, to_off, what, found, is_accepted'
  sql.insert(`INSERT OR REPLACE INTO damage (${columns})`, '', 7, values)
  const cut = 'DELETE FROM damage WHERE topic = ? AND part = ? AND to_off <= ?'
  for (const place of trimmed) sql.run(cut, ...place)
}

function isSameRange(a: Damage, b: Damage): boolean {
  return a.topic === b.topic && a.partition === b.partition && a.from === b.from
}

function covers(known: Damage, found: Damage): boolean {
  const { topic, partition, from, to } = found
  const isThere = known.topic === topic && known.partition === partition
  return isThere && !known.isAccepted && known.from <= from && to <= known.to
}

/**
 * A topic or table may have been lost with the end of the log. Declared again it would be empty, and
 * reuse acknowledged offsets.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function assertNothingLost(damage: DamageRegistry): void {
  const lost = damage.firstUnaccepted(NO_TOPIC, 0)
  if (!lost) return
  const detail = `nothing can be declared: ${DAMAGE[lost.code]}; run throughline repair`
  throw new Fault('DATA_DAMAGED', { detail })
}
