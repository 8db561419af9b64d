import type { Bell } from '../../base/bell.ts'
import type { Clock } from '../../base/clock.ts'
import { mustBeNew } from '../../ports/admit.ts'
import { progressId } from '../../ports/composite-keys.ts'
import type { LogRecord } from '../../ports/log.ts'
import { moveOn } from '../../ports/progress.ts'
import type { Lease, Wish } from '../../ports/share.ts'
import { shareOut } from '../../ports/share.ts'
import type { EventStore, Progress, Unit, UnitAnswer } from '../../ports/store.ts'
import { distinctRows, rowsBehind, takenEntries } from '../../ports/streams.ts'
import { claimsMustBeStorable, tableMustBeStorable } from '../../ports/text.ts'
import { unitMustBeStorable } from '../../ports/text.ts'
import { placeOf } from './log.ts'
import type { Streams } from './streams.ts'
import { emptyStreams } from './streams.ts'
import type { Tables } from './tables.ts'
import type { Topics } from './topics.ts'

export interface MemoryStoreParts {
  readonly topics: Topics
  readonly tables: Tables
  readonly bell: Bell
  readonly clock: Clock
  readonly delay: () => Promise<void>
}

export function memoryStore(parts: MemoryStoreParts): EventStore {
  const { topics, tables, bell, clock, delay } = parts
  const kept: Kept = { progress: new Map(), streams: emptyStreams(), leases: new Map() }
  let wishes: readonly Wish[] = []
  const delayed = async <T>(read: () => T): Promise<T> => {
    await delay()
    return read()
  }
  return {
    can: { ack: 'memory', atomicWithLog: true, shared: true },
    open: async () => undefined,
    close: async () => undefined,
    async declare(specs) {
      for (const spec of specs) tableMustBeStorable(spec)
      await delay()
      for (const spec of specs) tables.declare(spec)
    },
    async beat({ id: member }, wants, ttlMs, gives = []) {
      claimsMustBeStorable(member, wants)
      await delay()
      const nowMs = clock.elapsed()
      const wish = { member, wants, untilMs: nowMs + ttlMs }
      const { changed, held, release } = shareOut({ ...wish, gives, nowMs }, kept.leases, wishes)
      for (const lease of changed) kept.leases.set(lease.resource, lease)
      wishes = [...wishes.filter((other) => other.member !== member), wish]
      await delay()
      return { held, release }
    },
    async commit(unit) {
      unitMustBeStorable(unit)
      await delay()
      const answer = commit(unit, kept, parts)
      if (answer.is === 'done' && answer.places.length > 0) bell.ring()
      await delay()
      return answer
    },
    get: (keys) => delayed(() => keys.map(tables.get)),
    scan: (query) => delayed(() => tables.scan(query)),
    async stream(row, fromVersion, limit) {
      await delay()
      return kept.streams
        .records(row, fromVersion)
        .filter((record) => topics.readable(record.topic, record.id) === record)
        .slice(0, limit)
    },
    streamEnds: (rows) => delayed(() => rows.map(kept.streams.end)),
    streams: (...page) => delayed(() => kept.streams.ends(...page)),
    async progress(consumers) {
      await delay()
      const wanted = new Set(consumers)
      return [...kept.progress.values()].filter(({ consumer }) => wanted.has(consumer))
    },
    health: async () => ({ is: 'well', ack: 'memory', detail: 'kept in this process only' }),
  }
}

interface Kept {
  readonly progress: Map<string, Progress>
  readonly streams: Streams
  readonly leases: Map<string, Lease>
}

/** Makes all checks first, so that a failed unit changes nothing. */
function commit(unit: Unit, kept: Kept, { topics, tables }: MemoryStoreParts): UnitAnswer {
  const lost = unit.fences.filter(
    ({ resource, generation }) => kept.leases.get(resource)?.generation !== generation,
  )
  const moved = unit.progress.filter(
    (advance) => (kept.progress.get(progressId(advance))?.next ?? 0) !== advance.from,
  )
  const resources = [...lost.map(({ resource }) => resource), ...moved.map(progressId)]
  if (resources.length > 0) return { is: 'fenced', resources }
  const conflicts = [
    ...tables.conflicts([...unit.rows, ...unit.checks]),
    ...rowsBehind(unit, kept.streams.end),
    ...takenEntries(unit.streams, kept.streams.has),
  ]
  if (conflicts.length > 0) return { is: 'conflict', rows: distinctRows(conflicts) }
  mustBeNew(unit.appends, topics)
  for (const name of unit.swap?.tables ?? []) tables.mustHave(name)
  tables.write(unit.rows)
  for (const advance of unit.progress) {
    const before = kept.progress.get(progressId(advance))
    kept.progress.set(progressId(advance), moveOn(before, advance))
  }
  const records = unit.appends.map(topics.put)
  for (const entry of unit.streams) kept.streams.enter(entry, records[entry.append] as LogRecord)
  if (unit.swap) {
    tables.swap(...unit.swap.tables)
    swapProgress(kept.progress, ...unit.swap.consumers)
  }
  return { is: 'done', places: records.map(placeOf) }
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
