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
 * A record as the rules of a group are handed it, whichever version it was stored under. It is worked
 * out once for all of them, when the first one wants it: upcasters are code of the user, whose time
 * counts as that of a rule. What stands in the way is kept as the fault of this one message.
 */
export function arrivalOf(record: LogRecord, reactions: readonly Reaction[]): Arrival {
  return new LazyArrival(record, reactions)
}

class LazyArrival implements Arrival {
  readonly occasion: Arrival['occasion']
  readonly #record: LogRecord
  readonly #reactions: readonly Reaction[]
  #contents: Contents | undefined
  #envelope: Envelope | undefined

  constructor(record: LogRecord, reactions: readonly Reaction[]) {
    const { id: messageId, at, key } = record
    this.occasion = { messageId, at, key }
    this.#record = record
    this.#reactions = reactions
  }

  get data(): unknown {
    return (this.#contents ??= contentsOf(this.#record, this.#reactions)).data
  }

  get fault(): Arrival['fault'] {
    return (this.#contents ??= contentsOf(this.#record, this.#reactions)).fault
  }

  get envelope(): Envelope {
    return (this.#envelope ??= decodeEnvelope(this.#record))
  }
}

type Contents = Pick<Arrival, 'data' | 'fault'>

function contentsOf(record: LogRecord, reactions: readonly Reaction[]): Contents {
  const stored: unknown = record.data === null ? undefined : JSON.parse(record.data)
  const [first] = reactions
  // A tombstone has no data to be of any version.
  if (!first || stored === undefined) return { data: frozen(stored) }
  try {
    const version = versionIn(record)
    const data =
      first.rule.hears === 'message'
        ? upcast(first.message, stored, version)
        : upcastReply(reactions, stored as ReplyData, version)
    // Several rules are handed it: none of them may change it for the next one.
    return { data: frozen(data) }
  } catch (cause) {
    const fault = faultIn(cause)
    if (!fault) throw cause
    return { data: stored, fault }
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
