import type { ThrownError } from '../../base/errors/thrown-error.ts'
import type { LogRecord } from '../../ports/event-log.ts'

/** An error that a rule threw: on which message, and when it is retried. */
export interface RuleError {
  /** `<service>/<rule>`. */
  readonly consumer: string
  /** Id of the message; for a timer, of the message that set it. */
  readonly messageId: string
  readonly key: string
  /** Wire name of the message; for a timer, of the message that it sends. */
  readonly type: string
  /** Where the message is stored. Absent for timers. */
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  /** The text of the error. */
  readonly error: string
  /** The stable code, if the error has one. */
  readonly code?: string
  /** At most 8 KB. */
  readonly stack?: string
  /** When the error was thrown. */
  readonly at: number
  /** Failed attempts at this message, including this one. */
  readonly attempts: number
  /** What follows: another attempt, or none, because the message has failed. */
  readonly status: 'RETRY' | 'FAILED'
  /** Absent if it has failed. */
  readonly nextAttemptAt?: number
}

/** The fields of a `RuleError` that come from the error itself. */
export function thrownFields({
  message,
  code,
  stack,
}: ThrownError): Pick<RuleError, 'error' | 'code' | 'stack'> {
  return {
    error: message,
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
  }
}

/** The error of a consumer on a message of the log. */
export function createRuleError(
  consumer: { readonly name: string },
  { id: messageId, key, type, topic, partition, offset }: LogRecord,
  error: ThrownError,
  when: Pick<RuleError, 'at' | 'attempts' | 'status' | 'nextAttemptAt'>,
): RuleError {
  const place = { messageId, key, type, topic, partition, offset }
  return { consumer: consumer.name, ...place, ...thrownFields(error), ...when }
}

/** Formats an error for a log: what, where, when, and the stack. */
export function ruleErrorText(fault: RuleError): string {
  const { consumer, key, type, messageId, topic, partition, offset } = fault
  const place = topic === undefined ? '' : ` (${topic}/${partition}@${offset})`
  const times = fault.attempts === 1 ? 'attempt 1' : `attempts 1 to ${fault.attempts}`
  const next =
    fault.nextAttemptAt === undefined
      ? 'it is a dead letter now (see `throughline dead`)'
      : `next attempt at ${new Date(fault.nextAttemptAt).toISOString()}`
  return [
    `${consumer} holds ${key}: ${fault.error}`,
    `  on ${type} ${messageId}${place} at ${new Date(fault.at).toISOString()}`,
    `  ${times} failed; ${next}`,
    ...(fault.stack === undefined ? [] : [fault.stack]),
  ].join('\n')
}
