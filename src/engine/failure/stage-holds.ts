// Changes of holds, staged on the draft of a unit.
import type { ThrownError } from '../../base/errors/thrown-error.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { Consumer, ServiceTables } from '../plan/index.ts'
import type { CachedRow, UnitDraft } from '../rows/index.ts'
import type { DeadLetter, HeldMessage, HoldRow, HoldStatus } from './hold-row.ts'
import { holdError, holdKeyOf, placeHoldKey } from './hold-row.ts'
import type { HeldPage, OpenPage } from './held-page.ts'
import { PAGED_FROM, addToPage, openPage } from './held-page.ts'

/** What changes of holds are staged on. */
export interface HoldDraft {
  readonly draft: UnitDraft
  readonly tables: Pick<ServiceTables, 'holds' | 'held' | 'heldPages'>
}

/** A draft that adds messages behind others: many of one key share a page. */
export interface PagedDraft extends HoldDraft {
  /** The pages that the unit fills, by hold key. */
  readonly openPages: Map<string, OpenPage>
}

/** Why a message waits: an error, or without one a delay. */
export interface HoldReason {
  readonly error?: ThrownError
  readonly status: HoldStatus
  readonly due: number
  readonly delayMs: number
  /** The current time by the wall clock, and by the delay clock. */
  readonly at: number
  readonly since: number
}

/** The key of the row of a held message. */
export const heldKey = (holdKey: string, number: number): string =>
  `${holdKey}:${String(number).padStart(12, '0')}`

/** The hold of a key, with the changes of the draft; `undefined` where there is none. */
export function readHold({ draft, tables }: HoldDraft, holdKey: string): HoldRow | undefined {
  return draft.row(tables.holds, holdKey)?.value as HoldRow | undefined
}

/** The message of a held row, with the changes of the draft. */
export function readHeld({ draft, tables }: HoldDraft, key: string): HeldMessage | undefined {
  return draft.row(tables.held, key)?.value as HeldMessage | undefined
}

/** The messages of a page, with the changes of the draft. */
export function readPage({ draft, tables }: HoldDraft, key: string): HeldPage | undefined {
  return draft.row(tables.heldPages, key)?.value as HeldPage | undefined
}

/** Writes a hold that was read before; `undefined` removes it. */
export function putHold(
  { draft, tables }: HoldDraft,
  holdKey: string,
  consumer: string,
  value: HoldRow | undefined,
): void {
  const row = draft.row(tables.holds, holdKey) as CachedRow
  const index = { consumer }
  draft.put(tables.holds, holdKey, { value, version: row.version + 1, index })
}

function putHeld({ draft, tables }: HoldDraft, holdKey: string, key: string, value: HeldMessage) {
  const change = { value, version: 1, index: { hold: holdKey } }
  const row = draft.row(tables.held, key)
  if (row) draft.put(tables.held, key, { ...change, version: row.version + 1 })
  else draft.insert(tables.held, key, change)
}

function removeHeld({ draft, tables }: HoldDraft, key: string): void {
  draft.put(tables.held, key, { value: undefined, version: 0 })
}

/**
 * Holds a message: opens a hold for its key, or appends to an open one. `undoes` is the id of the
 * command that it undoes, if it is a compensation.
 */
export function holdMessage(
  staged: PagedDraft,
  consumer: Consumer,
  record: LogRecord,
  reason: HoldReason,
  undoes?: string,
): void {
  const { draft, tables } = staged
  const holdKey = holdKeyOf(consumer, record)
  if (addToOpenPage(staged, holdKey, record, undoes)) return
  const before = readHold(staged, holdKey)
  if (before && before.count >= PAGED_FROM && undoes === undefined) {
    const page = openPage()
    addToPage(page, record)
    staged.openPages.set(holdKey, page)
    return
  }
  const number = freeNumber(staged, holdKey, before)
  const key = heldKey(holdKey, number)
  const row: HoldRow = before
    ? { ...before, next: number + 1, count: before.count + 1, ...withCure(before, undoes, key) }
    : { ...openedBy(reason), consumer: consumer.id, key: record.key, next: number + 1, count: 1 }
  const change = { value: row, index: { consumer: consumer.id } }
  const cached = draft.row(tables.holds, holdKey)
  // An existing hold is known and was loaded with its messages, so without a row it is a new one.
  if (cached) draft.put(tables.holds, holdKey, { ...change, version: cached.version + 1 })
  else draft.insert(tables.holds, holdKey, { ...change, version: 1 })
  draft.insert(tables.held, key, { value: record, version: 1, index: { hold: holdKey } })
}

