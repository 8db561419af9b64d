import { existsSync, renameSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createNotifier } from '../../../base/time/notifier.ts'
import type { Clock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import { unknownNameDetail } from '../../../base/options.ts'
import type { DamageCode } from '../../../ports/damage.ts'
import type { Position } from '../../../ports/event-log.ts'
import { commitOrThrow } from '../commit/index.ts'
import type { Connection } from '../connection/index.ts'
import { openConnection, repairMode } from '../connection/index.ts'
import type { Damage, PartitionHead } from '../log/index.ts'
import { NO_TOPIC, dropRecent } from '../log/index.ts'
import type { DataFiles } from '../files/index.ts'
import {
  dataFiles,
  syncDirectory,
  createHighWater,
  openHighWater,
  readHeadSlots,
} from '../files/index.ts'
import {
  RECORD_COLUMNS,
  LOST_PAYLOAD,
  encodeGone,
  isIntact,
  decodeRecord,
  isCorrupt,
  isUniqueViolation,
} from '../sql/index.ts'
import { rewriteDatabase } from './rewrite-database.ts'

/** A loss of one partition, or of the whole log. */
export interface Loss {
  /** Absent for units that were lost with the end of the log. */
  readonly topic?: string
  readonly partition?: number
  readonly from: number
  /** Excluded. */
  readonly to: number
  readonly code: DamageCode
  readonly isAccepted: boolean
}

export interface RepairResult {
  readonly losses: readonly Loss[]
  /** Why the high-water mark was rebuilt, if it was. */
  readonly mark?: string
  /** What SQLite's integrity check reports after the indexes were rebuilt. */
  readonly pages: readonly string[]
}

/** Which damage to accept: that of one partition, or all. */
export type AcceptedDamage = 'all' | { readonly topic: string; readonly partition: number }

/**
 * Verifies a directory that has no running owner, and accepts the named damage: readers then skip the
 * lost range and get it as `lost`, and its offsets are never reused. Without `accept` only what can
 * be rebuilt without a loss is changed: indexes, and with `isMarkLost` the high-water mark.
 *
 * @throws Fault what opening throws; `DATA_MISSING`, `TOPIC_NOT_FOUND`
 */
export async function repair(
  directory: string,
  clock: Clock,
  options: { readonly accept?: readonly AcceptedDamage[]; readonly isMarkLost?: boolean } = {},
): Promise<RepairResult> {
  const files = dataFiles(resolve(directory))
  if (!existsSync(files.marker)) throw new Fault('DATA_MISSING', { detail: files.directory })
  const rebuildReason = options.isMarkLost ? rebuildHighWater(files) : undefined
  const accepts = options.accept ?? []
  const { connection, pageErrors } = await openWithSoundIndexes(
    files,
    clock,
    accepts.includes('all'),
  )
  try {
    inspectEverything(connection)
    for (const accept of accepts) await acceptReported(connection, accept)
    const losses = knownLosses(connection)
    // Store the damage that was found, also where nothing was accepted.
    await commitOrThrow(connection.commits, () => undefined)
    const mark = rebuildReason === undefined ? {} : { mark: rebuildReason }
    return { losses, pages: pageErrors, ...mark }
  } finally {
    await connection.close()
  }
}

const INSPECT_RECORDS = 2_000

/** Inspections after accepted damage: the records behind it may be damaged, too. */
const INSPECTIONS_MAX = 20

/** Inspects and reads all records; damage goes into the registry. */
function inspectEverything({ topics }: Connection): void {
  for (const { spec, heads } of topics.heads.all())
    for (const head of heads) {
      const { first, next, partition } = head
      for (let from = first; from < next;)
        from = topics.inspect(spec.name, partition, from, INSPECT_RECORDS).next
      readThrough(topics, { topic: spec.name, partition, next: first }, next)
    }
}

/** Reads as consumers do, with other statements and so over other pages than `inspect`. */
function readThrough(topics: Connection['topics'], from: Position, end: number): void {
  const max = { records: INSPECT_RECORDS, bytes: READ_BYTES }
  for (let next = from.next; next < end;) {
    const slice = topics.slice({ ...from, next }, max, true)
    if (slice.damage !== undefined || slice.next <= next) return
    next = slice.next
  }
}

const READ_BYTES = 16_777_216

interface Opened {
  readonly connection: Connection
  /** What SQLite's integrity check still reports. */
  readonly pageErrors: readonly string[]
}

/**
 * Opens the directory and rebuilds damaged indexes. Where rows are on unreadable pages, the database is
 * rewritten from the readable rows; that loses the others, so an operator must have accepted it.
 */
async function openWithSoundIndexes(
  files: DataFiles,
  clock: Clock,
  mayLose: boolean,
): Promise<Opened> {
  const connection = openConnection(files.directory, clock, createNotifier(clock), repairMode)
  try {
    const before = readPageErrors(connection)
    if (before.length === 0) return { connection, pageErrors: [] }
    const isRebuilt = rebuildIndexes(connection.database)
    const pageErrors = readPageErrors(connection)
    if (isRebuilt && (pageErrors.length === 0 || !mayLose)) return { connection, pageErrors }
  } catch (cause) {
    await connection.close()
    throw cause
  }
  await connection.close()
  if (!mayLose) {
    const detail =
      'rows cannot be read, so their indexes cannot be rebuilt: run throughline salvage'
    throw new Fault('DATA_DAMAGED', { detail })
  }
  rewriteDatabase(files, clock, connection.topics.heads)
  const reopened = openConnection(files.directory, clock, createNotifier(clock), repairMode)
  return { connection: reopened, pageErrors: readPageErrors(reopened) }
}

function readPageErrors({ sql }: Connection): readonly string[] {
  try {
    const lines = sql.all('PRAGMA integrity_check(20)').map(([line]) => line as string)
    return lines.length === 1 && lines[0] === 'ok' ? [] : lines
  } catch (cause) {
    if (!isCorrupt(cause)) throw cause
    return ['pages cannot be read']
  }
}

/**
 * Rebuilds all indexes from the rows. An index with damaged pages cannot be dropped, so it is deleted
 * from the schema table and created again; VACUUM frees its pages. Returns false, without a loss,
 * where rows cannot be read or two rows have the same place.
 */
function rebuildIndexes(database: Connection['database']): boolean {
  const db = database.db()
  const select = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
  const indexes = db.prepare(select).all()
  db.enableDefensive(false)
  try {
    db.exec('BEGIN IMMEDIATE; PRAGMA writable_schema = ON')
    for (const { name } of indexes)
      db.prepare("DELETE FROM sqlite_schema WHERE type = 'index' AND name = ?").run(String(name))
    db.exec('PRAGMA writable_schema = RESET')
    for (const { sql } of indexes) db.exec(String(sql))
    db.exec('COMMIT; VACUUM')
    return true
  } catch (cause) {
    if (db.isTransaction) db.exec('ROLLBACK')
    if (!isCorrupt(cause) && !isUniqueViolation(cause)) throw cause
    return false
  } finally {
    database.reconnect()
  }
}

type Place = Pick<Damage, 'topic' | 'partition'>

/** Accepts damage and inspects what is behind it, until nothing new is found. */
async function acceptReported(connection: Connection, accept: AcceptedDamage): Promise<void> {
  const { damage } = connection
  const only = accept === 'all' ? undefined : partitionOf(connection, accept)
  const open = (): readonly Place[] => {
    const places = only ? [only] : damage.all()
    return places.filter(({ topic, partition }) => damage.firstUnaccepted(topic, partition))
  }
  for (let round = 0; round < INSPECTIONS_MAX && open().length > 0; round += 1) {
    for (const place of open()) await acceptPartition(connection, place)
    inspectEverything(connection)
  }
}

async function acceptPartition(connection: Connection, { topic, partition }: Place): Promise<void> {
  const { topics, damage, commits, database } = connection
  await commitOrThrow(commits, () => {
    const head = topics.heads.all().find(({ id }) => id === topic)?.heads[partition]
    for (const { from, to } of damage.accept(topic, partition)) {
      if (!head) {
        topics.heads.skipCommitsTo(to)
        // A topic that is declared later must not inherit the mark of a lost one.
        database.highWater.clearFrom(topics.heads.slots())
        continue
      }
      if (from <= head.next && to > head.next) {
        const mark = database.highWater.mark(head.slot)
        head.next = to
        head.chain = mark?.next === to ? mark.chain : head.chain
        dropRecent(head.recent, head.recent.records.length)
        topics.heads.markChanged(head)
      }
      stripDamaged(connection, topic, partition, from, to)
    }
    if (head) removeStrays(connection, head)
  })
}

/**
 * Removes records whose damaged offset is outside of their partition: they would collide with later
 * records. A trigger forbids deleting records from the first offset on, so it is raised meanwhile.
 */
function removeStrays({ sql }: Connection, head: PartitionHead): void {
  const { topic, partition, first, next } = head
  const strays = 'FROM log WHERE topic = ? AND part = ? AND (off < ? OR off >= ?)'
  const place = [topic, partition, first, next]
  // Pages that cannot be read cannot be deleted from either.
  if (!ignoringCorruption(() => sql.get(`SELECT 1 ${strays}`, ...place))) return
  const setFirst = 'UPDATE head SET first = ? WHERE topic = ? AND part = ?'
  sql.run(setFirst, Number.MAX_SAFE_INTEGER, topic, partition)
  sql.run(`DELETE ${strays}`, ...place)
  sql.run(setFirst, first, topic, partition)
}

function partitionOf(
  { topics }: Connection,
  { topic, partition }: Exclude<AcceptedDamage, 'all'>,
): Place {
  const known = topics.heads.known(topic)
  const names = topics.heads.all().map(({ spec }) => spec.name)
  if (!known) throw new Fault('TOPIC_NOT_FOUND', { detail: unknownNameDetail(topic, names) })
  if (!known.heads[partition]) {
    const message = `must be from 0 to ${known.heads.length - 1} for ${topic}, not ${partition}`
    const issues = [{ path: 'accept', message }]
    throw new Fault('OPTION_INVALID', { detail: 'repair', issues })
  }
  return { topic: known.id, partition }
}

/** Turns damaged records into holes, so that no later reader stops at them. */
function stripDamaged(
  { sql }: Connection,
  topic: number,
  partition: number,
  from: number,
  to: number,
): void {
  const select = `SELECT ${RECORD_COLUMNS} FROM log WHERE topic = ? AND part = ? AND off = ?`
  for (let offset = from; offset < to; offset += 1) {
    const row = ignoringCorruption(() => sql.get(select, topic, partition, offset))
    const stored = row && decodeRecord(row, '')
    if (!stored || isIntact(stored) || stored.gone !== null) continue
    sql.run(
      `UPDATE log SET head = '', data = NULL, gone = ?
       WHERE topic = ? AND part = ? AND off = ?`,
      encodeGone(stored.record.id, stored.record.key, stored.record.type, LOST_PAYLOAD),
      topic,
      partition,
      offset,
    )
  }
}

function ignoringCorruption<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (cause) {
    if (isCorrupt(cause)) return undefined
    throw cause
  }
}

