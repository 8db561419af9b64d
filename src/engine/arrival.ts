import type { Complaint } from '../base/fault.ts'
import { frozen } from '../base/frozen.ts'
import { faultIn } from '../base/thrown.ts'
import type { Envelope } from '../contract/envelope.ts'
import { decodeEnvelope, versionIn } from '../contract/envelope.ts'
import type { MessageType } from '../contract/message.ts'
import { upcast } from '../contract/upcast.ts'
import type { LogRecord } from '../ports/log.ts'
import { complaintsIn } from '../rules/effect.ts'
import type { Reaction } from './plan.ts'
import type { Arrival } from './step.ts'

/** The data of a reply record: which command was refused or failed. */
export interface ReplyData {
  readonly contract: string
  readonly name: string
  readonly command: unknown
}

/**
 * A record as the rules of a group receive it, upcast from the version it was stored under. It is
 * decoded once for all rules, when the first one needs it: upcasters are user code, whose time
 * counts as that of a rule. A failure is kept as the fault of this message.
 */
export function arrivalOf(record: LogRecord, reactions: readonly Reaction[]): Arrival {
  return new LazyArrival(record, reactions)
}

class LazyArrival implements Arrival {
  readonly occasion: Arrival['occasion']
  readonly #record: LogRecord
  readonly #subscriptions: readonly Reaction[]
  #contents: Contents | undefined
  #envelope: Envelope | undefined

  constructor(record: LogRecord, reactions: readonly Reaction[]) {
    const { id: messageId, at, key } = record
    this.occasion = { messageId, at, key }
    this.#record = record
    this.#subscriptions = reactions
  }

  get data(): unknown {
    return (this.#contents ??= contentsOf(this.#record, this.#subscriptions)).data
  }

  get fault(): Arrival['fault'] {
    return (this.#contents ??= contentsOf(this.#record, this.#subscriptions)).fault
  }

  get envelope(): Envelope {
    return (this.#envelope ??= decodeEnvelope(this.#record))
  }
}

type Contents = Pick<Arrival, 'data' | 'fault'>

function contentsOf(record: LogRecord, reactions: readonly Reaction[]): Contents {
  const stored: unknown = record.data === null ? undefined : JSON.parse(record.data)
  const [first] = reactions
  // A tombstone has no data, so it has no version either.
  if (!first || stored === undefined) return { data: frozen(stored) }
  try {
    const version = versionIn(record)
    const data =
      first.rule.hears === 'message'
        ? upcast(first.message, refusalIn(first.message.kind === 'refusal', stored), version)
        : upcastReply(
            reactions,
            refusalIn(first.rule.hears === 'refused', stored) as ReplyData,
            version,
          )
    // Several rules receive the same object: none of them may change it for the next one.
    return { data: frozen(data) }
  } catch (cause) {
    const fault = faultIn(cause)
    if (!fault) throw cause
    return { data: stored, fault }
  }
}

/**
 * The data of a record, upcast to the current version of a message type.
 *
 * @throws Fault `MESSAGE_NEWER`, `UPCAST_FAILED`
 */
export function dataOf(record: LogRecord, type: MessageType): unknown {
  if (record.data === null) return undefined
  const stored = refusalIn(type.kind === 'refusal', JSON.parse(record.data))
  return frozen(upcast(type, stored, versionIn(record)))
}

/** Earlier versions stored the complaints of a refusal as texts alone. */
function refusalIn(isRefusal: boolean, stored: unknown): unknown {
  const { complaints } = (stored ?? {}) as { readonly complaints?: readonly (Complaint | string)[] }
  if (!isRefusal || !complaints?.some((each) => typeof each === 'string')) return stored
  return { ...(stored as object), complaints: complaintsIn(complaints) }
}

/** A reply contains its command, in the version that the command had. */
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
