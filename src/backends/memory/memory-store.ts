import type { Notifier } from '../../base/time/notifier.ts'
import type { Clock } from '../../base/time/clock.ts'
import { assertNewEvents } from '../../ports/append-decision.ts'
import { compositeKey } from '../../base/composite-key.ts'
import { HELD_PAGE_TABLE, HELD_TABLE } from '../../ports/ledger.ts'
import { progressId } from '../../ports/composite-keys.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import { advanceProgress } from '../../ports/progress.ts'
import type { LeaseRecord, Membership } from '../../ports/rebalance.ts'
import { rebalance } from '../../ports/rebalance.ts'
import type { ConsumedEvent } from '../../ports/status.ts'
import { assertStatusChange } from '../../ports/status.ts'
import type { EventStore, Progress, Unit, CommitResult } from '../../ports/event-store.ts'
import { distinctRows, rowsBehindStreams, takenEntries } from '../../ports/stream-conflicts.ts'
import {
  assertStorableLeases,
  assertStorableLedger,
  assertStorableTable,
} from '../../ports/storable-text.ts'
import { assertStorableUnit } from '../../ports/storable-text.ts'
import { placeOf } from './memory-log.ts'
import type { EntityStreams } from './entity-streams.ts'
import { createEntityStreams } from './entity-streams.ts'
import type { Ledger } from './ledger.ts'
import { createLedger } from './ledger.ts'
import type { LedgerSources } from './ledger-rows.ts'
import { readLedger } from './ledger-rows.ts'
import { readPayloads } from './payload-rows.ts'
import type { Tables } from './tables.ts'
import type { Topics } from './topics.ts'

export interface MemoryStoreOptions {
  readonly topics: Topics
  readonly tables: Tables
  readonly notifier: Notifier
  readonly clock: Clock
  readonly delay: () => Promise<void>
}

export function createMemoryStore(parts: MemoryStoreOptions): EventStore {
  const { topics, tables, notifier, clock, delay } = parts
  const state: MemoryState = {
    progress: new Map(),
    streams: createEntityStreams(),
    ledger: createLedger(),
    leases: new Map(),
  }
  let memberships: readonly Membership[] = []
  const delayed = async <T>(read: () => T): Promise<T> => {
    await delay()
    return read()
  }
  return {
    can: { ack: 'memory', atomicWithLog: true, shared: true, ledger: true },
    open: async () => undefined,
    close: async () => undefined,
    async declare(specs) {
      for (const spec of specs) assertStorableTable(spec)
      await delay()
      for (const spec of specs) tables.declare(spec)
    },
    async beat({ id: member }, wants, ttlMs, gives = []) {
      assertStorableLeases(member, wants)
      await delay()
      const nowMs = clock.elapsed()
      const membership = { member, wants, untilMs: nowMs + ttlMs }
      const { changed, held, revoke } = rebalance(
        { ...membership, releases: gives, nowMs },
        state.leases,
        memberships,
      )
      for (const lease of changed) state.leases.set(lease.resource, lease)
      memberships = [...memberships.filter((other) => other.member !== member), membership]
      await delay()
      return { held, revoke }
    },
    async commit(unit) {
      assertStorableUnit(unit)
      await delay()
      const answer = commit(unit, state, parts)
      if (answer.status === 'done' && answer.places.length > 0) notifier.notify()
      await delay()
      return answer
    },
    get: (keys) => delayed(() => keys.map(tables.get)),
    scan: (query) => delayed(() => tables.scan(query)),
    stream: (row, fromVersion, limit) =>
      delayed(() => {
        const records = state.streams.records(row, fromVersion)
        const isReadable = (each: LogRecord): boolean =>
          topics.readable(each.topic, each.id) === each
        return records.filter(isReadable).slice(0, limit)
      }),
    streamEnds: (rows) => delayed(() => rows.map(state.streams.end)),
    streams: (...page) => delayed(() => state.streams.ends(...page)),
    progress: (consumers) =>
      delayed(() => {
        const wanted = new Set(consumers)
        return [...state.progress.values()].filter(({ consumer }) => wanted.has(consumer))
      }),
    ...createLedgerMethods(state, parts, delayed),
    health: async () => ({ status: 'well', ack: 'memory', detail: 'kept in this process only' }),
  }
}

interface MemoryState {
  readonly progress: Map<string, Progress>
  readonly streams: EntityStreams
  readonly ledger: Ledger
  readonly leases: Map<string, LeaseRecord>
}

