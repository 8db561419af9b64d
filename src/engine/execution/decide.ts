import { compositeKey } from '../../base/composite-key.ts'
import { digest } from '../../base/text/digest.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import { commandsTopic, eventsTopic, definitionOf } from '../../contract/contract.ts'
import type { CommandType, Message, MessageType } from '../../contract/message.ts'
import type { RowKey } from '../../ports/event-store.ts'
import type { OneOrMany, Refusal } from '../../rules/effect.ts'
import { toList } from '../../rules/effect.ts'
import type { Entity } from '../../rules/entity.ts'
import type { Rule } from '../../rules/rule.ts'
import { callRule } from '../../rules/rule.ts'
import type { EntityRow, Consumer, ServicePlan } from '../plan/index.ts'
import { REPLY_TYPES } from '../plan/index.ts'
import type { CachedRow } from '../rows/index.ts'
import type { RuleRun, RuleEnvironment } from './rule-run.ts'
import {
  append,
  readRows,
  encodeForRule,
  readId,
  readIds,
  publishEncoded,
  reply,
  ruleFault,
} from './rule-run.ts'

/** The result of a command from outside, as its row stores it. */
export type CommandResult =
  | {
      readonly is: 'accepted'
      readonly events: readonly { topic: string; id: string; type: string }[]
    }
  | { readonly is: 'refused'; readonly code: string; readonly complaints: readonly Issue[] }
  | { readonly is: 'failed'; readonly reason: string; readonly code?: string }

/** The row of an operation. */
export type OperationRow = CommandResult & {
  /** The `origin` of the conversation: see `Envelope`. */
  readonly origin?: string
  /**
   * Digest of the command's data, for topics that forget ids: a later command with this id may be a
   * different one.
   */
  readonly digest?: string
  /** When it was decided, by the wall clock. Absent in rows of earlier versions. */
  readonly at?: number
}

/** The key of an operation's row. Ids are unique per topic. */
export function operationKey(command: Pick<CommandType, 'contract'>, id: string): string {
  return compositeKey(commandsTopic(command.contract), id)
}

/** The id of an operation in the key of its row. Rows of early versions have nothing else. */
export const operationIdIn = (key: string): string => key.slice(key.indexOf('\n') + 1)

/**
 * The rows that a decision needs, as far as the command's data tells. A command that is tried again may
 * have a result: that it has failed.
 */
export function rowsForDecision(
  step: Pick<RuleRun, 'inbound' | 'consumer'> & { readonly environment: RuleEnvironment },
  entity: Entity,
  rule: Rule,
  isRetry = false,
): RowKey[] {
  const { inbound, environment, consumer } = step
  const rows = idsOf(rule, entity, inbound.data).map((key) => ({ table: consumer.table, key }))
  // Other entities of the contract that evolve by the events mostly use the same id fields.
  for (const { id, table } of siblingEntities(environment.service, entity)) {
    const key = (inbound.data as Record<string, unknown>)[id]
    if (typeof key === 'string') rows.push({ table, key })
  }
  const mayHaveResult = isRetry && inbound.envelope.hops === 0
  if (mayHaveResult || needsDeduplication(step, rule.on)) rows.push(operationRowKey(step, rule.on))
  return rows
}

type OperationStep = Pick<RuleRun, 'environment' | 'inbound'>

/**
 * Whether the command may have been decided before: it came from outside, and its topic forgets
 * ids. Other topics deliver an id once.
 */
function needsDeduplication(
  { environment, inbound }: OperationStep,
  { contract }: MessageType,
): boolean {
  const { retention } = environment.plan.contracts.get(contract)?.topicSettings ?? {}
  return retention?.commands !== undefined && inbound.envelope.hops === 0
}

function operationRowKey({ environment, inbound }: OperationStep, command: MessageType): RowKey {
  const key = operationKey(command, inbound.envelope.id)
  return { table: environment.service.tableNames.operations, key }
}

const dataDigest = ({ data }: RuleRun['inbound']): string => digest(JSON.stringify(data) ?? '')

function siblingEntities(
  { groups }: Pick<ServicePlan, 'groups'>,
  entity: Entity,
): readonly (Pick<Entity, 'id'> & Pick<Consumer, 'table'>)[] {
  return groups
    .flatMap(({ consumers }) => consumers)
    .flatMap(({ rule, table }) =>
      rule.kind === 'entity' && rule.of === entity.of && rule !== entity
        ? [{ id: rule.id, table }]
        : [],
    )
}

/**
 * Runs a decision and stages its events or refusal, the entity states, and the result. Returns
 * false when rows have to be loaded first.
 */
export function decide(step: RuleRun, entity: Entity, rule: Rule): boolean {
  const { inbound, consumer } = step
  if (needsDeduplication(step, rule.on)) {
    const { table, key } = operationRowKey(step, rule.on)
    const before = readRows(step, table, [key])?.get(key)
    if (!before) return false
    // The command was decided before its topic forgot the id: the stored result stands.
    const known = before.value as OperationRow | undefined
    if (known?.digest === dataDigest(inbound) && known.is !== 'failed') return true
  }
  const ids = idsOf(rule, entity, inbound.data)
  const rows = readRows(step, consumer.table, ids)
  if (!rows) return false
  const states = new Map<string, unknown>()
  for (const [id, row] of rows) states.set(id, entityState(row, entity))
  const known = rule.ids ? states : states.get(ids[0] as string)
  const decided = callRule(rule, inbound.data, known, inbound.context)
  if (isRefusal(decided)) {
    publishRefusal(step, rule.on, decided)
    return true
  }
  return publishEvents(step, entity, rule.on, toList(decided as OneOrMany<Message>))
}

