import { damagedTable } from './results.ts'
import type { Statements } from './statements.ts'
import { stateSum, streamSum } from './sums.ts'

/**
 * The tables in which a row that is missing says nothing have one of their own, of no topic and no
 * table of a service: where their pages are those of another table, or of none, it is not there.
 */
const OWN = { topic: 0, table: 0 }

/** Of new tables; inside a transaction. */
export function insertOwnRows(sql: Statements): void {
  const { topic, table } = OWN
  sql.run(
    `INSERT INTO stream (tbl, key, version, position, sum) VALUES (?, '', 0, 0, ?)`,
    table,
    streamSum(table, '', 0, 0),
  )
  sql.run(
    `INSERT INTO archive (topic, part, from_off, to_off, file, at_byte, bytes, sha, records)
     VALUES (?, 0, 0, 0, '', 0, 0, x'', 0)`,
    topic,
  )
}

/**
 * Streams of entities that read as empty would be decided anew, and what an archive holds would
 * read as if compaction had taken it.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function mustHaveOwnRows(sql: Statements): void {
  const { topic, table } = OWN
  const stream = sql.get(`SELECT sum FROM stream WHERE tbl = ? AND key = '' AND version = 0`, table)
  if (stream?.[0] !== streamSum(table, '', 0, 0)) throw damagedTable('stream', 'its sentinel row')
  const archive = sql.get(
    `SELECT file FROM archive WHERE topic = ? AND part = 0 AND from_off = 0`,
    topic,
  )
  if (archive?.[0] !== '') throw damagedTable('archive', 'its sentinel row')
}

/**
 * A key that no row of a service can have: a byte that no UTF-8 has, which sorts after all of them.
 */
export const SENTINEL_KEY = "CAST(x'ff' AS TEXT)"

/** Gives the table of a service its sentinel row; inside a transaction. */
export function insertTableSentinel(sql: Statements, id: number): void {
  const insert = `INSERT INTO t${id} (key, version, body, sum) VALUES (${SENTINEL_KEY}, 0, '', ?)`
  sql.run(insert, tableSentinelChecksum(id))
}

/** @throws Fault `DATA_DAMAGED` where the pages of the table are those of another one, or of none */
export function assertTableSentinel(sql: Statements, id: number, name: string): void {
  const row = sql.get(`SELECT sum FROM t${id} WHERE key = ${SENTINEL_KEY}`)
  if (row?.[0] !== tableSentinelChecksum(id)) throw damagedTable(name, 'its sentinel row')
}

const tableSentinelChecksum = (id: number): number => stateSum(id, '', 0, '', [])
