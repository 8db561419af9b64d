import { Fault } from '../base/fault.ts'
import { traceContextOf } from './trace-context.ts'

/**
 * What travels with a message. On every wire and in every export a message is a CloudEvent 1.0
 * (structured mode, JSON) whose extension attributes carry key, cause and correlation.
 */
export interface Envelope {
  readonly id: string
  /** The wire name of the message. */
  readonly type: string
  readonly key: string
  /** When it was made, in milliseconds since 1970. */
  readonly at: number
  /** Who made it: a service, or `door` for what came from outside. */
  readonly source: string
  /** The id of the message that caused this one. */
  readonly cause?: string
  /** The id of the message that began the conversation. */
  readonly correlation: string
  /**
   * The topic of that message, where its sender chose the id: in another topic the same id begins
   * another conversation. Absent where the engine made the id.
   */
  readonly origin?: string
  /** Steps from that first message. */
  readonly hops: number
  /** W3C trace context, handed on unchanged. */
  readonly traceparent?: string
  readonly tracestate?: string
  /** Which saga instance sent this command, so that answers find it. */
  readonly sender?: Sender
  /** The id of the command that this one undoes. */
  readonly undoes?: string
  /** The version of the message under which its data was made. Absent: 1. */
  readonly version?: number
}

/** A rule's instance that sent a command. */
export interface Sender {
  readonly service: string
  readonly rule: string
  readonly instance: string
}

/** The part of an envelope that is stored as one JSON text; the rest has columns of its own. */
type Head = Omit<Envelope, 'id' | 'type' | 'key' | 'at'>

export function encodeHead(envelope: Envelope): string {
  const { source, cause, correlation, origin, hops, traceparent, tracestate } = envelope
  const { sender, undoes, version } = envelope
  const head: Head = {
    source,
    correlation,
    hops,
    ...(origin === undefined ? {} : { origin }),
    ...(cause === undefined ? {} : { cause }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(sender === undefined ? {} : { sender }),
    ...(undoes === undefined ? {} : { undoes }),
    ...(version === undefined || version === 1 ? {} : { version }),
  }
  return JSON.stringify(head)
}

/**
 * The version of a stored message's data, without reading the whole head: the first one is left out,
 * and most messages are of that.
 */
export function versionIn(stored: Stored): number | undefined {
  return stored.head.includes('"version":') ? decodeEnvelope(stored).version : undefined
}

/** What a log keeps of a message, as far as an envelope needs it. */
interface Stored {
  readonly id: string
  readonly type: string
  readonly key: string
  readonly at: number
  readonly head: string
}

/**
 * The envelope of a stored message. Members that a newer version added are kept.
 *
 * @throws Fault `DATA_DAMAGED` when the head is not one, with the id of the message
 */
export function decodeEnvelope({ id, type, key, at, head }: Stored): Envelope {
  return { ...parseHead(head, id), id, type, key, at }
}

function parseHead(text: string, id: string): Head {
  let head: unknown
  let cause: unknown
  try {
    head = JSON.parse(text)
  } catch (error) {
    cause = error
  }
  if (isHead(head)) return head
  throw new Fault('DATA_DAMAGED', {
    detail: `the head of message ${id}`,
    ids: { message: id },
    cause,
  })
}

function isHead(value: unknown): value is Head {
  const { source, correlation, hops, version = 1 } = (value ?? {}) as Partial<Head>
  const isNamed = typeof source === 'string' && typeof correlation === 'string'
  return isNamed && typeof hops === 'number' && Number.isInteger(version) && version >= 1
}

/** A CloudEvent 1.0 in its structured JSON form. Extension names are lower case, as it demands. */
export interface CloudEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  /** Names the schema that the data has: the wire name of the message, and its version. */
  readonly dataschema: string
  readonly data: unknown
  readonly partitionkey: string
  readonly correlationid: string
  readonly causationid?: string
  readonly traceparent?: string
  readonly tracestate?: string
}

/**
 * A message of a topic as a CloudEvent. Its `source` names the topic, since an id counts once in
 * each topic: `source` and `id` together are unique. `partitionkey` is the attribute of the
 * partitioning extension, `traceparent` and `tracestate` are those of distributed tracing.
 */
export function cloudEvent(topic: string, envelope: Envelope, data: unknown): CloudEvent {
  return {
    specversion: '1.0',
    id: envelope.id,
    source: `/${uriText(envelope.source)}/${uriText(topic)}`,
    type: envelope.type,
    time: new Date(envelope.at).toISOString(),
    datacontenttype: 'application/json',
    dataschema: `urn:throughline:message:${uriText(envelope.type)}:${envelope.version ?? 1}`,
    data,
    partitionkey: envelope.key,
    correlationid: envelope.correlation,
    ...(envelope.cause === undefined ? {} : { causationid: envelope.cause }),
    ...traceContextOf(envelope),
  }
}

/** Names may be any text, and a lone surrogate is in no URI. */
const uriText = (text: string): string => encodeURIComponent(text.toWellFormed())
