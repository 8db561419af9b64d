// Types of dead letters as plain JSON; times are milliseconds since 1970. Types only, so that the page
// can import them.
import type { ErrorView, EventLocation, ListOptions } from '../listing/index.ts'

/** Which dead letters; an absent member sets no limit. */
export interface DeadLetterFilter {
  /** `<service>/<rule>`. */
  readonly consumer?: string
  /** The id of a message. */
  readonly id?: string
  readonly key?: string
  /** Wire name. */
  readonly type?: string
  /** A cause, as `deadLetterCauses` names it. */
  readonly cause?: string
  /** Failed at this time or later … */
  readonly since?: number
  /** … and before this one. */
  readonly until?: number
}

export interface DeadLettersOptions extends DeadLetterFilter, ListOptions {}

/** A message that has failed at a consumer. */
export interface DeadLetterEntry {
  /** `<service>/<rule>`. */
  readonly consumer: string
  readonly key: string
  readonly event: EventLocation
  /** Failed attempts since it came, or was redriven. */
  readonly attempts: number
  readonly failedAt: number
  readonly error: ErrorView
  /** Equal for failures with the same cause. */
  readonly cause: string
  /** Events of its key that wait behind it. */
  readonly heldBehind: number
  /** Later events of its key went on without it, so a redrive comes out of order. */
  readonly isSkipped: boolean
  /** When a policy redrives it. */
  readonly redriveAt?: number
  /** Its data as the consumer gets it: the original, or an edit. JSON text; `null` for a tombstone. */
  readonly data: string | null
  readonly edit?: { readonly by: string; readonly reason: string; readonly at: number }
}

/** Dead letters of one consumer that failed for the same cause. */
export interface DeadLetterCause {
  readonly cause: string
  readonly consumer: string
  /** Wire names of the messages. */
  readonly types: readonly string[]
  readonly code?: string
  /** The text of the error, with placeholders for ids and numbers. */
  readonly message: string
  readonly count: number
  readonly firstAt: number
  readonly lastAt: number
  /** The id of one of the messages. */
  readonly example: string
}