function createLedgerMethods(
  state: MemoryState,
  parts: MemoryStoreOptions,
  delayed: <T>(read: () => T) => Promise<T>,
): Pick<
  EventStore,
  'statuses' | 'ranges' | 'declareLedger' | 'ledger' | 'payloads' | 'pruneLedger'
> {
  return {
    statuses: (query) => delayed(() => state.ledger.statuses(query)),
    ranges: (events) => delayed(() => events.map(state.ledger.range)),
    declareLedger: async (...declared) => {
      assertStorableLedger(...declared)
      state.ledger.declare(...declared)
    },
    ledger: (query) => delayed(() => readLedger(ledgerSources(state, parts), query)),
    payloads: (query) => delayed(() => readPayloads(ledgerSources(state, parts), query)),
    pruneLedger: (pruning) => delayed(() => state.ledger.prune(pruning)),
  }
}

function ledgerSources(
  { ledger, progress }: MemoryState,
  { topics, tables }: MemoryStoreOptions,
): LedgerSources {
  const held = new Set(heldEvents(tables))
  return {
    ledger,
    records: topics.newestFirst,
    subscriptions: ledger.subscriptions,
    progress: (event) => progress.get(progressId(event)),
    isHeld: (event) => held.has(heldEventId(event)),
  }
}

const heldEventId = ({ consumer, topic, partition, offset }: ConsumedEvent): string =>
  compositeKey(consumer, topic, `${partition}\n${offset}`)

/** The events in the tables of held events: see `HELD_TABLE` and `HELD_PAGE_TABLE`. */
function heldEvents(tables: Tables): readonly string[] {
  return [HELD_TABLE, HELD_PAGE_TABLE].flatMap(({ suffix, index }) =>
    tables
      .names()
      .filter((name) => name.endsWith(suffix))
      .flatMap((table) => tables.scan({ table, where: { index }, limit: Infinity }))
      .flatMap(({ body, value }) => {
        const found = JSON.parse(body) as LogRecord | readonly LogRecord[]
        const consumer = String(value).split(':', 1)[0] as string
        const records = Array.isArray(found)
          ? (found as readonly LogRecord[])
          : [found as LogRecord]
        return records.map((record) => heldEventId({ ...record, consumer }))
      }),
  )
}

/** Makes all checks first, so that a failed unit changes nothing. */
function commit(
  unit: Unit,
  state: MemoryState,
  { topics, tables }: MemoryStoreOptions,
): CommitResult {
  const lost = unit.fences.filter(
    ({ resource, generation }) => state.leases.get(resource)?.generation !== generation,
  )
  const moved = unit.progress.filter(
    (advance) =>
      advance.from !== null &&
      (state.progress.get(progressId(advance))?.next ?? 0) !== advance.from,
  )
  const resources = [...lost.map(({ resource }) => resource), ...moved.map(progressId)]
  if (resources.length > 0) return { status: 'fenced', resources }
  const conflicts = [
    ...tables.conflicts([...unit.rows, ...unit.checks]),
    ...rowsBehindStreams(unit, state.streams.end),
    ...takenEntries(unit.streams, state.streams.has),
  ]
  const isStale = unit.statuses.some((change) => !state.ledger.isCurrent(change))
  if (conflicts.length > 0 || isStale) return { status: 'conflict', rows: distinctRows(conflicts) }
  assertNewEvents(unit.appends, topics)
  for (const { from, status, eventId, consumer } of unit.statuses)
    assertStatusChange(from, status, { eventId, consumer })
  for (const name of unit.swap?.tables ?? []) tables.assertDeclared(name)
  tables.write(unit.rows)
  for (const advance of unit.progress) {
    const before = state.progress.get(progressId(advance))
    state.progress.set(progressId(advance), advanceProgress(before, advance))
  }
  state.ledger.write(unit)
  const records = unit.appends.map(topics.append)
  for (const entry of unit.streams) state.streams.enter(entry, records[entry.append] as LogRecord)
  if (unit.swap) {
    tables.swap(...unit.swap.tables)
    swapProgress(state.progress, ...unit.swap.consumers)
    state.ledger.replace(...unit.swap.consumers)
  }
  return { status: 'done', places: records.map(placeOf) }
}

function swapProgress(progress: Map<string, Progress>, one: string, other: string): void {
  const moved: Progress[] = []
  for (const [key, row] of progress) {
    if (row.consumer !== one && row.consumer !== other) continue
    progress.delete(key)
    moved.push({ ...row, consumer: row.consumer === one ? other : one })
  }
  for (const row of moved) progress.set(progressId(row), row)
}
