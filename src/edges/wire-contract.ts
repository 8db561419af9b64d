import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Retention, Contract } from '../contract/contract.ts'
import { contract } from '../contract/contract.ts'
import type { EventSpec, Schema } from '../contract/message.ts'
import { event } from '../contract/message.ts'
import type { Issue } from '../base/errors/fault.ts'
import { WIRE_RECORD_TYPES } from '../ports/ledger.ts'
import type { RecordedBody } from './body.ts'

/** A body that came in or went out, as it was on the wire. */
export interface WireRecord extends RecordedBody {
  /**
   * Unique. Of a received body it follows from the body, so that a redelivery is recorded once; of a sent
   * one it follows from the event that was sent, and is its `message-id` header.
   */
  readonly recordId: string
  /** The id of the message in the other system; `sha256:` and a hash where it could not be read. */
  readonly eventId: string
  readonly direction: 'in' | 'out'
  /** The external topic. */
  readonly topic: string
  /** Who sent it, and whom to: the system and the service that the edge names. */
  readonly source: string
  readonly target: string
}

/** A received body that could not become a message of the service. Its body is the record with `recordId`. */
export interface RejectedRecord {
  readonly recordId: string
  readonly eventId: string
  readonly topic: string
  readonly source: string
  /**
   * `BODY_TOO_LARGE`, `BODY_INVALID`, `ID_INVALID`, `DECODE_FAILED`, a code that `decode` refused it with,
   * or the code of a fault, such as `ID_CONFLICT`.
   */
  readonly code: string
  readonly message: string
  readonly issues: readonly Issue[]
}

/** The contract of an edge: its record of the wire. The service of the edge owns it. */
export type WireContract<N extends string = string> = Contract<
  `${N}-wire`,
  {
    readonly Received: EventSpec<Schema<WireRecord>>
    readonly Sent: EventSpec<Schema<WireRecord>>
    readonly Rejected: EventSpec<Schema<RejectedRecord>>
  }
>

/** Settings of the topic that records the bodies of an edge. */
export interface WireTopicSettings {
  /** Partitions of the topic, fixed for its life. Default 8. */
  readonly partitions?: number
  /** How long bodies are kept, fixed as well. Default: for ever. */
  readonly retention?: Retention
}

type Field = Readonly<Record<string, unknown>>
const text: Field = { type: 'string' }

const RECORD: Readonly<Record<keyof WireRecord, Field>> = {
  recordId: text,
  eventId: text,
  direction: { enum: ['in', 'out'] },
  topic: text,
  source: text,
  target: text,
  body: text,
  encoding: { const: 'base64' },
  cut: {
    type: 'object',
    properties: { bytes: { type: 'integer' }, sha256: text },
    required: ['bytes', 'sha256'],
  },
}

const REJECTED: Readonly<Record<keyof RejectedRecord, Field>> = {
  recordId: text,
  eventId: text,
  topic: text,
  source: text,
  code: text,
  message: text,
  issues: {
    type: 'array',
    items: { type: 'object', properties: { path: text, message: text } },
  },
}

/**
 * Creates the contract of an edge. Its events have the same wire names in every edge, so that one view
 * can show all of them.
 *
 * @throws Fault `CONTRACT_INVALID`
 */
export function wireContract<const N extends string>(
  name: N,
  { partitions, retention }: WireTopicSettings,
): WireContract<N> {
  const record = schemaOf<WireRecord>(RECORD, ['encoding', 'cut'])
  const rejected = schemaOf<RejectedRecord>(REJECTED, [])
  return contract(
    `${name}-wire`,
    {
      key: 'eventId',
      ...(partitions === undefined ? {} : { partitions }),
      ...(retention === undefined ? {} : { retention: { events: retention } }),
    },
    {
      Received: event(record, { wire: WIRE_RECORD_TYPES.received }),
      Sent: event(record, { wire: WIRE_RECORD_TYPES.sent }),
      Rejected: event(rejected, { wire: 'edge.Rejected' }),
    },
  ) as WireContract<N>
}

/**
 * A schema of the record. Only edges write it, so it checks the members that the key and the views need,
 * and describes all of them for the comparison of stored schemas.
 */
function schemaOf<D extends object>(
  properties: Readonly<Record<keyof D & string, Field>>,
  optional: readonly (keyof D & string)[],
): Schema<D> {
  const names = Object.keys(properties) as (keyof D & string)[]
  const required = names.filter((name) => !optional.includes(name))
  const describe = (): Record<string, unknown> => ({ type: 'object', properties, required })
  const standard = {
    version: 1 as const,
    vendor: 'throughline',
    validate: (given: unknown): StandardSchemaV1.Result<D> => {
      const data = (given ?? {}) as Record<string, unknown>
      const issues = required
        .filter((name) => properties[name] === text && typeof data[name] !== 'string')
        .map((name) => ({ message: 'must be text', path: [name] }))
      if (issues.length > 0) return { issues }
      const kept = names.filter((name) => data[name] !== undefined)
      return { value: Object.fromEntries(kept.map((name) => [name, data[name]])) as D }
    },
    jsonSchema: { input: describe, output: describe },
  }
  return { '~standard': standard } as Schema<D>
}
