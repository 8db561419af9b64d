// A fold of a stream so long that a snapshot of it is kept on the way. The stream itself is pretended:
// ten thousand events would be ten times the rest of the frozen data.
import type { Clock } from '../../src/base/time/clock.ts'
import type { EntityRow } from '../../src/engine/plan/entity-fold.ts'
import { createPlan } from '../../src/engine/plan/plan.ts'
import { createRefold } from '../../src/engine/execution/refold.ts'
import type { CachedRow } from '../../src/engine/rows/row-cache.ts'
import type { LogRecord } from '../../src/ports/event-log.ts'
import type { EventStore } from '../../src/ports/event-store.ts'
import type { Service } from '../../src/rules/service.ts'
import { Payments } from './shop.ts'

const TABLE = 'sales.order'
const KEY = 'long'
/** Behind ten thousand events the fold is kept for the first time. */
const [KEPT, END] = [10_000, 10_400]

/** Leaves a snapshot behind. */
export async function interruptedFold(
  store: EventStore,
  service: Service,
  clock: Clock,
): Promise<void> {
  const interruption = new Error('the process ends')
  try {
    await fold({ store, service, clock }, (version) => {
      if (version > KEPT + 1) throw interruption
      return recordOf(version, 'orders.Placed', 2, { customer: 'ada', order: KEY, total: version })
    })
  } catch (cause) {
    if (cause !== interruption) throw cause
  }
}

/** Goes on from the snapshot that was left; the events behind it leave the total as it is. */
export async function resumedFold(
  store: EventStore,
  service: Service,
  clock: Clock,
): Promise<{ readonly firstRead: number; readonly state: unknown }> {
  let firstRead = Infinity
  const cell = await fold({ store, service, clock }, (version) => {
    firstRead = Math.min(firstRead, version)
    return recordOf(version, 'orders.Cancelled', 1, { customer: 'ada', order: KEY })
  })
  const { state } = (cell?.value ?? {}) as Partial<EntityRow>
  return { firstRead, state }
}

async function fold(
  { store, service, clock }: { store: EventStore; service: Service; clock: Clock },
  recordAt: (version: number) => LogRecord,
): Promise<CachedRow | undefined> {
  const names = { service: () => 'sales', rule: (_: string, name: string) => name }
  const [plan] = createPlan([service], [Payments], names).services
  if (!plan) throw new Error('there is no such service')
  const stream: EventStore['stream'] = async (_, from, count) =>
    Array.from({ length: count }, (__, at) => recordAt(from + at))
  const refold = createRefold({
    store: { ...store, stream },
    clock,
    folds: plan.folds,
    snapshots: plan.tableNames.snapshots,
    computeMsMax: 60_000,
  })
  const value: EntityRow = { state: { status: 'old', total: 0 }, rules: 'of other rules' }
  const [cell] = await refold([{ table: TABLE, key: KEY, version: END, value, bytes: 0 }])
  return cell
}

function recordOf(offset: number, type: string, version: number, data: object): LogRecord {
  const head = JSON.stringify({ source: 'orders', correlation: 'c', hops: 1, version })
  const place = { topic: 'orders.events', partition: 0, offset, position: offset }
  const said = { key: 'ada', type, at: 0, storedAt: 0, head, data: JSON.stringify(data) }
  return { ...place, id: String(offset), ...said }
}
