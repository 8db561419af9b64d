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

/** What a rule that only computes is expected to do. */
export interface When {
  /** The message that the rule is run on. */
  when(message: Message): Then
}
export interface Then {
  /** Fails unless the rule returned exactly this, in this order. */
  then(...expected: readonly unknown[]): void
}

/** The same for rules that take their time. */
export interface WhenAsync {
  when(message: Message): ThenAsync
}
export interface ThenAsync {
  then(...expected: readonly unknown[]): Promise<void>
}

/** Rows by id, as a projection leaves them. */
export type Rows = Readonly<Record<string, unknown>>

/**
 * Tests one rule as a sentence, without an engine: given what happened, when this arrives, then
 * this follows. The functions of the engine run the rule, over rows in memory: what a running system
 * refuses to take from a rule, or to hand to one, fails the test here.
 *
 * - entity: history are events; `then` are the events, or one refusal
 * - saga: history are the events and refusals heard before; `then` are the effects
 * - projection: history are events; `then` is one object with all rows by id
 * - handler: instead of a history it is given its tools; `then` are the messages returned
 * - query: history are events and rows come from the projections and entities it reads; `then` is
 *   the answer
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
      // The words of the sentence; nobody awaits this.
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

/** What the engine does not take from a rule is a failed test; what a rule has thrown stays as it is. */
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
    if (!run.isRun()) throw failure(`${saga.name} had finished before`)
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

/** The rows of a draft, committed. */
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

/** A rule that keeps what it returns, since the engine's functions only say whether they ran it. */
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
