import { Fault } from '../base/fault.ts'
import { checkMessage } from '../contract/door.ts'
import type { Message } from '../contract/message.ts'
import { parse } from '../contract/parse.ts'
import type { EventStore, Row, RowKey, Scan } from '../ports/store.ts'
import type { Query, Read, Readable, Reader } from '../rules/query.ts'
import type { Rule } from '../rules/rule.ts'
import { callRule } from '../rules/rule.ts'
import type { EntityRow } from './fold.ts'
import type { Consumer, ServicePlan } from './plan.ts'
import { keepStates, refoldFor } from './refold.ts'
import type { Cell } from './rows.ts'
import { cellOf } from './rows.ts'
import { ruleFault } from './step.ts'
import type { EngineTools } from './tools.ts'

const PAGE = { initial: 1_000, max: 10_000 }

/**
 * Answers a query from committed rows, by the rule of the service that owns its contract.
 *
 * @throws Fault `MESSAGE_INVALID`, `QUERY_NOT_ANSWERED`, `RULE_RETURNED`, `SCHEMA_INVALID`
 */
export async function ask(engine: EngineTools, message: Message): Promise<unknown> {
  const { plan } = engine
  const facts = plan.contracts.get(message?.contract)
  const type = facts?.byName.get(message.name)
  const wire = type?.wire ?? `${message?.contract}.${message?.name}`
  if (!facts || type?.kind !== 'query')
    throw new Fault('MESSAGE_INVALID', { detail: `${wire} is not a query of a known contract` })
  const verdict = checkMessage(facts, message)
  if (verdict.is === 'rejected')
    throw new Fault('MESSAGE_INVALID', { detail: wire, complaints: verdict.complaints })
  const service = plan.owners.get(facts.name)
  for (const query of service?.service.runs ?? []) {
    if (!service || query.is !== 'query') continue
    const rule = query.rules.find(({ on }) => on === type)
    if (!rule) continue
    const readerFor = <E extends Readable>(readable: E): Reader<E> =>
      readerOf(engine, service, readable)
    return answerQuery(query, rule, verdict.checked.data, readerFor)
  }
  throw new Fault('QUERY_NOT_ANSWERED', { detail: wire })
}

/**
 * Runs the rule of a query on its data, and returns the answer, parsed by its schema.
 *
 * @throws Fault `RULE_RETURNED`, `SCHEMA_INVALID`
 */
export async function answerQuery(
  query: Query,
  rule: Rule,
  data: unknown,
  readerFor: Read<Readable>,
): Promise<unknown> {
  const type = rule.on
  const read = <E extends Readable>(readable: E): Reader<E> => {
    if (query.reads.includes(readable)) return readerFor(readable)
    throw ruleFault(
      `query ${query.name} read ${readable.name} without declaring it: add it to its reads`,
    )
  }
  if (type.kind !== 'query')
    throw ruleFault(`query ${query.name} answers ${type.wire}, which is a ${type.kind}`)
  const answer = await callRule(rule, data, read, NO_OCCASION)
  const detail = `the answer to ${type.wire}`
  const outcome = parse(type.answers, detail, answer)
  if (outcome.is === 'taken') return outcome.value
  throw new Fault('RULE_RETURNED', { detail, complaints: outcome.complaints })
}

const NO_OCCASION = { messageId: '', at: 0, key: '' }

function readerOf<E extends Readable>(
  engine: EngineTools,
  service: ServicePlan,
  readable: E,
): Reader<E> {
  const consumers = service.groups.flatMap((group) => group.consumers)
  const { table } = consumers.find(({ rule }) => rule === readable) as Consumer
  const values = readable.is === 'entity' ? statesOf(engine, service) : parsed
  return tableReader(engine.backend.store, table, values)
}

/** Reads the committed rows of a table; `values` decodes them. */
export function tableReader<E extends Readable>(
  store: Pick<EventStore, 'get' | 'scan'>,
  table: string,
  { valueOf, valuesOf }: RowValues,
): Reader<E> {
  const reader: Reader<E> = {
    async get(id) {
      const [row] = await store.get([{ table, key: id }])
      return valueOf({ table, key: id }, row)
    },
    async *all(where) {
      let page = await reader.find(where, { limit: PAGE.max })
      yield* page.rows
      while (page.after !== undefined) {
        page = await reader.find(where, { limit: PAGE.max, after: page.after })
        yield* page.rows
      }
    },
    async find(where = {}, { after, limit = PAGE.initial } = {}) {
      const scan = scanOf(table, where as Record<string, string | number>, after, limit)
      const rows = await store.scan(scan)
      const last = rows.length === scan.limit ? rows.at(-1)?.key : undefined
      const read = await valuesOf(rows)
      return {
        rows: rows.map(({ key }, at) => ({ id: key, row: read[at] as never })),
        ...(last === undefined ? {} : { after: last }),
      }
    },
  }
  return reader
}

export interface RowValues {
  /** The value of a row, if there is one. */
  valueOf(key: RowKey, row: Row | undefined): Promise<never | undefined>
  /** The values of rows, in their order. */
  valuesOf(rows: readonly Row[]): Promise<readonly never[]>
}

const parsed: RowValues = {
  valueOf: async (_, row) => row && (JSON.parse(row.body) as never),
  valuesOf: async (rows) => rows.map(({ body }) => JSON.parse(body) as never),
}

/** Entity states, folded by the current rules. */
function statesOf(engine: EngineTools, service: ServicePlan): RowValues {
  const { store } = engine.backend
  const refold = refoldFor(engine, service)
  const stateIn = ({ value, flaw }: Cell): never | undefined => {
    if (flaw) throw flaw
    return (value as EntityRow | undefined)?.state as never | undefined
  }
  return {
    // A state that is asked for by id is found even if its row was lost.
    async valueOf(key, row) {
      const cells = await refold([cellOf(key, row)], () => true)
      await keepStates(store, cells)
      return stateIn(cells[0] as Cell)
    },
    async valuesOf(rows) {
      const cells = await refold(rows.map((row) => cellOf(row, row)))
      await keepStates(store, cells)
      return cells.map((cell) => stateIn(cell) as never)
    },
  }
}

function scanOf(
  table: string,
  where: Readonly<Record<string, string | number>>,
  after: string | undefined,
  limit: number,
): Scan {
  const conditions = Object.entries(where)
  if (conditions.length > 1)
    throw new Fault('RULE_RETURNED', { detail: 'find takes one indexed field at a time' })
  const [condition] = conditions
  const value: unknown = condition?.[1]
  if (condition && typeof value !== 'string' && typeof value !== 'number')
    throw new Fault('RULE_RETURNED', { detail: `find by ${condition[0]} needs a text or a number` })
  return {
    table,
    limit: Math.min(Math.max(1, Math.floor(limit)), PAGE.max),
    ...(condition ? { where: { index: condition[0], equals: condition[1] } } : {}),
    ...(after === undefined
      ? {}
      : { after: condition ? { key: after, value: condition[1] } : { key: after } }),
  }
}