function knownLosses({ damage, topics }: Connection): readonly Loss[] {
  const names = new Map(topics.heads.all().map(({ id, spec }) => [id, spec.name]))
  return damage.all().map(({ topic, partition, from, to, code, isAccepted }) => {
    const name = names.get(topic)
    const place = topic === NO_TOPIC || name === undefined ? {} : { topic: name, partition }
    return { ...place, from, to, code, isAccepted }
  })
}

/** Rebuilds the high-water mark from the database: an earlier loss can no longer be detected. */
function rebuildHighWater(files: DataFiles): string | undefined {
  let reason: string
  const db = new DatabaseSync(files.database, { readOnly: true })
  try {
    const epoch = String(db.prepare("SELECT value FROM meta WHERE name = 'epoch'").get()?.['value'])
    reason = highWaterFault(files, epoch) ?? ''
    if (reason === '') return undefined
    const next = `${files.highWater}.new`
    createHighWater(next, epoch)
    const rebuilt = openHighWater(next, false)
    for (const { slot, next: to, chain } of readHeadSlots(db)) rebuilt.advance(slot, to, chain)
    rebuilt.write()
    rebuilt.close()
    renameSync(next, files.highWater)
    syncDirectory(files.directory)
  } finally {
    db.close()
  }
  return reason
}

function highWaterFault({ highWater }: DataFiles, epoch: string): string | undefined {
  if (!existsSync(highWater)) return 'it was missing'
  try {
    const existing = openHighWater(highWater, true)
    existing.close()
    return existing.epoch === epoch ? undefined : `it was of the epoch ${existing.epoch}`
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'it could not be read'
  }
}
