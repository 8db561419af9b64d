// What operators are shown, as JSON. Times are milliseconds since 1970.
import type { Alarm, HeldKey, Listing, OperationKind, WaitsFor } from '../engine/listings.ts'

export type {
  Alarm,
  ErrorView,
  EventPlace,
  HeldKey,
  Listing,
  OpenSaga,
  OperationEntry,
  TimerEntry,
  WaitsFor,
} from '../engine/listings.ts'

/** Everything that runs, at one moment. */
export interface Overview {
  readonly at: number
  /** What an ack means here. */
  readonly ack: 'memory' | 'disk' | 'replicated'
  readonly health: {
    readonly is: 'well' | 'paused' | 'degraded' | 'failing'
    readonly detail: string
    /** What somebody should look at. */
    readonly alarms: readonly Alarm[]
  }
  readonly services: readonly ServiceView[]
  readonly topics: readonly TopicView[]
  readonly links: readonly LinkView[]
}

export interface ServiceView {
  readonly name: string
  readonly isPaused: boolean
  /** Records that its rules have yet to read, the worst of them. */
  readonly lag: number
  /** How long the oldest of those has waited. */
  readonly ageMs: number
  /** Events that wait behind a fault of their key. */
  readonly pending: number
  /** Events whose effects are committed, over all of its rules; grows. */
  readonly completed: number
  readonly rules: readonly RuleView[]
}

export interface RuleView {
  readonly name: string
  readonly is: 'entity' | 'projection' | 'saga' | 'handler'
  readonly accepted: number
  readonly completed: number
  readonly pending: number
  /** What retention took away before the rule came to it. */
  readonly expired: number
  readonly lag: number
}

export interface TopicView {
  readonly name: string
  readonly carries: 'commands' | 'events' | 'replies'
  readonly partitions: number
  /** Records ever appended; grows. */
  readonly appended: number
  /** Records that it holds now. */
  readonly held: number
}

/** A service at a topic: it writes to it, or reads from it. */
export type LinkView =
  | { readonly is: 'writes'; readonly service: string; readonly topic: string }
  | {
      readonly is: 'reads'
      readonly service: string
      readonly topic: string
      /** Records that the service has yet to read here. */
      readonly lag: number
      /** How long the oldest of them has waited. */
      readonly ageMs: number
      /** Records that the service has read here, ever; grows. */
      readonly passed: number
    }

/**
 * What sort of message it is. A `refusal` is the stored "no" to a command, a `failure` tells its
 * sender that a command is dead, a `compensation` is a command that undoes another one.
 */
export type MessageKind = 'command' | 'event' | 'refusal' | 'failure' | 'compensation'

/** One message in the log. */
export interface EventView {
  readonly kind: MessageKind
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly id: string
  readonly type: string
  /** The version under which its data was made. Absent: 1. */
  readonly version?: number
  readonly key: string
  readonly at: number
  /** The service that made it; `door` when it came from outside. */
  readonly source: string
  /** The rule of that service. */
  readonly rule?: string
  /** The id of the message that it answers or follows from. */
  readonly cause?: string
  /** The id of the message that the conversation began with. */
  readonly correlation: string
  /** Left out where many are listed; `null` is a tombstone. */
  readonly data?: unknown
}

/** Messages that have a text as their key, the newest first, and the one that has it as its id. */
export interface FoundMessages extends Listing<EventView> {
  readonly byId?: EventView
}

/** Where a command from outside stands, or how it ended. */
export interface OutcomeView {
  /** Its name: a saga may finish with one of its own. */
  readonly is: string
  /** What it is, whatever its name says. `finished`: a saga ended with an outcome of its own. */
  readonly kind: OperationKind
  /** Why; of a refusal, its code. */
  readonly reason?: string
  /** What a refusal says in detail. */
  readonly complaints?: readonly string[]
}

/** A whole conversation: every message that one led to, in order of time. */
export interface ChainView {
  readonly correlation: string
  readonly events: readonly EventView[]
  /** What became of it; absent where it began with no command from outside. */
  readonly operation?: OutcomeView
  /** What the operation waits for; empty where it is not pending. */
  readonly waitsFor: readonly WaitsFor[]
  /** Where its messages are held. */
  readonly held: readonly HeldKey[]
  /** Whether all of it was found: a search stops at a bound of records. */
  readonly isComplete: boolean
}
