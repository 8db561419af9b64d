import assert from 'node:assert/strict'
import { mustBeOneCopy } from '../base/copy.ts'
import type { Complaint } from '../base/fault.ts'
import { compareText } from '../base/text.ts'
import { factsOf } from '../contract/contract.ts'
import { checkMessage } from '../contract/door.ts'
import type { CommandType, Message, MessageType, RefusalData } from '../contract/message.ts'
import { complaintsOfForm, normalForm } from '../contract/normal-form.ts'
import { parse } from '../contract/parse.ts'
import { ROW_SHAPE } from '../engine/rows.ts'
import type { OneOrMany, Refusal } from '../rules/effect.ts'
import { listOf } from '../rules/effect.ts'
import type { Entity } from '../rules/entity.ts'
import type { Handler, ToolHints, ToolsOf } from '../rules/handler.ts'
import type { Projection } from '../rules/projection.ts'
import type { Query, Readable } from '../rules/query.ts'
import type { Occasion, Rule } from '../rules/rule.ts'
import type { Saga } from '../rules/saga.ts'
import { partsOfRule } from '../rules/parts.ts'
import type { Runnable } from '../rules/service.ts'

/** The next step of a test of a synchronous rule. */
export interface When {
  /** The message that the rule is run on. */
  when(message: Message): Then
}
export interface Then {
  /** Asserts that the rule returned exactly these values, in this order. */
  then(...expected: readonly unknown[]): void
}

/** The same for asynchronous rules. */
export interface WhenAsync {
  when(message: Message): ThenAsync
}
export interface ThenAsync {
  then(...expected: readonly unknown[]): Promise<void>
}

/** The rows of a projection by id. */
export type Rows = Readonly<Record<string, unknown>>

/**
 * Tests one rule without an engine, in the form given–when–then. Each message is validated by its schema,
 * and rules see data as in a running system: in normal form and frozen, so that a rule that changes
 * it in place throws.
 *
 * - entity: the history are events; `then` takes the events, or one refusal
 * - saga: the history are the earlier events and refusals; `then` takes the effects
 * - projection: the history are events; `then` takes one object with all rows by id
 * - handler: takes its tools instead of a history; `then` takes the returned messages
 * - query handler: the history are events, from which the rows it reads are made; `then` takes the
 *   answer
 */
export function given<N extends string, H extends ToolHints>(
  rule: Handler<N, H>,
  tools: ToolsOf<H>,
): WhenAsync
export function given(rule: Query, ...history: readonly Message[]): WhenAsync
export function given(rule: Entity | Projection | Saga, ...history: readonly Message[]): When
export function given(rule: Runnable, ...rest: readonly unknown[]): When | WhenAsync {
  mustBeOneCopy(partsOfRule(rule?.name, rule))
  const history = rest as readonly Message[]
  switch (rule.is) {
    case 'entity':
      return sync((message) => decided(rule, history, message))
    case 'saga':
      return sync((message) => stepped(rule, history, message))
    case 'projection':
      return sync((message) => [rowsAfter(rule, [...history, message])])
    case 'handler':
      return async((message) => handled(rule, rest[0], message))
    case 'query':
      return async((message) => answered(rule, history, message))
  }
}

function sync(run: (message: Message) => readonly unknown[]): When {
  return {
    when: (message) => ({
      // The object is never awaited.
      // oxlint-disable-next-line unicorn/no-thenable
      then: (...expected) => assert.deepEqual(run(message), expected),
    }),
  }
}

function async(run: (message: Message) => Promise<readonly unknown[]>): WhenAsync {
  return {
    when: (message) => ({
      // oxlint-disable-next-line unicorn/no-thenable
      then: async (...expected) => assert.deepEqual(await run(message), expected),
    }),
  }
}

/** Data as a rule sees it in a running system: in normal form and frozen. */
function asKept(data: unknown): unknown {
  if (data === undefined) return data
  const form = normalForm(data, ROW_SHAPE)
  if (form) return form.value
  const complaints = complaintsOfForm(data, ROW_SHAPE)
  const why = complaints.map(({ path, message }) => `${path} ${message}`).join(', ')
  throw new assert.AssertionError({
    message: `this cannot be the data of a message or row: ${why}`,
  })
}

const OCCASION: Occasion = { messageId: 'message-1', at: 0, key: 'key-1' }

