import { closeSync, openSync } from 'node:fs'
import type { ArchiveIndex } from '../archive/index.ts'
import { createArchiveIndex } from '../archive/index.ts'
import type { Notifier } from '../../../base/time/notifier.ts'
import type { Clock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import {
  assertCatalog,
  assertLedgerSentinels,
  damagedTableFault,
  withDamageFault,
  assertSentinelRows,
  createStatements,
} from '../sql/index.ts'
import type { Checkpointer, GroupCommit, GroupCommitOptions } from '../commit/index.ts'
import {
  createCheckpointer,
  createGroupCommit,
  createReadOnlyCommit,
  createCommitSeal,
} from '../commit/index.ts'
import type { DamageRegistry, Topics } from '../log/index.ts'
import { createDamageRegistry, createTopics } from '../log/index.ts'
import type { OpenDatabase } from '../files/index.ts'
import { openDatabase, openReadOnly } from '../files/index.ts'

import type { Leases, ProgressTable, EntityStreams, Tables } from '../store/index.ts'
import type { ProgressRanges, StatusTable, SubscriptionTable } from '../store/index.ts'
import {
  createLeases,
  createProgressRanges,
  createProgressTable,
  createEntityStreams,
  createStatusTable,
  createSubscriptionTable,
  createTables,
} from '../store/index.ts'
import { assertHighWater, assertIdIndex } from './open-checks.ts'
import type { Statements } from '../sql/index.ts'

/** An open data directory. */
export interface Connection {
  readonly database: OpenDatabase
  readonly sql: Statements
  readonly topics: Topics
  readonly archive: ArchiveIndex
  readonly tables: Tables
  readonly streams: EntityStreams
  readonly progress: ProgressTable
  readonly statuses: StatusTable
  readonly ranges: ProgressRanges
  readonly subscriptions: SubscriptionTable
  readonly leases: Leases
  readonly damage: DamageRegistry
  readonly commits: GroupCommit
  readonly checkpoints: Checkpointer
  close(): Promise<void>
}

/** The connection that log and store share: open while one of them is. */
export interface SharedConnection {
  open(): Promise<void>
  close(): Promise<void>
  isOpen(): boolean
  /** @throws Error while closed */
  connection(): Connection
}

/** How a directory is opened: as its owner, read-only, or for repair. */
export interface OpenMode {
  readonly open: (directory: string, clock: Clock) => OpenDatabase
  readonly commits: (parts: GroupCommitOptions) => GroupCommit
  /** Indexes may contradict the rows: repair rebuilds them. */
  readonly isForRepair?: boolean
}

export const ownerMode: OpenMode = { open: openDatabase, commits: createGroupCommit }
export const readOnlyMode: OpenMode = { open: openReadOnly, commits: createReadOnlyCommit }
export const repairMode: OpenMode = { ...ownerMode, isForRepair: true }

/** The in-memory parts of an open directory; each loads its state from the database. */
function createParts(sql: Statements, directory: string, clock: Clock) {
  const damage = createDamageRegistry(sql)
  const archive = createArchiveIndex(sql, directory)
  const topics = createTopics({ sql, damage, clock, restoreArchived: archive.look })
  const tables = createTables(sql)
  return {
    damage,
    archive,
    topics,
    tables,
    streams: createEntityStreams(sql, tables.idOf),
    progress: createProgressTable(sql),
    statuses: createStatusTable(sql),
    ranges: createProgressRanges(sql),
    subscriptions: createSubscriptionTable(sql),
    leases: createLeases(sql),
  }
}

export function openConnection(
  directory: string,
  clock: Clock,
  notifier: Notifier,
  mode: OpenMode,
): Connection {
  const database = mode.open(directory, clock)
  const { highWater } = database
  const sql = createStatements(database)
  const parts = createParts(sql, directory, clock)
  const { damage, topics } = parts
  const load = (): void => {
    for (const part of Object.values(parts)) if ('load' in part) part.load()
    const { progress } = parts
    if (progress.count() !== topics.heads.progressRows())
      throw damagedTableFault('progress', `${progress.count()} rows`)
  }
  try {
    withDamageFault(`a table of ${directory}`, () => {
      assertCatalog(sql)
      assertSentinelRows(sql)
      assertLedgerSentinels(sql)
      load()
    })
    if (!mode.isForRepair) assertIdIndex(topics)
    assertHighWater(topics, damage, highWater, clock)
  } catch (cause) {
    database.close()
    throw cause
  }
  const checkpoints = createCheckpointer(database)
  const seal = createCommitSeal(clock, highWater, topics.heads, damage, () =>
    parts.progress.count(),
  )
  const commits = mode.commits({
    database,
    // Records of a killed owner may never have been synced, but are acknowledged as duplicates.
    isSynced: !database.hadWal,
    clock,
    beforeCommit: seal.beforeCommit,
    afterCommit: seal.afterCommit,
    onCommitted() {
      checkpoints.committed(topics.takeWrittenBytes())
      notifier.notify()
    },
    onRollback: load,
  })
  return {
    ...parts,
    database,
    sql,
    commits,
    checkpoints,
    async close() {
      commits.flush()
      seal.close()
      await checkpoints.close()
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
function withUnavailableFault<T>(directory: string, open: () => T): T {
  try {
    return open()
  } catch (cause) {
    if (cause instanceof Fault && !(cause.code === 'DATA_DAMAGED' && !canOpenFiles())) throw cause
    const why = cause instanceof Error ? cause.message : 'it cannot be opened'
    throw new Fault('DATA_UNAVAILABLE', { detail: `${directory}: ${why}`, cause })
  }
}

/** One `SharedConnection` for the log and one for the store of a directory. */
export function shareConnection(
  directory: string,
  clock: Clock,
  notifier: Notifier,
  mode: OpenMode,
): readonly [SharedConnection, SharedConnection] {
  let connection: Connection | undefined
  let closing: Promise<void> | undefined
  let users = 0
  const use = (): SharedConnection => {
    let isUsed = false
    return {
      async open() {
        if (isUsed) return
        // A close that failed has released the directory all the same.
        await closing?.catch(() => undefined)
        connection ??= withUnavailableFault(directory, () =>
          openConnection(directory, clock, notifier, mode),
        )
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
        notifier.notify()
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
