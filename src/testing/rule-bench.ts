import assert from 'node:assert/strict'
import { deepFreeze } from '../base/deep-freeze.ts'
import type { ContractDefinition } from '../contract/contract.ts'
import { contractOfType, definitionOf } from '../contract/contract.ts'
import type { EncodedMessage } from '../contract/validate-message.ts'
import { validateMessage } from '../contract/validate-message.ts'
import type { CommandType, Message, MessageType, RefusalData } from '../contract/message.ts'
import type {
  SagaInstanceRow,
  InboundMessage,
  RuleRun,
  RuleRunEnvironment,
} from '../engine/execution/index.ts'
import { isIssueList } from '../engine/execution/index.ts'
import { createEntityFold, serviceTables } from '../engine/plan/index.ts'
import type { Consumer, ConsumerRule, Evolver } from '../engine/plan/index.ts'
import type { UnitDraft } from '../engine/rows/index.ts'
import { createDraft } from '../engine/rows/index.ts'
import { messageTypesOf } from '../rules/package-values.ts'
import type { Rule } from '../rules/rule.ts'

/** Rows in memory, and everything else that the engine's functions need to run a rule. */
export interface RuleBench {
  readonly consumer: Consumer
  readonly draft: UnitDraft
  /** A run of the rule on a message. */
  step(arrival: InboundMessage): RuleRun
  /**
   * A message as the log would deliver it to a rule.
   *
   * @throws AssertionError for a message that no topic would accept
   */
  arrival(rule: Rule, message: Message): InboundMessage
}

/** A draft without rows. */
export function emptyDraft(): UnitDraft {
  return createDraft({
    row: (table, key) => ({ table, key, version: 0, value: undefined, bytes: 0 }),
  })
}

export const tableFor = ({ name }: { readonly name: string }): string => `given.${name}`

export function ruleBench(rule: ConsumerRule, draft = emptyDraft()): RuleBench {
  const { name } = rule
  const consumer = { id: name, ruleId: name, name, rule, table: tableFor(rule) }
  const around = surroundingsOf(consumer)
  return {
    consumer,
    draft,
    step: (arrival) => ({
      environment: around,
      inbound: arrival,
      consumer,
      draft,
      appends: [],
      streams: [],
      missingRows: [],
      changedConversations: new Set(),
    }),
    arrival: (of, message) => arrivalOf(consumer, draft, of, message),
  }
}

function surroundingsOf({ rule, table }: Consumer): RuleRunEnvironment {
  const contracts = new Map<string, ContractDefinition>()
  for (const type of messageTypesOf(rule)) {
    const facts = contractOfType(type)
    if (facts) contracts.set(facts.name, facts)
  }
  const evolvers = new Map<string, readonly Evolver[]>()
  if (rule.kind === 'entity') {
    const facts = definitionOf(rule.of)
    contracts.set(facts.name, facts)
    const fold = createEntityFold(rule, table)
    // Events without an evolve rule here may have one in another entity of the service.
    for (const { contract, name } of facts.byName.values()) evolvers.set(`${contract}.${name}`, [])
    for (const each of rule.evolve)
      evolvers.set(`${each.on.contract}.${each.on.name}`, [{ fold, rule: each }])
  }
  let minted = 0
  return {
    plan: { contracts, topics: new Map() },
    service: { id: 'given', name: 'given', tableNames: serviceTables('given'), evolvers },
    clock: { now: () => 0 },
    delays: { now: () => 0, dueIn: (delayMs) => delayMs },
    newId: () => `sent-${(minted += 1)}`,
  }
}

const MESSAGE_ID = 'message-1'

function arrivalOf(
  consumer: Consumer,
  draft: UnitDraft,
  rule: Rule,
  message: Message,
): InboundMessage {
  const { data, key } = heard(consumer.name, rule, message)
  const { on: type } = rule
  const instance = rule.trigger === 'message' ? undefined : senderOf(consumer, draft, rule, data)
  return {
    envelope: {
      id: MESSAGE_ID,
      type: type.wire,
      key,
      at: 0,
      source: 'given',
      correlation: MESSAGE_ID,
      hops: 0,
      version: type.version,
      ...(instance && { sender: { service: 'given', rule: consumer.ruleId, instance } }),
    },
    context: { messageId: MESSAGE_ID, at: 0, key },
    data,
  }
}

/** The data of a message, validated by its contract. */
export function heard(
  name: string,
  rule: Rule,
  message: Message,
): Pick<EncodedMessage, 'data' | 'key'> {
  if (message.kind !== 'refusal') return taken(name, rule.on, message)
  const command = commandOf(rule.on)
  const { code, issues, command: refused } = message.data as RefusalData<unknown, string>
  if (!command?.refuses.includes(code) || !isIssueList(issues))
    throw failure(
      `${name} got a refusal with the code ${code}, which ${command?.wire ?? rule.on.wire} ` +
        `does not declare, or with issues that are not a list of { path, message }`,
    )
  const { contract } = command
  const asked = { contract, name: command.name, kind: 'command', data: refused } as const
  const { data, key } = taken(name, command, asked)
  const refusal = { code, issues, command: data }
  const answers = rule.trigger === 'message' ? {} : { contract, name: command.name }
  return { data: deepFreeze({ ...answers, ...refusal }), key }
}

function taken(
  name: string,
  type: MessageType,
  message: Message,
): Pick<EncodedMessage, 'data' | 'key'> {
  const facts = contractOfType(type)
  if (!facts) throw failure(`${name} got ${type.wire}, which belongs to no contract`)
  const verdict = validateMessage(facts, message)
  if (verdict.status === 'valid') return verdict.message
  const why = verdict.issues.map(({ path, message }) => `${path} ${message}`).join(', ')
  throw failure(`${name} got ${type.wire} with invalid data: ${why}`)
}

/** The command whose refusal a rule subscribes to. */
function commandOf(type: MessageType): CommandType | undefined {
  if (type.kind === 'command') return type
  for (const each of contractOfType(type)?.byName.values() ?? [])
    if (each.kind === 'command' && each.refused === type) return each
  return undefined
}

/**
 * The saga instance that a reply is for: one that has sent such a command, or if the history has
 * none, the one with the id in the command.
 */
function senderOf(consumer: Consumer, draft: UnitDraft, { on }: Rule, data: unknown): string {
  const { rule: saga, table } = consumer
  const { command } = data as { readonly command: Readonly<Record<string, unknown>> }
  const named = saga.kind === 'saga' ? command[saga.by] : undefined
  const senders = [...draft.changes.values()].filter(({ table: of, value }) => {
    const instance = value as SagaInstanceRow
    if (of !== table || instance.is !== 'open') return false
    return instance.sent.some(({ contract, name }) => contract === on.contract && name === on.name)
  })
  const sender = senders.find(({ key }) => key === named) ?? senders.at(-1)
  return sender?.key ?? (typeof named === 'string' ? named : 'instance-1')
}

export function failure(message: string, cause?: unknown): Error {
  return Object.assign(new assert.AssertionError({ message }), { cause })
}
