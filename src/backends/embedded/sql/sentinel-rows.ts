import { damagedTableFault } from './sqlite-errors.ts'
import type { Statements } from './statements.ts'
import { tableRowChecksum, streamEntryChecksum } from './checksums.ts'

/**
 * Ids that no topic and no table has. Tables in which a missing row is normal contain one sentinel row
 * with them: where the pages of such a table were replaced or zeroed, the sentinel is missing.
 */
const SENTINEL = { topic: 0, table: 0 }

/** Inserts the sentinel rows of new system tables; inside a transaction. */
export function insertSentinelRows(sql: Statements): void {
  const { topic, table } = SENTINEL
  sql.run(
    `INSERT INTO stream (tbl, key, version, position, sum) VALUES (?, '', 0, 0, ?)`,
    table,
    streamEntryChecksum(table, '', 0, 0),
  )
  sql.run(
    `INSERT INTO archive (topic, part, from_off, to_off, file, at_byte, bytes, sha, records)
     VALUES (?, 0, 0, 0, '', 0, 0, x'', 0)`,
    topic,
  )
}

/**
 * Checks the sentinel rows. Otherwise entities with lost streams would be treated as new, and archived
 * records as compacted.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function assertSentinelRows(sql: Statements): void {
  const { topic, table } = SENTINEL
  const stream = sql.get(`SELECT sum FROM stream WHERE tbl = ? AND key = '' AND version = 0`, table)
  if (stream?.[0] !== streamEntryChecksum(table, '', 0, 0))
    throw damagedTableFault('stream', 'its sentinel row')
  const archive = sql.get(
    `SELECT file FROM archive WHERE topic = ? AND part = 0 AND from_off = 0`,
    topic,
  )
  if (archive?.[0] !== '') throw damagedTableFault('archive', 'its sentinel row')
}

/** A key that no row of a service can have: a byte that is not in any UTF-8, and sorts last. */
export const SENTINEL_KEY = "CAST(x'ff' AS TEXT)"

/** Gives the table of a service its sentinel row; inside a transaction. */
export function insertTableSentinel(sql: Statements, id: number): void {
  const insert = `INSERT INTO t${id} (key, version, body, sum) VALUES (${SENTINEL_KEY}, 0, '', ?)`
  sql.run(insert, tableSentinelChecksum(id))
}

/** @throws Fault `DATA_DAMAGED` where the pages of the table are those of another one, or of none */
export function assertTableSentinel(sql: Statements, id: number, name: string): void {
  const row = sql.get(`SELECT sum FROM t${id} WHERE key = ${SENTINEL_KEY}`)
  if (row?.[0] !== tableSentinelChecksum(id)) throw damagedTableFault(name, 'its sentinel row')
}

const tableSentinelChecksum = (id: number): number => tableRowChecksum(id, '', 0, '', [])
