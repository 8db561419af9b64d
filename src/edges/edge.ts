import type { StandardSchemaV1 } from '@standard-schema/spec'
import { brand } from '../base/package-copy.ts'
import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { unknownNameMessage } from '../base/options.ts'
import { digest } from '../base/text/digest.ts'
import type { CommandType, DataOf, EventType, MessageOf } from '../contract/message.ts'
import type { Refusal } from '../rules/effect.ts'
import type { Handler, HandlerContext } from '../rules/handler.ts'
import { handler } from '../rules/handler.ts'
import type { SubscribableType } from '../rules/projection.ts'
import type { StartFrom, TypeHint } from '../rules/rule.ts'
import { tool } from '../rules/rule.ts'
import type { ServiceEdge } from '../rules/service.ts'
import type { BodyFormat } from './body.ts'
import { json, recordBody, toBytes } from './body.ts'
import type { Delivery, Transport } from './transport.ts'
import type { WireContract, WireTopicSettings } from './wire-contract.ts'
import { wireContract } from './wire-contract.ts'

/** A received message without its body. */
export type ReceiveContext = Omit<Delivery, 'body'>

/** Where a message comes from, what its body looks like, and what its id is. */
export interface ReceiveOptions<S extends StandardSchemaV1> {
  /** The external topic. */
  readonly topic: string
  /**
   * The schema of the parsed body. If several rules name one topic, the first whose schema accepts the
   * body takes it.
   */
  readonly body: S
  /**
   * The id of the message in the other system. It becomes the id of the command or event, so that a
   * redelivery takes effect once. Ids of systems that could choose the same ones need a prefix.
   */
  readonly id: (body: StandardSchemaV1.InferOutput<S>, context: ReceiveContext) => string
}

/** The `on` of `receives`: which command or event of the service a received message becomes. */
export interface ReceiveOn {
  /** `decode` returns the data of the command or event, or a refusal: then the body is rejected. */
  <M extends CommandType | EventType, S extends StandardSchemaV1>(
    becomes: M,
    options: ReceiveOptions<S>,
    decode: (body: StandardSchemaV1.InferOutput<S>, context: ReceiveContext) => DataOf<M> | Refusal,
  ): ReceiveRule
}

/** A declared `on` of `receives`. */
export interface ReceiveRule {
  readonly becomes: CommandType | EventType
  readonly topic: string
  readonly body: StandardSchemaV1
  readonly id: (body: never, context: ReceiveContext) => string
  readonly decode: (body: never, context: ReceiveContext) => unknown
}

/** Where a message goes, and what its id is. */
export interface PublishOptions<D> {
  /** The external topic. */
  readonly topic: string
  /** The id that the other system knows the message by: its `correlation-id` header, and in the record. */
  readonly id: (data: D) => string
}

/** The `on` of `sends`: the body in which an event or a refusal goes out. */
export interface PublishOn {
  /** `encode` returns the body as data. It must be pure: it runs again for each attempt. */
  <M extends SubscribableType>(
    event: M,
    options: PublishOptions<DataOf<M>>,
    encode: (data: DataOf<M>) => unknown,
  ): PublishRule
}

/** A declared `on` of `sends`. */
export interface PublishRule {
  readonly event: SubscribableType
  readonly topic: string
  readonly id: (data: never) => string
  readonly encode: (data: never) => unknown
}

/** The options of `edge`. */
export interface EdgeOptions<T extends string = string> extends WireTopicSettings {
  /** The name of the external system, in the record of bodies. */
  readonly system: string
  /** The name of the service, in the record of bodies. */
  readonly service: string
  /** The name of the tool of `start` that is its transport. Default `transport`. */
  readonly transport?: T
  /** Default: JSON. */
  readonly format?: BodyFormat
  /** The largest body that it takes and gives. Default 262,144; 1 to 491,520. */
  readonly bodyBytesMax?: number
  /** How many keys it publishes at the same time. Default 16, 1 to 1,024. */
  readonly concurrency?: number
  /** Where publishing starts in topics that already hold records: as for any handler. */
  readonly startFrom?: StartFrom
}

