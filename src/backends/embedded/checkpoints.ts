import { Worker } from 'node:worker_threads'
import type { Database } from './database.ts'

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
const RESTART_PAGES = 2_048

/** Pages beyond which somebody must be holding it: 128 MiB. */
const PAGES_MAX = 16_384
const PAGE_BYTES = 8_192

/** What each commit writes beside its bytes: the last page of each index, and some heads. */
const COMMIT_BYTES = 32_768

/** How far a checkpoint came, in pages. */
interface Moved {
  readonly log: number
  readonly checkpointed: number
}

export function checkpoints(database: Database & { readonly path: string }): Checkpoints {
  let bytes = 0
  let worker: Worker | undefined
  let isMoving = false
  let hasThread = true
  let pinned: string | undefined
  const moved = (by: Moved): void => {
    isMoving = false
    pinned = alarmOf(by, by.log > RESTART_PAGES ? rest(database) : by.log - by.checkpointed)
  }
  const start = (): Worker => {
    const started = threadFor(database.path)
    started.on('message', moved)
    started.on('error', () => {
      // Without a thread the commits do it themselves, as slow as that is.
      hasThread = false
      worker = undefined
      isMoving = false
    })
    return started
  }
  return {
    committed(added) {
      bytes += 2 * added + COMMIT_BYTES
      if (bytes < DUE_BYTES || isMoving) return
      bytes = 0
      isMoving = true
      if (!hasThread) return moved(here(database))
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

function threadFor(path: string): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const file = new URL(`./checkpoint-thread.${extension}`, import.meta.url)
  const started = new Worker(file, { workerData: { path } })
  started.unref()
  return started
}

/** A checkpoint by the thread that commits. One that fails is made up for by the next. */
function here(database: Database): Moved {
  try {
    const row = database.db().prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
    return row as unknown as Moved
  } catch {
    return { log: 0, checkpointed: 0 }
  }
}

/** What the thread left, between two commits: with nothing left, the log begins anew. */
function rest(database: Database): number {
  const { log, checkpointed } = here(database)
  return log - checkpointed
}

function alarmOf({ log }: Moved, left: number): string | undefined {
  if (left <= 0 || log <= PAGES_MAX) return undefined
  const mebibytes = Math.round((log * PAGE_BYTES) / 1_048_576)
  return `the write-ahead log has ${mebibytes} MiB: a reader holds it open`
}
