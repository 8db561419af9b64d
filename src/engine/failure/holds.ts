import { isFinalCode } from '../../base/errors/fault.ts'
import type { ThrownError } from '../../base/errors/thrown-error.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { EventStore, Row, RowWrite, ScannedRow } from '../../ports/event-store.ts'
import type { DelayClock } from '../delays/index.ts'
import { SKEW_MS } from '../delays/index.ts'
import type { HeldMessage, HoldRow } from './hold-row.ts'
import { holdError, holdKeyOf } from './hold-row.ts'
import { restoreLostHolds } from './restore-lost-holds.ts'
import type { Consumer, ServiceTables } from '../plan/index.ts'
import type { CachedRow, UnitDraft } from '../rows/index.ts'
import { rowWrite, writeRows } from '../rows/index.ts'

/** The part of a hold that is kept in memory. */
export interface HoldSummary extends Pick<
  HoldRow,
  'consumer' | 'key' | 'attempts' | 'due' | 'since'
> {
  /** Whether only a code change can fix it. */
  readonly isFinal?: boolean
}

/** Retry policy: first delay, which doubles up to a maximum. */
export interface RetryPolicy {
  readonly retryDelayMs: number
  readonly retryDelayMsMax: number
}

/** The delay after a number of attempts. Pure: calling it changes nothing. */
export function backoffMs(options: RetryPolicy, attempts: number, random: number): number {
  const doubled = options.retryDelayMs * 2 ** Math.min(attempts - 1, 30)
  const bounded = Math.min(doubled, options.retryDelayMsMax)
  return Math.round(bounded * (0.8 + 0.2 * random))
}

/** The holds of one group, as committed, with the time at which each is due. */
export interface Holds {
  load(): Promise<void>
  /** Whether the key is held, as committed. */
  isKnown(holdKey: string): boolean
  /** Whether anything is held, including changes in the draft. */
  isAny(draft: UnitDraft): boolean
  /** Whether the key is held, including changes in the draft. */
  isHeld(draft: UnitDraft, holdKey: string): boolean
  /** Up to `limit` due holds among those that may be worked on. */
  due(nowMs: number, limit: number, isFree: CanWorkOn): readonly string[]
  nextDue(isFree: CanWorkOn): number | undefined
  count(): number
  /** All holds, as committed. */
  summaries(): Iterable<HoldSummary>
  /** Stops retrying a hold whose message has no rule any more, until a start has one. */
  suspend(holdKey: string): void
  /** Applies the changes of a committed draft. */
  onCommit(draft: UnitDraft): void
  /** The messages in front of a hold, oldest first. */
  firstMessages(holdKey: string, limit: number): Promise<readonly CachedRow[]>
  /** The first message of each hold, if it exists. Holds of queues have no more than one. */
  firstMessagePerHold(holdKeys: readonly string[]): Promise<readonly (CachedRow | undefined)[]>
}

/** Whether the hold with this message key may be worked on. */
export type CanWorkOn = (key: string, holdKey: string) => boolean

const PAGE = 1_000

/** The longest delay that a hold may have. */
function maxDelayMs(hold: HoldRow, retry: RetryPolicy): number {
  const { delayMs = Infinity } = hold
  return holdError(hold) ? Math.min(delayMs, retry.retryDelayMsMax) : delayMs
}

/** The clock and the retry policy of holds. */
export interface HoldTiming {
  readonly delays: DelayClock
  readonly retry: RetryPolicy
}

export function createHolds(
  store: EventStore,
  tables: ServiceTables,
  consumers: readonly Consumer[],
  { delays, retry }: HoldTiming,
): Holds {
  const known = new Map<string, HoldSummary>()
  return {
    async load() {
      known.clear()
      const progress = await store.progress(consumers.map(({ id }) => id))
      for (const { id } of consumers) {
        let [pending, count] = [0, 0]
        for (const each of progress) if (each.consumer === id) pending += each.pending
        for await (const [key, hold] of loadHolds(store, tables.holds, id, { delays, retry })) {
          known.set(key, summarize(hold))
          count += hold.count
        }
        // More messages are held than the holds count: the row of a hold was lost.
        if (pending === count) continue
        const parts = { isKnown: (key: string) => known.has(key), now: delays.now() }
        for (const { key, hold } of await restoreLostHolds(store, tables, id, parts))
          known.set(key, summarize(hold))
      }
    },
    isKnown: (holdKey) => known.has(holdKey),
    isAny: (draft) => known.size > 0 || draft.touches(tables.holds),
    isHeld(draft, holdKey) {
      const changed = draft.changed(tables.holds, holdKey)
      return changed ? changed.value !== undefined : known.has(holdKey)
    },
    count: () => known.size,
    summaries: () => known.values(),
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
    suspend(holdKey) {
      const hold = known.get(holdKey)
      if (hold) known.set(holdKey, { ...hold, due: Infinity })
    },
    onCommit(draft) {
      for (const { table, key, value } of draft.changes.values()) {
        if (table !== tables.holds) continue
        if (value === undefined) known.delete(key)
        else known.set(key, summarize(value as HoldRow))
      }
    },
    async firstMessages(holdKey, limit) {
      const where = { index: 'hold', equals: holdKey }
      const rows = await store.scan({ table: tables.held, where, limit })
      return rows.map(heldMessageRow)
    },
    async firstMessagePerHold(holdKeys) {
      const keys = holdKeys.map((holdKey) => ({ table: tables.held, key: heldKey(holdKey, 0) }))
      return (await store.get(keys)).map((row) => row && heldMessageRow(row))
    },
  }
}

