import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

/** A row as the columns of a statement give it. */
export type Columns = readonly unknown[]

/** Statements of one database, prepared once each. */
export interface Statements {
  run(sql: string, ...values: SQLInputValue[]): void
  get(sql: string, ...values: SQLInputValue[]): Columns | undefined
  all(sql: string, ...values: SQLInputValue[]): readonly Columns[]
  /**
   * Inserts many rows, `ROWS_PER_INSERT` with each statement. `head` is everything before the
   * values, `tail` what follows them.
   */
  insert(head: string, tail: string, rows: readonly (readonly SQLInputValue[])[]): void
}

/** Measured best between 25 and 50; more only grow the statement. */
const ROWS_PER_INSERT = 25

export function statementsOf(db: DatabaseSync): Statements {
  const prepared = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql)
    if (known) return known
    const statement = db.prepare(sql)
    statement.setReturnArrays(true)
    prepared.set(sql, statement)
    return statement
  }
  return {
    run: (sql, ...values) => void prepare(sql).run(...values),
    get: (sql, ...values) => prepare(sql).get(...values) as Columns | undefined,
    all: (sql, ...values) => prepare(sql).all(...values) as unknown as readonly Columns[],
    insert(head, tail, rows) {
      const width = rows[0]?.length ?? 0
      const one = `(${Array.from({ length: width }, () => '?').join(',')})`
      const many = `${head} VALUES ${Array.from({ length: ROWS_PER_INSERT }, () => one).join(',')} ${tail}`
      const single = `${head} VALUES ${one} ${tail}`
      let at = 0
      for (; at + ROWS_PER_INSERT <= rows.length; at += ROWS_PER_INSERT)
        prepare(many).run(...rows.slice(at, at + ROWS_PER_INSERT).flat())
      for (; at < rows.length; at += 1) prepare(single).run(...(rows[at] ?? []))
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
