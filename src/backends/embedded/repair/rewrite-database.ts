import { renameSync, rmSync } from 'node:fs'
import type { SQLInputValue } from 'node:sqlite'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { DataFiles } from '../files/index.ts'
import { hasWal, lockDirectory, syncDirectory } from '../files/index.ts'
import type { TopicHeads } from '../log/index.ts'
import {
  RECORD_COLUMNS,
  RECORD_WIDTH,
  isIntact,
  decodeRecord,
  isCorrupt,
  isUniqueViolation,
  withDamageFault,
  PAGE_BYTES,
  createStatements,
} from '../sql/index.ts'
import type { ScannedLogRow } from './salvage.ts'
import { createLogRowReader } from './salvage.ts'
import type { Columns } from '../sql/index.ts'

/** A table, index or trigger of the database. */
interface SchemaObject {
  readonly type: string
  readonly name: string
  readonly sql: string
}

/**
 * Rewrites the database with all intact records; of two with the same place, one stays. Needed where
 * pages of the log are unreadable or misplaced: such a database cannot be changed, and its free pages
 * are unknown. All other tables must be readable. The old database stays until the new one is synced.
 *
 * @throws Fault `DATA_DAMAGED` where that is impossible; nothing has changed then
 */
export function rewriteDatabase(files: DataFiles, clock: Clock, heads: TopicHeads): void {
  const made = `${files.database}.made`
  const ownership = lockDirectory(files, clock.now())
  try {
    for (const left of [made, `${made}-journal`]) rmSync(left, { force: true })
    copyAll(files.database, made, heads)
    // SQLite would apply the write-ahead log of the old database to the new one.
    if (hasWal(files.database)) throw new Error(`another process has ${files.database} open`)
    renameSync(made, files.database)
    syncDirectory(files.directory)
  } catch (cause) {
    rmSync(made, { force: true })
    if (!isCorrupt(cause) && !isUniqueViolation(cause)) throw cause
    const detail = 'the log cannot be rewritten from its readable records: run throughline salvage'
    throw new Fault('DATA_DAMAGED', { detail, cause })
  } finally {
    ownership.release()
  }
}

function copyAll(from: string, to: string, heads: TopicHeads): void {
  const db = new DatabaseSync(from, { timeout: 0 })
  const made = new DatabaseSync(to)
  try {
    const declared = db
      .prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
      .all() as unknown as readonly SchemaObject[]
    const isTable = ({ type }: SchemaObject): boolean => type === 'table'
    made.exec(`PRAGMA page_size = ${PAGE_BYTES}; ${identityOf(db)}`)
    for (const { sql } of declared.filter(isTable)) made.exec(sql)
    const others = declared.filter((each) => isTable(each) && each.name !== 'log')
    copyTables(from, made, others)
    made.exec('BEGIN')
    copyLog(createLogRowReader(db, from).rows(), made, heads)
    for (const { sql } of declared.filter((each) => !isTable(each))) made.exec(sql)
    made.exec('COMMIT')
  } finally {
    made.close()
    db.close()
  }
}

function identityOf(db: DatabaseSync): string {
  return ['application_id', 'user_version']
    .map((name) => `PRAGMA ${name} = ${String(db.prepare(`PRAGMA ${name}`).get()?.[name])};`)
    .join(' ')
}

/** Copies inside SQLite, since a key may be bytes that no JavaScript string has. */
function copyTables(from: string, made: DatabaseSync, tables: readonly SchemaObject[]): void {
  made.prepare('ATTACH ? AS old').run(from)
  made.exec('BEGIN')
  for (const { name } of tables) {
    const table = `"${name.replaceAll('"', '""')}"`
    withDamageFault(`the table ${name}`, () =>
      made.exec(`INSERT INTO main.${table} SELECT * FROM old.${table}`),
    )
  }
  made.exec('COMMIT; DETACH old')
}

/** Rows that are written at once. */
const ROWS_PER_STEP = 1_000

function copyLog(rows: Iterable<ScannedLogRow>, made: DatabaseSync, heads: TopicHeads): void {
  const sql = createStatements({ db: () => made })
  made.exec('CREATE UNIQUE INDEX one_of_each ON log (topic, part, off)')
  const insert = `INSERT OR IGNORE INTO log (${RECORD_COLUMNS.replaceAll('log.', '')})`
  const isKept = intactRowsOf(heads)
  let values: SQLInputValue[] = []
  const write = (): void => {
    sql.insert(insert, '', RECORD_WIDTH, values)
    values = []
  }
  for (const found of rows) {
    if (found.kind !== 'row' || !isKept(found.row)) continue
    values.push(...(found.row as readonly SQLInputValue[]))
    if (values.length >= ROWS_PER_STEP * RECORD_WIDTH) write()
  }
  write()
  made.exec('DROP INDEX one_of_each')
}

/** Returns a check whether a row is intact and its place is inside its partition. */
function intactRowsOf(heads: TopicHeads): (row: Columns) => boolean {
  const topics = new Map(heads.all().map(({ id, heads: partitions }) => [id, partitions]))
  return (row) => {
    const stored = decodeRecord(row, '')
    const { partition, offset } = stored.record
    const head = topics.get(stored.topic)?.[partition]
    return head !== undefined && head.first <= offset && offset < head.next && isIntact(stored)
  }
}
