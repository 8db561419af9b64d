import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { IdMaker } from '../base/id.ts'
import { LIMITS } from '../base/limits.ts'
import type { ContractFacts } from '../contract/contract.ts'
import { commandsTopic, eventsTopic, repliesTopic } from '../contract/contract.ts'
import type { Checked, Verdict } from '../contract/door.ts'
import { checkKept, checkMessage, flawOfKey } from '../contract/door.ts'
import type { Envelope } from '../contract/envelope.ts'
import { encodeHead } from '../contract/envelope.ts'
import type { Message, MessageType } from '../contract/message.ts'
import { partitionOf } from '../contract/partition.ts'
import type { LogEvent } from '../ports/log.ts'
import type { RowKey, StreamEntry } from '../ports/store.ts'
import type { Occasion, Rule } from '../rules/rule.ts'
import type { DelayClock } from './delay-clock.ts'
import type { Consumer, Plan, ServicePlan } from './plan.ts'
import type { Cell, Draft } from './rows.ts'

/** The environment of every rule run of a group. */
export interface Surroundings {
  readonly plan: Plan
  readonly service: ServicePlan
  readonly clock: Clock
  readonly delays: DelayClock
  readonly mint: IdMaker
}

/** A message for a rule. */
export interface Arrival {
  readonly envelope: Envelope
  /** The part of it that rules receive. */
  readonly occasion: Occasion
  /** In the version that the code knows; as stored if there is a fault. */
  readonly data: unknown
  /** Why the data cannot be decoded. */
  readonly fault?: Fault | undefined
}

/** The part of the environment that a run uses, so that rules can run without an engine. */
export interface StepSurroundings {
  readonly plan: Pick<Plan, 'contracts' | 'topics'>
  readonly service: Pick<ServicePlan, 'id' | 'name' | 'names' | 'evolvers'>
  readonly clock: Pick<Clock, 'now'>
  readonly delays: Pick<DelayClock, 'now' | 'dueIn'>
  readonly mint: IdMaker
}

/** One run of one rule on one message that only changes rows. */
export interface FoldStep {
  readonly arrival: Pick<Arrival, 'data' | 'occasion'>
  readonly consumer: Pick<Consumer, 'table'>
  readonly draft: Draft
  readonly wanted: RowKey[]
}

/**
 * One run of one rule on one message. It reads rows and stages changes, and touches nothing else.
 * Rows that are not in memory go into `missingRows`; the run is repeated once they are loaded.
 */
export interface Step extends FoldStep {
  readonly around: StepSurroundings
  readonly arrival: Arrival
  readonly consumer: Pick<Consumer, 'table' | 'ruleId'>
  readonly appends: LogEvent[]
  readonly streams: StreamEntry[]
  /** Conversations whose state this run changes, to notify those who wait for them. */
  readonly touched: Set<string>
}

/**
 * The cached rows of several keys; `undefined` if some have to be loaded first.
 *
 * @throws the fault of a row that has one
 */
export function cellsOf(
  step: Pick<FoldStep, 'draft' | 'wanted'>,
  table: string,
  keys: readonly string[],
): ReadonlyMap<string, Cell> | undefined {
  const cells = new Map<string, Cell>()
  const before = step.wanted.length
  for (const key of keys) {
    const cell = step.draft.cell(table, key)
    if (cell?.flaw) throw cell.flaw
    if (cell) cells.set(key, cell)
    else step.wanted.push({ table, key })
  }
  return step.wanted.length === before ? cells : undefined
}

/** Reads the id of an entity, a row or a saga instance from a field. */
export function idIn(data: unknown, field: string, type: MessageType): string {
  const id = (data as Record<string, unknown> | null)?.[field]
  const flaw = flawOfKey(id)
  if (!flaw) return id as string
  throw ruleFault(`${type.wire} has no id in its field ${field}: it ${flaw}`)
}

/** Reads the ids of a rule with `ids`, each once. */
export function idsBy(rule: Rule, data: unknown): string[] {
  const ids: unknown = rule.ids?.(data as never)
  if (!Array.isArray(ids)) throw ruleFault(`the ids of a rule for ${rule.on.wire} must be a list`)
  for (const id of ids as readonly unknown[]) {
    const flaw = flawOfKey(id)
    if (flaw) throw ruleFault(`an id of a rule for ${rule.on.wire} ${flaw}`)
  }
  return [...new Set(ids as readonly string[])]
}

