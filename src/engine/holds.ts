import { isFinalCode } from '../base/fault.ts'
import type { ThrownError } from '../base/thrown.ts'
import type { LogRecord } from '../ports/log.ts'
import type { EventStore, Row, RowWrite, ScannedRow } from '../ports/store.ts'
import type { DelayClock } from './delay-clock.ts'
import { SKEW_MS } from './delay-clock.ts'
import { remakeHolds } from './lost-holds.ts'
import type { Consumer, ServiceTables } from './plan.ts'
import type { Cell, Draft } from './rows.ts'
import { rowWrite, writeRows } from './write-rows.ts'

/**
 * A key that waits at one consumer behind a fault. While it is held, only later messages of that
 * key wait there; they are kept beside it, in the order in which they came, and other keys flow.
 * Where a handler keeps no order, an event waits alone.
 */
export interface HoldRow {
  readonly consumer: string
  readonly key: string
  /** Attempts at the message in front; 0 while none has failed. */
  readonly attempts: number
  /** When the next attempt is due, by the delay clock. */
  readonly due: number
  /** How long that was from when it was said. Absent in rows of earlier versions. */
  readonly delayMs?: number
  /** What was thrown last; absent where nothing was. Rows of an earlier version have a text. */
  readonly error?: HoldError | string
  /** Since when the key is held, by the delay clock. Rows of earlier versions get it later. */
  readonly since?: number
  /** Number that the next held message gets. */
  readonly next: number
  /** Messages that are held. */
  readonly count: number
}

/** What was thrown at the message in front, and when that was first and last. */
export interface HoldError extends ThrownError {
  readonly firstAt: number
  readonly lastAt: number
}

/** What of a hold is kept in memory. */
export interface KnownHold extends Pick<
  HoldRow,
  'consumer' | 'key' | 'attempts' | 'due' | 'since'
> {
  /** Whether only other code can heal it. */
  readonly isFinal?: boolean
}

/** A message that is held, copied, so that retention cannot take it away. */
export type HeldRow = LogRecord

/** Retries of thrown faults: first wait, doubling, upper bound, all in milliseconds. */
export interface RetryOptions {
  readonly retryDelayMs: number
  readonly retryDelayMsMax: number
}

/** The wait after a number of attempts; pure, so that asking for it changes nothing. */
export function retryDelayMs(options: RetryOptions, attempts: number, random: number): number {
  const doubled = options.retryDelayMs * 2 ** Math.min(attempts - 1, 30)
  const bounded = Math.min(doubled, options.retryDelayMsMax)
  return Math.round(bounded * (0.8 + 0.2 * random))
}

/** What of a consumer a record's fault holds: its key, or the event alone where there is no order. */
export function holdKeyOf(consumer: Consumer, record: LogRecord): string {
  const { topic, partition, offset, key } = record
  return `${consumer.id}:${isQueue(consumer) ? `${topic}/${partition}@${offset}` : key}`
}

/** Whether each event is handled by itself. */
export function isQueue({ rule }: Consumer): boolean {
  return rule.is === 'handler' && rule.order === 'none'
}

/** The holds of one group: which exist as committed, and when each is due. */
export interface Holds {
  load(): Promise<void>
  /** Whether the key is held, as committed. */
  isKnown(holdKey: string): boolean
  /** Whether anything is held at all, as far as the draft goes. */
  isAny(draft: Draft): boolean
  /** Whether the key is held, as far as the draft goes. */
  isHeld(draft: Draft, holdKey: string): boolean
  /** Holds that are due, at most `limit`, among those that may be worked on here and now. */
  due(nowMs: number, limit: number, isFree: IsFree): readonly string[]
  nextDue(isFree: IsFree): number | undefined
  count(): number
  /** What is held, as committed. */
  all(): Iterable<KnownHold>
  /** Its message has no rule here any more: it waits until a start has one again. */
  shelve(holdKey: string): void
  /** Takes over what a committed draft changed. */
  committed(draft: Draft): void
  /** The messages in front of a hold, oldest first, as cells to work on. */
  front(holdKey: string, limit: number): Promise<readonly Cell[]>
  /** The first message of each of many holds, where it is there: those of queues have no more. */
  firsts(holdKeys: readonly string[]): Promise<readonly (Cell | undefined)[]>
}

/** Whether a hold, of messages with this key, may be worked on. */
export type IsFree = (key: string, holdKey: string) => boolean

const PAGE = 1_000

