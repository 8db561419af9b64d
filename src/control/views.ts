// What operators see, as JSON. Times are milliseconds since 1970.
import type { Issue } from '../base/errors/fault.ts'
import type { Alarm, HeldKey, ListPage, OperationKind, WaitsFor } from '../engine/listing/index.ts'
import type { Status } from '../ports/status.ts'

export type {
  DeadLetterCause,
  DeadLetterEntry,
  DeadLetterFilter,
  RedrivePreview,
  RedriveProgress,
} from '../engine/dead-letters/index.ts'
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
  /** Events of held keys, without dead letters. */
  readonly pending: number
  /** Dead letters that nobody has resolved. */
  readonly dead: number
  /** Dead letters that were given up for good; never decreases. */
  readonly discarded: number
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
  readonly dead: number
  readonly discarded: number
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

/** The status of an event at one consumer: see `STATUSES`. */
export interface EventAtConsumer {
  /** `<service>/<rule>`. */
  readonly consumer: string
  readonly status: Status
  /** Failed attempts since it came, or was redriven. */
  readonly attempts: number
  /** When it is tried next. */
  readonly dueAt?: number
  /** The text of the last error. */
  readonly error?: string
  /** An operator or a compensation has given it up for good. */
  readonly resolution?: 'DISCARDED'
  /** Who changed the status last: its creator while it is unprocessed, and then who processed it. */
  readonly updatedBy?: string
  readonly updatedAt?: number
}

/** A message of a conversation. */
export interface ChainEvent extends EventView {
  /**
   * Its status at each consumer that reads it, ordered by consumer. Absent behind the first 1,000 messages
   * of a conversation, and where the store has no ledger.
   */
  readonly consumers?: readonly EventAtConsumer[]
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
  /** The code of the error of a command that has failed, if it has one. */
  readonly code?: string
  /** The details of a refusal. */
  readonly issues?: readonly Issue[]
}

/** A conversation: a message and all messages that it led to, ordered by time. */
export interface ChainView {
  readonly correlation: string
  readonly events: readonly ChainEvent[]
  /** The operation of its first command; absent if it did not begin with a command from outside. */
  readonly operation?: OutcomeView
  /** What the operation and the open sagas of the conversation wait for, such as timers. */
  readonly waitsFor: readonly WaitsFor[]
  /** The keys behind which its messages are held. */
  readonly held: readonly HeldKey[]
  /** Whether the whole conversation was found; the search reads a limited number of records. */
  readonly isComplete: boolean
}

/** What became of the events that one consumer has accepted. */
export interface ConsumerAccount {
  /** `<service>/<rule>`. */
  readonly consumer: string
  readonly accepted: number
  readonly completed: number
  readonly dead: number
  readonly discarded: number
  readonly expired: number
  readonly pending: number
  /** Whether `accepted = completed + dead + discarded + expired + pending`. */
  readonly balances: boolean
}

/** What became of all accepted events. */
export interface Account {
  /** Whether every consumer balances. */
  readonly balances: boolean
  readonly consumers: readonly ConsumerAccount[]
}

/** One write of an operator. */
export interface AuditEntry {
  /** Its number: 1 for the first entry ever. */
  readonly sequence: number
  readonly at: number
  readonly by: string
  readonly verb: string
  /** A text of more than 1,000 bytes is replaced by its size. */
  readonly arguments: Readonly<Record<string, string | number | boolean>>
  /** Empty if none was given. */
  readonly reason: string
  /** `started`: it still runs, or its process ended before it did. */
  readonly outcome: 'started' | 'done' | 'failed'
  readonly endedAt?: number
  /** The code of the error; `INTERNAL` for one without a code. */
  readonly code?: string
  /** What the verb returned, if that is at most 1,000 bytes. */
  readonly result?: unknown
}
