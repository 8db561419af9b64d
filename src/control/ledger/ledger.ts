import type { Issue } from '../../base/errors/fault.ts'
import type { ListPage } from '../../engine/listing/index.ts'
import { LIST_LIMIT, findRules } from '../../engine/listing/index.ts'
import { consumerName } from '../../engine/plan/index.ts'
import type { LedgerRow, LedgerView } from '../../ports/ledger.ts'
import { LEDGER_VIEWS } from '../../ports/ledger.ts'
import type { PayloadRow } from '../../ports/payloads.ts'
import type { Status } from '../../ports/status.ts'
import { STATUSES } from '../../ports/status.ts'
import type { System } from '../system.ts'
import type { ArgumentSpec, ParsedArguments } from '../verb-arguments.ts'
import { ledgerOf, parsePlace, payloadsOf, placeText } from './ledger-store.ts'
import type { WorkingDataRow } from './working-data.ts'
import { listWorkingData } from './working-data.ts'

export type { WorkingDataRow } from './working-data.ts'

export const LEDGER_FILTER = {
  view: { kind: 'text' },
  consumer: { kind: 'text' },
  status: { kind: 'text' },
  type: { kind: 'text' },
  event: { kind: 'text' },
  key: { kind: 'text' },
  topic: { kind: 'text' },
  service: { kind: 'text' },
  limit: { kind: 'number', ...LIST_LIMIT },
  after: { kind: 'text' },
} as const satisfies Record<string, ArgumentSpec>

type FilterName = Exclude<keyof typeof LEDGER_FILTER, 'view' | 'limit' | 'after'>

const OF_EVENTS: readonly FilterName[] = ['consumer', 'status', 'type', 'event', 'key']

/** The filters of each view that does not list events at consumers. */
const OTHER_VIEWS: ReadonlyMap<string, readonly FilterName[]> = new Map([
  ['payload', ['event', 'topic', 'service']],
  ['working_data', ['service', 'key']],
] as const)

const VIEWS: readonly string[] = [...LEDGER_VIEWS, ...OTHER_VIEWS.keys()]
const FILTERS = Object.keys(LEDGER_FILTER).filter(
  (name): name is FilterName => !['view', 'limit', 'after'].includes(name),
)

/** The views and statuses that exist, and filters that the view does not have. */
export function ledgerIssues(taken: ParsedArguments): readonly Issue[] {
  const { view, status } = taken
  const own = OTHER_VIEWS.get(String(view)) ?? OF_EVENTS
  const foreign = FILTERS.filter((name) => taken[name] !== undefined && !own.includes(name))
  return [
    ...unknownIssue('view', view, VIEWS),
    ...unknownIssue('status', status, STATUSES),
    ...foreign.map((path) => ({
      path,
      message: `is no filter of this view, which takes ${own.join(', ')}`,
    })),
  ]
}

function unknownIssue(
  path: string,
  value: ParsedArguments[string],
  known: readonly string[],
): readonly Issue[] {
  if (value === undefined || known.includes(String(value))) return []
  return [{ path, message: `must be one of ${known.join(', ')}` }]
}

/**
 * One view of the ledger. Without a view: the status of each event at each consumer, the newest event first.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`; `BACKEND_CANNOT` where the store has no ledger
 */
export async function readLedger(
  system: System,
  taken: ParsedArguments,
): Promise<ListPage<LedgerRow | PayloadRow | WorkingDataRow>> {
  const { limit, ...texts } = taken
  const given = definedTexts(texts)
  if (taken['view'] === 'payload') return listPayloads(system, given, Number(limit))
  if (taken['view'] === 'working_data')
    return listWorkingData(system, { ...given, limit: Number(limit) })
  return listEvents(system, given, Number(limit))
}

type Given = Readonly<Partial<Record<Exclude<keyof typeof LEDGER_FILTER, 'limit'>, string>>>

const definedTexts = (taken: ParsedArguments): Given =>
  Object.fromEntries(
    Object.entries(taken)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  )

/** Events at consumers, which have their current names. */
async function listEvents(
  system: System,
  { view, consumer, status, type, event, key, after }: Given,
  limit: number,
): Promise<ListPage<LedgerRow>> {
  const place = after === undefined ? undefined : parsePlace(after)
  const [rule] = consumer === undefined ? [] : findRules(system, undefined, consumer)
  const { rows, next } = await ledgerOf(system)({
    limit,
    ...(view === undefined ? {} : { view: view as LedgerView }),
    ...(status === undefined ? {} : { status: status as Status }),
    ...(type === undefined ? {} : { type }),
    ...(event === undefined ? {} : { eventId: event }),
    ...(key === undefined ? {} : { key }),
    ...(rule ? { consumer: rule.id } : {}),
    ...(place ? { after: { position: place.position, consumer: place.name } } : {}),
  })
  const items = rows.map((row) => ({
    ...row,
    consumer: consumerName(system.catalog, row.consumer),
  }))
  return { items, ...(next ? { next: placeText(next.position, next.consumer) } : {}) }
}

async function listPayloads(
  system: System,
  { event, topic, service, after }: Given,
  limit: number,
): Promise<ListPage<PayloadRow>> {
  const place = after === undefined ? undefined : parsePlace(after)
  const { rows: items, next } = await payloadsOf(system)({
    limit,
    ...(event === undefined ? {} : { eventId: event }),
    ...(topic === undefined ? {} : { topic }),
    ...(service === undefined ? {} : { service }),
    ...(place ? { after: { position: place.position, target: place.name } } : {}),
  })
  return { items, ...(next ? { next: placeText(next.position, next.target) } : {}) }
}
