import type { ThrownError } from '../base/thrown.ts'
import type { LogRecord } from '../ports/log.ts'

/** A rule has thrown: what it was run on, what was thrown, and when it is tried again. */
export interface Faulted {
  /** `<service>/<rule>`. */
  readonly consumer: string
  /** Of the message; of a timer, of the message that set it. */
  readonly messageId: string
  readonly key: string
  /** Wire name of the message; of a timer, what it would have sent. */
  readonly type: string
  /** Where the message is stored; a timer is in no topic. */
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  /** The message of what was thrown. */
  readonly error: string
  /** The stable code, where what was thrown has one. */
  readonly code?: string
  /** At most 8 KB. */
  readonly stack?: string
  /** When it was thrown. */
  readonly at: number
  /** Failed attempts at this message, this one included. */
  readonly attempts: number
  readonly nextAttemptAt: number
}

/** What was thrown, as the members of a `Faulted`. */
export function faultedBy({
  message,
  code,
  stack,
}: ThrownError): Pick<Faulted, 'error' | 'code' | 'stack'> {
  return {
    error: message,
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
  }
}

/** A fault of a consumer on a message of the log. */
export function faultOf(
  consumer: { readonly name: string },
  { id: messageId, key, type, topic, partition, offset }: LogRecord,
  error: ThrownError,
  when: Pick<Faulted, 'at' | 'attempts' | 'nextAttemptAt'>,
): Faulted {
  const place = { messageId, key, type, topic, partition, offset }
  return { consumer: consumer.name, ...place, ...faultedBy(error), ...when }
}

/** A fault as text for a log: what, where, when, and the stack where there is one. */
export function faultText(fault: Faulted): string {
  const { consumer, key, type, messageId, topic, partition, offset } = fault
  const place = topic === undefined ? '' : ` (${topic}/${partition}@${offset})`
  const times = fault.attempts === 1 ? 'attempt 1' : `attempts 1 to ${fault.attempts}`
  const next = new Date(fault.nextAttemptAt).toISOString()
  return [
    `${consumer} holds ${key}: ${fault.error}`,
    `  on ${type} ${messageId}${place} at ${new Date(fault.at).toISOString()}`,
    `  ${times} failed; next attempt at ${next}`,
    ...(fault.stack === undefined ? [] : [fault.stack]),
  ].join('\n')
}
