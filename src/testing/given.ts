import assert from 'node:assert/strict'
import { assertSinglePackageCopy } from '../base/package-copy.ts'
import { asFault } from '../base/errors/thrown-error.ts'
import { toNormalForm } from '../contract/data/normal-form.ts'
import type { Message, MessageType } from '../contract/message.ts'
import {
  advanceSaga,
  decide,
  evolve,
  project,
  stageHandlerResult,
} from '../engine/execution/index.ts'
import type { EntityRow } from '../engine/plan/index.ts'
import { callHandler } from '../engine/handlers/index.ts'
import type { RowValues } from '../engine/query.ts'
import { runQuery, tableReader } from '../engine/query.ts'
import type { UnitDraft } from '../engine/rows/index.ts'
import { ROW_SHAPE, createWrites } from '../engine/rows/index.ts'
import { memory } from '../backends/memory/index.ts'
import { EMPTY_UNIT } from '../ports/empty-unit.ts'
import type { EventStore, Row } from '../ports/event-store.ts'
import type { OneOrMany } from '../rules/effect.ts'
import { toList, retryAfter } from '../rules/effect.ts'
import type { Entity } from '../rules/entity.ts'
import type { Handler, ToolHints, ToolsOf } from '../rules/handler.ts'
import { packageValuesOfRule } from '../rules/package-values.ts'
import type { Projection } from '../rules/projection.ts'
import type { QueryHandler, Readable } from '../rules/query-handler.ts'
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
export type RowsById = Readonly<Record<string, unknown>>

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
export function given(rule: QueryHandler, ...history: readonly Message[]): WhenAsync
export function given(rule: Entity | Projection | Saga, ...history: readonly Message[]): When
export function given(rule: Runnable, ...rest: readonly unknown[]): When | WhenAsync {
  assertSinglePackageCopy(packageValuesOfRule(rule?.name, rule))
  const history = rest as readonly Message[]
  switch (rule.kind) {
    case 'entity':
      return sync((message) => decided(rule, history, message))
    case 'saga':
      return sync((message) => stepped(rule, history, message))
    case 'projection':
      return sync((message) => [rowsAfter(rule, [...history, message])], rowsAsStored)
    case 'handler':
      return async((message) => called(rule, rest[0], message))
    case 'query':
      return async((message) => answered(rule, history, message))
  }
}

function sync(run: (message: Message) => readonly unknown[], form = asStored): When {
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
        assert.deepEqual(returned.map(form), expected.map(form))
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
        assert.deepEqual(returned.map(asStored), expected.map(asStored))
      },
    }),
  }
}

/** A value as it is stored: an absent member is the same as one that is `undefined`. */
function asStored(value: unknown): unknown {
  return toNormalForm(value, ROW_SHAPE)?.value ?? value
}

/** The same for each row: a row that is `undefined` is no row. */
function rowsAsStored(rows: unknown): unknown {
  if (typeof rows !== 'object' || rows === null) return rows
  return Object.fromEntries(Object.entries(rows).map(([id, row]) => [id, asStored(row)]))
}

/** Values that the engine does not accept from a rule fail the test; errors thrown by a rule stay as they are. */
function failed(cause: unknown): unknown {
  const fault = asFault(cause)
  return fault?.code === 'RULE_RETURNED' ? failure(fault.message, fault) : cause
}

function decided(entity: Entity, history: readonly Message[], command: Message): unknown[] {
  const bench = ruleBench(entity)
  for (const event of history) fold(bench, entity, event)
  const run = recorded(findRule(entity.name, entity.decide, command))
  decide(bench.step(bench.arrival(run.rule, command)), entity, run.rule)
  return [...toList(run.returned() as OneOrMany<unknown>)]
}

/** Folds an event of the history into the states of an entity. */
function fold(bench: RuleBench, entity: Entity, event: Message): void {
  const arrival = bench.arrival(findRule(entity.name, entity.evolve, event), event)
  evolve(bench.step(arrival), event, arrival.data)
}

