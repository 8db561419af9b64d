import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { ListPage } from '../../engine/listing/index.ts'
import { LIST_LIMIT, findRules, listOptionFault } from '../../engine/listing/index.ts'
import { consumerName } from '../../engine/plan/index.ts'
import type { LedgerCursor, LedgerRow, LedgerView } from '../../ports/ledger.ts'
import { LEDGER_VIEWS } from '../../ports/ledger.ts'
import type { Status } from '../../ports/status.ts'
import { STATUSES } from '../../ports/status.ts'
import type { System } from '../system.ts'
import type { ArgumentSpec, ParsedArguments } from '../verb-arguments.ts'

export const LEDGER_FILTER = {
  view: { kind: 'text' },
  consumer: { kind: 'text' },
  status: { kind: 'text' },
  type: { kind: 'text' },
  event: { kind: 'text' },
  key: { kind: 'text' },
  limit: { kind: 'number', ...LIST_LIMIT },
  after: { kind: 'text' },
} as const satisfies Record<string, ArgumentSpec>

/** The views and statuses that exist. */
export function ledgerIssues({ view, status }: ParsedArguments): readonly Issue[] {
  return [...unknownIssue('view', view, LEDGER_VIEWS), ...unknownIssue('status', status, STATUSES)]
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
 * The ledger: the status of each event at each consumer, the newest event first. Consumers have their
 * current names.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`; `BACKEND_CANNOT` where the store has no ledger
 */
export async function readLedger(
  system: System,
  { view, consumer, status, type, event, key, limit, after }: ParsedArguments,
): Promise<ListPage<LedgerRow>> {
  const { store } = system.backend
  if (!store.ledger) throw new Fault('BACKEND_CANNOT', { detail: 'the ledger' })
  const cursor = parseCursor(after)
  const [rule] = consumer === undefined ? [] : findRules(system, undefined, String(consumer))
  const { rows, next } = await store.ledger({
    limit: Number(limit),
    ...(view === undefined ? {} : { view: view as LedgerView }),
    ...(status === undefined ? {} : { status: status as Status }),
    ...(type === undefined ? {} : { type: String(type) }),
    ...(event === undefined ? {} : { eventId: String(event) }),
    ...(key === undefined ? {} : { key: String(key) }),
    ...(rule ? { consumer: rule.id } : {}),
    ...(cursor ? { after: cursor } : {}),
  })
  const items = rows.map((row) => ({
    ...row,
    consumer: consumerName(system.catalog, row.consumer),
  }))
  return { items, ...(next ? { next: `${next.position}:${next.consumer}` } : {}) }
}

function parseCursor(after: ParsedArguments[string]): LedgerCursor | undefined {
  if (after === undefined) return undefined
  const [, position, consumer] = /^(\d{1,16}):(\S*)$/.exec(String(after)) ?? []
  if (position === undefined || consumer === undefined)
    throw listOptionFault('after', 'must be the next of an earlier page')
  return { position: Number(position), consumer }
}