function decided(entity: Entity, history: readonly Message[], command: Message): unknown[] {
  const states = new Map<string, unknown>()
  for (const event of history) evolve(entity, states, event)
  const rule = mustFind(entity.name, entity.decide, command)
  const data = heard(entity.name, rule, command)
  const ids = idsOf(rule, entity.id, data)
  const stateOf = (id: string): unknown => (states.has(id) ? states.get(id) : entity.initial)
  const known = rule.ids ? new Map(ids.map((id) => [id, stateOf(id)])) : stateOf(ids[0] as string)
  const key = (data as Record<string, string>)[factsOf(entity.of).key] ?? OCCASION.key
  const occasion = { ...OCCASION, key }
  const result = listOf(rule.run(data as never, known as never, occasion) as OneOrMany<unknown>)
  for (const each of result) mustBeAllowed(entity, rule, each)
  return [...result]
}

/** Only declared refusals and valid events of the contract are allowed. */
function mustBeAllowed(entity: Entity, { on: command }: Rule, result: unknown): void {
  const facts = factsOf(entity.of)
  const { effect, code, contract, name, kind } = (result ?? {}) as Partial<Refusal & Message>
  const complain = (text: string): never => {
    throw new assert.AssertionError({ message: `${entity.name} ${text}` })
  }
  if (effect === 'refuse') {
    if (!(command as CommandType).refuses.includes(code))
      complain(`refuses with ${code}, which ${command.wire} does not declare`)
    return
  }
  if (kind !== 'event' || contract !== facts.name)
    complain(`returned ${name ?? typeof result}, which is not an event of ${facts.name}`)
  const verdict = checkMessage(facts, result as Message)
  if (verdict.is === 'rejected')
    complain(`returned ${name} with invalid data: ${complaintsText(verdict.complaints)}`)
}

function evolve(entity: Entity, states: Map<string, unknown>, event: Message): void {
  const rule = mustFind(entity.name, entity.evolve, event)
  const data = heard(entity.name, rule, event)
  for (const id of idsOf(rule, entity.id, data)) {
    const before = states.has(id) ? states.get(id) : entity.initial
    states.set(id, asKept(rule.run(data as never, before as never, id as never)))
  }
}

function stepped(saga: Saga, history: readonly Message[], message: Message): unknown[] {
  let state: unknown = saga.initial
  for (const heard of history)
    for (const effect of effectsOf(saga, heard, state)) {
      if (isBecome(effect)) state = asKept(effect.state)
      if ((effect as { effect: string }).effect === 'finish')
        throw new assert.AssertionError({ message: `${saga.name} has finished in its history` })
    }
  return effectsOf(saga, message, state)
}

function isBecome(effect: unknown): effect is { effect: 'become'; state: unknown } {
  return (effect as { effect?: string }).effect === 'become'
}

function effectsOf(saga: Saga, message: Message, state: unknown): unknown[] {
  const { contract, name, kind } = message
  const isAnswer = (rule: Rule): boolean =>
    kind === 'refusal' && rule.hears === 'refused' && `${rule.on.name}Refused` === name
  const isHeard = (rule: Rule): boolean => rule.hears === 'message' && rule.on.name === name
  const rule = saga.rules.find(
    (each) => each.on.contract === contract && (isAnswer(each) || isHeard(each)),
  )
  if (!rule) throw noRule(saga.name, { contract, name })
  const data = heard(saga.name, rule, message)
  const effects = rule.run(data as never, asKept(state) as never, OCCASION)
  return [...listOf(effects as OneOrMany<unknown>)]
}

function rowsAfter(projection: Projection, history: readonly Message[]): Rows {
  const rows = new Map<string, unknown>()
  for (const event of history) project(projection, rows, event)
  return Object.fromEntries(rows)
}

function project(projection: Projection, rows: Map<string, unknown>, event: Message): void {
  const rule = mustFind(projection.name, projection.rules, event)
  const data = heard(projection.name, rule, event)
  const about = event.kind === 'refusal' ? (data as { command: unknown }).command : data
  for (const id of idsOf(rule, projection.by, rule.ids ? data : about)) {
    const third = rule.ids ? id : OCCASION
    const row = rule.run(data as never, rows.get(id) as never, third as never)
    if (row === undefined) rows.delete(id)
    else rows.set(id, asKept(row))
  }
}

