import type { Subscription, ConsumerGroup } from '../plan/index.ts'
import type { LogRecord, Slice } from '../../ports/event-log.ts'
import type { InboundMessage } from './rule-run.ts'
import type { Attempt } from './handler-call.ts'
import type { Fault } from '../../base/errors/fault.ts'
import type { CachedRow } from '../rows/index.ts'
import type { Advance } from '../../ports/event-store.ts'
import { createInboundMessage } from './inbound-message.ts'
import { isAddressedTo } from './advance-saga.ts'

/** One message for one consumer. */
export interface Delivery {
  readonly subscription: Subscription
  readonly record: LogRecord
  readonly inbound: InboundMessage
  /** Set if the message was held. */
  readonly held?: { readonly holdKey: string; readonly key: string; readonly isFirst: boolean }
  /** Set once a handler was called with it. */
  readonly attempt?: Attempt
  /** Set once its rule's result is known to be impossible to commit. */
  readonly fault?: Fault
}

/** A hold, and the row of its message in front, or of a page that is to be unpacked. */
export interface ScheduledHold {
  readonly holdKey: string
  readonly front: string
  readonly isPage?: true
}

/** The work of one unit. */
export interface Batch {
  readonly timers: readonly CachedRow[]
  /** Holds whose message in front moves to its next status without a rule. */
  readonly scheduled: readonly ScheduledHold[]
  readonly deliveries: readonly Delivery[]
  /** How far partitions were read, if the deliveries are all that was found there. */
  readonly slices: readonly Slice[]
}

export const EMPTY_BATCH: Batch = { timers: [], scheduled: [], deliveries: [], slices: [] }

export interface DeliveryCounts extends Pick<Advance, 'consumer' | 'topic' | 'partition'> {
  accepted: number
  completed: number
  pending: number
  dead: number
  discarded: number
  expired: number
}

/** The record as a consumer reads it, if an operator has edited it for that consumer. */
export type EditedRecord = (consumer: string, record: LogRecord) => LogRecord | undefined

/** The deliveries of a record: one per consumer with a rule for it. */
export function createDeliveries(
  group: ConsumerGroup,
  record: LogRecord,
  editedRecord: EditedRecord,
): Delivery[] {
  const subscriptions = group.subscriptions.get(record.topic)?.get(record.type)
  if (!subscriptions) return []
  const inbound = createInboundMessage(record, subscriptions)
  return subscriptions
    .filter((subscription) => isAddressedTo(subscription, inbound))
    .map((subscription): Delivery => {
      const edited = editedRecord(subscription.consumer.id, record)
      if (!edited) return { subscription, record, inbound }
      return { subscription, record, inbound: createInboundMessage(edited, [subscription]) }
    })
}
