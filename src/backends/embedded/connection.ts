import { closeSync, openSync } from 'node:fs'
import type { Archive } from './archive-index.ts'
import { archiveIn } from './archive-index.ts'
import type { Bell } from '../../base/bell.ts'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import { catalogMustBeWhole } from './catalog-sum.ts'
import type { Checkpoints } from './checkpoints.ts'
import { checkpoints } from './checkpoints.ts'
import type { Commits, CommitsParts } from './commits.ts'
import { commits, noCommits } from './commits.ts'
import type { DamageBook } from './damage.ts'
import { damageIn } from './damage.ts'
import type { OpenDatabase } from './database.ts'
import { openDatabase, openForReading } from './database.ts'

import type { Leases } from './leases.ts'
import { leasesIn } from './leases.ts'
import type { ProgressRows } from './progress.ts'
import { progressIn } from './progress.ts'
import { damagedTable, namingDamage } from './results.ts'
import { mustHaveOwnRows } from './own-rows.ts'
import { assertHighWater, assertIdIndex } from './connection/open-checks.ts'
import { sealing } from './seal.ts'
import { statementsOf } from './statements.ts'
import type { Statements } from './statements.ts'
import type { Streams } from './streams.ts'
import { streamsIn } from './streams.ts'
import type { Tables } from './tables.ts'
import { tablesIn } from './tables.ts'
import type { Topics } from './topics.ts'
import { topicsIn } from './topics.ts'

/** An open data directory. */
export interface Connection {
  readonly database: OpenDatabase
  readonly sql: Statements
  readonly topics: Topics
  readonly archive: Archive
  readonly tables: Tables
  readonly streams: Streams
  readonly progress: ProgressRows
  readonly leases: Leases
  readonly damage: DamageBook
  readonly commits: Commits
  readonly checkpoints: Checkpoints
  close(): Promise<void>
}

/** The connection that log and store share: open while one of them is. */
export interface Use {
  open(): Promise<void>
  close(): Promise<void>
  isOpen(): boolean
  /** @throws Error while closed */
  connection(): Connection
}

/** How a directory is opened: as its owner, read-only, or for repair. */
export interface Way {
  readonly open: (directory: string, clock: Clock) => OpenDatabase
  readonly commits: (parts: CommitsParts) => Commits
  /** Indexes may contradict the rows: repair rebuilds them. */
  readonly isForRepair?: boolean
}

export const owning: Way = { open: openDatabase, commits }
export const reading: Way = { open: openForReading, commits: noCommits }
export const repairing: Way = { ...owning, isForRepair: true }

/** The in-memory parts of an open directory; each loads its state from the database. */
function createParts(sql: Statements, directory: string, clock: Clock) {
  const damage = damageIn(sql)
  const archive = archiveIn(sql, directory)
  const topics = topicsIn({ sql, damage, clock, archived: archive.look })
  const tables = tablesIn(sql)
  return {
    damage,
    archive,
    topics,
    tables,
    streams: streamsIn(sql, tables.idOf),
    progress: progressIn(sql),
    leases: leasesIn(sql),
  }
}

export function connect(directory: string, clock: Clock, news: Bell, way: Way): Connection {
  const database = way.open(directory, clock)
  const { highWater } = database
  const sql = statementsOf(database)
  const parts = createParts(sql, directory, clock)
  const { damage, topics } = parts
  const load = (): void => {
    for (const part of Object.values(parts)) part.load()
    const { progress } = parts
    if (progress.count() !== topics.heads.progressRows())
      throw damagedTable('progress', `${progress.count()} rows`)
  }
  try {
    namingDamage(`a table of ${directory}`, () => {
      catalogMustBeWhole(sql)
      mustHaveOwnRows(sql)
      load()
    })
    if (!way.isForRepair) assertIdIndex(topics)
    assertHighWater(topics, damage, highWater, clock)
  } catch (cause) {
    database.close()
    throw cause
  }
  const moving = checkpoints(database)
  const seal = sealing(clock, highWater, topics.heads, damage, () => parts.progress.count())
  const group = way.commits({
    database,
    // Records of a killed owner may never have been synced, but are acknowledged as duplicates.
    isSynced: !database.hadLog,
    clock,
    sealing: seal.before,
    sealed: seal.after,
    committed() {
      moving.committed(topics.written())
      news.ring()
    },
    rolledBack: load,
  })
  return {
    ...parts,
    database,
    sql,
    commits: group,
    checkpoints: moving,
    async close() {
      group.flush()
      seal.close()
      await moving.close()
      database.close()
    },
  }
}

/** Without a free file handle SQLite reads nothing, which looks like damage. */
function canOpenFiles(): boolean {
  try {
    closeSync(openSync(process.execPath, 'r'))
    return true
  } catch {
    return false
  }
}

/**
 * Reports an error of the operating system, such as a full disk, as such: the data is not damaged.
 *
 * @throws Fault `DATA_UNAVAILABLE` in place of any error without a code
 */
function available<T>(directory: string, open: () => T): T {
  try {
    return open()
  } catch (cause) {
    if (cause instanceof Fault && !(cause.code === 'DATA_DAMAGED' && !canOpenFiles())) throw cause
    const why = cause instanceof Error ? cause.message : 'it cannot be opened'
    throw new Fault('DATA_UNAVAILABLE', { detail: `${directory}: ${why}`, cause })
  }
}

/** One `SharedConnection` for the log and one for the store of a directory. */
export function usesOf(directory: string, clock: Clock, news: Bell, way: Way): readonly [Use, Use] {
  let connection: Connection | undefined
  let closing: Promise<void> | undefined
  let users = 0
  const use = (): Use => {
    let isUsed = false
    return {
      async open() {
        if (isUsed) return
        // A close that failed has released the directory all the same.
        await closing?.catch(() => undefined)
        connection ??= available(directory, () => connect(directory, clock, news, way))
        isUsed = true
        users += 1
      },
      async close() {
        if (!isUsed) return closing
        isUsed = false
        users -= 1
        if (users === 0) {
          closing = connection?.close()
          connection = undefined
        }
        news.ring()
        await closing
      },
      isOpen: () => isUsed,
      connection() {
        if (connection && isUsed) {
          connection.commits.recover()
          return connection
        }
        throw new Error(`the data directory ${directory} is not open`)
      },
    }
  }
  return [use(), use()]
}
