import type { RowKey, ScannedRow, Unit } from '../../../src/ports/event-store.ts'
import { altering, inStore } from './store-defects.ts'
import type { Defect } from './log-defects.ts'
import { altering as alteringEvents, inLog } from './log-defects.ts'

const wellFormed = (text: string): string => text.toWellFormed()

/** As a database that stores text as UTF-8 does. */
const indexWellFormed = (unit: Unit): Unit => ({
  ...unit,
  rows: unit.rows.map((row) => ({
    ...row,
    index: Object.fromEntries(
      Object.entries(row.index ?? {}).map(([name, value]) => {
        return [name, typeof value === 'string' ? value.toWellFormed() : value]
      }),
    ),
  })),
})

const asUtf8 = (a: ScannedRow, b: ScannedRow): number =>
  Buffer.compare(Buffer.from(String(a.value)), Buffer.from(String(b.value)))

export const textDefects: readonly Defect[] = [
  inLog(
    'events are stored with U+FFFD in place of lone surrogates',
    'Only the event with text that cannot be stored is refused',
    alteringEvents((event) => ({
      ...event,
      id: wellFormed(event.id),
      key: wellFormed(event.key),
      data: event.data === null ? null : wellFormed(event.data),
    })),
  ),
  inLog(
    'a topic is declared under another name',
    'A topic whose name cannot be stored is not declared',
    (log) => ({
      declare: (specs) =>
        log.declare(specs.map((spec) => ({ ...spec, name: wellFormed(spec.name) }))),
    }),
  ),
  inLog(
    'an event is found by what its id would be stored as',
    'An id that cannot be stored finds no event',
    (log) => ({ find: async (topic, id) => log.find?.(topic, wellFormed(id)) }),
  ),
  inStore(
    'an index keeps U+FFFD in place of lone surrogates',
    'An index finds any text as it was written, lone surrogates and NULs too',
    altering(indexWellFormed),
  ),
  inStore(
    'an index orders text with lone surrogates as its replacement',
    'Numbers come before text, and text with lone surrogates after all other, page by page',
    (store) => ({ scan: async (query) => (await store.scan(query)).toSorted(asUtf8) }),
  ),
  inStore(
    'an index keeps numbers that are none as text',
    'An index has one zero and only finite numbers',
    altering((unit) => ({
      ...unit,
      rows: unit.rows.map((row) => {
        const values = Object.entries(row.index ?? {})
        const index = values.map(([name, value]) => {
          return [name, Number.isFinite(value) ? value : String(value)]
        })
        return { ...row, index: Object.fromEntries(index) as NonNullable<typeof row.index> }
      }),
    })),
  ),
  inStore(
    'rows are written under what their keys would be stored as',
    'A unit with text that cannot be stored is rejected and changes nothing',
    altering((unit) => ({
      ...unit,
      rows: unit.rows.map((row) => ({ ...row, key: wellFormed(row.key) })),
    })),
  ),
  inStore(
    'a row is found by what its key would be stored as',
    'A key that cannot be stored finds no row and no stream',
    (store) => ({
      get: (keys) => store.get(keys.map((row) => ({ ...row, key: wellFormed(row.key) }))),
    }),
  ),
]

const inOneTable = <K extends RowKey>(row: K): K => ({ ...row, table: 'shop.carts' })

export const streamEndDefects: readonly Defect[] = [
  inStore(
    'a stream ends at the version of the row of any table',
    'A stream ends at its last version, and a missing one at 0',
    (store) => ({ streamEnds: (rows) => store.streamEnds(rows.map(inOneTable)) }),
  ),
  inStore(
    'the pages of streams begin again',
    'The streams of a table come in the order of their keys, page by page, with their ends',
    (store) => ({ streams: (table, _, limit) => store.streams(table, undefined, limit) }),
  ),
  inStore(
    'streams end where the log has their last event',
    'Trimmed events are still counted in a stream',
    (store) => ({
      streamEnds: (rows) =>
        Promise.all(rows.map(async (row) => (await store.stream(row, 0, 10_000)).length)),
    }),
  ),
  inStore(
    'a check sees the row alone, not its stream',
    'A unit that writes or reads a row behind its stream is a conflict that names it',
    altering((unit) => ({ ...unit, checks: [] })),
  ),
  inStore(
    'a stream speaks for the rows of every table',
    'A row behind its stream conflicts only in its own table',
    (store) => ({
      async commit(unit) {
        const rows = [...unit.rows, ...unit.checks].map(({ table, key }) => ({ table, key }))
        const ends = await store.streamEnds(rows.map(inOneTable))
        return ends.some((end) => end > 0) ? { status: 'conflict', rows } : store.commit(unit)
      },
    }),
  ),
  inStore(
    'a row can be written only together with an entry of its stream',
    'A row that was brought up to its stream continues from there',
    (store) => ({
      async commit(unit) {
        const ends = await store.streamEnds(unit.rows)
        const rows = unit.rows.filter((_, at) => (ends[at] ?? 0) > 0)
        const isEntered = unit.streams.length > 0
        return rows.length > 0 && !isEntered ? { status: 'conflict', rows } : store.commit(unit)
      },
    }),
  ),
]
