import { yieldToEventLoop } from '../../base/time/clock.ts'
import type { EngineContext } from '../context/index.ts'
import type { ServicePlan } from '../plan/index.ts'
import { compareRowKeys, rowWrite, writeRows } from '../rows/index.ts'

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
  const sagas = groups
    .flatMap(({ consumers }) => consumers)
    .filter(({ rule }) => rule.kind === 'saga')
  const kept = [
    { table: tableNames.operations, index: 'at', keptMs: operationKeptMs },
    ...sagas.map(({ table }) => ({ table, index: 'closed', keptMs: sagaKeptMs })),
  ]
  for (const each of kept) if (each.keptMs > 0) await pruneTable(engine, each, signal)
}

interface KeptTable {
  readonly table: string
  /** The index of the time from which on a row is kept. */
  readonly index: string
  readonly keptMs: number
}

async function pruneTable(
  { backend: { store }, clock }: EngineContext,
  { table, index, keptMs }: KeptTable,
  signal: AbortSignal,
): Promise<void> {
  const where = { index, upTo: clock.now() - keptMs }
  while (!signal.aborted) {
    const rows = await store.scan({ table, where, limit: ROWS_PER_UNIT })
    if (rows.length === 0) return
    const removed = rows.map((row) => rowWrite(row, row, null)).toSorted(compareRowKeys)
    // A conflict means that a row has changed meanwhile: the next round looks again.
    if ((await writeRows(store, 'what is pruned', removed)) !== 'done') return
    await yieldToEventLoop(clock)
  }
}
