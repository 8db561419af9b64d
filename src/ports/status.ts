import { Fault } from '../base/errors/fault.ts'
import { compareText } from '../base/text/compare-text.ts'

/**
 * The status of an event at one consumer.
 *
 * UNPROCESSED: not begun, or released without an attempt. IN_PROGRESS: a rule works on it.
 * COMPLETED: its effects are committed. ERROR: an attempt failed, and nothing is decided yet.
 * RETRY: the next attempt has a time. FAILED: a dead letter, which only an operator, a redrive
 * policy or a compensation moves.
 */
export const STATUSES = [
  'UNPROCESSED',
  'IN_PROGRESS',
  'COMPLETED',
  'ERROR',
  'RETRY',
  'FAILED',
] as const
export type Status = (typeof STATUSES)[number]

/** One step from a status to another: who makes it, and when. */
export interface StatusTransition {
  readonly from: Status
  readonly to: Status
  readonly by: 'consumer' | 'scheduler' | 'operator'
  readonly when: string
}

/** Every step that is allowed. The database, the engine and the documents all use this table. */
export const STATUS_TRANSITIONS: readonly StatusTransition[] = [
  { from: 'UNPROCESSED', to: 'IN_PROGRESS', by: 'consumer', when: 'an attempt begins' },
  { from: 'IN_PROGRESS', to: 'COMPLETED', by: 'consumer', when: 'its effects are committed' },
  { from: 'IN_PROGRESS', to: 'ERROR', by: 'consumer', when: 'the rule throws or times out' },
  {
    from: 'IN_PROGRESS',
    to: 'RETRY',
    by: 'consumer',
    when: 'its lease expires, or the handler asks to be called later',
  },
  {
    from: 'IN_PROGRESS',
    to: 'UNPROCESSED',
    by: 'consumer',
    when: 'it is released at a stop, which counts no attempt',
  },
  { from: 'ERROR', to: 'RETRY', by: 'scheduler', when: 'attempts are left' },
  {
    from: 'ERROR',
    to: 'FAILED',
    by: 'scheduler',
    when: 'attempts are used up, or no retry can help',
  },
  { from: 'RETRY', to: 'IN_PROGRESS', by: 'consumer', when: 'its time has come' },
  { from: 'RETRY', to: 'FAILED', by: 'operator', when: 'it is discarded' },
  { from: 'FAILED', to: 'UNPROCESSED', by: 'operator', when: 'it is redriven' },
]

const steps = new Set(STATUS_TRANSITIONS.map(({ from, to }) => `${from} ${to}`))

/** Whether one step leads from a status to another. */
export const isStatusStep = (from: Status, to: Status): boolean => steps.has(`${from} ${to}`)

/**
 * Whether one unit may take an event from a status to another: by one step, or by a whole attempt,
 * since an attempt that ends in the unit in which it begins is never seen in progress. A status may
 * stay and change its details.
 */
export function isStatusChange(from: Status, to: Status): boolean {
  if (from === to) return from !== 'COMPLETED'
  if (isStatusStep(from, to)) return true
  return isStatusStep(from, 'IN_PROGRESS') && isStatusStep('IN_PROGRESS', to)
}

/** Every pair for which `isStatusChange` holds, for the constraint of a database. */
export const STATUS_CHANGES: readonly (readonly [from: Status, to: Status])[] = STATUSES.flatMap(
  (from) => STATUSES.filter((to) => isStatusChange(from, to)).map((to) => [from, to] as const),
)

/** @throws Fault `STATUS_REFUSED`, with the statuses that are allowed */
export function assertStatusChange(from: Status, to: Status, ids: Record<string, string>): void {
  if (isStatusChange(from, to)) return
  const allowed = STATUSES.filter((each) => each !== from && isStatusChange(from, each))
  const next = allowed.join(', ') || 'nothing'
  throw new Fault('STATUS_REFUSED', { detail: `${from} to ${to}; ${from} allows ${next}`, ids })
}

/** An event at a consumer. */
export interface ConsumedEvent {
  readonly consumer: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** The order of statuses: by consumer, topic, partition and offset. */
export function compareConsumedEvents(a: ConsumedEvent, b: ConsumedEvent): number {
  return (
    compareText(a.consumer, b.consumer) ||
    compareText(a.topic, b.topic) ||
    a.partition - b.partition ||
    a.offset - b.offset
  )
}

/**
 * What is stored of an event whose status at a consumer differs from what the progress of the consumer
 * says: it erred, waits for a retry, failed, is in progress, or is completed after all that.
 */
export interface EventStatus extends ConsumedEvent {
  readonly eventId: string
  readonly key: string
  readonly type: string
  readonly status: Status
  /** Failed attempts since the event came, or was redriven. */
  readonly attempts: number
  /** When the next attempt is due, in milliseconds since 1970; `null` for none. */
  readonly dueAt: number | null
  /** The code of the last error; `null` for an error without a code, or none. */
  readonly code: string | null
  /** The text of the last error. */
  readonly error: string | null
  /** Equal for failures with the same cause. */
  readonly cause: string | null
  /** Set when an operator or a compensation has given a failed event up for good. */
  readonly resolution: 'DISCARDED' | null
  /** JSON text: what else the engine keeps, such as stack and attempts. Backends do not read it. */
  readonly detail: string | null
  /** Who made the last change: a service, or an operator. */
  readonly updatedBy: string
  /** When, in milliseconds since 1970. */
  readonly updatedAt: number
}

/** Whether an event is done with: completed, or given up for good. */
const isSettled = ({ status, resolution }: Pick<EventStatus, 'status' | 'resolution'>): boolean =>
  status === 'COMPLETED' || resolution !== null

/**
 * Whether a change may begin at a status, given what is stored of the event. A settled event may begin
 * again at `UNPROCESSED`, as when its consumer is rewound; a discarded one in no other way.
 */
export function isCurrentStatus(
  stored: Pick<EventStatus, 'status' | 'resolution'> | undefined,
  from: Status,
): boolean {
  if (!stored) return from === 'UNPROCESSED'
  if (isSettled(stored) && from === 'UNPROCESSED') return true
  return stored.resolution === null && stored.status === from
}

/** A change of one event's status; `from` is `UNPROCESSED` for an event without a stored status. */
export interface StatusChange extends EventStatus {
  readonly from: Status
}

/** Which statuses to read, in the order of consumer, topic, partition and offset. */
export interface StatusQuery {
  readonly consumer?: string
  readonly status?: Status
  readonly eventId?: string
  /** The last one of the previous page. */
  readonly after?: ConsumedEvent
  /** 1 to 10,000. */
  readonly limit: number
}

/** Who passed an event, and since when: the newest range of a consumer that begins at or before it. */
export interface ProgressRange extends ConsumedEvent {
  readonly by: string
  /** In milliseconds since 1970. */
  readonly at: number
}

/** A message type that a consumer reads, for the views of the ledger. */
export interface LedgerSubscription {
  readonly consumer: string
  /** The service of the consumer, by its current name. */
  readonly service: string
  readonly topic: string
  readonly type: string
  /** Whether messages of this type answer another message. */
  readonly isResponse: boolean
}

/** What the ledger may forget. */
export interface LedgerPruning {
  /** Completed and discarded statuses that were last changed before this are removed. */
  readonly statusesBefore: number
  /** Newest progress ranges that are kept for each consumer and partition. */
  readonly rangesMax: number
}
