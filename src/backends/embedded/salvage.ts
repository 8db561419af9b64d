import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '../../base/fault.ts'
import type { DamagedRange } from '../../ports/damage.ts'
import { damageText } from '../../ports/damage.ts'
import type { LogRecord } from '../../ports/log.ts'
import type { Archive } from './archive-index.ts'
import { archiveIn } from './archive-index.ts'
import { filesOf } from './directory.ts'
import type { StoredRecord } from './records.ts'
import { COLUMNS, LOST, isWhole, saidBy, storedRecord } from './records.ts'
import { isDamaged } from './results.ts'
import type { Columns } from './statements.ts'
import { statementsOf } from './statements.ts'

/** What salvage finds in a log, in order of position. */
export type Salvaged =
  | { readonly is: 'record'; readonly record: LogRecord }
  /** A readable record that is not as it was written. */
  | { readonly is: 'flawed'; readonly record: LogRecord }
  /** A record whose archived payload cannot be read; `message` names the file. */
  | {
      readonly is: 'unarchived'
      readonly record: LogRecord
      /** The range that cannot be read from its file; absent where the index of the archive is damaged. */
      readonly damage?: DamagedRange
      readonly message: string
    }
  /** A compacted record, without payload. */
  | { readonly is: 'compacted'; readonly record: LogRecord }
  | Unreadable

/** Positions that cannot be read, `to` excluded. */
export interface Unreadable {
  readonly is: 'unreadable'
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
export function* salvage(directory: string): Generator<Salvaged> {
  const { directory: data, database } = filesOf(resolve(directory))
  if (!existsSync(database)) throw new Fault('DATA_MISSING', { detail: database })
  const db = new DatabaseSync(database, { readOnly: true, timeout: 1_000 })
  try {
    const { rows, nameOf } = reader(db, database)
    const restored = restoring(db, data)
    for (const found of rows())
      if (found.is === 'unreadable') yield found
      else yield salvaged(storedRecord(found.row, nameOf(found.row[1] as number)), restored)
  } finally {
    db.close()
  }
}

/** A readable row, or unreadable positions. */
export type Readable = { readonly is: 'row'; readonly row: Columns } | Unreadable

interface Reader {
  /** In order of position. */
  rows(): Generator<Readable>
  nameOf(topic: number): string
}

/**
 * Reads the log row by row, without any index.
 *
 * @throws Fault `DATA_DAMAGED` where not even the first page can be read
 */
export function reader(db: DatabaseSync, path: string): Reader {
  const tried = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (cause) {
      if (isDamaged(cause)) return undefined
      throw cause
    }
  }
  const range = tried(() =>
    db.prepare(
      `SELECT ${COLUMNS} FROM log NOT INDEXED WHERE position >= ? AND position < ? ORDER BY position`,
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
    rows: () => rowsOf(end, rows),
    nameOf: (topic) => ofTopic.get(topic) ?? `topic ${topic}`,
  }
}

type Rows = (from: number, to: number) => readonly Columns[]

function* rowsOf(end: number | undefined, rows: Rows): Generator<Readable> {
  let unreadableFrom: number | undefined
  let lastFound = 0
  const found = function* (from: number, to: number): Generator<Readable> {
    const read = rows(from, to)
    if (unreadableFrom !== undefined) yield { is: 'unreadable', from: unreadableFrom, to: from }
    unreadableFrom = undefined
    for (const row of read) {
      lastFound = row[0] as number
      yield { is: 'row', row }
    }
  }
  const isOver = (at: number): boolean =>
    end === undefined ? at - lastFound > EMPTY_MAX : at >= end
  for (let at = 1; !isOver(at); at += BLOCK)
    try {
      yield* found(at, at + BLOCK)
    } catch (cause) {
      if (!isDamaged(cause)) throw cause
      // One by one, to find rows on intact pages in between.
      for (let one = at; one < at + BLOCK; one += 1)
        try {
          if (one > lastFound) yield* found(one, one + 1)
        } catch (inner) {
          if (!isDamaged(inner)) throw inner
          unreadableFrom ??= one
        }
    }
  if (unreadableFrom !== undefined && end !== undefined)
    yield { is: 'unreadable', from: unreadableFrom, to: end }
}

type Restore = Archive['look']

/** Loads the archive index at the first archived record only, since it may be damaged, too. */
function restoring(db: DatabaseSync, directory: string): Restore {
  const archive = archiveIn(statementsOf({ db: () => db }), directory)
  let isLoaded = false
  return (stub) => {
    if (!isLoaded) archive.load()
    isLoaded = true
    return archive.look(stub)
  }
}

function salvaged(stored: StoredRecord, restore: Restore): Salvaged {
  const { record, gone } = stored
  if (gone === null) return { is: isWhole(stored) ? 'record' : 'flawed', record }
  const isLost = !isWhole(stored) || saidBy(gone) === LOST
  if (isLost) return { is: 'unreadable', from: record.position, to: record.position + 1 }
  try {
    const { record: restored, damage } = restore(stored)
    if (damage) {
      const { topic, partition } = record
      const message = `${damage.code}: ${topic}/${partition} ${damageText(damage)}`
      return { is: 'unarchived', record, damage, message }
    }
    return restored ? { is: 'record', record: restored } : { is: 'compacted', record }
  } catch (cause) {
    return { is: 'unarchived', record, message: errorText(cause) }
  }
}

const errorText = (cause: unknown): string =>
  cause instanceof Error ? cause.message : 'it cannot be read'