/** All holds of a consumer, with excessive delays capped. */
async function* loadHolds(
  store: EventStore,
  table: string,
  consumer: string,
  { delays, retry }: HoldTiming,
): AsyncGenerator<readonly [holdKey: string, hold: HoldRow]> {
  const where = { index: 'consumer', equals: consumer }
  let after: { key: string; value: string } | undefined
  do {
    const page = await store.scan({ table, where, limit: PAGE, ...(after ? { after } : {}) })
    const redated = page.flatMap((row) => capHoldDelay(row, delays.now(), retry))
    if (redated.length > 0) await writeRows(store, 'held keys', redated)
    const bodies = new Map([...page, ...redated].map(({ key, body }) => [key, body]))
    for (const [key, body] of bodies) yield [key, JSON.parse(body) as HoldRow]
    const last = page.length === PAGE ? page.at(-1) : undefined
    after = last ? { key: last.key, value: consumer } : undefined
  } while (after)
}

/** Caps the delay of a hold that was written while the clock was wrong. */
function capHoldDelay(
  row: ScannedRow,
  now: number,
  retry: RetryPolicy,
): (RowWrite & { readonly body: string })[] {
  const hold = JSON.parse(row.body) as HoldRow
  const latest = Math.ceil(now + maxDelayMs(hold, retry))
  if (hold.due <= latest + SKEW_MS) return []
  const index = { consumer: hold.consumer }
  const redated = JSON.stringify({ ...hold, due: latest } satisfies HoldRow)
  return [rowWrite(row, row, redated, index)]
}

/** Without the error, whose stack would stay in memory for every held key. */
function summarize(hold: HoldRow): HoldSummary {
  const { consumer, key, attempts, due, since } = hold
  const isFinal = isFinalCode(holdError(hold)?.code)
  return { consumer, key, attempts, due, isFinal, ...(since === undefined ? {} : { since }) }
}

const heldKey = (holdKey: string, number: number): string =>
  `${holdKey}:${String(number).padStart(12, '0')}`

function heldMessageRow({ table, key, version, body }: Row): CachedRow {
  return { table, key, version, value: JSON.parse(body) as HeldMessage, bytes: body.length }
}

/** Why a message is held: an error, or without one a delay. */
export interface HoldReason {
  readonly error?: ThrownError
  readonly due: number
  readonly delayMs: number
  /** The current time by the wall clock, and by the delay clock. */
  readonly at: number
  readonly since: number
}

/** Holds a message: opens a hold for its key, or appends to an open one. */
export function holdMessage(
  draft: UnitDraft,
  tables: ServiceTables,
  consumer: Consumer,
  record: LogRecord,
  { error, due, delayMs, at, since }: HoldReason,
): void {
  const holdKey = holdKeyOf(consumer, record)
  const cachedRow = draft.row(tables.holds, holdKey)
  const before = cachedRow?.value as HoldRow | undefined
  let number = before?.next ?? 0
  // Never overwrite a held message, even if the counter of the hold is wrong.
  while (draft.row(tables.held, heldKey(holdKey, number))?.value !== undefined) number += 1
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
  // An existing hold is known and was loaded with its messages, so without a row it is a new one.
  if (cachedRow) draft.put(tables.holds, holdKey, { ...change, version: cachedRow.version + 1 })
  else draft.insert(tables.holds, holdKey, { ...change, version: 1 })
  draft.insert(tables.held, heldKey(holdKey, number), {
    value: record satisfies HeldMessage,
    version: 1,
    index: { hold: holdKey },
  })
}

/** Updates a hold whose message in front failed again, or has to wait without an error. */
export function updateHold(
  draft: UnitDraft,
  tables: ServiceTables,
  holdKey: string,
  held: HoldReason & { readonly isFirst: boolean },
): void {
  const row = draft.row(tables.holds, holdKey) as CachedRow
  const before = row.value as HoldRow | undefined
  // The caller starts over, and so restores the hold.
  if (!before) throw new Error(`the row of the hold ${holdKey} is gone`)
  const { error, due, delayMs, at, isFirst } = held
  const { error: _, since = held.since, ...kept } = before
  const earlier = isFirst ? before.attempts : 0
  const attempts = earlier + (error === undefined ? 0 : 1)
  const index = { consumer: before.consumer }
  const firstAt = earlier > 0 ? (holdError(before)?.firstAt ?? at) : at
  const failed = error === undefined ? {} : { error: { ...error, firstAt, lastAt: at } }
  const value: HoldRow = { ...kept, since, attempts, due, delayMs, ...failed }
  draft.put(tables.holds, holdKey, { value, version: row.version + 1, index })
}

/** Releases the message in front after it was handled. The last message removes the hold. */
export function releaseFront(
  draft: UnitDraft,
  tables: ServiceTables,
  holdKey: string,
  held: string,
): void {
  draft.put(tables.held, held, { value: undefined, version: 0 })
  const row = draft.row(tables.holds, holdKey) as CachedRow
  const before = row.value as HoldRow | undefined
  // A lost hold is restored with the next load.
  if (!before) return
  const count = before.count - 1
  const { error: _, ...kept } = before
  const value: HoldRow | undefined = count === 0 ? undefined : { ...kept, count, attempts: 0 }
  const index = { consumer: before.consumer }
  draft.put(tables.holds, holdKey, { value, version: row.version + 1, index })
}
