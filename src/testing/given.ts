import assert from 'node:assert/strict'
import { mustBeOneCopy } from '../base/copy.ts'
import { faultIn } from '../base/thrown.ts'
import type { Message, MessageType } from '../contract/message.ts'
import { advance } from '../engine/advance.ts'
import { decide, evolve } from '../engine/decide.ts'
import type { EntityRow } from '../engine/fold.ts'
import { attempt, handled } from '../engine/handle.ts'
import { project } from '../engine/project.ts'
import type { RowValues } from '../engine/reading.ts'
import { answerQuery, tableReader } from '../engine/reading.ts'
import type { Draft } from '../engine/rows.ts'
import { writesOf } from '../engine/rows.ts'
import { memory } from '../backends/memory/index.ts'
import { EMPTY_UNIT } from '../ports/empty-unit.ts'
import type { EventStore, Row } from '../ports/store.ts'
import type { OneOrMany } from '../rules/effect.ts'
import { listOf, retryAfter } from '../rules/effect.ts'
import type { Entity } from '../rules/entity.ts'
import type { Handler, ToolHints, ToolsOf } from '../rules/handler.ts'
import { partsOfRule } from '../rules/parts.ts'
import type { Projection } from '../rules/projection.ts'
import type { Query, Readable } from '../rules/query.ts'
import type { Rule } from '../rules/rule.ts'
import type { Saga } from '../rules/saga.ts'
import type { Runnable } from '../rules/service.ts'
import type { RuleBench } from './rule-bench.ts'
import { emptyDraft, failure, heard, ruleBench, tableFor } from './rule-bench.ts'

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
 * Tests one rule without an engine, in the form given–when–then. The functions of the engine run the
 * rule, over rows in memory: whatever a running system rejects in the returned values of a rule, or in
 * the messages for it, fails the test.
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
      return async((message) => called(rule, rest[0], message))
    case 'query':
      return async((message) => answered(rule, history, message))
  }
}

function sync(run: (message: Message) => readonly unknown[]): When {
  return {
    when: (message) => ({
      // The object is never awaited.
      // oxlint-disable-next-line unicorn/no-thenable
      then(...expected) {
        let returned: readonly unknown[]
        try {
          returned = run(message)
        } catch (cause) {
          throw failed(cause)
        }
        assert.deepEqual(returned, expected)
      },
    }),
  }
}

function async(run: (message: Message) => Promise<readonly unknown[]>): WhenAsync {
  return {
    when: (message) => ({
      // oxlint-disable-next-line unicorn/no-thenable
      async then(...expected) {
        const returned = await run(message).catch((cause: unknown) => {
          throw failed(cause)
        })
        assert.deepEqual(returned, expected)
      },
    }),
  }
}

/** Values that the engine does not accept from a rule fail the test; errors thrown by a rule stay as they are. */
function failed(cause: unknown): unknown {
  const fault = faultIn(cause)
  return fault?.code === 'RULE_RETURNED' ? failure(fault.message, fault) : cause
}

function decided(entity: Entity, history: readonly Message[], command: Message): unknown[] {
  const bench = ruleBench(entity)
  for (const event of history) fold(bench, entity, event)
  const run = recorded(mustFind(entity.name, entity.decide, command))
  decide(bench.step(bench.arrival(run.rule, command)), entity, run.rule)
  return [...listOf(run.returned() as OneOrMany<unknown>)]
}

/** Folds an event of the history into the states of an entity. */
function fold(bench: RuleBench, entity: Entity, event: Message): void {
  const arrival = bench.arrival(mustFind(entity.name, entity.evolve, event), event)
  evolve(bench.step(arrival), event, arrival.data)
}

function stepped(saga: Saga, history: readonly Message[], message: Message): unknown[] {
  const bench = ruleBench(saga)
  let returned: unknown
  for (const heard of [...history, message]) {
    const run = recorded(mustHear(saga, heard))
    const arrival = bench.arrival(run.rule, heard)
    advance(bench.step(arrival), saga, run.rule)
    if (!run.isRun()) throw failure(`${saga.name} has finished in its history`)
    returned = run.returned()
  }
  return [...listOf(returned as OneOrMany<unknown>)]
}

function mustHear(saga: Saga, message: Message): Rule {
  const { contract, name, kind } = message
  const rule = saga.rules.find(({ on, hears }) => {
    if (on.contract !== contract) return false
    if (hears === 'refused') return kind === 'refusal' && name === `${on.name}Refused`
    return hears === 'message' && on.name === name
  })
  if (rule) return rule
  throw noRule(saga.name, message)
}

