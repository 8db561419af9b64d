import type { EventStore, Row, RowWrite, ScannedRow } from '../../ports/event-store.ts'
import type { DelayClock } from '../delays/index.ts'
import { SKEW_MS } from '../delays/index.ts'
import type { FailurePolicy } from './failure-policy.ts'
import type { DeadLetter, HeldMessage, HoldRow } from './hold-row.ts'
import { holdError, holdStatus, isQueueConsumer } from './hold-row.ts'
import type { CanWorkOn, HoldSummary } from './known-holds.ts'
import { createKnownHolds } from './known-holds.ts'
import { heldKey } from './stage-holds.ts'
import { recordedStatus, restoreLostHolds } from './restore-lost-holds.ts'
import type { Consumer, ServiceTables } from '../plan/index.ts'
import type { CachedRow, UnitDraft } from '../rows/index.ts'
import { rowWrite, scanPages, writeRows } from '../rows/index.ts'

/** What is in front of a hold: messages, or a page of them. */
export interface HoldFront {
  readonly messages: readonly CachedRow[]
  readonly page?: string
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
  /**
   * Up to `limit` due holds, among those that may be worked on, whose message in front is tried again;
   * the one that has been due for longest comes first.
   */
  dueForRetry(nowMs: number, limit: number, isFree: CanWorkOn): readonly string[]
  /** The same for holds whose message in front moves to its next status without a rule. */
  dueToMove(nowMs: number, limit: number, isFree: CanWorkOn): readonly string[]
  nextDue(isFree: CanWorkOn): number | undefined
  count(): number
  /** All holds, as committed. */
  summaries(): Iterable<HoldSummary>
  summary(holdKey: string): HoldSummary | undefined
  /** The hold whose message in front has failed and has this id. */
  deadHoldOf(id: string): string | undefined
  /** Whether there are dead letters that their keys do not wait for. */
  hasAside(): boolean
  /** How many messages of a consumer, or of all, have failed. */
  deadCount(consumer?: string): number
  /** Looks at a hold again at another time. In memory only. */
  postpone(holdKey: string, due: number): void
  /** Stops retrying a hold whose message has no rule any more, until a start has one. */
  suspend(holdKey: string): void
  /** Applies the changes of a committed draft. */
  onCommit(draft: UnitDraft): void
  /** The messages in front of a hold, oldest first; or the key of a page that has to be unpacked first. */
  front(holdKey: string, limit: number): Promise<HoldFront>
  /** The first message of each hold, if it exists. Holds of queues have no more than one. */
  firstMessagePerHold(holdKeys: readonly string[]): Promise<readonly (CachedRow | undefined)[]>
}

const PAGE = 1_000

/** What holds need beside the store. */
export interface HoldParts {
  readonly delays: DelayClock
  /** The failure policy of a consumer, by its id. */
  readonly policyOf: (consumer: string) => FailurePolicy
}

export function createHolds(
  store: EventStore,
  tables: ServiceTables,
  consumers: readonly Consumer[],
  { delays, policyOf }: HoldParts,
): Holds {
  const known = createKnownHolds()
  return {
    async load() {
      known.clear()
      const progress = await store.progress(consumers.map(({ id }) => id))
      for (const consumer of consumers) {
        const { id } = consumer
        let [waiting, count] = [0, 0]
        for (const each of progress) if (each.consumer === id) waiting += each.pending + each.dead
        for await (const [key, hold] of loadHolds(store, tables, id, delays.now(), policyOf(id))) {
          known.set(key, summarize(hold, policyOf(id)))
          count += hold.count
        }
        // More messages are held than the holds count: the row of a hold was lost.
        if (waiting === count) continue
        const parts = { isKnown: (key: string) => known.has(key), now: delays.now() }
        for (const { key, hold } of await restoreLostHolds(store, tables, lostOf(consumer), parts))
          known.set(key, summarize(hold, policyOf(id)))
      }
    },
    isKnown: (holdKey) => known.has(holdKey),
    isAny: (draft) => known.count() > 0 || draft.touches(tables.holds),
    isHeld(draft, holdKey) {
      const changed = draft.changed(tables.holds, holdKey)
      return changed ? changed.value !== undefined : known.has(holdKey)
    },
    count: () => known.count(),
    summaries: known.all,
    summary: (holdKey) => known.get(holdKey),
    deadHoldOf: known.deadHoldOf,
    deadCount: known.deadCount,
    hasAside: known.hasAside,
    dueForRetry: known.dueForRetry,
    dueToMove: known.dueToMove,
    nextDue: known.nextDue,
    postpone: known.postpone,
    suspend: (holdKey) => known.postpone(holdKey, Infinity),
    onCommit(draft) {
      for (const { table, key, value } of draft.changes.values()) {
        if (table !== tables.holds) continue
        const hold = value as HoldRow | undefined
        if (hold) known.set(key, summarize(hold, policyOf(hold.consumer)))
        else known.delete(key)
      }
    },
    async front(holdKey, limit) {
      const where = { index: 'hold', equals: holdKey }
      const rows = await store.scan({ table: tables.held, where, limit })
      if (!known.get(holdKey)?.isPaged) return { messages: rows.map(heldMessageRow) }
      const [page] = await store.scan({ table: tables.heldPages, where, limit: 1 })
      // Messages with rows of their own may be behind the page.
      const messages = rows.filter(({ key }) => !page || key < page.key).map(heldMessageRow)
      return messages.length > 0 || !page ? { messages } : { messages, page: page.key }
    },
    async firstMessagePerHold(holdKeys) {
      const keys = holdKeys.map((holdKey) => ({ table: tables.held, key: heldKey(holdKey, 0) }))
      return (await store.get(keys)).map((row) => row && heldMessageRow(row))
    },
  }
}