/** How long a hold may wait at most, however its row came about. */
function longestMs(hold: HoldRow, retry: RetryOptions): number {
  const { delayMs = Infinity } = hold
  return errorOf(hold) ? Math.min(delayMs, retry.retryDelayMsMax) : delayMs
}

/** Times that holds are measured by. */
export interface HoldTimes {
  readonly delays: DelayClock
  readonly retry: RetryOptions
}

export function holdsOf(
  store: EventStore,
  tables: ServiceTables,
  consumers: readonly Consumer[],
  { delays, retry }: HoldTimes,
): Holds {
  const known = new Map<string, KnownHold>()
  return {
    async load() {
      known.clear()
      const progress = await store.progress(consumers.map(({ id }) => id))
      for (const { id } of consumers) {
        let [pending, count] = [0, 0]
        for (const each of progress) if (each.consumer === id) pending += each.pending
        for await (const [key, hold] of holdsIn(store, tables.holds, id, { delays, retry })) {
          known.set(key, knownHold(hold))
          count += hold.count
        }
        // Messages wait that no hold counts: its row was lost.
        if (pending === count) continue
        const parts = { isKnown: (key: string) => known.has(key), now: delays.now() }
        for (const { key, hold } of await remakeHolds(store, tables, id, parts))
          known.set(key, knownHold(hold))
      }
    },
    isKnown: (holdKey) => known.has(holdKey),
    isAny: (draft) => known.size > 0 || draft.touches(tables.holds),
    isHeld(draft, holdKey) {
      const changed = draft.changed(tables.holds, holdKey)
      return changed ? changed.value !== undefined : known.has(holdKey)
    },
    count: () => known.size,
    all: () => known.values(),
    due(nowMs, limit, isFree) {
      const found: string[] = []
      for (const [holdKey, { key, due }] of known) {
        if (due <= nowMs && isFree(key, holdKey)) found.push(holdKey)
        if (found.length >= limit) break
      }
      return found
    },
    nextDue(isFree) {
      let next: number | undefined
      for (const [holdKey, { key, due }] of known)
        if ((next === undefined || due < next) && isFree(key, holdKey)) next = due
      return next
    },
    shelve(holdKey) {
      const hold = known.get(holdKey)
      if (hold) known.set(holdKey, { ...hold, due: Infinity })
    },
    committed(draft) {
      for (const { table, key, value } of draft.changes.values()) {
        if (table !== tables.holds) continue
        if (value === undefined) known.delete(key)
        else known.set(key, knownHold(value as HoldRow))
      }
    },
    async front(holdKey, limit) {
      const where = { index: 'hold', equals: holdKey }
      const rows = await store.scan({ table: tables.held, where, limit })
      return rows.map(cellOf)
    },
    async firsts(holdKeys) {
      const keys = holdKeys.map((holdKey) => ({ table: tables.held, key: heldKey(holdKey, 0) }))
      return (await store.get(keys)).map((row) => row && cellOf(row))
    },
  }
}

/** All holds of a consumer, none of which waits longer than it may. */
async function* holdsIn(
  store: EventStore,
  table: string,
  consumer: string,
  { delays, retry }: HoldTimes,
): AsyncGenerator<readonly [holdKey: string, hold: HoldRow]> {
  const where = { index: 'consumer', equals: consumer }
  let after: { key: string; value: string } | undefined
  do {
    const page = await store.scan({ table, where, limit: PAGE, ...(after ? { after } : {}) })
    const redated = page.flatMap((row) => redatedHold(row, delays.now(), retry))
    if (redated.length > 0) await writeRows(store, 'held keys', redated)
    const bodies = new Map([...page, ...redated].map(({ key, body }) => [key, body]))
    for (const [key, body] of bodies) yield [key, JSON.parse(body) as HoldRow]
    const last = page.length === PAGE ? page.at(-1) : undefined
    after = last ? { key: last.key, value: consumer } : undefined
  } while (after)
}

/** A hold that waits longer than it may: the clock was wrong when it was written. */
function redatedHold(
  row: ScannedRow,
  now: number,
  retry: RetryOptions,
): (RowWrite & { readonly body: string })[] {
  const hold = JSON.parse(row.body) as HoldRow
  const latest = Math.ceil(now + longestMs(hold, retry))
  if (hold.due <= latest + SKEW_MS) return []
  const index = { consumer: hold.consumer }
  const redated = JSON.stringify({ ...hold, due: latest } satisfies HoldRow)
  return [rowWrite(row, row, redated, index)]
}