/** The number of the next row of a hold. */
function freeNumber(staged: HoldDraft, holdKey: string, hold: HoldRow | undefined): number {
  let number = hold?.next ?? 0
  // Never overwrite a held message, even if the counter of the hold is wrong.
  for (;;) {
    const key = heldKey(holdKey, number)
    if (!readHeld(staged, key) && !readPage(staged, key)) return number
    number += 1
  }
}

/** Adds to the page that the unit fills. A full one is closed, as one is before a compensation. */
function addToOpenPage(
  staged: PagedDraft,
  holdKey: string,
  record: LogRecord,
  undoes: string | undefined,
): boolean {
  const page = staged.openPages.get(holdKey)
  if (!page) return false
  if (undoes === undefined && addToPage(page, record)) return true
  closePage(staged, holdKey, page)
  return false
}

function closePage(staged: PagedDraft, holdKey: string, page: OpenPage): void {
  staged.openPages.delete(holdKey)
  const hold = readHold(staged, holdKey) as HoldRow
  const number = freeNumber(staged, holdKey, hold)
  const { messages } = page
  const { topic, offset: from, position = 0 } = messages[0] as HeldMessage
  const index = { hold: holdKey, topic, from, position }
  const change = { value: messages, version: 1, index }
  staged.draft.insert(staged.tables.heldPages, heldKey(holdKey, number), change)
  const [count, pages] = [hold.count + messages.length, (hold.pages ?? 0) + 1]
  putHold(staged, holdKey, hold.consumer, { ...hold, next: number + 1, count, pages })
}

/** Writes the pages that the unit has filled. */
export function closePages(staged: PagedDraft): void {
  for (const [holdKey, page] of staged.openPages) closePage(staged, holdKey, page)
}

/** Gives each message of a page a row of its own, in the place of the page. */
export function unpackPage(staged: HoldDraft, holdKey: string, key: string): void {
  const page = readPage(staged, key)
  // Another instance has unpacked it.
  if (!page) return
  const hold = readHold(staged, holdKey)
  // The caller starts over, and so restores the hold.
  if (!hold) throw new Error(`the row of the hold ${holdKey} is gone`)
  staged.draft.put(staged.tables.heldPages, key, { value: undefined, version: 0 })
  for (const [at, message] of page.entries())
    putHeld(staged, holdKey, `${key}.${String(at).padStart(6, '0')}`, message)
  putHold(staged, holdKey, hold.consumer, { ...hold, pages: (hold.pages ?? 1) - 1 })
}

type Opened = Omit<HoldRow, 'consumer' | 'key' | 'next' | 'count'>

function openedBy({ error, status, due, delayMs, at, since }: HoldReason): Opened {
  const failed = error && { error: { ...error, firstAt: at, lastAt: at } }
  const isRecorded = status !== 'UNPROCESSED'
  return { status, isRecorded, attempts: error ? 1 : 0, due, delayMs, ...failed, since }
}

/** Compensations that one hold remembers; more than these wait in their order. */
const UNDONE_MAX = 1_000

function withCure({ undoneBy = {} }: HoldRow, undoes: string | undefined, key: string) {
  if (undoes === undefined || Object.keys(undoneBy).length >= UNDONE_MAX) return {}
  return { undoneBy: { ...undoneBy, [undoes]: key } }
}

/** Updates a hold whose message in front failed again, or has to wait without an error. */
export function updateHold(
  staged: HoldDraft,
  holdKey: string,
  held: HoldReason & { readonly isFirst: boolean; readonly keepsError?: boolean },
): void {
  const before = readHold(staged, holdKey)
  // The caller starts over, and so restores the hold.
  if (!before) throw new Error(`the row of the hold ${holdKey} is gone`)
  const { error, status, due, delayMs, at, isFirst, keepsError = false } = held
  const { error: last, since = held.since, ...kept } = before
  const earlier = isFirst ? before.attempts : 0
  const attempts = earlier + (error === undefined ? 0 : 1)
  const firstAt = earlier > 0 ? (holdError(before)?.firstAt ?? at) : at
  const known = keepsError && last !== undefined ? { error: last } : {}
  const failed = error === undefined ? known : { error: { ...error, firstAt, lastAt: at } }
  const isRecorded = status !== 'UNPROCESSED' || before.isRecorded === true
  const waits = { status, isRecorded, attempts, due, delayMs }
  putHold(staged, holdKey, before.consumer, { ...kept, since, ...waits, ...failed })
}

