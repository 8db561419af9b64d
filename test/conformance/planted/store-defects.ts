import type {
  Backend,
  EventStore,
  Row,
  RowKey,
  ScannedRow,
  Unit,
  CommitResult,
} from '../../../src/ports/event-store.ts'
import type { Defect } from './log-defects.ts'
import { ticks, without } from './log-defects.ts'

export function inStore(
  defect: string,
  promise: string,
  change: (store: EventStore, backend: Backend) => Partial<EventStore>,
): Defect {
  return {
    defect,
    promise,
    plant: (backend) => ({
      log: backend.log,
      store: { ...backend.store, ...change(backend.store, backend) },
    }),
  }
}

/** A store that changes units before they are committed. */
export const altering = (alter: (unit: Unit) => Unit) => (store: EventStore) => ({
  commit: (unit: Unit) => store.commit(alter(unit)),
})

export const answering =
  (alter: (answer: CommitResult, unit: Unit) => CommitResult) => (store: EventStore) => ({
    commit: async (unit: Unit) => alter(await store.commit(unit), unit),
  })

/** A store that changes the rows of each scan. */
const scanning =
  (alter: (rows: readonly ScannedRow[]) => readonly ScannedRow[]) =>
  (store: EventStore): Partial<EventStore> => ({
    scan: async (query) => alter(await store.scan(query)),
  })

/** The unit with the current versions of its rows as expected versions. */
async function withCurrentVersions(store: EventStore, unit: Unit): Promise<Unit> {
  const found = await store.get(unit.rows)
  const rows = unit.rows.map((row, at) => ({ ...row, expected: found[at]?.version ?? 0 }))
  return { ...unit, rows }
}

const compare = (a: string | number | undefined, b: string | number | undefined): number =>
  String(a) < String(b) ? -1 : 1

const rowDefects: readonly Defect[] = [
  inStore(
    'get answers in the order of the table',
    'Rows come in the order of the requested keys, with gaps for missing ones',
    (store) => ({
      get: (keys) => store.get(keys.toSorted((a, b) => compare(a.key, b.key))),
    }),
  ),
  inStore(
    'get leaves out what is not there',
    'Rows come in the order of the requested keys, with gaps for missing ones',
    (store) => ({
      get: async (keys) => (await store.get(keys)).filter((row): row is Row => row !== undefined),
    }),
  ),
  inStore(
    'bodies are parsed and written anew',
    'A row is found by its key, with the version and the text that were written',
    altering((unit) => ({
      ...unit,
      rows: unit.rows.map((row) => ({
        ...row,
        body: row.body === null ? null : JSON.stringify(JSON.parse(row.body)),
      })),
    })),
  ),
  inStore('tables share their keys', 'A key belongs to its table', (store) => {
    const inOne = <K extends RowKey>(row: K): K => ({ ...row, table: 'shop.carts' })
    return {
      commit: (unit) => store.commit({ ...unit, rows: unit.rows.map(inOne) }),
      get: (keys) => store.get(keys.map(inOne)),
    }
  }),
  inStore(
    'a row that went is still there',
    'A row written without a body is deleted, from its indexes too',
    altering((unit) => ({
      ...unit,
      rows: unit.rows.map((row) => ({ ...row, body: row.body ?? 'null' })),
    })),
  ),
  inStore(
    'an index keeps the first value',
    'A row that has changed is found by its new values only',
    (store) => {
      const first = new Map<string, Unit['rows'][number]['index']>()
      return {
        commit: (unit) =>
          store.commit({
            ...unit,
            rows: unit.rows.map((row) => {
              const index = first.get(row.key) ?? row.index ?? {}
              first.set(row.key, index)
              return { ...row, index }
            }),
          }),
      }
    },
  ),
  inStore(
    'a new index begins empty',
    'A new index is filled from the members of existing rows',
    (store) => {
      const hidden = new Set<string>()
      return {
        async declare(tables) {
          await store.declare(tables)
          for (const { name: table } of tables)
            for (const { key } of await store.scan({ table, limit: 10_000 })) hidden.add(key)
        },
        async scan(query) {
          const rows = await store.scan(query)
          return query.where ? rows.filter(({ key }) => !hidden.has(key)) : rows
        },
      }
    },
  ),
]