/** Without its error, whose stack would be kept in memory for every held key. */
function knownHold(hold: HoldRow): KnownHold {
  const { consumer, key, attempts, due, since } = hold
  const isFinal = isFinalCode(errorOf(hold)?.code)
  return { consumer, key, attempts, due, isFinal, ...(since === undefined ? {} : { since }) }
}

/** What a hold says of its error, whichever version wrote it. */
export function errorOf({ error }: HoldRow): (Partial<HoldError> & ThrownError) | undefined {
  if (typeof error !== 'string') return error
  return error === '' ? undefined : { message: error }
}

const heldKey = (holdKey: string, number: number): string =>
  `${holdKey}:${String(number).padStart(12, '0')}`

function cellOf({ table, key, version, body }: Row): Cell {
  return { table, key, version, value: JSON.parse(body) as HeldRow, bytes: body.length }
}

/** Why a message is held: a fault, or without an error that it was not its time. */
export interface Held {
  readonly error?: ThrownError
  readonly due: number
  readonly delayMs: number
  /** Now: to show it, and by the delay clock. */
  readonly at: number
  readonly since: number
}

/** What a fault does to a key: it opens a hold with the message, or puts it behind the others. */
export function holdBack(
  draft: Draft,
  tables: ServiceTables,
  consumer: Consumer,
  record: LogRecord,
  { error, due, delayMs, at, since }: Held,
): void {
  const holdKey = holdKeyOf(consumer, record)
  const cell = draft.cell(tables.holds, holdKey)
  const before = cell?.value as HoldRow | undefined
  let number = before?.next ?? 0
  // A message that is held is never replaced, whatever the hold says of it.
  while (draft.cell(tables.held, heldKey(holdKey, number))?.value !== undefined) number += 1
  const row: HoldRow = before
    ? { ...before, next: number + 1, count: before.count + 1 }
    : {
        consumer: consumer.id,
        key: record.key,
        attempts: error === undefined ? 0 : 1,
        due,
        delayMs,
        ...(error === undefined ? {} : { error: { ...error, firstAt: at, lastAt: at } }),
        since,
        next: number + 1,
        count: 1,
      }
  const change = { value: row, index: { consumer: consumer.id } }
  // Every hold that exists is known, and was loaded with the messages that it holds back.
  if (cell) draft.put(tables.holds, holdKey, { ...change, version: cell.version + 1 })
  else draft.add(tables.holds, holdKey, { ...change, version: 1 })
  draft.add(tables.held, heldKey(holdKey, number), {
    value: record satisfies HeldRow,
    version: 1,
    index: { hold: holdKey },
  })
}

/** The message in front has failed again, or is to wait without having failed. */
export function holdOn(
  draft: Draft,
  tables: ServiceTables,
  holdKey: string,
  held: Held & { readonly isFirst: boolean },
): void {
  const cell = draft.cell(tables.holds, holdKey) as Cell
  const before = cell.value as HoldRow | undefined
  // Whoever works on it begins anew, and has it made anew.
  if (!before) throw new Error(`the row of the hold ${holdKey} is gone`)
  const { error, due, delayMs, at, isFirst } = held
  const { error: _, since = held.since, ...kept } = before
  const earlier = isFirst ? before.attempts : 0
  const attempts = earlier + (error === undefined ? 0 : 1)
  const index = { consumer: before.consumer }
  const firstAt = earlier > 0 ? (errorOf(before)?.firstAt ?? at) : at
  const failed = error === undefined ? {} : { error: { ...error, firstAt, lastAt: at } }
  const value: HoldRow = { ...kept, since, attempts, due, delayMs, ...failed }
  draft.put(tables.holds, holdKey, { value, version: cell.version + 1, index })
}

/** The message in front has been handled; the last one takes the hold with it. */
export function letGo(draft: Draft, tables: ServiceTables, holdKey: string, held: string): void {
  draft.put(tables.held, held, { value: undefined, version: 0 })
  const cell = draft.cell(tables.holds, holdKey) as Cell
  const before = cell.value as HoldRow | undefined
  // A hold that was lost is made anew with the next look at all of them.
  if (!before) return
  const count = before.count - 1
  const { error: _, ...kept } = before
  const value: HoldRow | undefined = count === 0 ? undefined : { ...kept, count, attempts: 0 }
  const index = { consumer: before.consumer }
  draft.put(tables.holds, holdKey, { value, version: cell.version + 1, index })
}