function idsOf(rule: Rule, entity: Entity, data: unknown): string[] {
  return rule.ids ? readIds(rule, data) : [readId(data, entity.id, rule.on)]
}

function entityState(row: CachedRow, entity: Entity): unknown {
  return row.value === undefined ? entity.initial : (row.value as EntityRow).state
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as Refusal).effect === 'refuse'
}

function publishEvents(
  step: RuleRun,
  entity: Entity,
  command: MessageType,
  messages: readonly Message[],
): boolean {
  const { environment } = step
  const events: { topic: string; id: string; type: string }[] = []
  for (const message of messages) {
    if (!mayEmit(entity, message))
      throw ruleFault(
        `entity ${entity.name} may not publish ${messageText(message)}: add it to its emits if it is an event ` +
          `of its own contract; to change another service, send it a command`,
      )
    const passed = encodeForRule(environment.plan, message)
    if (!evolve(step, message, passed.data)) return false
    const event = publishEncoded(step, message, passed)
    events.push({ topic: event.topic, id: event.id, type: event.type })
  }
  storeResult(step, command, { is: 'accepted', events })
  return true
}

function messageText(message: unknown): string {
  if (message instanceof Promise) return 'a promise: decisions must be synchronous'
  const { contract, name } = (message ?? {}) as Partial<Message>
  return name ? `${contract}.${name}` : String(message === null ? null : typeof message)
}

function mayEmit(entity: Entity, message: Message): boolean {
  if (!message || message.kind !== 'event') return false
  const facts = definitionOf(entity.of)
  if (message.contract !== facts.name) return false
  return entity.emits?.some(({ name }) => name === message.name) ?? facts.byName.has(message.name)
}

/**
 * Folds an event into every entity of the service that evolves by it. Returns false when rows have
 * to be loaded first. The event itself is staged next, so its position among the unit's appends is
 * already known.
 */
export function evolve(step: RuleRun, message: Message, data: unknown): boolean {
  const evolvers = step.environment.service.evolvers.get(messageText(message))
  if (!evolvers)
    throw ruleFault(`no entity has an evolve rule for ${messageText(message)}: add one`)
  for (const { fold, rule } of evolvers) {
    const { entity, table, rules } = fold
    const rows = readRows(step, table, idsOf(rule, entity, data))
    if (!rows) return false
    for (const [id, row] of rows) {
      const state = callRule(rule, data, entityState(row, entity), id)
      if (state === undefined)
        throw ruleFault(
          `the evolve rule of ${entity.name} returned undefined: return the next state`,
        )
      const version = row.version + 1
      step.draft.put(table, id, { value: { state, rules } satisfies EntityRow, version })
      step.streams.push({ table, key: id, version, append: step.appends.length })
    }
  }
  return true
}

function publishRefusal(step: RuleRun, command: MessageType, { code, issues }: Refusal): void {
  const { inbound, environment } = step
  if (command.kind !== 'command')
    throw ruleFault(`${command.wire} cannot be refused: it is not a command`)
  if (!command.refuses.includes(code))
    throw ruleFault(
      `${command.wire} cannot be refused with ${code}: add the code to refuses of its contract`,
    )
  if (!isIssueList(issues))
    throw ruleFault(
      `the issues of a refusal must be up to ${LIMITS.issuesMax} of { path, message }, ` +
        `each text of up to ${LIMITS.issueLengthMax} characters`,
    )
  const complaints = issues.map(({ path, message }) => ({ path, message }))
  // Stored data keeps the name that it has had since version 0.1.0.
  const body = { code, complaints, command: inbound.data }
  append(step, {
    topic: eventsTopic(command.contract),
    type: command.refused.wire,
    version: command.version,
    key: inbound.envelope.key,
    partitions: environment.plan.contracts.get(command.contract)?.partitions ?? 1,
    json: JSON.stringify(body),
  })
  const { contract, name, version } = command
  reply(step, REPLY_TYPES.refused, version, { contract, name, ...body })
  storeResult(step, command, { is: 'refused', code, complaints })
}

/**
 * Answers a command that has become a dead letter: its operation, and the saga that sent it. A redrive
 * may still decide it.
 */
export function failCommand(
  step: RuleRun,
  command: MessageType,
  { reason, code }: { readonly reason: string; readonly code?: string },
): void {
  const { contract, name, version } = command
  const failure = { reason, ...(code === undefined ? {} : { code }) }
  const body = { contract, name, ...failure, command: step.inbound.data }
  reply(step, REPLY_TYPES.failed, version, body)
  storeResult(step, command, { is: 'failed', ...failure })
}

/** Whether a refusal may have these issues. */
export function isIssueList(issues: unknown): boolean {
  return (
    Array.isArray(issues) &&
    issues.length <= LIMITS.issuesMax &&
    issues.every((each: Partial<Issue> | null) => {
      const texts = [each?.path, each?.message]
      return texts.every((text) => {
        return typeof text === 'string' && text.length <= LIMITS.issueLengthMax
      })
    })
  )
}

/** Stores the result of a command from outside, so that its operation can be queried. */
function storeResult(step: RuleRun, command: MessageType, result: CommandResult): void {
  const { id, hops, origin } = step.inbound.envelope
  if (hops > 0) return
  const { table, key } = operationRowKey(step, command)
  const value: OperationRow = {
    ...result,
    ...(origin === undefined ? {} : { origin }),
    ...(needsDeduplication(step, command) ? { digest: dataDigest(step.inbound) } : {}),
    at: step.environment.clock.now(),
  }
  const version = (step.draft.row(table, key)?.version ?? 0) + 1
  step.draft.insert(table, key, { value, version, index: { at: value.at ?? null } })
  step.changedConversations.add(id)
}
