import type { LogRecord } from '../ports/log.ts'
import type { HoldRow } from './holds.ts'
import { errorOf } from './holds.ts'
import type { EventPlace, HeldKey, HeldOptions, Listing } from './listings.ts'
import type { Listed, ListedRule } from './paging.ts'
import { cursorIn, cursorText, limitOf, listFault, rulesIn, shownAt } from './paging.ts'
import { serviceTables } from './plan.ts'

/** Rows that one call looks at where only some keys are wanted. */
const LOOKED_AT_MAX = 10_000
const ROWS_PER_SCAN = 200
/** Events of a key among which a message is looked for. */
const HELD_PER_LOOK = 1_000

/**
 * The keys that are held, by consumer and then by key: each with the event in front and what was
 * thrown at it.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
 */
export async function heldKeys(
  listed: Listed,
  { consumer, key, limit: wanted, after }: HeldOptions = {},
): Promise<Listing<HeldKey>> {
  const limit = limitOf(wanted)
  const rules = rulesIn(listed, undefined, consumer)
  let last = cursorIn(after)?.key
  // A hold key begins with its consumer.
  const begun = last === undefined ? 0 : rules.findIndex(({ id }) => last?.startsWith(`${id}:`))
  if (begun < 0) throw listFault('after', 'must be what the page before gave as next')
  const items: HeldKey[] = []
  let lookedAt = 0
  for (const rule of rules.slice(begun))
    for await (const [holdKey, row] of holdRows(listed, rule, key, last)) {
      if (items.length === limit || lookedAt === LOOKED_AT_MAX)
        return { items, next: cursorText({ value: 0, key: last ?? holdKey }) }
      lookedAt += 1
      last = holdKey
      if (key !== undefined && row.key !== key) continue
      const held = await heldKey(listed, rule, holdKey, row)
      if (held) items.push(held)
    }
  return { items }
}

type HoldEntry = readonly [holdKey: string, row: HoldRow]

/** The holds of one consumer, in order of their keys; those of one key alone where it can be found. */
async function* holdRows(
  { backend: { store } }: Listed,
  rule: ListedRule,
  key: string | undefined,
  last: string | undefined,
): AsyncGenerator<HoldEntry> {
  const table = serviceTables(rule.service).holds
  if (key !== undefined) {
    const holdKey = `${rule.id}:${key}`
    const [row] = await store.get([{ table, key: holdKey }])
    if (row && holdKey !== last) yield [holdKey, JSON.parse(row.body) as HoldRow]
    // Only a queue of events holds by another key, and only a handler can be one.
    if (row || rule.is !== 'handler') return
  }
  let from = last?.startsWith(`${rule.id}:`) ? last : undefined
  for (;;) {
    const rows = await store.scan({
      table,
      where: { index: 'consumer', equals: rule.id },
      limit: ROWS_PER_SCAN,
      ...(from === undefined ? {} : { after: { key: from, value: rule.id } }),
    })
    for (const row of rows) yield [row.key, JSON.parse(row.body) as HoldRow]
    from = rows.at(-1)?.key
    if (rows.length < ROWS_PER_SCAN) return
  }
}

/** Nothing where the last event of the hold has been handled meanwhile. */
async function heldKey(
  listed: Listed,
  rule: ListedRule,
  holdKey: string,
  row: HoldRow,
): Promise<HeldKey | undefined> {
  const { store } = listed.backend
  const table = serviceTables(rule.service).held
  const where = { index: 'hold', equals: holdKey }
  const [front] = await store.scan({ table, where, limit: 1 })
  if (!front) return undefined
  const record = JSON.parse(front.body) as LogRecord
  const error = errorOf(row)
  return {
    consumer: rule.name,
    key: row.key,
    since: row.since === undefined ? record.storedAt : shownAt(listed, row.since),
    count: row.count,
    event: placeOf(record),
    attempts: row.attempts,
    nextAttemptAt: shownAt(listed, row.due),
    ...((rule.hears?.includes(record.type) ?? true) ? {} : { isUnread: true }),
    ...(error === undefined ? {} : { error }),
  }
}

function placeOf({ id, type, topic, partition, offset, at }: LogRecord): EventPlace {
  return { id, type, topic, partition, offset, at }
}

/** The holds in which any of these messages is, at whichever consumer. */
export async function heldAmong(
  listed: Listed,
  records: readonly LogRecord[],
): Promise<readonly HeldKey[]> {
  const found = new Map<string, HeldKey>()
  for (const rule of rulesIn(listed)) {
    const { holds: table } = serviceTables(rule.service)
    const read = records.filter(({ topic }) => rule.reads.includes(topic))
    const keys = [...new Set(read.flatMap((record) => holdKeysFor(rule, record)))]
    for (const row of await listed.backend.store.get(keys.map((key) => ({ table, key })))) {
      if (!row) continue
      const isIn = await contains(listed, rule, row.key, oneOf(read))
      const held = isIn && (await heldKey(listed, rule, row.key, JSON.parse(row.body) as HoldRow))
      if (held) found.set(row.key, held)
    }
  }
  return [...found.values()]
}

/** Of some consumers, the holds of these keys in which any message is as wanted. */
export async function heldUnder(
  listed: Listed,
  rules: readonly ListedRule[],
  keys: readonly string[],
  isWanted: (record: LogRecord) => boolean,
): Promise<readonly HeldKey[]> {
  const found: HeldKey[] = []
  for (const rule of rules) {
    const { holds: table } = serviceTables(rule.service)
    const names = keys.map((key) => ({ table, key: `${rule.id}:${key}` }))
    for (const row of await listed.backend.store.get(names)) {
      if (!row || !(await contains(listed, rule, row.key, isWanted))) continue
      const held = await heldKey(listed, rule, row.key, JSON.parse(row.body) as HoldRow)
      if (held) found.push(held)
    }
  }
  return found
}

/** The names under which a consumer may hold a message: by its key, or in a queue by itself. */
function holdKeysFor(
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
  { backend: { store } }: Listed,
  { service }: ListedRule,
  holdKey: string,
  isWanted: (record: LogRecord) => boolean,
): Promise<boolean> {
  const table = serviceTables(service).held
  const where = { index: 'hold', equals: holdKey }
  let after: { readonly key: string; readonly value: string } | undefined
  do {
    const page = { limit: HELD_PER_LOOK, ...(after ? { after } : {}) }
    const rows = await store.scan({ table, where, ...page })
    if (rows.some(({ body }) => isWanted(JSON.parse(body) as LogRecord))) return true
    const last = rows.length === HELD_PER_LOOK ? rows.at(-1) : undefined
    after = last && { key: last.key, value: holdKey }
  } while (after)
  return false
}

/** The consumer among these, of those that keep the order of keys, that holds a message. */
export async function holderOf(
  listed: Listed,
  rules: readonly ListedRule[],
  record: LogRecord,
): Promise<string | undefined> {
  for (const rule of rules) {
    const key = `${rule.id}:${record.key}`
    const [hold] = await listed.backend.store.get([
      { table: serviceTables(rule.service).holds, key },
    ])
    if (hold && (await contains(listed, rule, key, oneOf([record])))) return rule.name
  }
  return undefined
}
