import { Fault } from '../base/errors/fault.ts'
import { validateMessage } from '../contract/validate-message.ts'
import type { Message } from '../contract/message.ts'
import { parseWithSchema } from '../contract/schema/parse.ts'
import type { EventStore, Row, RowKey, Scan } from '../ports/event-store.ts'
import type { QueryHandler, ReadRows, Readable, RowReader } from '../rules/query-handler.ts'
import type { Rule } from '../rules/rule.ts'
import { callRule } from '../rules/rule.ts'
import type { EntityRow, Consumer, ServicePlan } from './plan/index.ts'
import { storeRefoldedStates, createServiceRefold, ruleFault } from './execution/index.ts'
import type { CachedRow } from './rows/index.ts'
import { createCachedRow } from './rows/index.ts'
import type { EngineContext } from './context/index.ts'

const PAGE = { initial: 1_000, max: 10_000 }

/**
 * Answers a query from committed rows, by the rule of the service that owns its contract.
 *
 * @throws Fault `MESSAGE_INVALID`, `QUERY_NOT_ANSWERED`, `RULE_RETURNED`, `SCHEMA_INVALID`
 */
export async function answerQuery(engine: EngineContext, message: Message): Promise<unknown> {
  const { plan } = engine
  const facts = plan.contracts.get(message?.contract)
  const type = facts?.byName.get(message.name)
  const wire = type?.wire ?? `${message?.contract}.${message?.name}`
  if (!facts || type?.kind !== 'query')
    throw new Fault('MESSAGE_INVALID', { detail: `${wire} is not a query of a known contract` })
  const verdict = validateMessage(facts, message)
  if (verdict.status === 'invalid')
    throw new Fault('MESSAGE_INVALID', { detail: wire, issues: verdict.issues })
  const service = plan.owners.get(facts.name)
  for (const query of service?.service.runs ?? []) {
    if (!service || query.kind !== 'query') continue
    const rule = query.rules.find(({ on }) => on === type)
    if (!rule) continue
    const readerFor = <E extends Readable>(readable: E): RowReader<E> =>
      createReader(engine, service, readable)
    return runQuery(query, rule, verdict.message.data, readerFor)
  }
  throw new Fault('QUERY_NOT_ANSWERED', { detail: wire })
}

/**
 * Runs the rule of a query on its data, and returns the answer, parsed by its schema.
 *
 * @throws Fault `RULE_RETURNED`, `SCHEMA_INVALID`
 */
export async function runQuery(
  query: QueryHandler,
  rule: Rule,
  data: unknown,
  readerFor: ReadRows<Readable>,
): Promise<unknown> {
  const type = rule.on
  const read = <E extends Readable>(readable: E): RowReader<E> => {
    if (query.reads.includes(readable)) return readerFor(readable)
    throw ruleFault(
      `query ${query.name} read ${readable.name} without declaring it: add it to its reads`,
    )
  }
  if (type.kind !== 'query')
    throw ruleFault(`query ${query.name} answers ${type.wire}, which is a ${type.kind}`)
  const answer = await callRule(rule, data, read, NO_CONTEXT)
  const detail = `the answer to ${type.wire}`
  const outcome = parseWithSchema(type.answers, detail, answer)
  if (outcome.status === 'valid') return outcome.value
  throw new Fault('RULE_RETURNED', { detail, issues: outcome.issues })
}

const NO_CONTEXT = { messageId: '', at: 0, key: '' }

function createReader<E extends Readable>(
  engine: EngineContext,
  service: ServicePlan,
  readable: E,
): RowReader<E> {
  const consumers = service.groups.flatMap((group) => group.consumers)
  const { table } = consumers.find(({ rule }) => rule === readable) as Consumer
  const values = readable.kind === 'entity' ? entityValues(engine, service) : parsedValues
  return tableReader(engine.backend.store, table, values)
}

/** Reads the committed rows of a table; `values` decodes them. */
export function tableReader<E extends Readable>(
  store: Pick<EventStore, 'get' | 'scan'>,
  table: string,
  { valueOf, valuesOf }: RowValues,
): RowReader<E> {
  const reader: RowReader<E> = {
    async get(id) {
      const [row] = await store.get([{ table, key: id }])
      return valueOf({ table, key: id }, row)
    },
    async *all(where) {
      let page = await reader.find(where, { limit: PAGE.max })
      yield* page.rows
      while (page.next !== undefined) {
        page = await reader.find(where, { limit: PAGE.max, after: page.next })
        yield* page.rows
      }
    },
    async find(where = {}, { after, limit = PAGE.initial } = {}) {
      const scan = createScan(table, where as Record<string, string | number>, after, limit)
      const rows = await store.scan(scan)
      const last = rows.length === scan.limit ? rows.at(-1)?.key : undefined
      const read = await valuesOf(rows)
      return {
        rows: rows.map(({ key }, at) => ({ id: key, row: read[at] as never })),
        ...(last === undefined ? {} : { next: last }),
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

const parsedValues: RowValues = {
  valueOf: async (_, row) => row && (JSON.parse(row.body) as never),
  valuesOf: async (rows) => rows.map(({ body }) => JSON.parse(body) as never),
}

/** Entity states, folded by the current rules. */
function entityValues(engine: EngineContext, service: ServicePlan): RowValues {
  const { store } = engine.backend
  const refold = createServiceRefold(engine, service)
  const stateIn = ({ value, fault }: CachedRow): never | undefined => {
    if (fault) throw fault
    return (value as EntityRow | undefined)?.state as never | undefined
  }
  return {
    // A state that is asked for by id is found even if its row was lost.
    async valueOf(key, row) {
      const cachedRows = await refold([createCachedRow(key, row)], () => true)
      await storeRefoldedStates(store, cachedRows)
      return stateIn(cachedRows[0] as CachedRow)
    },
    async valuesOf(rows) {
      const cachedRows = await refold(rows.map((row) => createCachedRow(row, row)))
      await storeRefoldedStates(store, cachedRows)
      return cachedRows.map((cachedRow) => stateIn(cachedRow) as never)
    },
  }
}

function createScan(
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
