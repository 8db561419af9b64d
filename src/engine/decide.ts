import { digest } from '../base/digest.ts'
import type { Complaint } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { ContractFacts } from '../contract/contract.ts'
import { commandsTopic, eventsTopic, factsOf } from '../contract/contract.ts'
import type { Checked } from '../contract/door.ts'
import type { CommandType, EventType, Message } from '../contract/message.ts'
import type { RowKey } from '../ports/store.ts'
import type { OneOrMany, Refusal } from '../rules/effect.ts'
import { listOf } from '../rules/effect.ts'
import type { Entity } from '../rules/entity.ts'
import type { Rule } from '../rules/rule.ts'
import type { EntityRow } from './fold.ts'
import type { Reaction } from './plan.ts'
import { REPLY_TYPES } from './plan.ts'
import type { Cell } from './rows.ts'
import type { Step } from './step.ts'
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

/** The key of an operation's row. Ids are unique per topic, and contain no line break. */
export function operationKey(command: Pick<CommandType, 'contract'>, id: string): string {
  return `${commandsTopic(command.contract)}\n${id}`
}

/** The rows that a decision needs, as far as the command's data tells. */
export function rowsToDecide(step: Pick<Step, 'around' | 'reaction' | 'arrival'>): RowKey[] {
  const { reaction, arrival } = step
  const entity = reaction.consumer.rule as Entity
  const rows = idsOf(reaction.rule, entity, reaction.message, arrival.data).map((key) => ({
    table: reaction.consumer.table,
    key,
  }))
  // Other entities of the contract that evolve by the events mostly use the same id fields.
  for (const { table, rule: sibling } of siblings(step)) {
    const key = (arrival.data as Record<string, unknown>)[(sibling as Entity).id]
    if (typeof key === 'string') rows.push({ table, key })
  }
  if (mayRepeat(step)) rows.push(operationRow(step))
  return rows
}

/**
 * Whether the command may have been decided before: it came from outside, and its topic forgets
 * ids. Other topics deliver an id once.
 */
function mayRepeat({ around, reaction, arrival }: Pick<Step, 'around' | 'reaction' | 'arrival'>) {
  const { keeping } = around.plan.contracts.get(reaction.message.contract) as ContractFacts
  return keeping.retention?.commands !== undefined && arrival.envelope.hops === 0
}

function operationRow({
  around,
  reaction,
  arrival,
}: Pick<Step, 'around' | 'reaction' | 'arrival'>) {
  const key = operationKey(reaction.message as CommandType, arrival.envelope.id)
  return { table: around.service.names.operations, key }
}

const digestOf = ({ data }: Step['arrival']): string => digest(JSON.stringify(data) ?? '')

function siblings({ around, reaction }: Pick<Step, 'around' | 'reaction'>): Reaction['consumer'][] {
  const { consumer } = reaction
  const { of } = consumer.rule as Entity
  return around.service.groups
    .flatMap(({ consumers }) => consumers)
    .filter(({ rule }) => rule.is === 'entity' && rule.of === of && rule !== consumer.rule)
}

/** Runs a decision and stages its events or refusal, the entity states, and the result. */
export function decide(step: Step): boolean {
  const { reaction, arrival } = step
  const { consumer, rule } = reaction
  if (mayRepeat(step)) {
    const { table, key } = operationRow(step)
    const before = cellsOf(step, table, [key])?.get(key)
    if (!before) return false
    // The command was decided before its topic forgot the id: the stored result stands.
    if ((before.value as OperationRow | undefined)?.digest === digestOf(arrival)) return true
  }
  const entity = consumer.rule as Entity
  const ids = idsOf(rule, entity, reaction.message, arrival.data)
  const cells = cellsOf(step, consumer.table, ids)
  if (!cells) return false
  const states = new Map<string, unknown>()
  for (const [id, cell] of cells) states.set(id, stateOf(cell, entity))
  const known = rule.ids ? states : states.get(ids[0] as string)
  const decided = rule.run(arrival.data as never, known as never, arrival.occasion)
  if (isRefusal(decided)) {
    refuse(step, decided)
    return true
  }
  return accept(step, entity, listOf(decided as OneOrMany<Message>))
}

function idsOf(rule: Rule, entity: Entity, type: Reaction['message'], data: unknown): string[] {
  if (!rule.ids) return [idIn(data, entity.id, type)]
  return idsBy(rule, data)
}

function stateOf(cell: Cell, entity: Entity): unknown {
  return cell.value === undefined ? entity.initial : (cell.value as EntityRow).state
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as Refusal).effect === 'refuse'
}

function accept(step: Step, entity: Entity, messages: readonly Message[]): boolean {
  const { around } = step
  const events: { topic: string; id: string; type: string }[] = []
  for (const message of messages) {
    if (!mayEmit(entity, message))
      throw ruleFault(
        `entity ${entity.name} may not publish ${nameOf(message)}: add it to its emits if it is an event ` +
          `of its own contract; to change another service, send it a command`,
      )
    const passed = checked(around.plan, message)
    if (!evolve(step, message, passed)) return false
    const event = publishChecked(step, message, passed)
    events.push({ topic: event.topic, id: event.id, type: event.type })
  }
  remember(step, { is: 'accepted', events })
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
 * Folds an event into every entity of the service that evolves by it. The event itself is staged
 * next, so its position among the unit's appends is already known.
 */
function evolve(step: Step, message: Message, { data }: Checked): boolean {
  const evolvers = step.around.service.evolvers.get(nameOf(message)) ?? []
  if (evolvers.length === 0)
    throw ruleFault(`no entity has an evolve rule for ${nameOf(message)}: add one`)
  for (const { fold, rule } of evolvers) {
    const { entity, table, rules } = fold
    const cells = cellsOf(step, table, idsOf(rule, entity, rule.on as EventType, data))
    if (!cells) return false
    for (const [id, cell] of cells) {
      const state = rule.run(data as never, stateOf(cell, entity) as never, id as never)
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

function refuse(step: Step, { code, complaints }: Refusal): void {
  const { reaction, arrival, around } = step
  const command = reaction.message as CommandType
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
  remember(step, { is: 'refused', code, complaints: listed })
}

function isListOfComplaints(complaints: unknown): boolean {
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
function remember(step: Step, result: CommandResult): void {
  const { id, hops, origin } = step.arrival.envelope
  if (hops > 0) return
  const { table, key } = operationRow(step)
  const value: OperationRow = {
    ...result,
    ...(origin === undefined ? {} : { origin }),
    ...(mayRepeat(step) ? { digest: digestOf(step.arrival) } : {}),
  }
  const version = (step.draft.cell(table, key)?.version ?? 0) + 1
  step.draft.add(table, key, { value, version })
  step.touched.add(id)
}
