import type { LogRecord } from '../../ports/event-log.ts'
import type { HoldRow } from '../failure/index.ts'
import { holdError, messagesIn, holdStatus } from '../failure/index.ts'
import type { EventLocation, HeldKey, HeldKeysOptions, ListPage } from './list-types.ts'
import type { ListSource, ListedRule } from './paging.ts'
import {
  parseCursor,
  cursorText,
  validateLimit,
  listOptionFault,
  findRules,
  toWallTime,
} from './paging.ts'
import { serviceTables } from '../plan/index.ts'
import { scanPages } from '../rows/index.ts'

/** Rows that one call examines if only some keys are wanted. */
const EXAMINED_MAX = 10_000
const ROWS_PER_SCAN = 200
/** Held events of a key read per scan when looking for a message. */
const HELD_PER_SCAN = 1_000
/** Pages of held events, which have up to 256 each. */
const PAGES_PER_SCAN = 20

/**
 * Held keys, ordered by consumer and key, each with the event in front and its last error.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
 */
export async function heldKeys(
  source: ListSource,
  { consumer, key, limit: wanted, after }: HeldKeysOptions = {},
): Promise<ListPage<HeldKey>> {
  const limit = validateLimit(wanted)
  const rules = findRules(source, undefined, consumer)
  let last = parseCursor(after)?.key
  // Hold keys start with their consumer.
  const begun = last === undefined ? 0 : rules.findIndex(({ id }) => last?.startsWith(`${id}:`))
  if (begun < 0) throw listOptionFault('after', 'must be the next of an earlier page')
  const items: HeldKey[] = []
  let lookedAt = 0
  for (const rule of rules.slice(begun))
    for await (const [holdKey, row] of holdRows(source, rule, key, last)) {
      if (items.length === limit || lookedAt === EXAMINED_MAX)
        return { items, next: cursorText({ value: 0, key: last ?? holdKey }) }
      lookedAt += 1
      last = holdKey
      if (key !== undefined && row.key !== key) continue
      const held = await readHeldKey(source, rule, holdKey, row)
      if (held) items.push(held)
    }
  return { items }
}

type HoldEntry = readonly [holdKey: string, row: HoldRow]

/** The holds of a consumer in key order, or only those of one key if they can be found by it. */
async function* holdRows(
  { backend: { store } }: ListSource,
  rule: ListedRule,
  key: string | undefined,
  last: string | undefined,
): AsyncGenerator<HoldEntry> {
  const table = serviceTables(rule.service).holds
  if (key !== undefined) {
    const holdKey = `${rule.id}:${key}`
    const [row] = await store.get([{ table, key: holdKey }])
    if (row && holdKey !== last) yield [holdKey, JSON.parse(row.body) as HoldRow]
    // Only queues hold under other keys, and only handlers can be queues.
    if (row || rule.is !== 'handler') return
  }
  const where = { index: 'consumer', equals: rule.id }
  const after = last?.startsWith(`${rule.id}:`) ? { after: { key: last, value: rule.id } } : {}
  for await (const rows of scanPages(store, { table, where, limit: ROWS_PER_SCAN, ...after }))
    for (const row of rows) yield [row.key, JSON.parse(row.body) as HoldRow]
}

/** `undefined` if the last event of the hold has been handled meanwhile. */
async function readHeldKey(
  source: ListSource,
  rule: ListedRule,
  holdKey: string,
  row: HoldRow,
): Promise<HeldKey | undefined> {
  const { store } = source.backend
  const { held, heldPages } = serviceTables(rule.service)
  const where = { index: 'hold', equals: holdKey }
  const [first] = await store.scan({ table: held, where, limit: 1 })
  const [page] = row.pages ? await store.scan({ table: heldPages, where, limit: 1 }) : []
  const front = page && !(first && first.key < page.key) ? page : first
  if (!front) return undefined
  const [record] = messagesIn(front) as [LogRecord]
  const error = holdError(row)
  return {
    consumer: rule.name,
    key: row.key,
    since: row.since === undefined ? record.storedAt : toWallTime(source, row.since),
    count: row.count,
    event: eventPlace(record),
    status: holdStatus(row),
    attempts: row.attempts,
    ...nextAttempt(source, row),
    ...((rule.hears?.includes(record.type) ?? true) ? {} : { hasNoRule: true }),
    ...(error === undefined ? {} : { error }),
  }
}