type ToolOf<T extends string> = { readonly [K in T]: TypeHint<Transport> }

/** A connection of a service with an external system, by messages in that system's format. */
export interface Edge<N extends string = string, T extends string = string> extends ServiceEdge<
  ToolOf<T>
> {
  readonly name: N
  readonly system: string
  readonly service: string
  readonly transport: T
  readonly format: BodyFormat
  readonly bodyBytesMax: number
  readonly receives: readonly ReceiveRule[]
  readonly sends: readonly PublishRule[]
  /** The events in which every body is recorded; any service may subscribe to them. */
  readonly wire: WireContract<N>
}

/** The bodies that an edge takes; up to the maximum, a body and its record fit into one message. */
const BODY_BYTES = { default: 262_144, min: 1, max: 491_520 } as const
/** Hexadecimal digits of a record id. Strangers choose bodies, so 128 bits. */
const RECORD_DIGITS = 32

const receiveOn: ReceiveOn = (becomes, { topic, body, id }, decode) => {
  return { becomes, topic, body, id, decode }
}
const publishOn: PublishOn = (event, { topic, id }, encode) => ({ event, topic, id, encode })

/**
 * Declares an edge, for the `edges` of a service. `receives` says which command or event each received
 * message becomes, `sends` which events and refusals go out; their bodies are those of the other system.
 *
 * A received body is recorded and appended before the broker is told so. Its message has the id of the
 * other system, so it takes effect once, however often it is delivered, as long as the topic of the
 * message retains it. A body that cannot become a message is recorded, too, with the reason
 * (`wire.Rejected`), and the next one is taken.
 *
 * What goes out is published at least once, the events of one key in their order, and is retried as any
 * handler is. Each attempt has the same `message-id` header. Its body is recorded in the same unit.
 *
 * @throws Fault `OPTION_INVALID` with all issues, `CONTRACT_INVALID`
 */
export function edge<const N extends string, const T extends string = 'transport'>(
  name: N,
  options: EdgeOptions<T>,
  rules: {
    readonly receives?: (on: ReceiveOn) => readonly ReceiveRule[]
    readonly sends?: (on: PublishOn) => readonly PublishRule[]
  },
): Edge<N, T> {
  const { system, service, format = json, partitions, retention } = options
  const { transport = 'transport' as T, bodyBytesMax = BODY_BYTES.default } = options
  const receives = rules.receives?.(receiveOn) ?? []
  const sends = rules.sends?.(publishOn) ?? []
  const issues = [...optionIssues(options), ...ruleIssues(receives, sends)]
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: `edge ${name}`, issues })
  const wire = wireContract(name, {
    ...(partitions === undefined ? {} : { partitions }),
    ...(retention === undefined ? {} : { retention }),
  })
  const facts = { name, system, service, transport, format, bodyBytesMax, receives, sends, wire }
  return brand({
    ...facts,
    kind: 'edge',
    owns: [wire],
    runs: sends.length === 0 ? [] : [publisher(facts, options)],
    uses: { [transport]: tool<Transport>() } as ToolOf<T>,
  })
}

type EdgeFacts<N extends string, T extends string> = Omit<
  Edge<N, T>,
  'kind' | 'owns' | 'runs' | 'uses'
>

/** The handler that publishes; it is retried, held and rewound like any other. */
function publisher<N extends string, T extends string>(
  edge: EdgeFacts<N, T>,
  { concurrency, startFrom }: EdgeOptions<T>,
): Handler<N, ToolOf<T>> {
  const settings = {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(startFrom === undefined ? {} : { startFrom }),
  }
  const uses = { [edge.transport]: tool<Transport>() } as ToolOf<T>
  const emits = [edge.wire.Sent as EventType]
  return handler(edge.name, { uses, emits, ...settings }, (on) =>
    edge.sends.map((rule) =>
      on(rule.event, (data, tools, context) => {
        const transport = (tools as Readonly<Record<string, unknown>>)[edge.transport] as Transport
        return publish(edge, rule, { data: data as never, transport, context })
      }),
    ),
  )
}

