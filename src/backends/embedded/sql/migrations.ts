import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { idText, storedId } from './event-ids.ts'
import { INSERT_RECORD, RECORD_WIDTH } from './log-rows.ts'
import { TABLES_OF_FORMAT_2 } from './format-2.ts'
import { fromFormat2 } from './from-format-2.ts'
import { fromFormat3 } from './from-format-3.ts'
import { FORMAT, ROW_COLUMNS } from './schema.ts'
import type { Statements } from './statements.ts'
import { createStatements, transaction } from './statements.ts'
import {
  nextChain,
  rowChecksum,
  tableRowChecksum,
  streamEntryChecksum,
  recordChecksum,
} from './checksums.ts'
import { writeCatalogChecksum } from './catalog-checksum.ts'
import { insertSentinelRows, insertTableSentinel } from './sentinel-rows.ts'

/** Migrations by the format that they start from. Released ones never change. */
const MIGRATIONS: Readonly<Record<number, (db: DatabaseSync, sql: Statements) => void>> = {
  1: fromFormat1,
  2: fromFormat2,
  3: fromFormat3,
}

/** Migrates an older database, one transaction per format. Returns whether it was older. */
export function migrate(db: DatabaseSync): boolean {
  const format = Number(Object.values(db.prepare('PRAGMA user_version').get() ?? {})[0])
  for (let from = format; from < FORMAT; from += 1)
    transaction(db, () => {
      MIGRATIONS[from]?.(db, createStatements({ db: () => db }))
      db.exec(`PRAGMA user_version = ${from + 1}`)
    })
  return format < FORMAT
}

/** Format 2 adds checksums, chains, topic settings and expired counts, and drops rowids. */
function fromFormat1(db: DatabaseSync, sql: Statements): void {
  for (const table of ['topic', 'head', 'log', 'progress', 'stream'])
    db.exec(`ALTER TABLE ${table} RENAME TO ${table}_1`)
  db.exec('DROP INDEX log_place; DROP INDEX log_id')
  db.exec(TABLES_OF_FORMAT_2)
  insertSentinelRows(sql)
  db.exec(`INSERT INTO topic SELECT id, name, partitions, strategy, '{}' FROM topic_1`)
  copyLog(sql)
  copyProgress(sql)
  copyStreams(sql)
  for (const [id] of sql.all('SELECT id FROM tbl') as [number][]) copyTable(db, sql, id)
  for (const table of ['log', 'head', 'topic', 'progress', 'stream'])
    db.exec(`DROP TABLE ${table}_1`)
  writeCatalogChecksum(sql)
}

const INSERT_HEAD = 'INSERT INTO head (topic, part, first, next, base, chain, stored, sum)'

interface Ending {
  next: number
  chain: number
  storedAt: number
}

/** Format 1 has no storage time, so records get the time at which they happened. */
function copyLog(sql: Statements): void {
  const ends = new Map<string, Ending>()
  let last = 0
  for (;;) {
    const rows = sql.all(
      `SELECT position, topic, part, off, id, key, type, at, head, data FROM log_1
       WHERE position > ? ORDER BY position LIMIT 1000`,
      last,
    )
    if (rows.length === 0) break
    const values: SQLInputValue[] = []
    for (const row of rows) {
      const [position, topic, partition, offset] = row as [number, number, number, number]
      const [key, type, at, head, data] = row.slice(5) as [string, string, number, string, string]
      const place = `${topic}/${partition}`
      const end = ends.get(place) ?? { next: 0, chain: 0, storedAt: 0 }
      ends.set(place, end)
      end.next = offset + 1
      end.storedAt = Math.max(end.storedAt, at)
      const id = idText(row[4])
      const { storedAt } = end
      const record = { position, partition, offset, id, key, type, at, storedAt, head, data }
      const sum = recordChecksum(topic, record)
      end.chain = nextChain(end.chain, sum)
      values.push(position, topic, partition, offset, storedId(id), key, type, at, storedAt)
      values.push(sum, end.chain, head, data, null)
      last = position
    }
    sql.insert(INSERT_RECORD, '', RECORD_WIDTH, values)
  }
  const heads = sql.all('SELECT topic, part, first, next FROM head_1') as readonly number[][]
  const values = heads.flatMap(([topic = 0, partition = 0, first = 0, next = 0]) => {
    const { chain = 0, storedAt = 0 } = ends.get(`${topic}/${partition}`) ?? {}
    const row = [topic, partition, first, next, 0, chain, storedAt]
    return [...row, rowChecksum(row)]
  })
  sql.insert(INSERT_HEAD, '', 8, values)
}

