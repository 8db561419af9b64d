import type { Bell } from '../../base/bell.ts'
import type { Clock } from '../../base/clock.ts'
import type { Commits, CommitsParts } from './commits.ts'
import { commits, noCommits } from './commits.ts'
import type { OpenDatabase } from './database.ts'
import { openDatabase, openForReading } from './database.ts'
import type { Leases } from './leases.ts'
import { leasesIn } from './leases.ts'
import type { ProgressRows } from './progress.ts'
import { progressIn } from './progress.ts'
import { statementsOf } from './statements.ts'
import type { Statements } from './statements.ts'
import type { Tables } from './tables.ts'
import { tablesIn } from './tables.ts'
import type { Topics } from './topics.ts'
import { topicsIn } from './topics.ts'

/** An open data directory. */
export interface Connection {
  readonly sql: Statements
  readonly topics: Topics
  readonly tables: Tables
  readonly progress: ProgressRows
  readonly leases: Leases
  readonly commits: Commits
  close(): void
}

/** What log and store share: the directory is open while one of them is. */
export interface Use {
  open(): Promise<void>
  close(): Promise<void>
  isOpen(): boolean
  /** @throws Error while closed */
  connection(): Connection
}

/** How a directory is opened: by its owner, or by one who only looks. */
export interface Way {
  readonly open: (directory: string, clock: Clock) => OpenDatabase
  readonly commits: (parts: CommitsParts) => Commits
}

export const owning: Way = { open: openDatabase, commits }
export const reading: Way = { open: openForReading, commits: noCommits }

function connect(directory: string, clock: Clock, news: Bell, way: Way): Connection {
  const { db, close } = way.open(directory, clock)
  const sql = statementsOf(db)
  const parts = {
    topics: topicsIn(sql),
    tables: tablesIn(sql),
    progress: progressIn(sql),
    leases: leasesIn(sql),
  }
  const load = (): void => {
    for (const part of Object.values(parts)) part.load()
  }
  try {
    load()
  } catch (cause) {
    close()
    throw cause
  }
  const group = way.commits({ db, clock, committed: () => news.ring(), rolledBack: load })
  return {
    ...parts,
    sql,
    commits: group,
    close() {
      group.flush()
      close()
    },
  }
}

/** One `Use` for the log and one for the store of a directory. */
export function usesOf(directory: string, clock: Clock, news: Bell, way: Way): readonly [Use, Use] {
  let connection: Connection | undefined
  let users = 0
  const use = (): Use => {
    let isUsed = false
    return {
      async open() {
        if (isUsed) return
        connection ??= connect(directory, clock, news, way)
        isUsed = true
        users += 1
      },
      async close() {
        if (!isUsed) return
        isUsed = false
        users -= 1
        if (users === 0) {
          connection?.close()
          connection = undefined
        }
        news.ring()
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
