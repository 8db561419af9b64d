// Changes of statuses in a model run, and what they are expected to do.
import fc from 'fast-check'
import { STATUSES, compareConsumedEvents, isStatusChange } from '../../../src/ports/index.ts'
import type {
  ConsumedEvent,
  EventStatus,
  EventStore,
  Status,
  StatusChange,
} from '../../../src/ports/index.ts'
import assert from 'node:assert/strict'

/** A change to a status from the stored one, or from another one. */
export interface StatusPlan extends ConsumedEvent {
  readonly status: Status
  readonly isStale: boolean
  readonly isDiscarded: boolean
  readonly attempts: number
}

/** The stored statuses, by event. */
export type ModelStatuses = Map<string, EventStatus>

const eventOf = ({ consumer, topic, partition, offset }: ConsumedEvent): string =>
  JSON.stringify([consumer, topic, partition, offset])

/** Few events, so that they change often. */
export const statusPlans = (consumers: readonly string[]): fc.Arbitrary<readonly StatusPlan[]> =>
  fc.uniqueArray(
    fc.record(
      {
        consumer: fc.constantFrom(...consumers),
        topic: fc.constantFrom('orders', 'none'),
        partition: fc.nat(1),
        offset: fc.nat(2),
        status: fc.constantFrom(...STATUSES),
        isStale: fc.constantFrom(false, false, false, false, true),
        isDiscarded: fc.boolean(),
        attempts: fc.nat(9),
      },
      { noNullPrototype: true },
    ),
    { selector: eventOf, maxLength: 2 },
  )

const storedStatus = (model: ModelStatuses, event: ConsumedEvent): Status =>
  model.get(eventOf(event))?.status ?? 'UNPROCESSED'

/**
 * The change of a plan. Most plans lead to a status that is allowed: where the planned one is not, the
 * status stays, but for a completed event.
 */
export function changeOf(model: ModelStatuses, plan: StatusPlan): StatusChange {
  const { isStale, isDiscarded, attempts, ...event } = plan
  const stored = storedStatus(model, event)
  const other = STATUSES.find((each) => each !== stored) as Status
  const isTried = isStatusChange(stored, event.status) || attempts === 0
  const { resolution = null } = model.get(eventOf(event)) ?? {}
  const isAgain = attempts % 2 === 1 && (stored === 'COMPLETED' || resolution !== null)
  return {
    ...event,
    status: isTried || stored === 'COMPLETED' ? event.status : stored,
    from: isStale ? other : isAgain ? 'UNPROCESSED' : stored,
    eventId: `e-${event.offset}`,
    key: 'k',
    type: 'shop.Made',
    attempts,
    dueAt: attempts % 2 === 0 ? null : attempts * 1_000.5,
    code: null,
    error: attempts > 5 ? 'it\nbroke' : null,
    cause: null,
    resolution: isDiscarded && event.status === 'FAILED' ? 'DISCARDED' : null,
    detail: '{}',
    updatedBy: 'shop',
    updatedAt: attempts,
  }
}

export const isAnyStale = (model: ModelStatuses, changes: readonly StatusChange[]): boolean =>
  changes.some((change) => {
    const stored = model.get(eventOf(change))
    const isAgain = stored?.status === 'COMPLETED' || stored?.resolution === 'DISCARDED'
    if (!stored || isAgain) {
      if (change.from === 'UNPROCESSED') return false
      return stored?.status !== change.from || stored.resolution === 'DISCARDED'
    }
    return stored.status !== change.from
  })

export const isAnyRefused = (changes: readonly StatusChange[]): boolean =>
  changes.some(({ from, status }) => !isStatusChange(from, status))

export function applyChanges(model: ModelStatuses, changes: readonly StatusChange[]): void {
  for (const { from: _, ...status } of changes) model.set(eventOf(status), status)
}

/** Reads all statuses, and those of each status in pages. */
export async function assertStatuses(model: ModelStatuses, store: EventStore): Promise<void> {
  const all = [...model.values()].toSorted(compareConsumedEvents)
  assert.deepEqual(await store.statuses({ limit: 10_000 }), all)
  for (const status of STATUSES) {
    const found: EventStatus[] = []
    for (let isOver = false; !isOver;) {
      const after = found.at(-1)
      const page = await store.statuses({ status, limit: 3, ...(after ? { after } : {}) })
      found.push(...page)
      isOver = page.length < 3 || found.length > all.length
    }
    assert.deepEqual(
      found,
      all.filter((each) => each.status === status),
    )
  }
}
