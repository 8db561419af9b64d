import type { Clock } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { IdGenerator } from '../../base/id-generator.ts'
import { LIMITS } from '../../base/limits.ts'
import type { ContractDefinition } from '../../contract/contract.ts'
import { commandsTopic, eventsTopic, repliesTopic } from '../../contract/contract.ts'
import type { EncodedMessage, ValidationResult } from '../../contract/validate-message.ts'
import { encodeParsedMessage, validateMessage } from '../../contract/validate-message.ts'
import type { Envelope } from '../../contract/envelope.ts'
import { encodeHead } from '../../contract/envelope.ts'
import type { Message, MessageType } from '../../contract/message.ts'
import { partitionOf } from '../../contract/partition.ts'
import type { LogEvent } from '../../ports/event-log.ts'
import type { RowKey, StreamEntry } from '../../ports/event-store.ts'
import type { MessageContext, Rule } from '../../rules/rule.ts'
import type { DelayClock } from '../delays/index.ts'
import type { Consumer, Plan, ServicePlan } from '../plan/index.ts'
import type { CachedRow, UnitDraft } from '../rows/index.ts'
import { invalidKeyReason } from '../../contract/message-key.ts'

/** The environment of every rule run of a group. */
export interface RuleEnvironment {
  readonly plan: Plan
  readonly service: ServicePlan
  readonly clock: Clock
  readonly delays: DelayClock
  readonly newId: IdGenerator
}

/** A message for a rule. */
export interface InboundMessage {
  readonly envelope: Envelope
  /** The part of it that rules receive. */
  readonly context: MessageContext
  /** In the version that the code knows; as stored if there is a fault. */
  readonly data: unknown
  /** Why the data cannot be decoded. */
  readonly fault?: Fault | undefined
}

/** The part of the environment that a run uses, so that rules can run without an engine. */
export interface RuleRunEnvironment {
  readonly plan: Pick<Plan, 'contracts' | 'topics'>
  readonly service: Pick<ServicePlan, 'id' | 'name' | 'tableNames' | 'evolvers'>
  readonly clock: Pick<Clock, 'now'>
  readonly delays: Pick<DelayClock, 'now' | 'dueIn'>
  readonly newId: IdGenerator
}

/** One run of one rule on one message that only changes rows. */
export interface FoldStep {
  readonly inbound: Pick<InboundMessage, 'data' | 'context'>
  readonly consumer: Pick<Consumer, 'table'>
  readonly draft: UnitDraft
  readonly missingRows: RowKey[]
}

/**
 * One run of one rule on one message. It reads rows and stages changes, and touches nothing else.
 * Rows that are not in memory go into `missingRows`; the run is repeated once they are loaded.
 */
export interface RuleRun extends FoldStep {
  readonly environment: RuleRunEnvironment
  readonly inbound: InboundMessage
  readonly consumer: Pick<Consumer, 'table' | 'ruleId'>
  readonly appends: LogEvent[]
  readonly streams: StreamEntry[]
  /** Conversations whose state this run changes, to notify those who wait for them. */
  readonly changedConversations: Set<string>
}

/**
 * The cached rows of several keys; `undefined` if some have to be loaded first.
 *
 * @throws the fault of a row that has one
 */
export function readRows(
  step: Pick<FoldStep, 'draft' | 'missingRows'>,
  table: string,
  keys: readonly string[],
): ReadonlyMap<string, CachedRow> | undefined {
  const rows = new Map<string, CachedRow>()
  const before = step.missingRows.length
  for (const key of keys) {
    const row = step.draft.row(table, key)
    if (row?.fault) throw row.fault
    if (row) rows.set(key, row)
    else step.missingRows.push({ table, key })
  }
  return step.missingRows.length === before ? rows : undefined
}

/** Reads the id of an entity, a row or a saga instance from a field. */
export function readId(data: unknown, field: string, type: MessageType): string {
  const id = (data as Record<string, unknown> | null)?.[field]
  const issue = invalidKeyReason(id)
  if (!issue) return id as string
  throw ruleFault(`${type.wire} has no id in its field ${field}: it ${issue}`)
}

/** Reads the ids of a rule with `ids`, each once. */
export function readIds(rule: Rule, data: unknown): string[] {
  const ids: unknown = rule.ids?.(data as never)
  if (!Array.isArray(ids)) throw ruleFault(`the ids of a rule for ${rule.on.wire} must be a list`)
  for (const id of ids as readonly unknown[]) {
    const issue = invalidKeyReason(id)
    if (issue) throw ruleFault(`an id of a rule for ${rule.on.wire} ${issue}`)
  }
  return [...new Set(ids as readonly string[])]
}

