// Runs a million events through a consumer of each kind, and counts the rows that are left.
//
//   npm run bench:bounded -- [--events N] [--directory D]
//
// Everything that the engine keeps for a time is pruned at once. The log, the streams of entities and the
// index of conversations keep their rows for as long as the log keeps its records, so they are only printed.
// Exits with 1 if another table has more rows than its limit.
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { embedded } from 'throughline/embedded'
import { createScratchDirectory } from '../../src/bench/scratch-directory.ts'
import type { App } from 'throughline'
import { start } from 'throughline'
import type { EventStore } from 'throughline/backend'
import type { Finding } from '../findings.ts'
import { reportFindings } from '../findings.ts'
import { machineOf, machineText } from '../machine.ts'
import { CUSTOMERS, EVENTS_PER_ORDER, createShipping, orderOf } from './shipping.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    directory: { type: 'string', default: tmpdir() },
  },
})
const orders = Math.ceil(Number(values.events) / EVENTS_PER_ORDER)

const RANGES_MAX = 10
const CHECK_MS = 200
const ENGINE = {
  retentionCheckMs: CHECK_MS,
  operationKeptMs: 1,
  sagaKeptMs: 1,
  statusKeptMs: 1,
  progressRangesMax: RANGES_MAX,
} as const
const HOOKS = {
  onRuleError: () => undefined,
  onSlowRule: () => undefined,
  onSlowUnits: () => undefined,
}

const CONSUMERS = 4
const TOPICS = 4
const PARTITIONS = 8
const READ = CONSUMERS * TOPICS * PARTITIONS

/** The most rows of each table. Tables without a limit grow with the log. */
const ROWS_MAX: Readonly<Record<string, number>> = {
  'orders.customer': CUSTOMERS,
  'orders.counts': CUSTOMERS,
  // Saga instances that have finished are pruned.
  'orders.shipping': 0,
  'orders.operations': 0,
  'orders.timers': 0,
  'orders.holds': 0,
  'orders.held': 0,
  'orders.control': 64,
  'orders.snapshots': 0,
  'throughline.catalog': 64,
  'throughline.clock': 1_000,
  progress: READ,
  progress_range: READ * RANGES_MAX,
  status: 0,
  subscription: READ,
  topic: TOPICS + 1,
  head: (TOPICS + 2) * PARTITIONS,
  lease: READ,
  damage: 0,
  meta: 16,
  tbl: 64,
  idx: 64,
}

/** Tables that keep their rows for as long as the log keeps its records. */
const GROWING: ReadonlySet<string> = new Set(['log', 'stream', 'conversation', 'archive'])

/** Events that may be in the log and unread. */
const BACKLOG_MAX = 20_000
const BATCH = 500

async function produce(app: App): Promise<void> {
  for (let from = 0; from < orders; from += BATCH) {
    const count = Math.min(BATCH, orders - from)
    await app.append(Array.from({ length: count }, (_, at) => orderOf(from + at)))
    while ((await app.status()).some(({ lag }) => lag > BACKLOG_MAX)) await pause(5)
    if (from % (100 * BATCH) === 0) process.stderr.write(`${from} of ${orders} orders\n`)
  }
  await app.settled()
}

const PAGE = 10_000

async function countRows(store: EventStore, table: string): Promise<number> {
  let count = 0
  let after: string | undefined
  do {
    const page = await store.inspect?.(table, after, PAGE)
    count += page?.rows ?? 0
    after = page?.after
  } while (after !== undefined)
  return count
}

async function countLimited(store: EventStore): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const table of (await store.tables?.()) ?? [])
    if (table in ROWS_MAX) counts.set(table, await countRows(store, table))
  return counts
}

/** Waits for the pruning: until the tables are within their limits, or for a while. */
async function untilPruned(store: EventStore): Promise<ReadonlyMap<string, number>> {
  for (let look = 0; ; look += 1) {
    const counts = await countLimited(store)
    const isWithin = [...counts].every(([table, rows]) => rows <= (ROWS_MAX[table] ?? 0))
    if (isWithin || look === LOOKS_MAX) return counts
    await pause(CHECK_MS)
  }
}

const LOOKS_MAX = 50

/** The tables of the backend itself; those of services have a number in place of a name. */
function rowsInDatabase(file: string): ReadonlyMap<string, number> {
  using db = new DatabaseSync(file, { readOnly: true })
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
  return new Map(
    tables
      .map(({ name }) => String(name))
      .filter((name) => !/^t\d+$|^sqlite_/.test(name))
      .map((name) => {
        const { rows } = db.prepare(`SELECT count(*) AS rows FROM "${name}"`).get() ?? {}
        return [name, Number(rows)]
      }),
  )
}

mkdirSync(values.directory, { recursive: true })
{
  using scratch = createScratchDirectory(values.directory)
  console.log(`${machineText(machineOf())}\n`)
  const backend = embedded({ directory: join(scratch.path, 'data') })
  const app = await start(createShipping(), backend, { engine: ENGINE, ...HOOKS })
  const beganAt = performance.now()
  await produce(app)
  const seconds = (performance.now() - beganAt) / 1_000
  const limited = await untilPruned(backend.store)
  const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
  const events = orders * EVENTS_PER_ORDER
  console.log(`${grouped.format(events)} events in ${seconds.toFixed(0)} s\n`)
  const peakMb = process.resourceUsage().maxRSS / 1_000
  await app.stop()
  const inDatabase = rowsInDatabase(join(scratch.path, 'data', 'throughline.db'))
  const all = [...new Map([...inDatabase, ...limited])]
  const growing = all.filter(([table]) => GROWING.has(table))
  for (const [table, rows] of growing)
    console.log(`grows   rows of ${table}: ${rows}, as long as the log keeps its records`)
  reportFindings([
    ...all
      .filter(([table]) => !GROWING.has(table))
      .map(([table, found]): Finding => {
        return { what: `rows of ${table}`, found, limit: { max: ROWS_MAX[table] ?? 0 } }
      }),
    { what: 'MB of memory at most', found: peakMb, limit: { max: 400 } },
  ])
}
