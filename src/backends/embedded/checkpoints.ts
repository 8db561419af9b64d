import { Worker } from 'node:worker_threads'
import type { DatabaseHandle } from './sql/database-handle.ts'
import { PAGE_BYTES } from './schema.ts'

/**
 * When the write-ahead log is moved into the database. A commit that had to do it would keep
 * everybody waiting for tens of milliseconds, so another thread does it beside the commits; the
 * little that came meanwhile is moved between two commits, and the log begins anew.
 */
export interface Checkpoints {
  /** Something was committed, of about so many bytes. */
  committed(bytes: number): void
  /** Why the write-ahead log grows beyond its bound, if it does. */
  alarm(): string | undefined
  close(): Promise<void>
}

/** About how much may be committed before it is moved. Small databases never come to it. */
const DUE_BYTES = 4_194_304

/** Pages beyond which the log is made to begin anew, in the pause after a checkpoint: 16 MiB. */
const RESTART_PAGES = 4_096

/** Pages beyond which somebody must be holding it: 128 MiB. */
const PAGES_MAX = 32_768

/** About how much may come while the thread is at it; beyond, the commits do it themselves. */
const BEHIND_BYTES = 67_108_864

/** What each commit writes beside its bytes: the last page of each index, and some heads. */
const COMMIT_BYTES = 16_384

/** How far a checkpoint came, in pages. */
interface Moved {
  readonly log: number
  readonly checkpointed: number
  readonly failure?: string
}

export function checkpoints(database: DatabaseHandle & { readonly path: string }): Checkpoints {
  let bytes = 0
  let worker: Worker | undefined
  let isMoving = false
  let failures = 0
  let pinned: string | undefined
  const moved = (by: Moved): void => {
    isMoving = false
    pinned = alarmOf(by, by.log > RESTART_PAGES ? here(database) : by)
  }
  const start = (): Worker => {
    const started = threadFor(database.path)
    started.on('message', moved)
    started.on('error', () => {
      // Tried again, and then the commits do it themselves, as slow as that is.
      failures += 1
      worker = undefined
      isMoving = false
    })
    return started
  }
  return {
    committed(added) {
      bytes += 2 * added + COMMIT_BYTES
      const isBehind = bytes >= BEHIND_BYTES
      if (bytes < DUE_BYTES || (isMoving && !isBehind)) return
      bytes = 0
      if (isBehind || failures > FAILURES_MAX) return moved(here(database))
      isMoving = true
      worker ??= start()
      worker.postMessage('checkpoint', [])
    },
    alarm: () => pinned,
    async close() {
      if (!worker) return
      const ended = new Promise((resolve) => worker?.once('exit', resolve))
      worker.ref()
      worker.postMessage('close', [])
      await ended
      worker = undefined
    },
  }
}

/**
 * The thread never waits for anybody: what cannot be moved yet is moved the next time. Its few lines
 * are handed to it as text, so that it needs no file of the package and nothing that reads types,
 * which would take twice the memory.
 */
const THREAD = `
  const { DatabaseSync } = require('node:sqlite')
  const { parentPort, workerData } = require('node:worker_threads')
  const db = new DatabaseSync(workerData.path, { timeout: 0 })
  db.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL')
  const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  parentPort.on('message', (asked) => {
    if (asked === 'checkpoint') return parentPort.postMessage(checkpoint.get())
    db.close()
    parentPort.close()
  })`

const THREAD_LIMITS = {
  maxOldGenerationSizeMb: 16,
  maxYoungGenerationSizeMb: 2,
  codeRangeSizeMb: 4,
}

function threadFor(path: string): Worker {
  const options = { eval: true, workerData: { path }, resourceLimits: THREAD_LIMITS }
  const started = new Worker(THREAD, options)
  started.unref()
  return started
}

/** A checkpoint by the thread that commits; with nothing left after it, the log begins anew. */
function here(database: DatabaseHandle): Moved {
  try {
    const row = database.db().prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
    return row as unknown as Moved
  } catch (cause) {
    const failure = cause instanceof Error ? cause.message : 'it failed'
    return { log: 0, checkpointed: 0, failure }
  }
}

function alarmOf({ log }: Moved, { log: rest, checkpointed, failure }: Moved): string | undefined {
  if (failure !== undefined) return `the write-ahead log cannot be moved: ${failure}`
  if (rest - checkpointed <= 0 || log <= PAGES_MAX) return undefined
  const mebibytes = Math.round((log * PAGE_BYTES) / 1_048_576)
  return `the write-ahead log has ${mebibytes} MiB: a reader holds it open`
}

/** How often the thread may break before it is not started again. */
const FAILURES_MAX = 3
