import { Worker } from 'node:worker_threads'
import type { DatabaseHandle } from '../sql/index.ts'
import { PAGE_BYTES } from '../sql/index.ts'

/**
 * Moves the write-ahead log into the database. A commit that did it would delay all callers by tens of
 * milliseconds, so a worker thread does it while commits go on. The pages written meanwhile are moved
 * between two commits, and the write-ahead log restarts.
 */
export interface Checkpointer {
  /** Counts a commit of about this many bytes. */
  committed(bytes: number): void
  /** Why the write-ahead log exceeds its limit, if it does. */
  alarm(): string | undefined
  close(): Promise<void>
}

/** Committed bytes after which a checkpoint is due. */
const DUE_BYTES = 4_194_304

/** Pages from which the log is restarted after a checkpoint: 16 MiB. */
const RESTART_PAGES = 4_096

/** Pages from which a reader must be holding the log: 128 MiB. */
const PAGES_MAX = 32_768

/** Bytes committed during a checkpoint after which the commits checkpoint themselves. */
const BEHIND_BYTES = 67_108_864

/** Overhead of a commit: the last page of each index, and some heads. */
const COMMIT_BYTES = 16_384

/** The result row of a checkpoint, in pages. */
interface CheckpointResult {
  readonly log: number
  readonly checkpointed: number
  readonly failure?: string
}

export function createCheckpointer(
  database: DatabaseHandle & { readonly path: string },
): Checkpointer {
  let bytes = 0
  let worker: Worker | undefined
  let isMoving = false
  let failures = 0
  let pinned: string | undefined
  const onResult = (by: CheckpointResult): void => {
    isMoving = false
    pinned = alarmOf(by, by.log > RESTART_PAGES ? checkpointInline(database) : by)
  }
  const start = (): Worker => {
    const started = startWorker(database.path)
    started.on('message', onResult)
    started.on('error', () => {
      // Retried; after several failures the commits checkpoint themselves, which is slower.
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
      if (isBehind || failures > FAILURES_MAX) return onResult(checkpointInline(database))
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
 * The worker never waits: pages that cannot be moved yet are moved the next time. Its source is passed
 * as text, so that it needs no file of the package and no type stripping, which would double its
 * memory.
 */
const WORKER_SOURCE = `
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

function startWorker(path: string): Worker {
  const options = { eval: true, workerData: { path }, resourceLimits: THREAD_LIMITS }
  const started = new Worker(WORKER_SOURCE, options)
  started.unref()
  return started
}

/** Checkpoints on the committing thread; the log restarts where nothing is left in it. */
function checkpointInline(database: DatabaseHandle): CheckpointResult {
  try {
    const row = database.db().prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
    return row as unknown as CheckpointResult
  } catch (cause) {
    const failure = cause instanceof Error ? cause.message : 'it failed'
    return { log: 0, checkpointed: 0, failure }
  }
}

function alarmOf(
  { log }: CheckpointResult,
  { log: rest, checkpointed, failure }: CheckpointResult,
): string | undefined {
  if (failure !== undefined) return `the write-ahead log cannot be checkpointed: ${failure}`
  if (rest - checkpointed <= 0 || log <= PAGES_MAX) return undefined
  const mebibytes = Math.round((log * PAGE_BYTES) / 1_048_576)
  return `the write-ahead log has ${mebibytes} MiB: a reader holds it open`
}

/** Failures of the worker after which it is not started again. */
const FAILURES_MAX = 3