function stepped(saga: Saga, history: readonly Message[], message: Message): unknown[] {
  const bench = ruleBench(saga)
  let returned: unknown
  for (const heard of [...history, message]) {
    const run = recorded(mustHear(saga, heard))
    const arrival = bench.arrival(run.rule, heard)
    advanceSaga(bench.step(arrival), saga, run.rule)
    if (!run.isRun()) throw failure(`${saga.name} has finished in its history`)
    returned = run.returned()
  }
  return [...toList(returned as OneOrMany<unknown>)]
}

function mustHear(saga: Saga, message: Message): Rule {
  const { contract, name, kind } = message
  const rule = saga.rules.find(({ on, trigger }) => {
    if (on.contract !== contract) return false
    if (trigger === 'refused') return kind === 'refusal' && name === `${on.name}Refused`
    return trigger === 'message' && on.name === name
  })
  if (rule) return rule
  throw noRuleError(saga.name, message)
}

function rowsAfter(projection: Projection, history: readonly Message[]): RowsById {
  const bench = ruleBench(projection)
  for (const event of history) projected(bench, projection, event)
  const rows = [...bench.draft.changes.values()].filter(({ value }) => value !== undefined)
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]))
}

function projected(bench: RuleBench, projection: Projection, event: Message): void {
  const rule = findRule(projection.name, projection.rules, event)
  project(bench.step(bench.arrival(rule, event)), projection, rule)
}

async function called(handler: Handler, tools: unknown, event: Message): Promise<unknown[]> {
  const bench = ruleBench(handler)
  const { consumer } = bench
  const rule = findRule(handler.name, handler.rules, event)
  const arrival = bench.arrival(rule, event)
  const calling = {
    // A test sees for itself how long a handler takes.
    clock: { after: () => () => undefined },
    tools: tools as Readonly<Record<string, unknown>>,
    budget: { begin: () => undefined, end: () => 0 },
    runningCalls: { begin: () => () => undefined },
    threads: undefined,
  }
  const subscription = { consumer, messageType: rule.on, rule }
  const outcome = await callHandler(
    calling,
    { subscription, inbound: arrival },
    new AbortController().signal,
  )
  if (outcome?.status === 'failed') throw outcome.cause
  if (outcome?.status === 'later') return [retryAfter(outcome.delayMs)]
  const returned = outcome?.status === 'handled' ? outcome.returned : undefined
  stageHandlerResult(bench.step(arrival), handler, returned)
  return [...toList(returned as OneOrMany<unknown> | undefined)]
}

async function answered(
  query: QueryHandler,
  history: readonly Message[],
  message: Message,
): Promise<unknown[]> {
  const draft = emptyDraft()
  for (const readable of query.reads) foldHistory(readable, draft, history)
  const store = await storeOf(query.reads, draft)
  const run = recorded(findRule(query.name, query.rules, message))
  const { data } = heard(query.name, run.rule, message)
  await runQuery(query, run.rule, data, (readable) =>
    tableReader(store, tableFor(readable), readable.kind === 'entity' ? STATES : ROWS),
  )
  return [await run.returned()]
}

function foldHistory(readable: Readable, draft: UnitDraft, history: readonly Message[]): void {
  const bench = ruleBench(readable, draft)
  const rules = readable.kind === 'entity' ? readable.evolve : readable.rules
  for (const event of history) {
    if (!rules.some(({ on }) => isOfType(on, event))) continue
    if (readable.kind === 'entity') fold(bench, readable, event)
    else projected(bench, readable, event)
  }
}

/** A store with the rows of a draft. */
async function storeOf(readables: readonly Readable[], draft: UnitDraft): Promise<EventStore> {
  const { store } = memory()
  await store.declare(
    readables.map((each) => ({
      name: tableFor(each),
      indexes: each.kind === 'projection' ? each.indexes : [],
    })),
  )
  await store.commit({ ...EMPTY_UNIT, rows: createWrites(draft).writes })
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

function findRule(name: string, rules: readonly Rule[], message: Message): Rule {
  const rule = rules.find(({ on, trigger }) => trigger === 'message' && isOfType(on, message))
  if (rule) return rule
  throw noRuleError(name, message)
}

function isOfType(type: MessageType, { contract, name }: Message): boolean {
  return type.contract === contract && type.name === name
}

function noRuleError(name: string, message: Message): Error {
  return failure(`${name} has no rule for ${message.contract}.${message.name}`)
}
