// The bare loop: inserts the rows that the engine has stored into empty tables with the same columns
// and indexes, as fast as `node:sqlite` can. The rows are in memory; nothing is validated, encoded or
// looked up. The schema is read from the engine's file, whatever its format is.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { SQLInputValue } from 'node:sqlite'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { latencyMetrics } from '../../src/bench/metrics.ts'
import { startMeasuredSystem } from '../../src/bench/running-system.ts'

/** The best value in measurements of the engine. */
const ROWS_PER_INSERT = 25
/** The part of the rows that is inserted before the measurement. */
const WARM_UP = 0.2

type Row = readonly SQLInputValue[]

/** A table that grows with each event, with its rows. */
interface Table {
  readonly name: string
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
}

interface SourceLog {
  readonly directory: string
  readonly events: number
}

/** Lets the engine store events, to have rows for the loops. */
async function make({ directory, events }: SourceLog): Promise<void> {
  const flow = await startMeasuredSystem({ directory, path: 'nothing' })
  const batch = 1_000
  for (let from = 0; from < events; from += batch) await flow.publish(from, batch)
  await flow.app.stop()
}

interface Source extends SourceLog {
  /** The directory for the loop's database. */
  readonly into: string
}

interface Loop {
  readonly tables: readonly Table[]
  /** Inserts rows in one transaction, synced at its end. */
  readonly commit: (from: number, count: number) => void
  readonly close: () => void
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

function fileOf(directory: string): string {
  const file = readdirSync(directory).find((name) => name.endsWith('.db'))
  if (file === undefined) throw new Error(`${directory} holds no database`)
  return join(directory, file)
}

function tablesIn(source: DatabaseSync, events: number): readonly Table[] {
  const names = source.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  return names
    .map(({ name }) => String(name))
    .filter((name) => {
      const [count] = Object.values(source.prepare(`SELECT count(*) FROM ${quoted(name)}`).get()!)
      return Number(count) >= events
    })
    .map((name) => {
      const all = source.prepare(`SELECT * FROM ${quoted(name)}`)
      const columns = all.columns().map((column) => column.name)
      all.setReturnArrays(true)
      return { name, columns, rows: all.all() as unknown as readonly Row[] }
    })
}

/** Creates the same tables and indexes, with the page size and settings of the engine. */
function openLoop({ directory, events, into }: Source): Loop {
  const source = new DatabaseSync(fileOf(directory), { readOnly: true })
  const tables = tablesIn(source, events)
  if (tables.length === 0) throw new Error('no table of the engine grows with its events')
  const [pageBytes] = Object.values(source.prepare('PRAGMA page_size').get()!)
  const db = new DatabaseSync(join(into, 'bare.db'))
  db.exec(`PRAGMA page_size = ${String(pageBytes)}; PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 2048`)
  const made = source.prepare(
    `SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND type IN ('table', 'index')
     AND sql IS NOT NULL ORDER BY type DESC`,
  )
  for (const { name } of tables) for (const { sql } of made.all(name)) db.exec(String(sql))
  source.close()
  const inserts = tables.map((table) => insertOf(db, table))
  return {
    tables,
    commit(from, count) {
      db.exec('BEGIN IMMEDIATE')
      for (const insert of inserts) insert(from, count)
      db.exec('COMMIT')
    },
    close: () => db.close(),
  }
}

function insertOf(db: DatabaseSync, table: Table): (from: number, count: number) => void {
  const { name, columns, rows } = table
  const one = `(${columns.map(() => '?').join(',')})`
  const head = `INSERT INTO ${quoted(name)} (${columns.map(quoted).join(',')}) VALUES`
  const single = db.prepare(`${head} ${one}`)
  const many = db.prepare(`${head} ${Array(ROWS_PER_INSERT).fill(one).join(',')}`)
  return (from, count) => {
    let at = from
    for (; at + ROWS_PER_INSERT <= from + count; at += ROWS_PER_INSERT)
      many.run(...rows.slice(at, at + ROWS_PER_INSERT).flat())
    for (; at < from + count; at += 1) single.run(...(rows[at] ?? []))
  }
}

const cpuSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** One transaction after another, each of `batch` rows. */
async function append(options: Source & { readonly batch: number }): Promise<Metrics> {
  const { events, batch } = options
  const loop = openLoop(options)
  const latenciesMs: number[] = []
  const measuredFrom = events * WARM_UP
  let beganAt = 0
  let cpuBefore = process.cpuUsage()
  for (let from = 0; from + batch <= events; from += batch) {
    const at = performance.now()
    if (from < measuredFrom) [beganAt, cpuBefore] = [at, process.cpuUsage()]
    loop.commit(from, batch)
    if (from >= measuredFrom) latenciesMs.push(performance.now() - at)
  }
  const measured = latenciesMs.length * batch
  const perSecond = (measured / (performance.now() - beganAt)) * 1_000
  const cpuUs = cpuSince(cpuBefore) / measured
  loop.close()
  return { perSecond, cpuUs, ...latencyMetrics('ack', latenciesMs) }
}

/** `callers` concurrent callers with one row each; all waiting callers share a transaction. */
async function group(options: Source & { readonly callers: number }): Promise<Metrics> {
  const { events, callers } = options
  const loop = openLoop(options)
  const latenciesMs: number[] = []
  let waiting: (() => void)[] = []
  let [taken, committed] = [0, 0]
  const put = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (waiting.length === 0) void turn().then(flush)
    waiting.push(resolve)
    return promise
  }
  const flush = (): void => {
    const done = waiting
    waiting = []
    loop.commit(committed, done.length)
    committed += done.length
    for (const resolve of done) resolve()
  }
  const measuredFrom = events * WARM_UP
  let beganAt = 0
  let cpuBefore = process.cpuUsage()
  const caller = async (): Promise<void> => {
    while (taken < events) {
      const number = taken++
      const at = performance.now()
      if (number < measuredFrom) [beganAt, cpuBefore] = [at, process.cpuUsage()]
      await put()
      if (number >= measuredFrom) latenciesMs.push(performance.now() - at)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const perSecond = (latenciesMs.length / (performance.now() - beganAt)) * 1_000
  const cpuUs = cpuSince(cpuBefore) / latenciesMs.length
  loop.close()
  return { perSecond, cpuUs, ...latencyMetrics('ack', latenciesMs) }
}

serveMeasures({ make, append, group })
