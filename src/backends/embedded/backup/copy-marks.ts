import { closeSync, fsyncSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { LogEnd } from '../../../ports/event-log.ts'
import type { DataFiles } from '../files/index.ts'
import { createHighWater, openHighWater, readHeadSlots } from '../files/index.ts'

/** What a backup's manifest says about the copied database. */
export interface BackupInspection {
  readonly epoch: string
  readonly ends: readonly LogEnd[]
  /** The archive files that it refers to. */
  readonly archives: readonly string[]
}

const SELECT_ENDS = `SELECT topic.name AS topic, head.part AS partition, first, next FROM head
  JOIN topic ON topic.id = head.topic ORDER BY topic.id, part`

/**
 * Creates and syncs the high-water file of a database that was just copied: all of its records count as
 * acknowledged. Nobody may have the database open.
 */
export function writeCopyMarks({ database, highWater }: DataFiles): BackupInspection {
  const db = new DatabaseSync(database)
  try {
    const epoch = String(db.prepare("SELECT value FROM meta WHERE name = 'epoch'").get()?.['value'])
    createHighWater(highWater, epoch)
    const marks = openHighWater(highWater, false)
    for (const { slot, next, chain } of readHeadSlots(db)) marks.advance(slot, next, chain)
    marks.write()
    marks.close()
    syncFile(highWater)
    const ends = db.prepare(SELECT_ENDS).all() as unknown as readonly LogEnd[]
    const moved = db
      .prepare('SELECT DISTINCT file FROM archive WHERE topic > 0 ORDER BY file')
      .all()
    return {
      epoch,
      ends: ends.map((end) => ({ ...end })),
      archives: moved.map(({ file }) => String(file)),
    }
  } finally {
    db.close()
  }
}

function syncFile(path: string): void {
  const handle = openSync(path, 'r+')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