async function handled(handler: Handler, tools: unknown, event: Message): Promise<unknown[]> {
  const rule = mustFind(handler.name, handler.rules, event)
  const { signal } = new AbortController()
  const handling = { ...OCCASION, effectKey: `${handler.name}:${OCCASION.messageId}`, signal }
  const data = heard(handler.name, rule, event)
  const returned = await rule.run(data as never, tools as never, handling)
  return [...listOf(returned as OneOrMany<unknown> | undefined)]
}

async function answered(
  query: Query,
  history: readonly Message[],
  message: Message,
): Promise<unknown[]> {
  const rule = mustFind(query.name, query.rules, message)
  const read = (readable: Readable): unknown => readerOver(rowsOf(readable, history), readable)
  const data = heard(query.name, rule, message)
  return [await rule.run(data as never, read as never, OCCASION)]
}

function rowsOf(readable: Readable, history: readonly Message[]): ReadonlyMap<string, unknown> {
  const rows = new Map<string, unknown>()
  for (const event of history) {
    const rules = readable.is === 'entity' ? readable.evolve : readable.rules
    if (!rules.some(({ on }) => isOf(on, event))) continue
    if (readable.is === 'entity') evolve(readable, rows, event)
    else project(readable, rows, event)
  }
  return rows
}

function readerOver(rows: ReadonlyMap<string, unknown>, readable: Readable): unknown {
  const { name } = readable
  const indexes = readable.is === 'projection' ? readable.indexes : []
  const matching = (where: object = {}): { id: string; row: unknown }[] => {
    const fields = Object.entries(where)
    for (const [field, value] of fields)
      if (fields.length > 1 || !indexes.includes(field as never) || value === undefined)
        throw new assert.AssertionError({
          message: `${name} can be searched by one indexed field with a value, not by ${field}`,
        })
    return [...rows]
      .map(([id, row]) => ({ id, row }))
      .filter(({ row }) =>
        fields.every(([field, value]) => (row as Record<string, unknown>)[field] === value),
      )
      .toSorted((a, b) => compareText(a.id, b.id))
  }
  const find = async (where?: object, page: { after?: string; limit?: number } = {}) => {
    const { after, limit = Infinity } = page
    const found = matching(where).filter(
      ({ id }) => after === undefined || compareText(id, after) > 0,
    )
    const last = found.length > limit ? found[limit - 1]?.id : undefined
    return { rows: found.slice(0, limit), ...(last === undefined ? {} : { after: last }) }
  }
  return {
    name,
    get: async (id: string) => rows.get(id),
    find,
    async *all(where?: object) {
      yield* matching(where)
    },
  }
}

/** The data of a message after its schema, as a rule sees it. */
function heard(name: string, { on }: Rule, { kind, data }: Message): unknown {
  const isRefusal = kind === 'refusal'
  const told = isRefusal ? (data as RefusalData<unknown, string>).command : data
  const outcome = parse(on.schema, on.wire, told)
  if (outcome.is === 'rejected')
    throw new assert.AssertionError({
      message: `${name} got ${on.wire} with invalid data: ${complaintsText(outcome.complaints)}`,
    })
  return asKept(isRefusal ? { ...(data as object), command: outcome.value } : outcome.value)
}

const complaintsText = (complaints: readonly Complaint[]): string =>
  complaints.map(({ path, message }) => `${path} ${message}`).join(', ')

function mustFind(name: string, rules: readonly Rule[], message: Message): Rule {
  const rule = rules.find(({ on, hears }) => hears === 'message' && isOf(on, message))
  if (rule) return rule
  throw noRule(name, message)
}

function isOf(type: MessageType, { contract, name }: { contract: string; name: string }): boolean {
  return type.contract === contract && type.name === name
}

function noRule(name: string, message: { contract: string; name: string }): Error {
  const text = `${name} has no rule for ${message.contract}.${message.name}`
  return new assert.AssertionError({ message: text })
}

function idsOf(rule: Rule, field: string, data: unknown): readonly string[] {
  if (rule.ids) return [...new Set(rule.ids(data as never))]
  const id = (data as Record<string, unknown> | null)?.[field]
  if (typeof id === 'string') return [id]
  throw new assert.AssertionError({ message: `${rule.on.wire} has no id in its field ${field}` })
}
