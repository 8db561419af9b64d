// What operators see, as JSON. Times are milliseconds since 1970.
import type { Issue } from '../base/errors/fault.ts'
import type { Alarm, HeldKey, ListPage, OperationKind, WaitsFor } from '../engine/listing/index.ts'

export type {
  Alarm,
  ErrorView,
  EventLocation,
  HeldKey,
  ListPage,
  OpenSaga,
  OperationEntry,
  TimerEntry,
  WaitsFor,
} from '../engine/listing/index.ts'

/** All services, topics and their links at one moment. */
export interface Overview {
  readonly at: number
  /** The durability of an ack. */
  readonly ack: 'memory' | 'disk' | 'replicated'
  readonly health: {
    readonly status: 'well' | 'paused' | 'degraded' | 'failing'
    readonly detail: string
    /** Conditions that need attention. */
    readonly alarms: readonly Alarm[]
  }
  readonly services: readonly ServiceView[]
  readonly topics: readonly TopicView[]
  readonly links: readonly LinkView[]
}

export interface ServiceView {
  readonly name: string
  readonly isPaused: boolean
  /** The largest number of unread records of its rules. */
  readonly lag: number
  /** The age of the oldest unread record. */
  readonly ageMs: number
  /** Events that wait behind a failed event of their key. */
  readonly pending: number
  /** Events whose effects are committed, over all of its rules; never decreases. */
  readonly completed: number
  readonly rules: readonly RuleView[]
}

export interface RuleView {
  readonly name: string
  readonly kind: 'entity' | 'projection' | 'saga' | 'handler'
  readonly accepted: number
  readonly completed: number
  readonly pending: number
  /** Records that retention deleted before the rule read them. */
  readonly expired: number
  readonly lag: number
}

export interface TopicView {
  readonly name: string
  readonly carries: 'commands' | 'events' | 'replies'
  readonly partitions: number
  /** Records ever appended; never decreases. */
  readonly appended: number
  /** Records that the topic holds now. */
  readonly retained: number
}

/** A link between a service and a topic that it writes to or reads from. */
export type LinkView =
  | { readonly kind: 'writes'; readonly service: string; readonly topic: string }
  | {
      readonly kind: 'reads'
      readonly service: string
      readonly topic: string
      /** Unread records of the topic. */
      readonly lag: number
      /** The age of the oldest unread record. */
      readonly ageMs: number
      /** Records ever read; never decreases. */
      readonly consumed: number
    }

/**
 * The kind of a message. A `refusal` is the stored "no" to a command, a `failure` tells the sender that a
 * command is a dead letter, a `compensation` is a command that undoes another one.
 */
export type EventViewKind = 'command' | 'event' | 'refusal' | 'failure' | 'compensation'

/** One message in the log. */
export interface EventView {
  readonly kind: EventViewKind
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly id: string
  readonly type: string
  /** The version of its data. Absent: 1. */
  readonly version?: number
  readonly key: string
  readonly at: number
  /** The service that created it; `door` for a message from outside. */
  readonly source: string
  /** The rule of that service. */
  readonly rule?: string
  /** The id of the message that caused it. */
  readonly cause?: string
  /** The id of the first message of the conversation. */
  readonly correlation: string
  /** Absent in lists; `null` is a tombstone. */
  readonly data?: unknown
}

/** Messages with a text as their key, newest first, and the message with it as its id. */
export interface FoundMessages extends ListPage<EventView> {
  readonly byId?: EventView
}

/** The state of the operation of a command from outside. */
export interface OutcomeView {
  /** The status; a saga may finish with a status of its own. */
  readonly status: string
  /** The kind of the status. `finished`: a saga finished with a status of its own. */
  readonly kind: OperationKind
  /** The reason; for a refusal, its code. */
  readonly reason?: string
  /** The details of a refusal. */
  readonly issues?: readonly Issue[]
}

/** A conversation: a message and all messages that it led to, ordered by time. */
export interface ChainView {
  readonly correlation: string
  readonly events: readonly EventView[]
  /** The operation of its first command; absent if it did not begin with a command from outside. */
  readonly operation?: OutcomeView
  /** What the operation waits for; empty if it is not pending. */
  readonly waitsFor: readonly WaitsFor[]
  /** The keys behind which its messages are held. */
  readonly held: readonly HeldKey[]
  /** Whether the whole conversation was found; the search reads a limited number of records. */
  readonly isComplete: boolean
}
