import type {
  LogAppendResult,
  Backend,
  EventLog,
  EventStore,
  LogRecord,
  Row,
  Slice,
} from '../../../src/ports/index.ts'
import { without } from '../planted/log-defects.ts'

/** A backend with a defect that a model run must find. */
export interface ModelDefect {
  readonly defect: string
  plant(backend: Backend): Backend
}

function inLog(defect: string, change: (log: EventLog) => Partial<EventLog>): ModelDefect {
  return {
    defect,
    plant: ({ log, store }) => ({ log: { ...log, ...change(log) }, store }),
  }
}

function inStore(defect: string, change: (backend: Backend) => Partial<EventStore>): ModelDefect {
  return {
    defect,
    plant: ({ log, store }) => ({ log, store: { ...store, ...change({ log, store }) } }),
  }
}

const inSlices =
  (alter: (slice: Slice) => Slice) =>
  (log: EventLog): Partial<EventLog> => ({
    read: async (...given) => (await log.read(...given)).map(alter),
  })

const logDefects: readonly ModelDefect[] = [
  inLog('one of 50 events is lost', (log) => {
    let count = 0
    return {
      async append(events, options) {
        const isLost = events.map(() => (count += 1) % 50 === 0)
        const answers = await log.append(
          events.filter((_, at) => !isLost[at]),
          options,
        )
        const [ends, left] = [await log.ends(['orders', 'payments']), [...answers]]
        return events.map(({ topic, partition }, at): LogAppendResult => {
          const end = ends.find((each) => each.topic === topic && each.partition === partition)
          const place = { topic, partition, offset: end?.next ?? 0 }
          if (isLost[at]) return { status: 'stored', isDuplicate: false, place }
          return left.shift() as LogAppendResult
        })
      },
    }
  }),
  inLog('one of 50 events is stored twice', (log) => {
    let count = 0
    return {
      async append(events, options) {
        const answers = await log.append(events, options)
        const again = events.filter((_, at) => {
          return answers[at]?.status === 'stored' && (count += 1) % 50 === 0
        })
        await log.append(again.map((event) => ({ ...event, id: `${event.id}+` })))
        return answers
      },
    }
  }),
  inLog('two events of a call change their places', (log) => ({
    async append(events, options) {
      const [a, b, ...rest] = events
      if (!a || !b) return log.append(events, options)
      const [second, first, ...others] = await log.append([b, a, ...rest], options)
      return [first as LogAppendResult, second as LogAppendResult, ...others]
    },
  })),
  inLog(
    'two records are read in the other order',
    inSlices((slice) => {
      const [a, b, ...rest] = slice.records
      return a && b ? { ...slice, records: [b, a, ...rest] } : slice
    }),
  ),
  inLog('an id is forgotten once 20 others have come', (log) => {
    const known: string[] = []
    const names = new Map<string, string>()
    return {
      append(events, options) {
        const renamed = events.map((event) => {
          const at = known.indexOf(event.id)
          if (at >= 0 && at < known.length - 20) names.set(event.id, `${event.id}\u0000`)
          if (at < 0) known.push(event.id)
          return { ...event, id: names.get(event.id) ?? event.id }
        })
        return log.append(renamed, options)
      },
    }
  }),
  inLog('ids are compared without their case', (log) => ({
    append: (events, options) =>
      log.append(
        events.map((event) => ({ ...event, id: event.id.toLowerCase() })),
        options,
      ),
  })),
  inLog('an atomic batch is stored in part', (log) => ({ append: (events) => log.append(events) })),
  inLog('a trim forgets one record too many', (log) => ({
    trim: (topic, partition, before) => log.trim(topic, partition, before + 1),
  })),
  inLog('compaction takes the newest of a key, too', (log) => ({
    async compact(topic, partition, before, tombstonesBeforeMs) {
      const count = await log.compact(topic, partition, before, tombstonesBeforeMs)
      const last = (await log.ends([topic])).find((end) => end.partition === partition)
      if (count > 2) await log.trim(topic, partition, Math.min(before, last?.next ?? 0))
      return count
    },
  })),
  inLog('compaction keeps every tombstone', (log) => ({
    compact: (topic, partition, before) => log.compact(topic, partition, before, 0),
  })),
  inLog('what compaction took is found by its id', (log) => {
    const known = new Map<string, LogRecord>()
    return {
      async find(topic, id) {
        const name = JSON.stringify([topic, id])
        const found = (await log.find?.(topic, id)) ?? known.get(name)
        if (found) known.set(name, found)
        return found
      },
    }
  }),
  inLog('a time is taken for the one after it', (log) => ({
    offsetAt: (topic, partition, atMs) => log.offsetAt(topic, partition, atMs + 1),
  })),
  inLog(
    'records are stored when they happened',
    inSlices((slice) => {
      return { ...slice, records: slice.records.map((each) => ({ ...each, storedAt: each.at })) }
    }),
  ),
  inLog(
    'lost offsets are not reported',
    inSlices((slice) => without(slice, 'lost')),
  ),
  inLog(
    'a read passes over what its bytes had no room for',
    inSlices((slice) => ({ ...slice, next: slice.end })),
  ),
  inLog('positions come again after a trim', (log) => {
    let less = 0
    return {
      async trim(...given) {
        less += 1
        return log.trim(...given)
      },
      read: async (...given) =>
        (await log.read(...given)).map((slice) => ({
          ...slice,
          records: slice.records.map((record) => {
            return { ...record, position: (record.position ?? 0) - less }
          }),
        })),
    }
  }),
]

