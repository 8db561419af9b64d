import { compositeKey } from '../base/composite-key.ts'
import { digest } from '../base/digest.ts'
import type { Complaint } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { commandsTopic, eventsTopic, factsOf } from '../contract/contract.ts'
import type { CommandType, Message, MessageType } from '../contract/message.ts'
import type { RowKey } from '../ports/store.ts'
import type { OneOrMany, Refusal } from '../rules/effect.ts'
import { listOf } from '../rules/effect.ts'
import type { Entity } from '../rules/entity.ts'
import type { Rule } from '../rules/rule.ts'
import { callRule } from '../rules/rule.ts'
import type { EntityRow } from './fold.ts'
import type { Consumer, ServicePlan } from './plan.ts'
import { REPLY_TYPES } from './plan.ts'
import type { Cell } from './rows.ts'
import type { Step, Surroundings } from './step.ts'
import { append, cellsOf, checked, idIn, idsBy, publishChecked, reply, ruleFault } from './step.ts'

/** The result of a command from outside, as its row stores it. */
export type CommandResult =
  | {
      readonly is: 'accepted'
      readonly events: readonly { topic: string; id: string; type: string }[]
    }
  | { readonly is: 'refused'; readonly code: string; readonly complaints: readonly Complaint[] }

/** The row of an operation. */
export type OperationRow = CommandResult & {
  /** The `origin` of the conversation: see `Envelope`. */
  readonly origin?: string
  /**
   * Digest of the command's data, for topics that forget ids: a later command with this id may be a
   * different one.
   */
  readonly digest?: string
}

/** The key of an operation's row. Ids are unique per topic. */
export function operationKey(command: Pick<CommandType, 'contract'>, id: string): string {
  return compositeKey(commandsTopic(command.contract), id)
}

/** The rows that a decision needs, as far as the command's data tells. */
export function rowsToDecide(
  step: Pick<Step, 'arrival' | 'consumer'> & { readonly around: Surroundings },
  entity: Entity,
  rule: Rule,
): RowKey[] {
  const { arrival, around, consumer } = step
  const rows = idsOf(rule, entity, arrival.data).map((key) => ({ table: consumer.table, key }))
  // Other entities of the contract that evolve by the events mostly use the same id fields.
  for (const { id, table } of siblings(around.service, entity)) {
    const key = (arrival.data as Record<string, unknown>)[id]
    if (typeof key === 'string') rows.push({ table, key })
  }
  if (mayRepeat(step, rule.on)) rows.push(operationRow(step, rule.on))
  return rows
}

type OperationStep = Pick<Step, 'around' | 'arrival'>

/**
 * Whether the command may have been decided before: it came from outside, and its topic forgets
 * ids. Other topics deliver an id once.
 */
function mayRepeat({ around, arrival }: OperationStep, { contract }: MessageType): boolean {
  const { retention } = around.plan.contracts.get(contract)?.keeping ?? {}
  return retention?.commands !== undefined && arrival.envelope.hops === 0
}

function operationRow({ around, arrival }: OperationStep, command: MessageType): RowKey {
  const key = operationKey(command, arrival.envelope.id)
  return { table: around.service.names.operations, key }
}

const digestOf = ({ data }: Step['arrival']): string => digest(JSON.stringify(data) ?? '')

function siblings(
  { groups }: Pick<ServicePlan, 'groups'>,
  entity: Entity,
): readonly (Pick<Entity, 'id'> & Pick<Consumer, 'table'>)[] {
  return groups
    .flatMap(({ consumers }) => consumers)
    .flatMap(({ rule, table }) =>
      rule.is === 'entity' && rule.of === entity.of && rule !== entity
        ? [{ id: rule.id, table }]
        : [],
    )
}

/**
 * Runs a decision and stages its events or refusal, the entity states, and the result. Returns
 * false when rows have to be loaded first.
 */
export function decide(step: Step, entity: Entity, rule: Rule): boolean {
  const { arrival, consumer } = step
  if (mayRepeat(step, rule.on)) {
    const { table, key } = operationRow(step, rule.on)
    const before = cellsOf(step, table, [key])?.get(key)
    if (!before) return false
    // The command was decided before its topic forgot the id: the stored result stands.
    if ((before.value as OperationRow | undefined)?.digest === digestOf(arrival)) return true
  }
  const ids = idsOf(rule, entity, arrival.data)
  const cells = cellsOf(step, consumer.table, ids)
  if (!cells) return false
  const states = new Map<string, unknown>()
  for (const [id, cell] of cells) states.set(id, stateOf(cell, entity))
  const known = rule.ids ? states : states.get(ids[0] as string)
  const decided = callRule(rule, arrival.data, known, arrival.occasion)
  if (isRefusal(decided)) {
    refuse(step, rule.on, decided)
    return true
  }
  return accept(step, entity, rule.on, listOf(decided as OneOrMany<Message>))
}

