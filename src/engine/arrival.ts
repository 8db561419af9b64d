import type { Fault } from '../base/fault.ts'
import { frozen } from '../base/frozen.ts'
import { faultIn } from '../base/thrown.ts'
import type { Envelope } from '../contract/envelope.ts'
import { decodeEnvelope, versionIn } from '../contract/envelope.ts'
import type { MessageType } from '../contract/message.ts'
import { upcast } from '../contract/upcast.ts'
import type { LogRecord } from '../ports/log.ts'
import type { Reaction } from './plan.ts'
import type { Arrival } from './step.ts'

/** What a reply says. */
export interface ReplyData {
  readonly contract: string
  readonly name: string
  readonly command: unknown
}

/**
 * A record as the rules of a group are handed it, whichever version it was stored under; worked out
 * once for all of them. What stands in the way is kept as the fault of this one message.
 */
export function arrivalOf(record: LogRecord, reactions: readonly Reaction[]): Arrival {
  const stored: unknown = record.data === null ? undefined : JSON.parse(record.data)
  const [first] = reactions
  // A tombstone has no data to be of any version.
  if (!first || stored === undefined) return arrival(record, stored)
  try {
    const version = versionIn(record)
    const data =
      first.rule.hears === 'message'
        ? upcast(first.message, stored, version)
        : upcastReply(reactions, stored as ReplyData, version)
    // Several rules are handed it: none of them may change it for the next one.
    return arrival(record, frozen(data))
  } catch (cause) {
    const fault = faultIn(cause)
    if (!fault) throw cause
    return arrival(record, stored, fault)
  }
}

/** Many rules never look at the envelope, which is read when it is wanted first. */
function arrival(record: LogRecord, data: unknown, fault?: Fault): Arrival {
  const { id: messageId, at, key } = record
  let envelope: Envelope | undefined
  return {
    data,
    occasion: { messageId, at, key },
    get envelope() {
      return (envelope ??= decodeEnvelope(record))
    },
    ...(fault ? { fault } : {}),
  }
}

/**
 * The data of a record as a message type has it today, whichever version it was stored under.
 *
 * @throws Fault `MESSAGE_NEWER`, `UPCAST_FAILED`
 */
export function dataOf(record: LogRecord, type: MessageType): unknown {
  if (record.data === null) return undefined
  return frozen(upcast(type, JSON.parse(record.data), versionIn(record)))
}

/** A reply holds the command that it answers, and is as old as that. */
function upcastReply(
  reactions: readonly Reaction[],
  reply: ReplyData,
  version: number | undefined,
): ReplyData {
  const type: MessageType | undefined = reactions.find(
    ({ message }) => message.contract === reply.contract && message.name === reply.name,
  )?.message
  return type ? { ...reply, command: upcast(type, reply.command, version) } : reply
}