function rowsAfter(projection: Projection, history: readonly Message[]): Rows {
  const bench = ruleBench(projection)
  for (const event of history) projected(bench, projection, event)
  const rows = [...bench.draft.changes.values()].filter(({ value }) => value !== undefined)
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]))
}

function projected(bench: RuleBench, projection: Projection, event: Message): void {
  const rule = mustFind(projection.name, projection.rules, event)
  project(bench.step(bench.arrival(rule, event)), projection, rule)
}

async function called(handler: Handler, tools: unknown, event: Message): Promise<unknown[]> {
  const bench = ruleBench(handler)
  const { consumer } = bench
  const rule = mustFind(handler.name, handler.rules, event)
  const arrival = bench.arrival(rule, event)
  const calling = {
    tools: tools as Readonly<Record<string, unknown>>,
    budget: { begin: () => undefined, end: () => 0 },
    calls: { begin: () => () => undefined },
    threads: undefined,
  }
  const reaction = { consumer, message: rule.on, rule }
  const outcome = await attempt(calling, { reaction, arrival }, new AbortController().signal)
  if (outcome?.is === 'failed') throw outcome.cause
  if (outcome?.is === 'later') return [retryAfter(outcome.delayMs)]
  const returned = outcome?.is === 'handled' ? outcome.returned : undefined
  handled(bench.step(arrival), handler, returned)
  return [...listOf(returned as OneOrMany<unknown> | undefined)]
}

async function answered(
  query: Query,
  history: readonly Message[],
  message: Message,
): Promise<unknown[]> {
  const draft = emptyDraft()
  for (const readable of query.reads) foldHistory(readable, draft, history)
  const store = await storeOf(query.reads, draft)
  const run = recorded(mustFind(query.name, query.rules, message))
  const { data } = heard(query.name, run.rule, message)
  await answerQuery(query, run.rule, data, (readable) =>
    tableReader(store, tableFor(readable), readable.is === 'entity' ? STATES : ROWS),
  )
  return [await run.returned()]
}

function foldHistory(readable: Readable, draft: Draft, history: readonly Message[]): void {
  const bench = ruleBench(readable, draft)
  const rules = readable.is === 'entity' ? readable.evolve : readable.rules
  for (const event of history) {
    if (!rules.some(({ on }) => isOf(on, event))) continue
    if (readable.is === 'entity') fold(bench, readable, event)
    else projected(bench, readable, event)
  }
}

/** A store with the rows of a draft. */
async function storeOf(readables: readonly Readable[], draft: Draft): Promise<EventStore> {
  const { store } = memory()
  await store.declare(
    readables.map((each) => ({
      name: tableFor(each),
      indexes: each.is === 'projection' ? each.indexes : [],
    })),
  )
  await store.commit({ ...EMPTY_UNIT, rows: writesOf(draft).writes })
  return store
}

const rowsBy = (valueIn: (row: Row) => unknown): RowValues => ({
  valueOf: async (_, row) => row && (valueIn(row) as never),
  valuesOf: async (rows) => rows.map((row) => valueIn(row) as never),
})
const ROWS = rowsBy(({ body }) => JSON.parse(body))
const STATES = rowsBy(({ body }) => (JSON.parse(body) as EntityRow).state)

/** A rule that records what it returns, since the engine's functions only tell whether they ran it. */
interface RecordedRule {
  readonly rule: Rule
  isRun(): boolean
  returned(): unknown
}

function recorded(rule: Rule): RecordedRule {
  let isRun = false
  let returned: unknown
  const run: Rule['run'] = (data, known, context) => {
    isRun = true
    returned = rule.run(data, known, context)
    return returned
  }
  return { rule: { ...rule, run }, isRun: () => isRun, returned: () => returned }
}

function mustFind(name: string, rules: readonly Rule[], message: Message): Rule {
  const rule = rules.find(({ on, hears }) => hears === 'message' && isOf(on, message))
  if (rule) return rule
  throw noRule(name, message)
}

function isOf(type: MessageType, { contract, name }: Message): boolean {
  return type.contract === contract && type.name === name
}

function noRule(name: string, message: Message): Error {
  return failure(`${name} has no rule for ${message.contract}.${message.name}`)
}
