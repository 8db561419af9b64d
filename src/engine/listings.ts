// What can be asked of a running engine or of stored data, as plain JSON. Times are milliseconds since
// 1970. Types only, so that the page can use them too.

/** One page of a list. */
export interface Listing<T> {
  readonly items: readonly T[]
  /** Hand it back as `after` for the next page. Absent at the end. A page may be empty and have one. */
  readonly next?: string
}

/** Which page of a list, and how many items at most. */
export interface ListingOptions {
  /** From 1 to 1,000. Default 100. */
  readonly limit?: number
  /** What the page before gave as `next`. */
  readonly after?: string
}

/** What was thrown, as it is kept. */
export interface ErrorView {
  readonly message: string
  /** The stable code, where the error has one. */
  readonly code?: string
  /** At most 8 KB. */
  readonly stack?: string
  /** When the event in front was first tried and failed … */
  readonly firstAt?: number
  /** … and when it failed last. */
  readonly lastAt?: number
}

/** Where a message is stored. */
export interface EventPlace {
  readonly id: string
  /** Wire name. */
  readonly type: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** When the message was made. */
  readonly at: number
}

/** A key that is held at one consumer: its events wait there, in order, behind the one in front. */
export interface HeldKey {
  /** `<service>/<rule>`. */
  readonly consumer: string
  readonly key: string
  /** Since when the key is held. */
  readonly since: number
  /** Events that wait, the one in front included. */
  readonly count: number
  /** The event in front. */
  readonly event: EventPlace
  /** Failed attempts at the event in front; 0 where it only waits for its time. */
  readonly attempts: number
  readonly nextAttemptAt: number
  /** The consumer has no rule for the event in front any more, so it is not tried again. */
  readonly isUnread?: true
  /** Absent where the event in front has not failed. */
  readonly error?: ErrorView
}

export interface HeldOptions extends ListingOptions {
  /** `<service>/<rule>`. */
  readonly consumer?: string
  readonly key?: string
}

/** What has to happen next. `heldBy` is the consumer that holds the message, where one does. */
export type WaitsFor =
  | { readonly kind: 'timer'; readonly type: string; readonly dueAt?: number }
  /** A command that its owner has not decided yet. */
  | {
      readonly kind: 'answer'
      readonly command: string
      readonly id: string
      readonly heldBy?: string
    }
  /** An event: one of these types, by wire name. */
  | { readonly kind: 'event'; readonly types: readonly string[]; readonly heldBy?: string }

/** An instance of a saga that has not finished. */
export interface OpenSaga {
  /** `<service>/<rule>`. */
  readonly saga: string
  readonly instance: string
  /** The id of the command that the conversation began with. */
  readonly operation: string
  /** When it began. Absent where a version before began it, which did not keep that. */
  readonly since?: number
  readonly waitsFor: readonly WaitsFor[]
}

export interface SagasOptions extends ListingOptions {
  /** `<service>/<rule>`. */
  readonly saga?: string
  /** Only instances of this operation. */
  readonly operation?: string
}

/** Where a command from outside stands. */
export interface OperationEntry {
  readonly id: string
  /** Wire name of the command. */
  readonly command: string
  readonly key: string
  /** When the log took it. */
  readonly at: number
  readonly state: OperationStatus
  /** Empty where it is not pending. */
  readonly waitsFor: readonly WaitsFor[]
}

/** What an operation is, whatever its outcome is called. `finished`: by a saga, in its own words. */
export type OperationKind = 'pending' | 'completed' | 'refused' | 'finished'

export interface OperationStatus {
  readonly kind: OperationKind
  /** `pending`, `completed`, `refused`, or the name of the outcome that a saga finished with. */
  readonly status: string
  /** Why; of a refusal its code. */
  readonly reason?: string
}

export interface OperationsOptions extends ListingOptions {
  /** `pending`, `completed`, `refused`, `finished` by a saga in any words, or the name of that outcome. */
  readonly state?: string
  readonly key?: string
  /** Part of the wire name of the command, in letters of any case. */
  readonly type?: string
  /** Stored at this time or later … */
  readonly since?: number
  /** … and before this one. */
  readonly until?: number
}

/** A timer that a saga has set. */
export interface TimerEntry {
  /** `<service>/<rule>`. */
  readonly saga: string
  readonly instance: string
  /** The message that is sent when it is due: `<contract>.<name>`. */
  readonly type: string
  /** When it is due, or tried again. */
  readonly dueAt: number
  /** Failed attempts to send it. */
  readonly attempts: number
}

export interface TimersOptions extends ListingOptions {
  /** `<service>/<rule>`. */
  readonly saga?: string
  /** Only timers that are due before this time. */
  readonly until?: number
}

/** What an alarm is about. */
export type AlarmKind =
  | 'changed-projection'
  | 'clock-step'
  | 'failed-rebuild'
  | 'held-keys'
  | 'lag'
  | 'lost-records'
  | 'old-sagas'
  | 'overdue-timers'
  | 'pending-operations'
  | 'slow-rule'
  | 'slow-units'

/** Something that somebody should look at. */
export interface Alarm {
  readonly kind: AlarmKind
  /**
   * Something waits that should not, so that the system is not well. The others tell what has happened
   * since the start.
   */
  readonly isDegrading: boolean
  /** The whole as a sentence, without its full stop. */
  readonly message: string
  /** `<service>/<rule>`, where it is about one. */
  readonly consumer?: string
  /** How many keys, records, instances, timers, operations or runs. A count of 100 may be more. */
  readonly count: number
  /** The oldest of them: how long it has waited. */
  readonly ageMs?: number
  /** The first few keys, instances or ids. */
  readonly examples: readonly string[]
  /** The engine options beyond which it is an alarm, with their values. */
  readonly threshold: Readonly<Record<string, number>>
}

/** What `settled` still waits for. */
export type Unsettled =
  | {
      readonly kind: 'consumer'
      readonly consumer: string
      /** Records that it has yet to read. */
      readonly lag: number
      /** Events that wait behind a fault of their key … */
      readonly pending: number
      /** … and the first few of those keys. */
      readonly held: readonly HeldKey[]
    }
  | { readonly kind: 'saga'; readonly saga: string; readonly instance: string }
  | { readonly kind: 'rebuild'; readonly projection: string }
