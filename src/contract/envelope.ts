import { Fault } from '../base/errors/fault.ts'
import { validTraceContext } from './trace-context.ts'

/**
 * The metadata of a message. On the wire and in exports a message is a CloudEvent 1.0 (structured mode,
 * JSON) with extension attributes for key, cause and correlation.
 */
export interface Envelope {
  readonly id: string
  /** The wire name of the message. */
  readonly type: string
  readonly key: string
  /** When the message was created, in milliseconds since 1970. */
  readonly at: number
  /** The service that created it, or `door` for a message from outside the system. */
  readonly source: string
  /** The id of the message that caused this one. */
  readonly cause?: string
  /** The id of the first message of the conversation. */
  readonly correlation: string
  /**
   * The topic of the first message, if its sender chose the id: the same id in another topic belongs to
   * another conversation. Absent if the engine generated the id.
   */
  readonly origin?: string
  /** The number of hops from the first message. */
  readonly hops: number
  /** W3C trace context, propagated unchanged. */
  readonly traceparent?: string
  readonly tracestate?: string
  /** The saga instance that sent this command, to which refusals and failures are delivered. */
  readonly sender?: SenderInstance
  /** The id of the command that this one compensates. */
  readonly undoes?: string
  /** The version of the message type that the data has. Absent: 1. */
  readonly version?: number
}

/** The saga instance that sent a command. */
export interface SenderInstance {
  readonly service: string
  readonly rule: string
  readonly instance: string
}

/** The members of an envelope that are stored as one JSON text; the others have their own columns. */
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

/** What `encodeHead` writes first, where no text needs an escape. */
const CORRELATION = /^\{"source":"[^"\\]*","correlation":"([^"\\]*)"/

/**
 * The correlation in a stored head, which is parsed only where it is not as `encodeHead` writes most of
 * them. Any other text has none.
 */
export function correlationIn(head: string): string | undefined {
  const found = CORRELATION.exec(head)?.[1]
  if (found !== undefined || !head.includes('"correlation"')) return found
  try {
    const { correlation } = (JSON.parse(head) ?? {}) as Partial<Head>
    return typeof correlation === 'string' ? correlation : undefined
  } catch {
    return undefined
  }
}

/**
 * The version of the data of a stored message. Version 1 is not stored, so most heads need not be
 * parsed.
 */
export function messageVersion(stored: StoredMessage): number | undefined {
  return stored.head.includes('"version":') ? decodeEnvelope(stored).version : undefined
}

/** The columns of a stored message that make up its envelope. */
interface StoredMessage {
  readonly id: string
  readonly type: string
  readonly key: string
  readonly at: number
  readonly head: string
}

/**
 * The envelope of a stored message. Members that a newer version of Throughline added are kept.
 *
 * @throws Fault `DATA_DAMAGED` with the id of the message, if the head is not valid
 */
export function decodeEnvelope({ id, type, key, at, head }: StoredMessage): Envelope {
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
  /** The schema of the data: wire name and version of the message. */
  readonly dataschema: string
  readonly data: unknown
  readonly partitionkey: string
  readonly correlationid: string
  readonly causationid?: string
  readonly traceparent?: string
  readonly tracestate?: string
}

/**
 * Converts a message of a topic to a CloudEvent. `source` contains the topic, since ids are unique per
 * topic: `source` and `id` together are unique. `partitionkey` belongs to the partitioning extension,
 * `traceparent` and `tracestate` to the distributed tracing extension.
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
    ...validTraceContext(envelope),
  }
}

/** Escapes text for a URI; replaces lone surrogates, which cannot be encoded. */
const uriText = (text: string): string => encodeURIComponent(text.toWellFormed())
