// Types of the lists and details that a running engine or stored data can be asked for, as plain
// JSON. Times are milliseconds since 1970. Types only, so that the page can import them.

import type { Status } from '../../ports/status.ts'

/** One page of a list. */
export interface ListPage<T> {
  readonly items: readonly T[]
  /** Pass it as `after` for the next page. Absent at the end. An empty page may have one. */
  readonly next?: string
}

/** Which page of a list, and how many items at most. */
export interface ListOptions {
  /** From 1 to 1,000. Default 100. */
  readonly limit?: number
  /** The `next` of the previous page. */
  readonly after?: string
}

/** An error, as it is stored. */
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
export interface EventLocation {
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
  /** Held events, including the one in front. */
  readonly count: number
  /** The event in front. */
  readonly event: EventLocation
  /** The status of the event in front. */
  readonly status: Exclude<Status, 'COMPLETED'>
  /** Failed attempts at the event in front; 0 if it only waits for its delay. */
  readonly attempts: number
  /** Absent if the event in front has failed, and no policy redrives it. */
  readonly nextAttemptAt?: number
  /** The consumer no longer has a rule for the event in front, so it is not retried. */
  readonly hasNoRule?: true
  /** Absent if the event in front has not failed. */
  readonly error?: ErrorView
}

export interface HeldKeysOptions extends ListOptions {
  /** `<service>/<rule>`. */
  readonly consumer?: string
  readonly key?: string
}

/** What has to happen next. `heldBy` is the consumer that holds the message, if one does. */
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

/** A saga instance that has not finished. */
export interface OpenSaga {
  /** `<service>/<rule>`. */
  readonly saga: string
  readonly instance: string
  /** The id of the command that started the conversation. */
  readonly operation: string
  /** When it began. Absent for instances of earlier versions. */
  readonly since?: number
  readonly waitsFor: readonly WaitsFor[]
}

export interface SagasOptions extends ListOptions {
  /** `<service>/<rule>`. */
  readonly saga?: string
  /** Only instances of this operation. */
  readonly operation?: string
}

/** The state of a command from outside. */
export interface OperationEntry {
  readonly id: string
  /** Wire name of the command. */
  readonly command: string
  readonly key: string
  /** When the log stored it. */
  readonly at: number
  readonly state: OperationStateView
  /** Empty unless it is pending. */
  readonly waitsFor: readonly WaitsFor[]
}

/**
 * The kind of an operation's state. `failed`: its command is a dead letter, which a redrive may still
 * decide. `finished`: a saga finished it with an outcome of its own.
 */
export type OperationKind = 'pending' | 'completed' | 'refused' | 'failed' | 'finished'

export interface OperationStateView {
  readonly kind: OperationKind
  /** `pending`, `completed`, `refused`, `failed`, or the outcome that a saga finished with. */
  readonly status: string
  /** The reason; for a refusal, its code. */
  readonly reason?: string
  /** The code of the error of a command that has failed, if it has one. */
  readonly code?: string
}

export interface OperationsOptions extends ListOptions {
  /**
   * `pending`, `completed`, `refused`, `failed`, `finished` for any outcome of a saga, or the name of
   * one outcome.
   */
  readonly state?: string
  readonly key?: string
  /** Part of the command's wire name; case does not matter. */
  readonly type?: string
  /** Stored at this time or later … */
  readonly since?: number
  /** … and before this one. */
  readonly until?: number
}

/** A timer of a saga. */
export interface TimerEntry {
  /** `<service>/<rule>`. */
  readonly saga: string
  readonly instance: string
  /** The message that is sent when it is due: `<contract>.<name>`. */
  readonly type: string
  /** When it is due, or retried. */
  readonly dueAt: number
  /** Failed attempts to send it. */
  readonly attempts: number
}

export interface TimersOptions extends ListOptions {
  /** `<service>/<rule>`. */
  readonly saga?: string
  /** Only timers due before this time. */
  readonly until?: number
}

/** What an alarm is about. */
export type AlarmKind =
  | 'changed-projection'
  | 'clock-step'
  | 'dead-letters'
  | 'failed-rebuild'
  | 'held-keys'
  | 'lag'
  | 'lost-records'
  | 'old-sagas'
  | 'overdue-timers'
  | 'pending-operations'
  | 'slow-rule'
  | 'slow-units'

/** A condition that needs attention. */
export interface Alarm {
  readonly kind: AlarmKind
  /**
   * Work is stuck or late, so the system is degraded. Other alarms report events since the start.
   */
  readonly isDegrading: boolean
  /** The alarm as a sentence, without a full stop. */
  readonly message: string
  /** `<service>/<rule>`, if it is about one. */
  readonly consumer?: string
  /**
   * How many keys, records, instances, timers, operations or runs. A count of 100 may mean more.
   */
  readonly count: number
  /** How long the oldest of them has waited. */
  readonly ageMs?: number
  /** The first few keys, instances or ids. */
  readonly examples: readonly string[]
  /** The engine options that define it, with their values. */
  readonly threshold: Readonly<Record<string, number>>
}

/** What `settled` still waits for. */
export type UnsettledWork =
  | {
      readonly kind: 'consumer'
      readonly consumer: string
      /** Unread records. */
      readonly lag: number
      /** Held events … */
      readonly pending: number
      /** … and the first few of those keys. */
      readonly held: readonly HeldKey[]
    }
  | { readonly kind: 'saga'; readonly saga: string; readonly instance: string }
  | { readonly kind: 'rebuild'; readonly projection: string }
