import type { Issue } from '../../base/errors/fault.ts'
import { deepFreeze } from '../../base/deep-freeze.ts'
import { asFault } from '../../base/errors/thrown-error.ts'
import type { Envelope } from '../../contract/envelope.ts'
import { decodeEnvelope, messageVersion } from '../../contract/envelope.ts'
import type { MessageType } from '../../contract/message.ts'
import { upcast } from '../../contract/upcast.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import { toIssues } from '../../rules/effect.ts'
import type { Subscription } from '../plan/index.ts'
import type { InboundMessage } from './rule-run.ts'

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
export function createInboundMessage(
  record: LogRecord,
  subscriptions: readonly Subscription[],
): InboundMessage {
  return new LazyInboundMessage(record, subscriptions)
}

class LazyInboundMessage implements InboundMessage {
  readonly context: InboundMessage['context']
  readonly #record: LogRecord
  readonly #subscriptions: readonly Subscription[]
  #contents: Contents | undefined
  #envelope: Envelope | undefined

  constructor(record: LogRecord, subscriptions: readonly Subscription[]) {
    const { id: messageId, at, key } = record
    this.context = { messageId, at, key }
    this.#record = record
    this.#subscriptions = subscriptions
  }

  get data(): unknown {
    return (this.#contents ??= readContents(this.#record, this.#subscriptions)).data
  }

  get fault(): InboundMessage['fault'] {
    return (this.#contents ??= readContents(this.#record, this.#subscriptions)).fault
  }

  get envelope(): Envelope {
    return (this.#envelope ??= decodeEnvelope(this.#record))
  }
}

type Contents = Pick<InboundMessage, 'data' | 'fault'>

function readContents(record: LogRecord, subscriptions: readonly Subscription[]): Contents {
  const stored: unknown = record.data === null ? undefined : JSON.parse(record.data)
  const [first] = subscriptions
  // A tombstone has no data, so it has no version either.
  if (!first || stored === undefined) return { data: deepFreeze(stored) }
  try {
    const version = messageVersion(record)
    const data =
      first.rule.trigger === 'message'
        ? upcast(
            first.messageType,
            refusalIn(first.messageType.kind === 'refusal', stored),
            version,
          )
        : upcastReply(
            subscriptions,
            refusalIn(first.rule.trigger === 'refused', stored) as ReplyData,
            version,
          )
    // Several rules receive the same object: none of them may change it for the next one.
    return { data: deepFreeze(data) }
  } catch (cause) {
    const fault = asFault(cause)
    if (!fault) throw cause
    return { data: stored, fault }
  }
}

/**
 * The data of a record, upcast to the current version of a message type.
 *
 * @throws Fault `MESSAGE_NEWER`, `UPCAST_FAILED`
 */
export function upcastRecord(record: LogRecord, type: MessageType): unknown {
  if (record.data === null) return undefined
  const stored = refusalIn(type.kind === 'refusal', JSON.parse(record.data))
  return deepFreeze(upcast(type, stored, messageVersion(record)))
}

/** Stored refusals call their issues `complaints`; those of earlier versions are texts alone. */
function refusalIn(isRefusal: boolean, stored: unknown): unknown {
  if (!isRefusal || typeof stored !== 'object' || stored === null) return stored
  const { complaints = [], ...rest } = stored as StoredRefusal
  return { ...rest, issues: toIssues(complaints) }
}

interface StoredRefusal {
  readonly complaints?: readonly (Issue | string)[]
}

/** A reply contains its command, in the version that the command had. */
function upcastReply(
  subscriptions: readonly Subscription[],
  reply: ReplyData,
  version: number | undefined,
): ReplyData {
  const type: MessageType | undefined = subscriptions.find(
    ({ messageType }) => messageType.contract === reply.contract && messageType.name === reply.name,
  )?.messageType
  return type ? { ...reply, command: upcast(type, reply.command, version) } : reply
}
