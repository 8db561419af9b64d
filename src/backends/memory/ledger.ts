import { compositeKey } from '../../base/composite-key.ts'
import type { Unit } from '../../ports/event-store.ts'
import type {
  ConsumedEvent,
  EventStatus,
  LedgerPruning,
  LedgerSubscription,
  ProgressRange,
  StatusChange,
  StatusQuery,
} from '../../ports/status.ts'
import { compareConsumedEvents, isCurrentStatus } from '../../ports/status.ts'

/** Statuses of events and progress ranges, in memory. */
export interface Ledger {
  /** Whether a change begins at the stored status. */
  isCurrent(change: StatusChange): boolean
  find(event: ConsumedEvent): EventStatus | undefined
  declare(service: string, subscriptions: readonly LedgerSubscription[]): void
  subscriptions(): readonly LedgerSubscription[]
  write(unit: Unit): void
  statuses(query: StatusQuery): readonly EventStatus[]
  range(event: ConsumedEvent): ProgressRange | undefined
  /** Drops the statuses and ranges of a consumer and gives it those of another one. */
  replace(consumer: string, by: string): void
  prune(pruning: LedgerPruning): number
}

const placeKey = ({ consumer, topic, partition }: ConsumedEvent): string =>
  compositeKey(consumer, topic, partition)
const eventKey = (event: ConsumedEvent): string => compositeKey(placeKey(event), event.offset)

export function createLedger(): Ledger {
  const statuses = new Map<string, EventStatus>()
  const ranges = new Map<string, ProgressRange[]>()
  const declared = new Map<string, readonly LedgerSubscription[]>()

  function writeRanges({ progress }: Unit): void {
    for (const { consumer, topic, partition, from: offset, range } of progress) {
      if (!range || offset === null) continue
      const made = { consumer, topic, partition, offset, ...range }
      const before = ranges.get(placeKey(made)) ?? []
      ranges.set(placeKey(made), [...before.filter((each) => each.offset < offset), made])
    }
  }

  return {
    isCurrent: (change) => isCurrentStatus(statuses.get(eventKey(change)), change.from),
    find: (event) => statuses.get(eventKey(event)),
    declare: (service, subscriptions) => void declared.set(service, subscriptions),
    subscriptions: () => [...declared.values()].flat(),
    write(unit) {
      for (const { from: _, ...status } of unit.statuses) statuses.set(eventKey(status), status)
      writeRanges(unit)
    },
    statuses: ({ consumer, status, eventId, after, limit }) =>
      [...statuses.values()]
        .filter((each) => consumer === undefined || each.consumer === consumer)
        .filter((each) => status === undefined || each.status === status)
        .filter((each) => eventId === undefined || each.eventId === eventId)
        .filter((each) => after === undefined || compareConsumedEvents(each, after) > 0)
        .toSorted(compareConsumedEvents)
        .slice(0, limit),
    range: (event) => ranges.get(placeKey(event))?.findLast(({ offset }) => offset <= event.offset),
    replace(consumer, by) {
      for (const [key, each] of statuses) if (each.consumer === consumer) statuses.delete(key)
      for (const [key, each] of statuses) {
        if (each.consumer !== by) continue
        statuses.delete(key)
        statuses.set(eventKey({ ...each, consumer }), { ...each, consumer })
      }
      for (const [key, [first]] of ranges) if (first?.consumer === consumer) ranges.delete(key)
      for (const [key, each] of ranges) {
        if (each[0]?.consumer !== by) continue
        ranges.delete(key)
        const moved = each.map((range) => ({ ...range, consumer }))
        if (moved[0]) ranges.set(placeKey(moved[0]), moved)
      }
    },
    prune({ statusesBefore, rangesMax }) {
      let removed = 0
      for (const [key, { status, resolution, updatedAt }] of statuses) {
        if (updatedAt >= statusesBefore) continue
        if (status !== 'COMPLETED' && resolution === null) continue
        statuses.delete(key)
        removed += 1
      }
      for (const [key, each] of ranges) {
        removed += Math.max(0, each.length - rangesMax)
        ranges.set(key, each.slice(-rangesMax))
      }
      return removed
    },
  }
}
