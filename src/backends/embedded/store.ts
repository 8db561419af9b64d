import type { Clock } from '../../base/clock.ts'
import { mustBeNew } from '../../ports/admit.ts'
import type { Beat } from '../../ports/share.ts'
import type { EventStore, Unit, UnitAnswer } from '../../ports/store.ts'
import { distinctRows } from '../../ports/streams.ts'
import { claimsMustBeStorable, isStorable } from '../../ports/text.ts'
import { tableMustBeStorable, unitMustBeStorable } from '../../ports/text.ts'
import { sealCatalog } from './catalog-sum.ts'
import type { Decision } from './commits.ts'
import { commitOrThrow } from './commits.ts'
import { mustHaveLostNothing } from './damage.ts'
import { healthOf } from './log.ts'
import type { Connection, Use } from './connection.ts'
import { placeOf } from './puts.ts'
import { damagedRecord, damagedTable, isOfDatabase, namingDamage } from './results.ts'
import { swapIn } from './swaps.ts'

export function embeddedStore(use: Use, clock: Clock): EventStore {
  return {
    can: { ack: 'disk', atomicWithLog: true, shared: false },
    open: use.open,
    close: use.close,
    async declare(specs) {
      for (const spec of specs) tableMustBeStorable(spec)
      const { tables, commits, sql, damage } = use.connection()
      // Tables that exist need no write, which also works on a full disk.
      if (specs.every(tables.isDeclared)) return
      mustHaveLostNothing(damage)
      await commitOrThrow(commits, () => {
        for (const spec of specs) tables.declare(spec)
        sealCatalog(sql)
      })
    },
    async beat({ id: member }, wants, ttlMs, gives = []) {
      claimsMustBeStorable(member, wants)
      const { leases, commits } = use.connection()
      const nowMs = Math.floor(clock.elapsed())
      const beat: Beat = { member, wants, gives, nowMs, untilMs: nowMs + ttlMs }
      return commitOrThrow(commits, () => leases.beat(beat))
    },
    async commit(unit) {
      unitMustBeStorable(unit)
      const connection = use.connection()
      return connection.commits.submit<UnitAnswer>({
        decide: () => decide(unit, connection),
        failed: (cause) => ({ is: 'unknown', cause }),
      })
    },
    async get(keys) {
      const { tables } = use.connection()
      return tables.get(keys)
    },
    scan: async (query) => use.connection().tables.scan(query),
    async stream({ table, key }, fromVersion, limit) {
      const { tables, topics } = use.connection()
      return namingDamage(`the stream of ${table} ${key}`, () =>
        isStorable(key) ? topics.stream(tables.idOf(table), key, fromVersion, limit) : [],
      )
    },
    async streamEnds(rows) {
      const { streams } = use.connection()
      return namingDamage('the table stream', () => rows.map(streams.end))
    },
    async streams(table, after, limit) {
      const { streams } = use.connection()
      return namingDamage(`the streams of ${table}`, () => streams.ends(table, after, limit))
    },
    tables: async () => use.connection().tables.names(),
    inspect: async (table, after, max) => use.connection().tables.inspect(table, after, max),
    progress: async (consumers) => use.connection().progress.of(consumers),
    health: async () => healthOf(use),
  }
}

/** Makes all checks of a unit that need no write; `write` makes the others before it changes anything. */
export function decide(unit: Unit, connection: Connection): Decision<UnitAnswer> {
  const { leases, progress, tables, topics, streams } = connection
  const resources = [...leases.lost(unit.fences), ...progress.misplaced(unit.progress)]
  if (resources.length > 0) return { answer: () => ({ is: 'fenced', resources }) }
  const stale = tables.conflicts([...unit.rows, ...unit.checks])
  const rows = distinctRows([...stale, ...streams.behind(unit)])
  if (rows.length > 0) return { answer: () => ({ is: 'conflict', rows }) }
  mustBePlaceable(unit, connection)
  for (const name of unit.swap?.tables ?? []) tables.idOf(name)
  for (const { table } of unit.streams) tables.idOf(table)
  const { appends } = unit
  const enter = (position: number): void => streams.write(unit.streams, position)
  let answer: Decision<UnitAnswer>['answer']
  return {
    answer: () => answer(),
    write() {
      // Stream entries and appends are written first, inside a savepoint: where an entry or an id is
      // taken it is rolled back, and nothing else has changed.
      const puts = appends.length === 0 ? [] : topics.putIfNew(appends, enter)
      if (!puts) {
        answer = takenIn(unit, connection)
        return false
      }
      answer = () => ({ is: 'done', places: puts.map(placeOf) })
      tables.write(unit.rows)
      progress.write(unit.progress)
      if (unit.swap) swapIn(connection, unit.swap)
      return true
    },
  }
}

/** The answer to a unit with a stream entry or an id that already exists. */
function takenIn(unit: Unit, { topics, streams }: Connection): Decision<UnitAnswer>['answer'] {
  const taken = distinctRows(streams.taken(unit.streams))
  if (taken.length > 0) return () => ({ is: 'conflict', rows: taken })
  try {
    mustBeNew(unit.appends, topics)
  } catch (cause) {
    if (isOfDatabase(cause)) throw cause
    return () => {
      throw cause
    }
  }
  return () => {
    throw damagedTable('log', 'an index that refuses new records')
  }
}

/**
 * Checks the topics and partitions of the appends, before any id is looked up.
 *
 * @throws Fault `LOG_DAMAGED`, and Error for a topic or partition that is not there
 */
function mustBePlaceable(unit: Unit, { topics }: Connection): void {
  for (const { topic, partition } of unit.appends) {
    topics.heads.head(topic, partition)
    const damage = topics.stops?.(topic, partition)
    if (damage !== undefined) throw damagedRecord(topic, partition, damage)
  }
}
