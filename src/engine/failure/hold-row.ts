import type { ThrownError } from '../../base/errors/thrown-error.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { Consumer } from '../plan/index.ts'

/**
 * A held key of one consumer: its first message failed. Later messages of the key wait, stored in
 * order beside it; other keys are not affected. In a queue, each event is held by itself.
 */
export interface HoldRow {
  readonly consumer: string
  readonly key: string
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
}

/** The last error on the message in front, with the times of the first and the last error. */
export interface HoldError extends ThrownError {
  readonly firstAt: number
  readonly lastAt: number
}

/** A copy of a held message, so that retention cannot delete it. */
export type HeldMessage = LogRecord

/**
 * The key of the hold that an error on this record opens: by message key, or in a queue by the
 * record's own place.
 */
export function holdKeyOf(consumer: Consumer, record: LogRecord): string {
  const { topic, partition, offset, key } = record
  return `${consumer.id}:${isQueueConsumer(consumer) ? `${topic}/${partition}@${offset}` : key}`
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
