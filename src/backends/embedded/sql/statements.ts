import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { DatabaseHandle } from './database-handle.ts'

/** A row as an array of its columns. */
export type Columns = readonly unknown[]

/** Runs SQL on one database; each statement is prepared once. */
export interface Statements {
  run(sql: string, ...values: SQLInputValue[]): void
  get(sql: string, ...values: SQLInputValue[]): Columns | undefined
  all(sql: string, ...values: SQLInputValue[]): readonly Columns[]
  /**
   * Inserts many rows of `width` values each, `ROWS_PER_INSERT` per statement. `head` is the SQL before
   * the values, `tail` the SQL after them; `values` lists one row after another.
   */
  insert(head: string, tail: string, width: number, values: readonly SQLInputValue[]): void
}

/** 25 to 50 measured fastest; more only makes the statement larger. */
const ROWS_PER_INSERT = 25

/** The SQL of one shape of insert: for many rows, and for one. */
interface Inserts {
  readonly many: string
  readonly one: string
}

export function createStatements(database: Pick<DatabaseHandle, 'db'>): Statements {
  let last: DatabaseSync | undefined
  const prepared = new Map<string, StatementSync>()
  const inserts = new Map<string, Inserts>()
  const prepare = (sql: string): StatementSync => {
    const db = database.db()
    if (db !== last) prepared.clear()
    last = db
    const known = prepared.get(sql)
    if (known) return known
    const statement = db.prepare(sql)
    statement.setReturnArrays(true)
    prepared.set(sql, statement)
    return statement
  }
  const insertsOf = (head: string, tail: string, width: number): Inserts => {
    const shape = `${head}${tail}`
    const known = inserts.get(shape)
    if (known) return known
    const row = `(${Array.from({ length: width }, () => '?').join(',')})`
    const rows = Array.from({ length: ROWS_PER_INSERT }, () => row).join(',')
    const made = { many: `${head} VALUES ${rows} ${tail}`, one: `${head} VALUES ${row} ${tail}` }
    inserts.set(shape, made)
    return made
  }
  return {
    run: (sql, ...values) => void prepare(sql).run(...values),
    get: (sql, ...values) => prepare(sql).get(...values) as Columns | undefined,
    all: (sql, ...values) => prepare(sql).all(...values) as unknown as readonly Columns[],
    insert(head, tail, width, values) {
      const { many, one } = insertsOf(head, tail, width)
      const step = ROWS_PER_INSERT * width
      let at = 0
      for (; at + step <= values.length; at += step)
        prepare(many).run(...values.slice(at, at + step))
      for (; at < values.length; at += width) prepare(one).run(...values.slice(at, at + width))
    },
  }
}

/** Runs in one transaction: committed when it returns, rolled back when it throws. */
export function transaction<T>(db: DatabaseSync, run: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = run()
    db.exec('COMMIT')
    return result
  } catch (cause) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw cause
  }
}