interface Publication {
  readonly data: never
  readonly transport: Transport
  readonly context: HandlerContext
}

/**
 * Publishes one body, and returns its record.
 *
 * @throws Fault `RULE_RETURNED` for a body that is larger than the edge gives
 */
async function publish(
  edge: EdgeFacts<string, string>,
  { topic, id, encode }: PublishRule,
  { data, transport, context }: Publication,
): Promise<MessageOf<EventType>> {
  const { key, effectKey, signal } = context
  const body = toBytes(edge.format.print(encode(data)))
  if (body.length > edge.bodyBytesMax)
    throw new Fault('RULE_RETURNED', {
      detail: `edge ${edge.name}: a body for ${topic} has ${body.length} bytes, over ${edge.bodyBytesMax}`,
    })
  const eventId = id(data)
  const recordId = `out:${digest(effectKey, RECORD_DIGITS)}`
  const headers = { 'message-id': recordId, 'correlation-id': eventId }
  await transport.publish(topic, { body, key, headers }, { signal })
  return edge.wire.Sent({
    recordId,
    eventId,
    direction: 'out',
    topic,
    source: edge.service,
    target: edge.system,
    ...recordBody(body, edge.bodyBytesMax),
  })
}

const OPTIONS: readonly string[] = [
  'system',
  'service',
  'transport',
  'format',
  'bodyBytesMax',
  'concurrency',
  'startFrom',
  'partitions',
  'retention',
] satisfies readonly (keyof EdgeOptions)[]

function optionIssues(options: EdgeOptions): readonly Issue[] {
  const issues = Object.keys(options)
    .filter((path) => !OPTIONS.includes(path))
    .map((path) => ({ path, message: unknownNameMessage(path, OPTIONS) }))
  for (const path of ['system', 'service', 'transport'] as const)
    if (path !== 'transport' || options.transport !== undefined)
      if (!isName(options[path]))
        issues.push({ path, message: `must be text of 1 to ${LIMITS.nameLengthMax} characters` })
  const { bodyBytesMax = BODY_BYTES.default } = options
  const { min, max } = BODY_BYTES
  if (!Number.isSafeInteger(bodyBytesMax) || bodyBytesMax < min || bodyBytesMax > max)
    issues.push({ path: 'bodyBytesMax', message: `must be a whole number from ${min} to ${max}` })
  return issues
}

/** In JavaScript, any value may be given. */
function ruleIssues(
  receives: readonly ReceiveRule[],
  sends: readonly PublishRule[],
): readonly Issue[] {
  const issues: Issue[] = []
  const check = (path: string, topic: unknown, functions: readonly unknown[]): void => {
    if (!isName(topic))
      issues.push({ path, message: `its topic must have 1 to ${LIMITS.nameLengthMax} characters` })
    if (!functions.every((each) => typeof each === 'function'))
      issues.push({ path, message: 'its id and its last argument must be functions' })
  }
  if (receives.length + sends.length === 0)
    issues.push({ path: '', message: 'neither receives nor sends anything: add a rule' })
  for (const [at, { topic, id, decode, body }] of receives.entries()) {
    check(`receives[${at}]`, topic, [id, decode])
    if (typeof body?.['~standard']?.validate !== 'function')
      issues.push({ path: `receives[${at}]`, message: 'its body must be a Standard Schema' })
  }
  for (const [at, { topic, id, encode }] of sends.entries())
    check(`sends[${at}]`, topic, [id, encode])
  return issues
}

const isName = (name: unknown): boolean =>
  typeof name === 'string' && name.length > 0 && name.length <= LIMITS.nameLengthMax
