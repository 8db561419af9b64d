import type { ThrownError } from '../../base/errors/thrown-error.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { Status, StatusChange } from '../../ports/status.ts'
import { assertStatusChange } from '../../ports/status.ts'
import { causeOf } from './cause.ts'

/** A step of a status, and what the ledger shows with it. */
export interface StatusStep {
  readonly from: Status
  readonly to: Status
  readonly attempts: number
  /** By the wall clock. */
  readonly dueAt?: number
  readonly error?: ThrownError
  readonly resolution?: StatusChange['resolution']
  readonly detail?: object
}

/** Who makes a change, and when, by the wall clock. */
export interface ChangedBy {
  readonly by: string
  readonly at: number
}

/** A text that every database can store: without lone surrogates and NUL. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd')

/**
 * The change of the status of a record at a consumer.
 *
 * @throws Fault `STATUS_REFUSED`
 */
export function createStatusChange(
  consumer: { readonly id: string },
  { id: eventId, key, type, topic, partition, offset }: LogRecord,
  { from, to, attempts, dueAt, error, resolution, detail }: StatusStep,
  { by, at }: ChangedBy,
): StatusChange {
  assertStatusChange(from, to, { consumer: consumer.id, id: eventId })
  return {
    consumer: consumer.id,
    topic,
    partition,
    offset,
    eventId,
    key,
    type,
    from,
    status: to,
    attempts,
    dueAt: dueAt ?? null,
    code: error?.code === undefined ? null : storable(error.code),
    error: error ? storable(error.message) : null,
    cause: error ? causeOf(error) : null,
    resolution: resolution ?? null,
    detail: detail ? JSON.stringify(detail) : null,
    updatedBy: storable(by),
    updatedAt: at,
  }
}
