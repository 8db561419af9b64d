import type { ThrownError } from '../../base/errors/thrown-error.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { Status } from '../../ports/status.ts'
import type { Consumer } from '../plan/index.ts'

/**
 * A held key of one consumer: its first message failed. Later messages of the key wait, stored in
 * order beside it; other keys are not affected. In a queue, each event is held by itself, as is a dead
 * letter that its key does not wait for.
 */
export interface HoldRow {
  readonly consumer: string
  readonly key: string
  /** The status of the message in front. Absent in rows of earlier versions. */
  readonly status?: HoldStatus
  /** Whether the store has a status of the message in front, or gets one in any case. */
  readonly isRecorded?: boolean
  /** Attempts at the message in front; 0 if none has failed. */
  readonly attempts: number
  /** When the next attempt is due, by the delay clock. */
  readonly due: number
  /** The delay that `due` was set with. Absent in rows of earlier versions. */
  readonly delayMs?: number
  /** The last error; absent if there was none. Rows of an earlier version have a text. */
  readonly error?: HoldError | string
  /** Since when the key is held, by the delay clock. Added later to rows of earlier versions. */
  readonly since?: number
  /** Number of the next held message. */
  readonly next: number
  /** Number of held messages. */
  readonly count: number
  /** Number of pages that some of them are in. */
  readonly pages?: number
  /** Set while the message in front has failed. */
  readonly dead?: DeadLetter
  /** Set for a dead letter that its key does not wait for: a hold of its own. */
  readonly isAside?: true
  /** How often the message in front was redriven by a policy. */
  readonly redrives?: number
  /** Held compensations, by the id of the command that each undoes: the keys of their rows. */
  readonly undoneBy?: Readonly<Record<string, string>>
}

/** The statuses that a message in front of a hold may have. */
export type HoldStatus = Exclude<Status, 'COMPLETED'>

/** A message that has failed. */
export interface DeadLetter {
  /** The id of the message. */
  readonly id: string
  /** The key of the held message's row. */
  readonly row: string
  /** When it failed, by the delay clock. */
  readonly at: number
  /** Names the code that it failed with. */
  readonly code: string
  /** When a policy redrives it, by the delay clock. */
  readonly redriveAt?: number
}

/** The last error on the message in front, with the times of the first and the last error. */
export interface HoldError extends ThrownError {
  readonly firstAt: number
  readonly lastAt: number
}

/** A copy of a held message, so that retention cannot delete it. */
export interface HeldMessage extends LogRecord {
  /** Whether the store has a status of it, although it has not been in front yet. */
  readonly isRecorded?: true
}

/**
 * The key of the hold that an error on this record opens: by message key, or in a queue by the
 * record's own place.
 */
export function holdKeyOf(consumer: Consumer, record: LogRecord): string {
  return isQueueConsumer(consumer) ? placeHoldKey(consumer, record) : `${consumer.id}:${record.key}`
}

/** The key of a hold of one record alone. */
export function placeHoldKey(
  { id }: Pick<Consumer, 'id'>,
  { topic, partition, offset }: Pick<LogRecord, 'topic' | 'partition' | 'offset'>,
): string {
  return `${id}:${topic}/${partition}@${offset}`
}

/** Whether a consumer is a queue: each event is handled by itself. */
export function isQueueConsumer({ rule }: Consumer): boolean {
  return rule.kind === 'handler' && rule.consume === 'queue'
}

/** The error of a hold, in the shape of the current version. */
export function holdError({ error }: HoldRow): (Partial<HoldError> & ThrownError) | undefined {
  if (typeof error !== 'string') return error
  return error === '' ? undefined : { message: error }
}

/** The status of the message in front; of rows of earlier versions, what they mean. */
export function holdStatus({ status, attempts }: HoldRow): HoldStatus {
  return status ?? (attempts > 0 ? 'RETRY' : 'UNPROCESSED')
}