const scanDefects: readonly Defect[] = [
  inStore(
    'a scan begins again on each page',
    'A scan without an index gives every row, in the UTF-8 byte order of the keys',
    (store) => ({ scan: (query) => store.scan(without(query, 'after')) }),
  ),
  inStore(
    'a scan orders keys by UTF-16 units',
    'A scan without an index gives every row, in the UTF-8 byte order of the keys',
    scanning((rows) => rows.toSorted((a, b) => compare(a.key, b.key))),
  ),
  inStore(
    'a scan orders keys as people do',
    'A scan without an index gives every row, in the UTF-8 byte order of the keys',
    scanning((rows) => rows.toSorted((a, b) => a.key.localeCompare(b.key))),
  ),
  inStore(
    'a scan orders numbers as text',
    'A scan by numbers gives rows in the order of the numbers, not of their digits',
    scanning((rows) => rows.toSorted((a, b) => compare(a.value, b.value))),
  ),
  inStore(
    'a scan goes on after the value, past other keys of it',
    'A scan by text gives rows in the UTF-8 byte order of the values, then of the keys',
    (store) => ({
      async scan(query) {
        const { after, limit } = query
        if (after?.value === undefined) return store.scan(query)
        const rows = await store.scan({ ...query, limit: 10_000 })
        return rows.filter(({ value }) => value !== after.value).slice(0, limit)
      },
    }),
  ),
  inStore(
    'a scan ignores its limit',
    'A scan for one value gives exactly its rows, page by page',
    (store) => ({ scan: (query) => store.scan({ ...query, limit: 10_000 }) }),
  ),
  inStore(
    'a scan finds values that only begin alike',
    'A scan for one value gives exactly its rows, page by page',
    (store) => ({
      async scan(query) {
        const { where, limit } = query
        if (typeof where?.equals !== 'string') return store.scan(query)
        const { equals, index } = where
        const rows = await store.scan({ ...query, where: { index }, limit: 10_000 })
        return rows.filter(({ value }) => String(value).startsWith(equals)).slice(0, limit)
      },
    }),
  ),
  inStore(
    'a scan ends before the value that it goes up to',
    'A scan up to a value includes it and ends there',
    (store) => ({
      scan: async (query) =>
        (await store.scan(query)).filter(({ value }) => value !== query.where?.upTo),
    }),
  ),
  inStore(
    'rows without a value are found',
    'Rows without a value are not found by that index',
    altering((unit) => ({
      ...unit,
      rows: unit.rows.map((row) => ({
        ...row,
        index: Object.fromEntries(
          Object.entries(row.index ?? {}).map(([name, value]) => [name, value ?? '']),
        ),
      })),
    })),
  ),
  inStore(
    'scanned rows come without the value of the index',
    'A scanned row has its version, its text and the value of the index',
    scanning((rows) => rows.map((row) => without(row, 'value'))),
  ),
]

const commitDefects: readonly Defect[] = [
  inStore(
    'a commit ignores the versions of rows',
    'A row of another version is a conflict that names it',
    (store) => ({ commit: async (unit) => store.commit(await withCurrentVersions(store, unit)) }),
  ),
  inStore(
    'a conflict names every row',
    'A row of another version is a conflict that names it',
    answering((answer, { rows }) =>
      answer.status === 'conflict'
        ? { status: 'conflict', rows: rows.map(({ table, key }) => ({ table, key })) }
        : answer,
    ),
  ),
  inStore(
    'a row may be written where none was expected to go',
    'Expecting a version of a missing row is a conflict, also for a delete',
    (store) => ({
      commit: (unit) =>
        store.commit({ ...unit, rows: unit.rows.filter(({ body }) => body !== null) }),
    }),
  ),
  inStore(
    'a unit with a conflict writes its other rows',
    'A unit with a conflict changes nothing at all',
    (store) => ({
      async commit(unit) {
        const answer = await store.commit(unit)
        if (answer.status !== 'conflict') return answer
        const bad = new Set(answer.rows.map(({ key }) => key))
        const rows = unit.rows.filter(({ key }) => !bad.has(key))
        await store.commit({ ...unit, rows, progress: [], appends: [], streams: [] })
        return answer
      },
    }),
  ),
  inStore(
    'a unit with a conflict moves its progress',
    'A unit with a conflict changes nothing at all',
    (store) => ({
      async commit(unit) {
        const answer = await store.commit(unit)
        if (answer.status === 'conflict')
          await store.commit({ ...unit, rows: [], appends: [], streams: [] })
        return answer
      },
    }),
  ),
  inStore(
    'what a unit with a conflict appends is stored',
    'A unit with a conflict changes nothing at all',
    (store, { log }) => ({
      async commit(unit) {
        const answer = await store.commit(unit)
        if (answer.status === 'conflict') await log.append(unit.appends)
        return answer
      },
    }),
  ),
  inStore(
    'versions are looked at before the commit has its turn',
    'Of units that race for a row exactly one is done, the others conflict',
    (store) => ({
      async commit(unit) {
        const found = await store.get(unit.rows)
        const isSame = unit.rows.every(({ expected }, at) => expected === (found[at]?.version ?? 0))
        await ticks(10)
        let answer = await store.commit(unit)
        while (isSame && answer.status === 'conflict')
          answer = await store.commit(await withCurrentVersions(store, unit))
        return answer
      },
    }),
  ),
  inStore(
    'units of many rows are committed row by row',
    'Units of many rows that overlap are each done whole or not at all',
    (store) => ({
      async commit(unit) {
        const answers: CommitResult[] = []
        for (const row of unit.rows) answers.push(await store.commit({ ...unit, rows: [row] }))
        return answers.find(({ status }) => status !== 'done') ?? { status: 'done', places: [] }
      },
    }),
  ),
]

export const storeDefects: readonly Defect[] = [...rowDefects, ...scanDefects, ...commitDefects]
