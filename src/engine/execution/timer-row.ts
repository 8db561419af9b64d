import type { Envelope } from '../../contract/envelope.ts'
import type { Message } from '../../contract/message.ts'
import type { DelayClock } from '../delays/index.ts'

/** A message that a saga sends after a delay. */
export interface TimerRow {
  readonly table: string
  readonly rule: string
  readonly instance: string
  readonly message: Message
  /** The version under which the message was made. Absent: 1. */
  readonly version?: number
  /** The message that set the timer: the cause of what the timer sends. */
  readonly cause: Envelope
  /** The delay it was set with. Absent in rows of earlier versions. */
  readonly delayMs?: number
  /** When it is due, by the delay clock. Absent in rows of earlier versions. */
  readonly dueAt?: number
  /** Failed attempts to send it. */
  readonly attempts?: number
}

/** The index values of a timer that is set now. */
export function timerIndex(
  delays: Pick<DelayClock, 'now' | 'dueIn'>,
  delayMs: number,
): { readonly due: number; readonly setAt: number } {
  return { due: delays.dueIn(delayMs), setAt: Math.floor(delays.now()) }
}