const lostOf = (consumer: Consumer): { readonly id: string; readonly isQueue: boolean } => {
  return { id: consumer.id, isQueue: isQueueConsumer(consumer) }
}

/** All holds of a consumer, with excessive delays capped. */
async function* loadHolds(
  store: EventStore,
  tables: ServiceTables,
  consumer: string,
  now: number,
  policy: FailurePolicy,
): AsyncGenerator<readonly [holdKey: string, hold: HoldRow]> {
  const where = { index: 'consumer', equals: consumer }
  for await (const page of scanPages(store, { table: tables.holds, where, limit: PAGE })) {
    const redated: (RowWrite & { readonly body: string })[] = []
    for (const row of page) redated.push(...(await amendHold(store, tables, row, now, policy)))
    if (redated.length > 0) await writeRows(store, 'held keys', redated)
    const bodies = new Map([...page, ...redated].map(({ key, body }) => [key, body]))
    for (const [key, body] of bodies) yield [key, JSON.parse(body) as HoldRow]
  }
}

/** Caps a delay that was set while the clock was wrong, and adds a status to a row that has none. */
async function amendHold(
  store: EventStore,
  tables: ServiceTables,
  row: ScannedRow,
  now: number,
  policy: FailurePolicy,
): Promise<(RowWrite & { readonly body: string })[]> {
  const hold = JSON.parse(row.body) as HoldRow
  const latest = Math.ceil(now + maxDelayMs(hold, policy))
  const isLate = hold.due > latest + SKEW_MS
  if (!isLate && hold.status !== undefined) return []
  const due = isLate ? latest : hold.due
  const known = hold.status === undefined ? await statusOfOld(store, tables, row.key, hold) : {}
  const amended: HoldRow = { ...hold, ...known, due }
  return [rowWrite(row, row, JSON.stringify(amended), { consumer: hold.consumer })]
}

/** The status of a row of an earlier version: what the store knows of its front, or else what it means. */
async function statusOfOld(
  store: EventStore,
  { held: table }: ServiceTables,
  holdKey: string,
  hold: HoldRow,
): Promise<Partial<HoldRow>> {
  const where = { index: 'hold', equals: holdKey }
  const [front] = await store.scan({ table, where, limit: 1 })
  const status = holdStatus(hold)
  if (!front) return { status }
  const record = JSON.parse(front.body) as HeldMessage
  const at = hold.since ?? hold.due
  return { status, ...(await recordedStatus(store, hold.consumer, front.key, record, at)) }
}

/** The longest delay that a hold may have. */
function maxDelayMs(hold: HoldRow, { retry, redrive }: FailurePolicy): number {
  const { delayMs = Infinity } = hold
  if (hold.dead) return Math.max(redrive.afterMs, retry.delayMsMax)
  return holdError(hold) ? Math.min(delayMs, retry.delayMsMax) : delayMs
}

/** Without the error, whose stack would stay in memory for every held key. */
function summarize(hold: HoldRow, policy: FailurePolicy): HoldSummary {
  const { consumer, key, attempts, since, count, dead } = hold
  const status = holdStatus(hold)
  return {
    consumer,
    key,
    status,
    attempts,
    due: dead ? redriveDue(hold, dead, policy) : hold.due,
    count,
    ...(dead ? { deadId: dead.id, deadRow: dead.row } : {}),
    ...(hold.isAside ? { isAside: true as const } : {}),
    ...(hold.pages ? { isPaged: true as const } : {}),
    ...(hold.undoneBy ? { undoneBy: hold.undoneBy } : {}),
    ...(since === undefined ? {} : { since }),
  }
}

/** When a policy redrives a failed message: at once where its code has changed. */
function redriveDue(
  { redrives = 0 }: HoldRow,
  dead: DeadLetter,
  { redrive, code }: FailurePolicy,
): number {
  if (redrives >= redrive.times) return Infinity
  if (redrive.onDeploy && dead.code !== code) return 0
  return dead.redriveAt ?? Infinity
}

function heldMessageRow({ table, key, version, body }: Row): CachedRow {
  return { table, key, version, value: JSON.parse(body) as HeldMessage, bytes: body.length }
}