function copyProgress(sql: Statements): void {
  const rows = sql.all(
    'SELECT consumer, topic, part, next, accepted, completed, pending FROM progress_1',
  ) as readonly (readonly (string | number)[])[]
  const columns = 'consumer, topic, part, next, accepted, completed, pending, expired, sum'
  const values = rows.flatMap((row) => [...row, 0, rowChecksum([...row, 0])])
  const counts = [0, 0, rows.length, 0, 0, 0, 0]
  sql.insert(INSERT_HEAD, '', 8, [...counts, rowChecksum(counts)])
  sql.insert(`INSERT INTO progress (${columns})`, '', 9, values)
}

function copyStreams(sql: Statements): void {
  let after: SQLInputValue[] = [0, '', 0]
  for (;;) {
    const rows = sql.all(
      `SELECT tbl, key, version, position FROM stream_1 WHERE (tbl, key, version) > (?, ?, ?)
       ORDER BY tbl, key, version LIMIT 1000`,
      ...after,
    ) as [number, string, number, number][]
    if (rows.length === 0) return
    sql.insert(
      'INSERT INTO stream (tbl, key, version, position, sum)',
      '',
      5,
      rows.flatMap((row) => [...row, streamEntryChecksum(...row)]),
    )
    after = (rows.at(-1) as [number, string, number, number]).slice(0, 3)
  }
}

/** Copies a service's table: adds checksums and recreates its indexes. */
function copyTable(db: DatabaseSync, sql: Statements, id: number): void {
  const columns = sql.all('SELECT col FROM idx WHERE tbl = ? ORDER BY length(col), col', id)
  const names = columns.map(([name]) => name as string)
  for (const name of names) db.exec(`DROP INDEX t${id}_${name}`)
  db.exec(`ALTER TABLE t${id} RENAME TO t${id}_1`)
  db.exec(`CREATE TABLE t${id} (${ROW_COLUMNS}) STRICT, WITHOUT ROWID`)
  for (const name of names) db.exec(`ALTER TABLE t${id} ADD COLUMN ${name} ANY`)
  insertTableSentinel(sql, id)
  const listed = names.map((name) => `, ${name}`).join('')
  let after: string | null = null
  for (;;) {
    const rows = sql.all(
      `SELECT key, version, body${listed} FROM t${id}_1 WHERE ?1 IS NULL OR key > ?1
       ORDER BY key LIMIT 1000`,
      after,
    ) as readonly (readonly SQLInputValue[])[]
    if (rows.length === 0) break
    const values = rows.flatMap(([key, version, body, ...indexed]) => {
      const sum = tableRowChecksum(id, key as string, version as number, body as string, indexed)
      return [key as string, version as number, body as string, sum, ...indexed]
    })
    const head = `INSERT INTO t${id} (key, version, body, sum${listed})`
    sql.insert(head, '', 4 + names.length, values)
    after = rows.at(-1)?.[0] as string
  }
  db.exec(`DROP TABLE t${id}_1`)
  for (const name of names)
    db.exec(`CREATE INDEX t${id}_${name} ON t${id} (${name}, key) WHERE ${name} IS NOT NULL`)
}