function nextAttempt(source: ListSource, { due, dead }: HoldRow): Pick<HeldKey, 'nextAttemptAt'> {
  const at = dead ? dead.redriveAt : due
  return at === undefined ? {} : { nextAttemptAt: toWallTime(source, at) }
}

function eventPlace({ id, type, topic, partition, offset, at }: LogRecord): EventLocation {
  return { id, type, topic, partition, offset, at }
}

/** The holds that contain any of these messages, at any consumer. */
export async function holdsContaining(
  source: ListSource,
  records: readonly LogRecord[],
): Promise<readonly HeldKey[]> {
  const found = new Map<string, HeldKey>()
  for (const rule of findRules(source)) {
    const { holds: table } = serviceTables(rule.service)
    const read = records.filter(({ topic }) => rule.reads.includes(topic))
    const keys = [...new Set(read.flatMap((record) => possibleHoldKeys(rule, record)))]
    for (const row of await source.backend.store.get(keys.map((key) => ({ table, key })))) {
      if (!row) continue
      const entry = [row.key, JSON.parse(row.body) as HoldRow] as const
      const isIn = await contains(source, rule, entry, oneOf(read))
      const held = isIn && (await readHeldKey(source, rule, ...entry))
      if (held) found.set(row.key, held)
    }
  }
  return [...found.values()]
}

/**
 * The given keys that consumers hold, if they hold at least one wanted message under them; without
 * keys, all keys that the consumers hold are searched.
 */
export async function heldUnder(
  listed: ListSource,
  rules: readonly ListedRule[],
  keys: readonly string[] | undefined,
  isWanted: (record: LogRecord) => boolean,
): Promise<readonly HeldKey[]> {
  const found: HeldKey[] = []
  for (const rule of rules)
    for (const key of keys ?? [undefined])
      for await (const entry of holdRows(listed, rule, key, undefined)) {
        if (!(await contains(listed, rule, entry, isWanted))) continue
        const held = await readHeldKey(listed, rule, ...entry)
        if (held) found.push(held)
      }
  return found
}

/**
 * The keys under which a consumer may hold a message: by message key, or in a queue by its own
 * place.
 */
function possibleHoldKeys(
  { id, is }: ListedRule,
  { key, topic, partition, offset }: LogRecord,
): readonly string[] {
  const byKey = `${id}:${key}`
  return is === 'handler' ? [byKey, `${id}:${topic}/${partition}@${offset}`] : [byKey]
}

const oneOf =
  (records: readonly Pick<LogRecord, 'id' | 'topic'>[]) =>
  (held: LogRecord): boolean =>
    records.some(({ id, topic }) => id === held.id && topic === held.topic)

async function contains(
  { backend: { store } }: ListSource,
  { service }: ListedRule,
  [holdKey, { pages = 0 }]: HoldEntry,
  isWanted: (record: LogRecord) => boolean,
): Promise<boolean> {
  const { held, heldPages } = serviceTables(service)
  const where = { index: 'hold', equals: holdKey }
  const scans = [{ table: held, where, limit: HELD_PER_SCAN }]
  // Before the owner has started, data of earlier versions lacks the table of pages.
  if (pages > 0) scans.push({ table: heldPages, where, limit: PAGES_PER_SCAN })
  for (const scan of scans)
    for await (const rows of scanPages(store, scan))
      if (rows.some((row) => messagesIn(row).some(isWanted))) return true
  return false
}

/** The first of these consumers, queues excepted, that holds a message. */
export async function findHolder(
  source: ListSource,
  rules: readonly ListedRule[],
  record: LogRecord,
): Promise<string | undefined> {
  for (const rule of rules) {
    const key = `${rule.id}:${record.key}`
    const [hold] = await source.backend.store.get([
      { table: serviceTables(rule.service).holds, key },
    ])
    if (!hold) continue
    const entry = [key, JSON.parse(hold.body) as HoldRow] as const
    if (await contains(source, rule, entry, oneOf([record]))) return rule.name
  }
  return undefined
}