/** Releases the message in front after it was handled. The last message removes the hold. */
export function releaseFront(staged: HoldDraft, holdKey: string, held: string): void {
  removeHeld(staged, held)
  const before = readHold(staged, holdKey)
  // A lost hold is restored with the next load.
  if (before) putHold(staged, holdKey, before.consumer, withoutFront(before, held))
}

/** The hold once its front has left; its next message is due at once. */
function withoutFront(hold: HoldRow, front: string): HoldRow | undefined {
  const count = hold.count - 1
  if (count === 0) return undefined
  const undone = Object.entries(hold.undoneBy ?? {}).filter(([, key]) => key !== front)
  const undoneBy = undone.length > 0 ? { undoneBy: Object.fromEntries(undone) } : {}
  const due = hold.dead ? 0 : hold.due
  return { ...frontless(hold), ...undoneBy, count, status: 'UNPROCESSED', attempts: 0, due }
}

/** A hold without what it knows of its front. */
function frontless(hold: HoldRow): Omit<HoldRow, 'attempts'> {
  const { consumer, key, due, delayMs, since, next, count, pages } = hold
  const times = {
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(since === undefined ? {} : { since }),
  }
  return { consumer, key, due, ...times, next, count, ...(pages ? { pages } : {}) }
}

/** Marks the message in front as failed: its hold stays until it is redriven or discarded. */
export function failFront(staged: HoldDraft, holdKey: string, dead: DeadLetter): void {
  const hold = readHold(staged, holdKey) as HoldRow
  const due = dead.redriveAt ?? hold.due
  putHold(staged, holdKey, hold.consumer, {
    ...hold,
    status: 'FAILED',
    isRecorded: true,
    due,
    dead,
  })
}

/** Moves the failed message in front into a hold of its own, so that its key goes on. */
export function setAside(
  staged: HoldDraft,
  consumer: Consumer,
  holdKey: string,
  record: LogRecord,
  dead: DeadLetter,
): void {
  const hold = readHold(staged, holdKey) as HoldRow
  const place = placeHoldKey(consumer, record)
  const row = heldKey(place, 0)
  releaseFront(staged, holdKey, dead.row)
  const { undoneBy: _, pages: __, ...kept } = hold
  const due = dead.redriveAt ?? hold.due
  const aside: HoldRow = {
    ...kept,
    status: 'FAILED',
    isRecorded: true,
    due,
    dead: { ...dead, row },
    isAside: true,
    next: 1,
    count: 1,
  }
  staged.draft.insert(staged.tables.holds, place, {
    value: aside,
    version: 1,
    index: { consumer: consumer.id },
  })
  putHeld(staged, place, row, record)
}

/** Puts the message in front back to work, due at once. It keeps its last error, for the ledger. */
export function redriveFront(
  staged: HoldDraft,
  holdKey: string,
  due: number,
  by: 'policy' | 'operator',
): void {
  const hold = readHold(staged, holdKey) as HoldRow
  const redrives = by === 'policy' ? (hold.redrives ?? 0) + 1 : 0
  const { dead: _, ...kept } = hold
  const again = { status: 'UNPROCESSED', attempts: 0, due, delayMs: 0, redrives } as const
  putHold(staged, holdKey, hold.consumer, { ...kept, ...again, isRecorded: true })
}

/**
 * Puts a compensation in the place of the message in front, which is given up; later messages of the
 * key still wait behind it. `from` is the row of the compensation, if it is held already.
 */
export function replaceFront(
  staged: HoldDraft,
  holdKey: string,
  front: string,
  compensation: LogRecord,
  { due, from }: { readonly due: number; readonly from?: string },
): void {
  const hold = readHold(staged, holdKey) as HoldRow
  putHeld(staged, holdKey, front, compensation)
  if (from !== undefined) removeHeld(staged, from)
  const count = from === undefined ? hold.count : hold.count - 1
  const undone = Object.entries(hold.undoneBy ?? {}).filter(([, key]) => key !== from)
  const undoneBy = undone.length > 0 ? { undoneBy: Object.fromEntries(undone) } : {}
  const again = { status: 'UNPROCESSED', attempts: 0, due, delayMs: 0 } as const
  // It completes before events that were read earlier, so its completion is stored as a row.
  const kept = { ...frontless(hold), ...undoneBy, isRecorded: true, count }
  putHold(staged, holdKey, hold.consumer, { ...kept, ...again })
}
