import type { EngineContext } from '../context/index.ts'
import { createTaskLease, supervise } from '../context/index.ts'
import { prune } from './pruning.ts'
import { createRetention } from './retention.ts'

const TASK = 'throughline/maintenance'
/** A stored name: that of the first version. */
const LEASE = 'throughline/upkeep'

/**
 * Applies retention and compaction, and prunes what is kept for a time only, every `retentionCheckMs`
 * until the signal aborts. One member does this for all.
 */
export async function runMaintenance(engine: EngineContext, signal: AbortSignal): Promise<void> {
  const { backend, clock, member, options } = engine
  const { retentionCheckMs: intervalMs } = options
  const leaseMs = 3 * Math.max(intervalMs, options.leaseMs)
  // The lease only saves work: two members at once would be harmless.
  const lease = createTaskLease(LEASE, { store: backend.store, clock }, member, leaseMs)
  const retain = createRetention(engine)
  await supervise(engine, { name: TASK, signal, pauseMs: intervalMs, intervalMs }, async () => {
    if (!(await lease.hold())) return
    await retain(signal)
    await prune(engine, signal)
  })
  await lease.release().catch(() => undefined)
}
