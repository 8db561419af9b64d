// Shared by all lists: limits, cursors and pages over several tables.
import { Fault } from '../../base/errors/fault.ts'
import { compareText } from '../../base/text/compare-text.ts'
import type { EventStore, Scan, ScannedRow } from '../../ports/event-store.ts'
import type { DelayClock } from '../delays/index.ts'
import { SKEW_MS } from '../delays/index.ts'
import { tableOf } from '../plan/index.ts'
import type { EngineContext } from '../context/index.ts'

/** The source of a list: a running engine, or stored data alone. */
export interface ListSource extends Pick<EngineContext, 'backend' | 'catalog' | 'clock'> {
  readonly delays: Pick<DelayClock, 'now'>
}

/**
 * Converts an instant of the delay clock to wall-clock time. They differ only after a wall-clock
 * step.
 */
export function toWallTime(
  { clock, delays }: Pick<ListSource, 'clock' | 'delays'>,
  at: number,
): number {
  const steppedMs = clock.now() - delays.now()
  return Math.abs(steppedMs) <= SKEW_MS ? at : Math.round(at + steppedMs)
}

export const LIST_LIMIT = { default: 100, min: 1, max: 1_000 } as const

/**
 * How long a list that filters may search for one page. It then ends the page early, with a `next`: among
 * many other requests, the longest search would otherwise take seconds.
 */
export const SEARCH_MS_MAX = 250

/** @throws Fault `OPTION_INVALID` */
export function validateLimit(limit: number = LIST_LIMIT.default): number {
  const { min, max } = LIST_LIMIT
  if (Number.isSafeInteger(limit) && limit >= min && limit <= max) return limit
  throw listOptionFault('limit', `must be a whole number from ${min} to ${max}`)
}

export function listOptionFault(path: string, message: string): Fault {
  return new Fault('OPTION_INVALID', { detail: 'a list', issues: [{ path, message }] })
}

/** Where a page ended: the value and key of its last item. */
export interface Cursor {
  readonly value: number
  readonly key: string
}

export const cursorText = ({ value, key }: Cursor): string => `${value}:${key}`

/** @throws Fault `OPTION_INVALID` */
export function parseCursor(after: string | undefined): Cursor | undefined {
  if (after === undefined) return undefined
  const [, value, key] = /^(\d{1,16}):([^]+)$/.exec(after) ?? []
  if (value !== undefined && key !== undefined) return { value: Number(value), key }
  throw listOptionFault('after', 'must be the next of an earlier page')
}

/** A row of one of several tables. */
export interface MergedRow<S> {
  readonly source: S
  readonly row: ScannedRow & { readonly value: number }
}

/**
 * Reads one page over several tables, ordered by an index value and then by key. Rows with the same
 * value and key as the last one are on the same page, so that a cursor can name it.
 */
export async function readMergedPage<S>(
  store: EventStore,
  sources: readonly S[],
  scanOf: (source: S) => Pick<Scan, 'table'> & { readonly where: NonNullable<Scan['where']> },
  { limit, after }: { readonly limit: number; readonly after: Cursor | undefined },
): Promise<{ readonly rows: readonly MergedRow<S>[]; readonly next?: string }> {
  const found: MergedRow<S>[] = []
  for (const source of sources) {
    // One extra row tells whether there is another page.
    const scan = { ...scanOf(source), limit: limit + 1, ...(after ? { after } : {}) }
    for (const row of await store.scan(scan))
      found.push({ source, row: { ...row, value: Number(row.value) } })
  }
  const sorted = found.toSorted(byValueAndKey)
  const last = sorted[limit - 1]
  if (!last || sorted.length === limit) return { rows: sorted }
  const rows = sorted.filter((each, at) => at < limit || byValueAndKey(each, last) === 0)
  return rows.length === sorted.length ? { rows } : { rows, next: cursorText(last.row) }
}

function byValueAndKey(
  { row: one }: MergedRow<unknown>,
  { row: other }: MergedRow<unknown>,
): number {
  return one.value - other.value || compareText(one.key, other.key)
}

/** A rule of the catalog, with its service. */
export interface ListedRule {
  /** `<service>/<rule>`, as its progress and its holds are stored. */
  readonly id: string
  /** `<service>/<rule>`, by current names. */
  readonly name: string
  /** The id of its service. */
  readonly service: string
  /** The table of its rows. */
  readonly table: string
  readonly is: 'entity' | 'projection' | 'saga' | 'handler'
  /** Topics that it reads. */
  readonly reads: readonly string[]
  /** Wire names that it subscribes to. Absent in catalogs of earlier versions. */
  readonly hears?: readonly string[]
}

/**
 * All rules that match, or the named one.
 *
 * @throws Fault `RULE_NOT_FOUND`
 */
export function findRules(
  { catalog }: Pick<ListSource, 'catalog'>,
  of: (rule: ListedRule) => boolean = () => true,
  named?: string,
): readonly ListedRule[] {
  const rules = catalog.services.flatMap(({ id: service, name, rules: own }) =>
    own.map((rule): ListedRule => {
      return { ...rule, name: `${name}/${rule.name}`, service, table: tableOf(rule.id) }
    }),
  )
  const wanted = rules.filter(of)
  if (named === undefined) return wanted
  const found = wanted.filter(({ name }) => name === named)
  if (found.length > 0) return found
  const known = wanted.map(({ name }) => name).join(', ') || 'none'
  const ids = { consumer: named }
  throw new Fault('RULE_NOT_FOUND', { detail: `${named}; here are ${known}`, ids })
}
