import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '../../../base/errors/fault.ts'
import type { DamagedRange } from '../../../ports/damage.ts'
import { damageText } from '../../../ports/damage.ts'
import type { LogRecord } from '../../../ports/event-log.ts'
import type { RestoreArchived } from '../log/index.ts'
import { createArchiveIndex } from '../archive/index.ts'
import { dataFiles } from '../files/index.ts'
import type { StoredRecord, Columns } from '../sql/index.ts'
import {
  RECORD_COLUMNS,
  LOST_PAYLOAD,
  isIntact,
  payloadHashIn,
  decodeRecord,
  isCorrupt,
  createStatements,
} from '../sql/index.ts'

/** What salvage finds in a log, in order of position. */
export type SalvagedItem =
  | { readonly kind: 'record'; readonly record: LogRecord }
  /** A readable record that is not as it was written. */
  | { readonly kind: 'flawed'; readonly record: LogRecord }
  /** A record whose archived payload cannot be read; `message` names the file. */
  | {
      readonly kind: 'unarchived'
      readonly record: LogRecord
      /** The range that cannot be read from its file; absent where the index of the archive is damaged. */
      readonly damage?: DamagedRange
      readonly message: string
    }
  /** A compacted record, without payload. */
  | { readonly kind: 'compacted'; readonly record: LogRecord }
  | Unreadable

/** Positions that cannot be read, `to` excluded. */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly from: number
  readonly to: number
}

const BLOCK = 256

/** Positions without a record after which the end is assumed, where it is unknown. */
const EMPTY_MAX = 65_536

/**
 * Reads what is readable in a directory that cannot be opened any more, record by record and without
 * any index, and changes nothing. Archived payloads are read from their files.
 *
 * @throws Fault `DATA_MISSING`, and `DATA_DAMAGED` where not even the first page can be read
 */
export function* salvage(directory: string): Generator<SalvagedItem> {
  const { directory: data, database } = dataFiles(resolve(directory))
  if (!existsSync(database)) throw new Fault('DATA_MISSING', { detail: database })
  const db = new DatabaseSync(database, { readOnly: true, timeout: 1_000 })
  try {
    const { rows, nameOf } = createLogRowReader(db, database)
    const restored = lazyRestore(db, data)
    for (const found of rows())
      if (found.kind === 'unreadable') yield found
      else yield salvagedItem(decodeRecord(found.row, nameOf(found.row[1] as number)), restored)
  } finally {
    db.close()
  }
}

/** A readable row, or unreadable positions. */
export type ScannedLogRow = { readonly kind: 'row'; readonly row: Columns } | Unreadable

interface LogRowReader {
  /** In order of position. */
  rows(): Generator<ScannedLogRow>
  nameOf(topic: number): string
}

/**
 * Reads the log row by row, without any index.
 *
 * @throws Fault `DATA_DAMAGED` where not even the first page can be read
 */
export function createLogRowReader(db: DatabaseSync, path: string): LogRowReader {
  const tried = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (cause) {
      if (isCorrupt(cause)) return undefined
      throw cause
    }
  }
  const range = tried(() =>
    db.prepare(
      `SELECT ${RECORD_COLUMNS} FROM log NOT INDEXED WHERE position >= ? AND position < ? ORDER BY position`,
    ),
  )
  if (!range)
    throw new Fault('DATA_DAMAGED', { detail: `not even the first page of ${path} can be read` })
  range.setReturnArrays(true)
  const names = tried(() => db.prepare('SELECT id, name FROM topic').all()) ?? []
  const last = tried(() => db.prepare('SELECT max(position) AS last FROM log').get())
  const ofTopic = new Map(names.map(({ id, name }) => [id, String(name)]))
  const end = last && Number(last['last'] ?? 0) + 1
  const rows: Rows = (from, to) => range.all(from, to) as unknown as readonly Columns[]
  return {
    rows: () => scanRows(end, rows),
    nameOf: (topic) => ofTopic.get(topic) ?? `topic ${topic}`,
  }
}

type Rows = (from: number, to: number) => readonly Columns[]

function* scanRows(end: number | undefined, rows: Rows): Generator<ScannedLogRow> {
  let unreadableFrom: number | undefined
  let lastFound = 0
  const found = function* (from: number, to: number): Generator<ScannedLogRow> {
    const read = rows(from, to)
    if (unreadableFrom !== undefined) yield { kind: 'unreadable', from: unreadableFrom, to: from }
    unreadableFrom = undefined
    for (const row of read) {
      lastFound = row[0] as number
      yield { kind: 'row', row }
    }
  }
  const isOver = (at: number): boolean =>
    end === undefined ? at - lastFound > EMPTY_MAX : at >= end
  for (let at = 1; !isOver(at); at += BLOCK)
    try {
      yield* found(at, at + BLOCK)
    } catch (cause) {
      if (!isCorrupt(cause)) throw cause
      // One by one, to find rows on intact pages in between.
      for (let one = at; one < at + BLOCK; one += 1)
        try {
          if (one > lastFound) yield* found(one, one + 1)
        } catch (inner) {
          if (!isCorrupt(inner)) throw inner
          unreadableFrom ??= one
        }
    }
  if (unreadableFrom !== undefined && end !== undefined)
    yield { kind: 'unreadable', from: unreadableFrom, to: end }
}

/** Loads the archive index at the first archived record only, since it may be damaged, too. */
function lazyRestore(db: DatabaseSync, directory: string): RestoreArchived {
  const archive = createArchiveIndex(createStatements({ db: () => db }), directory)
  let isLoaded = false
  return (stub) => {
    if (!isLoaded) archive.load()
    isLoaded = true
    return archive.look(stub)
  }
}

function salvagedItem(stored: StoredRecord, restore: RestoreArchived): SalvagedItem {
  const { record, gone } = stored
  if (gone === null) return { kind: isIntact(stored) ? 'record' : 'flawed', record }
  const isLost = !isIntact(stored) || payloadHashIn(gone) === LOST_PAYLOAD
  if (isLost) return { kind: 'unreadable', from: record.position, to: record.position + 1 }
  try {
    const { record: restored, damage } = restore(stored)
    if (damage) {
      const { topic, partition } = record
      const message = `${damage.code}: ${topic}/${partition} ${damageText(damage)}`
      return { kind: 'unarchived', record, damage, message }
    }
    return restored ? { kind: 'record', record: restored } : { kind: 'compacted', record }
  } catch (cause) {
    return { kind: 'unarchived', record, message: errorText(cause) }
  }
}

const errorText = (cause: unknown): string =>
  cause instanceof Error ? cause.message : 'it cannot be read'
