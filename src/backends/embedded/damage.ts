import { Fault } from '../../base/fault.ts'
import type { DamageCode } from '../../ports/damage.ts'
import { DAMAGE } from '../../ports/damage.ts'
import { damagedTable } from './results.ts'
import type { Statements } from './statements.ts'

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
export interface DamageBook {
  load(): void
  all(): readonly Damage[]
  /** The first damage of a partition that is not accepted. */
  stops(topic: number, partition: number): Damage | undefined
  /** The accepted damage that contains an offset. */
  accepted(topic: number, partition: number, offset: number): Damage | undefined
  /** Registers damage; it is written with the next commit. Returns false where it was known. */
  found(damage: Omit<Damage, 'isAccepted'>): boolean
  /** Accepts all damage of a partition; returns it. */
  accept(topic: number, partition: number): readonly Damage[]
  /** Writes new damage; inside a transaction. */
  write(): void
  /** Called once the write is committed; until then a rollback may undo it. */
  written(): void
  /** Forgets damage before the first offset of a partition, which was trimmed. */
  cut(topic: number, partition: number, first: number): void
}

/** The topic of damage outside of partitions: units that were lost with the end of the log. */
export const NO_TOPIC = 0

export function damageIn(sql: Statements): DamageBook {
  let book: Damage[] = []
  /** Reported and not yet in the database. */
  let fresh: Damage[] = []
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
      book = [...stored, ...fresh.filter((each) => !stored.some((other) => isSame(each, other)))]
    },
    all: () => book,
    stops: (topic, partition) =>
      book.length === 0
        ? undefined
        : book.filter(isOf(topic, partition)).find(({ isAccepted }) => !isAccepted),
    accepted: (topic, partition, offset) =>
      book.length === 0
        ? undefined
        : book
            .filter(isOf(topic, partition))
            .find(({ from, to, isAccepted }) => isAccepted && from <= offset && offset < to),
    found(found) {
      const damage = { ...found, isAccepted: false }
      if (book.some((each) => covers(each, damage))) return false
      book = [...book.filter((each) => !isSame(each, damage)), damage]
      fresh.push(damage)
      return true
    },
    accept(topic, partition) {
      const open = book.filter((each) => isOf(topic, partition)(each) && !each.isAccepted)
      const accepted = open.map((each) => ({ ...each, isAccepted: true }))
      book = [...book.filter((each) => !open.includes(each)), ...accepted]
      fresh = [...fresh.filter((each) => !open.includes(each)), ...accepted]
      return accepted
    },
    write() {
      writing = fresh.length
      writeDamage(sql, fresh, trimmed)
    },
    written() {
      fresh = fresh.slice(writing)
      writing = 0
      trimmed = []
    },
    cut(topic, partition, first) {
      const isGone = (each: Damage): boolean => isOf(topic, partition)(each) && each.to <= first
      if (!book.some(isGone)) return
      book = book.filter((each) => !isGone(each))
      fresh = fresh.filter((each) => !isGone(each))
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
      throw damagedTable('damage', `${topic}/${partition}`)
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

function isSame(a: Damage, b: Damage): boolean {
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
export function mustHaveLostNothing(damage: DamageBook): void {
  const lost = damage.stops(NO_TOPIC, 0)
  if (!lost) return
  const detail = `nothing can be declared: ${DAMAGE[lost.code]}; run throughline repair`
  throw new Fault('DATA_DAMAGED', { detail })
}