function idsOf(rule: Rule, entity: Entity, data: unknown): string[] {
  return rule.ids ? idsBy(rule, data) : [idIn(data, entity.id, rule.on)]
}

function stateOf(cell: Cell, entity: Entity): unknown {
  return cell.value === undefined ? entity.initial : (cell.value as EntityRow).state
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as Refusal).effect === 'refuse'
}

function accept(
  step: Step,
  entity: Entity,
  command: MessageType,
  messages: readonly Message[],
): boolean {
  const { around } = step
  const events: { topic: string; id: string; type: string }[] = []
  for (const message of messages) {
    if (!mayEmit(entity, message))
      throw ruleFault(
        `entity ${entity.name} may not publish ${nameOf(message)}: add it to its emits if it is an event ` +
          `of its own contract; to change another service, send it a command`,
      )
    const passed = checked(around.plan, message)
    if (!evolve(step, message, passed.data)) return false
    const event = publishChecked(step, message, passed)
    events.push({ topic: event.topic, id: event.id, type: event.type })
  }
  remember(step, command, { is: 'accepted', events })
  return true
}

function nameOf(message: unknown): string {
  if (message instanceof Promise) return 'a promise: decisions must be synchronous'
  const { contract, name } = (message ?? {}) as Partial<Message>
  return name ? `${contract}.${name}` : String(message === null ? null : typeof message)
}

function mayEmit(entity: Entity, message: Message): boolean {
  if (!message || message.kind !== 'event') return false
  const facts = factsOf(entity.of)
  if (message.contract !== facts.name) return false
  return entity.emits?.some(({ name }) => name === message.name) ?? facts.byName.has(message.name)
}

/**
 * Folds an event into every entity of the service that evolves by it. Returns false when rows have
 * to be loaded first. The event itself is staged next, so its position among the unit's appends is
 * already known.
 */
export function evolve(step: Step, message: Message, data: unknown): boolean {
  const evolvers = step.around.service.evolvers.get(nameOf(message))
  if (!evolvers) throw ruleFault(`no entity has an evolve rule for ${nameOf(message)}: add one`)
  for (const { fold, rule } of evolvers) {
    const { entity, table, rules } = fold
    const cells = cellsOf(step, table, idsOf(rule, entity, data))
    if (!cells) return false
    for (const [id, cell] of cells) {
      const state = callRule(rule, data, stateOf(cell, entity), id)
      if (state === undefined)
        throw ruleFault(
          `the evolve rule of ${entity.name} returned undefined: return the next state`,
        )
      const version = cell.version + 1
      step.draft.put(table, id, { value: { state, rules } satisfies EntityRow, version })
      step.streams.push({ table, key: id, version, append: step.appends.length })
    }
  }
  return true
}

function refuse(step: Step, command: MessageType, { code, complaints }: Refusal): void {
  const { arrival, around } = step
  if (command.kind !== 'command')
    throw ruleFault(`${command.wire} cannot be refused: it is not a command`)
  if (!command.refuses.includes(code))
    throw ruleFault(
      `${command.wire} cannot be refused with ${code}: add the code to refuses of its contract`,
    )
  if (!isListOfComplaints(complaints))
    throw ruleFault(
      `the complaints of a refusal must be up to ${LIMITS.complaintsMax} of { path, message }, ` +
        `each text of up to ${LIMITS.complaintLengthMax} characters`,
    )
  const listed = complaints.map(({ path, message }) => ({ path, message }))
  const body = { code, complaints: listed, command: arrival.data }
  append(step, {
    topic: eventsTopic(command.contract),
    type: command.refused.wire,
    version: command.version,
    key: arrival.envelope.key,
    partitions: around.plan.contracts.get(command.contract)?.partitions ?? 1,
    json: JSON.stringify(body),
  })
  const { contract, name, version } = command
  reply(step, REPLY_TYPES.refused, version, { contract, name, ...body })
  remember(step, command, { is: 'refused', code, complaints: listed })
}

/** Whether a refusal may have these complaints. */
export function isListOfComplaints(complaints: unknown): boolean {
  return (
    Array.isArray(complaints) &&
    complaints.length <= LIMITS.complaintsMax &&
    complaints.every((each: Partial<Complaint> | null) => {
      const texts = [each?.path, each?.message]
      return texts.every((text) => {
        return typeof text === 'string' && text.length <= LIMITS.complaintLengthMax
      })
    })
  )
}

/** Stores the result of a command from outside, so that its operation can be queried. */
function remember(step: Step, command: MessageType, result: CommandResult): void {
  const { id, hops, origin } = step.arrival.envelope
  if (hops > 0) return
  const { table, key } = operationRow(step, command)
  const value: OperationRow = {
    ...result,
    ...(origin === undefined ? {} : { origin }),
    ...(mayRepeat(step, command) ? { digest: digestOf(step.arrival) } : {}),
  }
  const version = (step.draft.cell(table, key)?.version ?? 0) + 1
  step.draft.add(table, key, { value, version })
  step.touched.add(id)
}
