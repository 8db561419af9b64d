import { yieldToEventLoop } from '../../base/time/clock.ts'
import type { EngineContext } from '../context/index.ts'
import type { RowWrite, ScannedRow } from '../../ports/event-store.ts'
import type { SagaInstanceRow } from '../execution/index.ts'
import { operationIdIn } from '../execution/index.ts'
import type { ServicePlan } from '../plan/index.ts'
import { compareRowKeys, rowWrite, scanPages, writeRows } from '../rows/index.ts'

/** Rows that one unit removes. */
const ROWS_PER_UNIT = 500

/**
 * Removes what is kept for a time only: results of operations, finished saga instances, statuses that
 * are completed or discarded, and old progress ranges. What is unfinished is never removed.
 */
export async function prune(engine: EngineContext, signal: AbortSignal): Promise<void> {
  await pruneLedger(engine, signal)
  for (const service of engine.plan.services) await pruneService(engine, service, signal)
}

async function pruneLedger(
  { backend, clock, options }: EngineContext,
  signal: AbortSignal,
): Promise<void> {
  const { statusKeptMs, progressRangesMax: rangesMax } = options
  const statusesBefore = statusKeptMs === 0 ? 0 : clock.now() - statusKeptMs
  while (!signal.aborted) {
    const removed = await backend.store.pruneLedger({ statusesBefore, rangesMax })
    if (removed === 0) return
    await yieldToEventLoop(clock)
  }
}

async function pruneService(
  engine: EngineContext,
  { tableNames, groups }: ServicePlan,
  signal: AbortSignal,
): Promise<void> {
  const { operationKeptMs, sagaKeptMs } = engine.options
  const kept: readonly KeptTable[] = [
    {
      table: tableNames.operations,
      index: 'at',
      keptMs: operationKeptMs,
      isOpen: createIsOpenOperation(engine),
    },
    ...sagaTables(groups).map((table) => ({ table, index: 'closed', keptMs: sagaKeptMs })),
  ]
  for (const each of kept) if (each.keptMs > 0) await pruneTable(engine, each, signal)
}

interface KeptTable {
  readonly table: string
  /** The index of the time from which on a row is kept. */
  readonly index: string
  readonly keptMs: number
  /** Whether a row is about something that is not finished yet. */
  readonly isOpen?: (key: string) => Promise<boolean>
}

const sagaTables = (groups: ServicePlan['groups']): readonly string[] =>
  groups
    .flatMap(({ consumers }) => consumers)
    .flatMap(({ rule, table }) => (rule.kind === 'saga' ? [table] : []))

const isOpenInstance = ({ body }: ScannedRow): boolean =>
  (JSON.parse(body) as SagaInstanceRow).is === 'open'

/** An operation is open while a saga is that it has begun. */
function createIsOpenOperation({
  backend: { store },
  plan,
}: EngineContext): (key: string) => Promise<boolean> {
  const tables = plan.services.flatMap(({ groups }) => sagaTables(groups))
  return async (key) => {
    const where = { index: 'operation', equals: operationIdIn(key) }
    for (const table of tables)
      for await (const rows of scanPages(store, { table, where, limit: ROWS_PER_UNIT }))
        if (rows.some(isOpenInstance)) return true
    return false
  }
}

async function pruneTable(
  { backend: { store }, clock }: EngineContext,
  { table, index, keptMs, isOpen }: KeptTable,
  signal: AbortSignal,
): Promise<void> {
  const where = { index, upTo: clock.now() - keptMs }
  for await (const rows of scanPages(store, { table, where, limit: ROWS_PER_UNIT })) {
    if (signal.aborted) return
    const removed: RowWrite[] = []
    for (const row of rows) if (!(await isOpen?.(row.key))) removed.push(rowWrite(row, row, null))
    if (removed.length === 0) continue
    // A conflict means that a row has changed meanwhile: the next round looks again.
    const written = await writeRows(store, 'what is pruned', removed.toSorted(compareRowKeys))
    if (written !== 'done') return
    await yieldToEventLoop(clock)
  }
}