export function ruleFault(detail: string, cause?: unknown): Fault {
  return new Fault('RULE_RETURNED', { detail, cause })
}

/** Envelope attributes that do not follow from the message's cause. */
export type MessageExtras = Pick<Envelope, 'sender' | 'undoes'>

/** Stages a message that a rule returned, after the same validation as a message from outside. */
export function publish(step: RuleRun, message: Message, extras: MessageExtras = {}): LogEvent {
  return publishEncoded(step, message, encodeForRule(step.environment.plan, message), extras)
}

export function publishEncoded(
  step: RuleRun,
  message: Message,
  { json, key }: EncodedMessage,
  extras: MessageExtras = {},
): LogEvent {
  const facts = findContract(step.environment.plan, message)
  const type = facts.byName.get(message.name) as MessageType
  const topic = message.kind === 'command' ? commandsTopic(facts.name) : eventsTopic(facts.name)
  const { wire, version } = type
  const { partitions } = facts
  return append(step, { topic, type: wire, version, key, partitions, json }, extras)
}

/**
 * Validates and encodes a message that a rule returned.
 *
 * @throws Fault `RULE_RETURNED`, `SCHEMA_INVALID`
 */
export function encodeForRule(plan: RuleRunEnvironment['plan'], message: Message): EncodedMessage {
  return encodedOrThrow(message, validateMessage(findContract(plan, message), message))
}

/** The same for stored data, which was validated before: its schema does not run again. */
export function encodeStored(plan: RuleRunEnvironment['plan'], message: Message): EncodedMessage {
  return encodedOrThrow(message, encodeParsedMessage(findContract(plan, message), message))
}

function encodedOrThrow(message: Message, verdict: ValidationResult): EncodedMessage {
  if (verdict.status === 'valid') return verdict.message
  throw new Fault('RULE_RETURNED', {
    detail: `${message.contract}.${message.name} does not fit its contract`,
    issues: verdict.issues,
  })
}

function findContract(plan: RuleRunEnvironment['plan'], message: Message): ContractDefinition {
  const facts = plan.contracts.get(message.contract)
  if (!facts)
    throw ruleFault(
      `contract ${message.contract} is unknown to the services here: add it to remote`,
    )
  return facts
}

/** Stages a reply to the saga instance that sent a command; `version` is that of the command. */
export function reply(step: RuleRun, type: string, version: number, body: unknown): void {
  const { envelope } = step.inbound
  if (!envelope.sender) return
  const { service } = envelope.sender
  const topic = repliesTopic(service)
  const partitions = step.environment.plan.topics.get(topic)?.partitions ?? REPLY_PARTITIONS
  const json = JSON.stringify(body)
  const isAnswer = true
  const outgoing = { topic, type, version, key: envelope.key, partitions, json, isAnswer } as const
  append(step, outgoing, { sender: envelope.sender })
}

const REPLY_PARTITIONS = 8

interface OutgoingMessage {
  readonly topic: string
  readonly type: string
  readonly version: number
  readonly key: string
  readonly partitions: number
  readonly json: string
  /** An answer ends a conversation rather than lengthen it, so it has no hop limit. */
  readonly isAnswer?: true
}

export function append(
  step: RuleRun,
  outgoing: OutgoingMessage,
  extras: MessageExtras = {},
): LogEvent {
  const { envelope: cause } = step.inbound
  const { topic, type, version, key, partitions, json, isAnswer } = outgoing
  const hops = cause.hops + 1
  if (hops > LIMITS.hopsMax && !isAnswer)
    throw ruleFault(
      `the conversation ${cause.correlation} takes over ${LIMITS.hopsMax} hops: is there a cycle?`,
    )
  if (step.appends.length >= LIMITS.messagesPerDecisionMax)
    throw ruleFault(`a rule returned over ${LIMITS.messagesPerDecisionMax} messages`)
  const id = step.environment.newId()
  const at = step.environment.clock.now()
  const { correlation, origin, traceparent, tracestate } = cause
  const envelope: Envelope = {
    id,
    type,
    key,
    at,
    source: step.environment.service.name,
    cause: cause.id,
    correlation,
    hops,
    version,
    ...(origin === undefined ? {} : { origin }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...extras,
  }
  const head = encodeHead(envelope)
  const partition = partitionOf(key, partitions)
  const event: LogEvent = { topic, partition, id, key, type, at, head, data: json }
  step.appends.push(event)
  return event
}
