import type { Advance, InspectedRows } from '../../../ports/event-store.ts'
import type { ConsumedEvent, ProgressRange } from '../../../ports/status.ts'
import { NO_SENTINEL, damagedTableFault, rowChecksum } from '../sql/index.ts'
import type { Columns, Statements } from '../sql/index.ts'

/** The progress ranges of consumers: who passed which offsets, and since when. */
export interface ProgressRanges {
  /** @throws Fault `DATA_DAMAGED` where a row is damaged */
  load(): void
  write(advances: readonly Advance[]): void
  find(event: ConsumedEvent): ProgressRange | undefined
  /** Drops the ranges of a consumer and gives it those of another one. */
  replace(consumer: string, by: string): void
  /** Removes up to `max` ranges of places that have more than `kept`. Returns how many. */
  prune(kept: number, max: number): number
  inspect(): InspectedRows
}

const COLUMNS = 'consumer, topic, part, from_off, passed_by, since, sum'
const WIDTH = 7
const SELECT = `SELECT ${COLUMNS} FROM progress_range`
const PLACE = 'consumer = ? AND topic = ? AND part = ?'
const SELECT_LAST = `${SELECT} WHERE ${PLACE} AND from_off <= ? ORDER BY from_off DESC LIMIT 1`
const SELECT_CROWDED = `SELECT consumer, topic, part, count(*) FROM progress_range
  WHERE ${NO_SENTINEL} GROUP BY consumer, topic, part HAVING count(*) > ?`

export function createProgressRanges(sql: Statements): ProgressRanges {
  const insert = (values: readonly (string | number)[]): void =>
    sql.insert(`INSERT INTO progress_range (${COLUMNS})`, '', WIDTH, [
      ...values,
      rowChecksum(values),
    ])
  return {
    load() {
      for (const row of sql.all(SELECT)) assertIntact(row)
    },
    write(advances) {
      for (const { consumer, topic, partition, from, range } of advances) {
        if (!range || from === null) continue
        const place = [consumer, topic, partition]
        // After progress was taken back, what follows is passed again.
        sql.run(`DELETE FROM progress_range WHERE ${PLACE} AND from_off >= ?`, ...place, from)
        insert([...place, from, range.by, range.at])
      }
    },
    find({ consumer, topic, partition, offset }) {
      const row = sql.get(SELECT_LAST, consumer, topic, partition, offset)
      return row && rangeOf(row)
    },
    replace(consumer, by) {
      sql.run('DELETE FROM progress_range WHERE consumer = ?', consumer)
      const moved = sql.all(`${SELECT} WHERE consumer = ?`, by)
      sql.run('DELETE FROM progress_range WHERE consumer = ?', by)
      for (const row of moved) {
        assertIntact(row)
        insert([consumer, ...(row.slice(1, -1) as (string | number)[])])
      }
    },
    prune(kept, max) {
      let removed = 0
      for (const row of sql.all(SELECT_CROWDED, kept)) {
        const [consumer, topic, part, count] = row as [string, string, number, number]
        const surplus = Math.min(count - kept, max - removed)
        if (surplus <= 0) break
        sql.run(
          `DELETE FROM progress_range WHERE ${PLACE} AND from_off IN (SELECT from_off
             FROM progress_range WHERE ${PLACE} ORDER BY from_off LIMIT ?)`,
          consumer,
          topic,
          part,
          consumer,
          topic,
          part,
          surplus,
        )
        removed += surplus
      }
      return removed
    },
    inspect() {
      const rows = sql.all(`${SELECT} WHERE ${NO_SENTINEL}`)
      const damaged = rows
        .filter((row) => !isIntact(row))
        .map((row) => ({ key: nameOf(row), message: 'is not what was written' }))
      return { rows: rows.length, damaged }
    },
  }
}

const nameOf = (row: Columns): string => row.slice(0, 4).join('/')

const isIntact = (row: Columns): boolean =>
  rowChecksum(row.slice(0, -1) as (string | number)[]) === row[WIDTH - 1]

/** @throws Fault `DATA_DAMAGED` */
function assertIntact(row: Columns): void {
  if (!isIntact(row)) throw damagedTableFault('progress_range', nameOf(row))
}

function rangeOf(row: Columns): ProgressRange {
  assertIntact(row)
  const [consumer, topic, partition, offset] = row as [string, string, number, number]
  const [by, at] = row.slice(4) as [string, number]
  return { consumer, topic, partition, offset, by, at }
}
