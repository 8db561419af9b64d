import type { Clock } from '../../../base/time/clock.ts'
import { assertNewEvents } from '../../../ports/append-decision.ts'
import type { Heartbeat } from '../../../ports/rebalance.ts'
import type { EventStore, Unit, CommitResult } from '../../../ports/event-store.ts'
import { distinctRows } from '../../../ports/stream-conflicts.ts'
import { assertStorableLeases, isStorable } from '../../../ports/storable-text.ts'
import { assertStorableTable, assertStorableUnit } from '../../../ports/storable-text.ts'
import {
  writeCatalogChecksum,
  writeServiceViews,
  damagedRecordFault,
  damagedTableFault,
  isSqliteError,
  withDamageFault,
} from '../sql/index.ts'
import type { Decision } from '../commit/index.ts'
import { commitOrThrow } from '../commit/index.ts'
import { assertNothingLost, placeOf } from '../log/index.ts'
import { readHealth } from './embedded-log.ts'
import type { Connection, SharedConnection } from './connection.ts'
import { swapTables } from '../store/index.ts'
import { LEDGER_TABLES, createLedgerMethods, inspectTable } from './ledger-methods.ts'

export function createEmbeddedStore(shared: SharedConnection, clock: Clock): EventStore {
  return {
    can: { ack: 'disk', atomicWithLog: true, shared: false, ledger: true },
    open: shared.open,
    close: shared.close,
    async declare(specs) {
      for (const spec of specs) assertStorableTable(spec)
      const { tables, commits, sql, damage } = shared.connection()
      // Tables that exist need no write, which also works on a full disk.
      if (specs.every(tables.isDeclared)) return
      assertNothingLost(damage)
      await commitOrThrow(commits, () => {
        for (const spec of specs) tables.declare(spec)
        writeServiceViews(sql)
        writeCatalogChecksum(sql)
      })
    },
    async beat({ id: member }, wants, ttlMs, releases = []) {
      assertStorableLeases(member, wants)
      const { leases, commits } = shared.connection()
      const nowMs = Math.floor(clock.elapsed())
      const beat: Heartbeat = { member, wants, releases, nowMs, untilMs: nowMs + ttlMs }
      return commitOrThrow(commits, () => leases.beat(beat))
    },
    async commit(unit) {
      assertStorableUnit(unit)
      const connection = shared.connection()
      return connection.commits.submit<CommitResult>({
        decide: () => decide(unit, connection),
        onFailure: (cause) => ({ status: 'unknown', cause }),
      })
    },
    async get(keys) {
      const { tables } = shared.connection()
      return tables.get(keys)
    },
    scan: async (query) => shared.connection().tables.scan(query),
    async stream({ table, key }, fromVersion, limit) {
      const { tables, topics } = shared.connection()
      return withDamageFault(`the stream of ${table} ${key}`, () =>
        isStorable(key) ? topics.stream(tables.idOf(table), key, fromVersion, limit) : [],
      )
    },
    async streamEnds(rows) {
      const { streams } = shared.connection()
      return withDamageFault('the table stream', () => rows.map(streams.end))
    },
    async streams(table, after, limit) {
      const { streams } = shared.connection()
      return withDamageFault(`the streams of ${table}`, () => streams.ends(table, after, limit))
    },
    tables: async () => [...shared.connection().tables.names(), ...LEDGER_TABLES],
    inspect: async (table, after, max) => inspectTable(shared.connection(), table, after, max),
    progress: async (consumers) => shared.connection().progress.of(consumers),
    ...createLedgerMethods(shared),
    health: async () => readHealth(shared),
  }
}

/** Runs all checks that need no write. `write` runs the others, before it changes any rows. */
export function decide(unit: Unit, connection: Connection): Decision<CommitResult> {
  const { leases, progress, tables, topics, streams, statuses, ranges } = connection
  const resources = [...leases.fencedResources(unit.fences), ...progress.misplaced(unit.progress)]
  if (resources.length > 0) return { answer: () => ({ status: 'fenced', resources }) }
  const stale = tables.conflicts([...unit.rows, ...unit.checks])
  const rows = distinctRows([...stale, ...streams.rowsBehind(unit)])
  if (rows.length > 0 || statuses.isAnyStale(unit.statuses))
    return { answer: () => ({ status: 'conflict', rows }) }
  statuses.assertAllowed(unit.statuses)
  assertAppendable(unit, connection)
  for (const name of unit.swap?.tables ?? []) tables.idOf(name)
  for (const { table } of unit.streams) tables.idOf(table)
  const { appends } = unit
  const writeEntries = (position: number): void => streams.write(unit.streams, position)
  let answer: Decision<CommitResult>['answer']
  return {
    answer: () => answer(),
    write() {
      // Write stream entries and events first, in a savepoint. If an entry or an id already exists,
      // only the savepoint is rolled back, since nothing else has been written yet.
      const appended = appends.length === 0 ? [] : topics.appendIfNew(appends, writeEntries)
      if (!appended) {
        answer = duplicateAnswer(unit, connection)
        return false
      }
      answer = () => ({ status: 'done', places: appended.map(placeOf) })
      tables.write(unit.rows)
      progress.write(unit.progress)
      ranges.write(unit.progress)
      statuses.write(unit.statuses)
      if (unit.swap) swapTables(connection, unit.swap)
      return true
    },
  }
}

/** Returns the answer to a unit whose stream entry or event id already exists. */
function duplicateAnswer(
  unit: Unit,
  { topics, streams }: Connection,
): Decision<CommitResult>['answer'] {
  const taken = distinctRows(streams.takenEntries(unit.streams))
  if (taken.length > 0) return () => ({ status: 'conflict', rows: taken })
  try {
    assertNewEvents(unit.appends, topics)
  } catch (cause) {
    if (isSqliteError(cause)) throw cause
    return () => {
      throw cause
    }
  }
  return () => {
    throw damagedTableFault('log', 'an index that refuses new records')
  }
}

/**
 * Checks the topics and partitions of the appends, before any id is looked up.
 *
 * @throws Fault `LOG_DAMAGED`, and Error for a topic or partition that is not there
 */
function assertAppendable(unit: Unit, { topics }: Connection): void {
  for (const { topic, partition } of unit.appends) {
    topics.heads.head(topic, partition)
    const damage = topics.damageAt?.(topic, partition)
    if (damage !== undefined) throw damagedRecordFault(topic, partition, damage)
  }
}