const storeDefects: readonly ModelDefect[] = [
  inStore('fences are ignored', ({ store }) => ({
    commit: (unit) => store.commit({ ...unit, fences: [] }),
  })),
  inStore('checks are ignored', ({ store }) => ({
    commit: (unit) => store.commit({ ...unit, checks: [] }),
  })),
  inStore('a unit that is refused leaves what it appends', ({ log, store }) => ({
    async commit(unit) {
      const answer = await store.commit(unit)
      if (answer.status === 'conflict') await log.append(unit.appends)
      return answer
    },
  })),
  inStore('a unit loses its last row', ({ store }) => ({
    commit: (unit) => store.commit({ ...unit, rows: unit.rows.slice(0, -1) }),
  })),
  inStore('a unit loses its progress where it appends', ({ store }) => ({
    commit: (unit) => store.commit(unit.appends.length > 0 ? { ...unit, progress: [] } : unit),
  })),
  inStore('what expired is not counted', ({ store }) => ({
    commit: (unit) =>
      store.commit({
        ...unit,
        progress: unit.progress.map((advance) => ({ ...advance, expired: 0 })),
      }),
  })),
  inStore('a row that was read once is never read anew', ({ store }) => {
    const seen = new Map<string, Row | undefined>()
    return {
      async get(keys) {
        const rows = await store.get(keys)
        return keys.map(({ table, key }, at) => {
          const name = JSON.stringify([table, key])
          if (!seen.has(name)) seen.set(name, rows[at])
          return seen.get(name)
        })
      },
    }
  }),
  inStore('a row that is gone stays in its index', ({ store }) => {
    let gone: string | undefined
    return {
      async commit(unit) {
        const answer = await store.commit(unit)
        if (answer.status === 'done')
          gone = unit.rows.find(({ body }) => body === null)?.key ?? gone
        return answer
      },
      async scan(query) {
        const rows = await store.scan(query)
        const [first] = rows
        return first && query.where && gone !== undefined
          ? [...rows, { ...first, key: gone }]
          : rows
      },
    }
  }),
  inStore('a page repeats the row before it', ({ store }) => ({
    async scan(query) {
      const { after, ...all } = query
      const rows = await store.scan({ ...all, limit: 10_000 })
      const at = rows.findIndex(({ key }) => key === after?.key)
      return at < 0 ? store.scan(query) : rows.slice(at, at + query.limit)
    },
  })),
  inStore('a stream is in the order of the log', ({ store }) => ({
    async stream(row, fromVersion, limit) {
      return (await store.stream(row, fromVersion, limit)).toSorted((a, b) => {
        return a.partition - b.partition
      })
    },
  })),
  inStore('an expired member keeps its leases', ({ store }) => ({
    beat: (member, wants, ttlMs, gives) => store.beat(member, wants, ttlMs * 100, gives),
  })),
  inStore('a lease that changes hands keeps its generation', ({ store }) => ({
    async beat(...given) {
      const { held, revoke } = await store.beat(...given)
      return { held: held.map((claim) => ({ ...claim, generation: 1 })), revoke }
    },
  })),
  inStore('the second status of a unit is forgotten', ({ store }) => ({
    commit: (unit) => store.commit({ ...unit, statuses: unit.statuses.slice(0, 1) }),
  })),
  inStore('a discarded event is not failed', ({ store }) => ({
    statuses: async (query) =>
      (await store.statuses(query)).filter(
        ({ resolution }) => query.status === undefined || resolution === null,
      ),
  })),
  inStore('a unit that throws takes the next one along', ({ store }) => {
    let isBroken = false
    return {
      async commit(unit) {
        if (isBroken) {
          isBroken = false
          throw new Error('planted')
        }
        return store.commit(unit).catch((cause: unknown) => {
          isBroken = true
          throw cause
        })
      },
    }
  }),
]

/** Defects of a reopened backend. */
export const durabilityDefects: readonly ModelDefect[] = [
  inLog(
    'the last record of a read is gone',
    inSlices((slice) => ({ ...slice, records: slice.records.slice(0, -1) })),
  ),
  inLog('offsets begin anew', (log) => ({
    ends: async (topics) => (await log.ends(topics)).map((end) => ({ ...end, next: end.first })),
  })),
  inStore('progress is gone', () => ({ progress: async () => [] })),
  inStore('statuses are gone', () => ({ statuses: async () => [] })),
  inStore('rows are gone', () => ({ get: async (keys) => keys.map(() => undefined) })),
  inStore('streams are gone', () => ({ stream: async () => [] })),
]

export const modelDefects: readonly ModelDefect[] = [...logDefects, ...storeDefects]