export function ruleFault(detail: string, cause?: unknown): Fault {
  return new Fault('RULE_RETURNED', { detail, cause })
}

/** Envelope attributes that do not follow from the message's cause. */
export type Carried = Pick<Envelope, 'sender' | 'undoes'>

/** Stages a message that a rule returned, after the same validation as a message from outside. */
export function publish(step: Step, message: Message, carried: Carried = {}): LogEvent {
  return publishChecked(step, message, checked(step.around.plan, message), carried)
}

export function publishChecked(
  step: Step,
  message: Message,
  { json, key }: Checked,
  carried: Carried = {},
): LogEvent {
  const facts = factsFor(step.around.plan, message)
  const type = facts.byName.get(message.name) as MessageType
  const topic = message.kind === 'command' ? commandsTopic(facts.name) : eventsTopic(facts.name)
  const { wire, version } = type
  const { partitions } = facts
  return append(step, { topic, type: wire, version, key, partitions, json }, carried)
}

/**
 * Validates and encodes a message that a rule returned.
 *
 * @throws Fault `RULE_RETURNED`, `SCHEMA_INVALID`
 */
export function checked(plan: StepSurroundings['plan'], message: Message): Checked {
  return passedOf(message, checkMessage(factsFor(plan, message), message))
}

/** The same for stored data, which was validated before: its schema does not run again. */
export function checkedBefore(plan: StepSurroundings['plan'], message: Message): Checked {
  return passedOf(message, checkKept(factsFor(plan, message), message))
}

function passedOf(message: Message, verdict: Verdict): Checked {
  if (verdict.is === 'passed') return verdict.checked
  throw new Fault('RULE_RETURNED', {
    detail: `${message.contract}.${message.name} does not fit its contract`,
    complaints: verdict.complaints,
  })
}

function factsFor(plan: StepSurroundings['plan'], message: Message): ContractFacts {
  const facts = plan.contracts.get(message.contract)
  if (!facts)
    throw ruleFault(
      `contract ${message.contract} is unknown to the services here: add it to remote`,
    )
  return facts
}

/** Stages a reply to the saga instance that sent a command; `version` is that of the command. */
export function reply(step: Step, type: string, version: number, body: unknown): void {
  const { envelope } = step.arrival
  if (!envelope.sender) return
  const { service } = envelope.sender
  const topic = repliesTopic(service)
  const partitions = step.around.plan.topics.get(topic)?.partitions ?? REPLY_PARTITIONS
  const json = JSON.stringify(body)
  const outgoing = { topic, type, version, key: envelope.key, partitions, json }
  append(step, outgoing, { sender: envelope.sender })
}

const REPLY_PARTITIONS = 8

interface Outgoing {
  readonly topic: string
  readonly type: string
  readonly version: number
  readonly key: string
  readonly partitions: number
  readonly json: string
}

export function append(step: Step, outgoing: Outgoing, carried: Carried = {}): LogEvent {
  const { envelope: cause } = step.arrival
  const { topic, type, version, key, partitions, json } = outgoing
  const hops = cause.hops + 1
  if (hops > LIMITS.hopsMax)
    throw ruleFault(
      `the conversation ${cause.correlation} takes over ${LIMITS.hopsMax} hops: is there a cycle?`,
    )
  if (step.appends.length >= LIMITS.messagesPerDecisionMax)
    throw ruleFault(`a rule returned over ${LIMITS.messagesPerDecisionMax} messages`)
  const id = step.around.mint()
  const at = step.around.clock.now()
  const { correlation, origin, traceparent, tracestate } = cause
  const envelope: Envelope = {
    id,
    type,
    key,
    at,
    source: step.around.service.name,
    cause: cause.id,
    correlation,
    hops,
    version,
    ...(origin === undefined ? {} : { origin }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...carried,
  }
  const head = encodeHead(envelope)
  const partition = partitionOf(key, partitions)
  const event: LogEvent = { topic, partition, id, key, type, at, head, data: json }
  step.appends.push(event)
  return event
}
