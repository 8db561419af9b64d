import type { Clock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { DatabaseHandle } from '../sql/index.ts'
import {
  isValueError,
  isCorrupt,
  isDiskFull,
  isPositionTaken,
  isSqliteError,
  isIoError,
} from '../sql/index.ts'

/** One change to commit. */
export interface CommitRequest<T> {
  /**
   * Decides without writing; the `write` of the decision is called next. Reads include the writes of
   * earlier requests in the group. If it throws, only this request is rejected, unless the error comes
   * from SQLite.
   */
  decide(): Decision<T>
  /** Returns the result of this request if the group cannot be committed. */
  onFailure(cause: unknown): T
}

export interface Decision<T> {
  /** Called after the commit. If it throws, only this request is rejected. */
  readonly answer: () => T
  /** Changes the database. Returns false if nothing was changed. */
  readonly write?: () => boolean
}

/** Group commit: one transaction and one sync for all requests of two event-loop ticks. */
export interface GroupCommit {
  submit<T>(request: CommitRequest<T>): Promise<T>
  /** Commits the waiting requests at once. */
  flush(): void
  /**
   * Retries the reload of the in-memory state that follows a failed commit, if the reload failed too.
   * Call it before using that state.
   *
   * @throws while the reload fails
   */
  recover(): void
  /** Sets how long a group collects requests, which leaves gaps for a backup; 0 means two ticks. */
  setGatherMs(gatherMs: number): void
  /** The last failure, until a commit succeeds again. */
  readonly lastFailure: () => string | undefined
  /** Why all writes have stopped: shared pages are damaged. */
  readonly stopReason: () => string | undefined
}

export interface GroupCommitOptions {
  readonly database: DatabaseHandle
  readonly clock: Clock
  /** Whether all of the database is synced; otherwise the first commit syncs it. */
  readonly isSynced: boolean
  /** Called inside the transaction, after all requests have written. */
  readonly beforeCommit: () => void
  /** Called once the group is on disk, before any request is answered. */
  readonly afterCommit: () => void
  /** Called once all requests are answered. */
  readonly onCommitted: () => void
  /** Called after a rollback, to reload the in-memory state. */
  readonly onRollback: () => void
}

interface QueuedRequest {
  readonly decide: () => DecidedRequest
  readonly fail: (cause: unknown) => void
}

interface DecidedRequest {
  readonly hasWritten: boolean
  readonly answer: () => void
}

/** Failures, and what has to be recovered before the next commit. */
interface CommitState {
  lastFailure: string | undefined
  stopped: Fault | undefined
  /** Set from a failure until the in-memory state is reloaded; whether the disk failed. */
  stale: { readonly isOfDisk: boolean } | undefined
  isSynced: boolean
}

export function createGroupCommit(parts: GroupCommitOptions): GroupCommit {
  const { isSynced } = parts
  const state: CommitState = {
    lastFailure: undefined,
    stopped: undefined,
    stale: undefined,
    isSynced,
  }
  let queue: QueuedRequest[] = []
  let gatherMs = 0
  const flush = (): void => {
    const group = queue
    queue = []
    if (group.length > 0) commit(parts, state, group)
  }
  return {
    flush,
    recover: () => recover(parts, state),
    setGatherMs(ms) {
      gatherMs = ms
    },
    lastFailure: () => state.lastFailure,
    stopReason: () => state.stopped?.message,
    submit: (request) =>
      new Promise((resolve, reject) => {
        if (queue.length === 0)
          if (gatherMs > 0) parts.clock.after(gatherMs, flush)
          // Wait two ticks, so that all callers that react to one commit share the sync of the next.
          else parts.clock.defer(() => parts.clock.defer(flush))
        queue.push(queueRequest(request, resolve, reject))
      }),
  }
}

function recover({ database, onRollback }: GroupCommitOptions, state: CommitState): void {
  if (!state.stale) return
  // A failed sync may have dropped dirty pages, so what this connection has cached is not reliable.
  if (state.stale.isOfDisk) database.reconnect()
  else if (database.db().isTransaction) database.db().exec('ROLLBACK')
  onRollback()
  state.stale = undefined
}

function commit(
  parts: GroupCommitOptions,
  state: CommitState,
  group: readonly QueuedRequest[],
): void {
  if (state.stopped) return failAll(group, state.stopped)
  let isWriting = false
  let decided: readonly DecidedRequest[] = []
  try {
    recover(parts, state)
    const db = parts.database.db()
    db.exec('BEGIN IMMEDIATE')
    isWriting = true
    decided = group.map(({ decide }) => decide())
    if (!state.isSynced || decided.some(({ hasWritten }) => hasWritten)) parts.beforeCommit()
    isWriting = false
    db.exec('COMMIT')
    state.isSynced = true
  } catch (cause) {
    return handleFailure(parts, state, group, cause, isWriting)
  }
  try {
    parts.afterCommit()
    state.lastFailure = undefined
    for (const { answer } of decided) answer()
  } catch (cause) {
    // The data is stored, but without the high-water mark an acknowledgement would promise too much.
    state.lastFailure = textOf(cause)
    failAll(group, cause)
  }
  parts.onCommitted()
}

function handleFailure(
  parts: GroupCommitOptions,
  state: CommitState,
  group: readonly QueuedRequest[],
  cause: unknown,
  isWriting: boolean,
): void {
  // A value that cannot be written fails its own request; a failed disk fails the whole group.
  const isBroken = isCorrupt(cause) || isPositionTaken(cause)
  const isOfOne = isWriting && isValueError(cause) && !isBroken
  if (!isOfOne) state.lastFailure = textOf(cause)
  state.stale = { isOfDisk: isIoError(cause) }
  if (isBroken) {
    const detail = 'a shared page cannot be read, so all writes have stopped'
    state.stopped = new Fault('DATA_DAMAGED', { detail, cause })
  }
  try {
    recover(parts, state)
  } catch {
    // The disk still fails; `lastFailure` says why, and the next call retries.
  }
  if (isOfOne && group.length > 1) for (const each of group) commit(parts, state, [each])
  else failAll(group, state.stopped ?? cause)
}

function failAll(group: readonly QueuedRequest[], cause: unknown): void {
  for (const { fail } of group) fail(cause)
}

function queueRequest<T>(
  request: CommitRequest<T>,
  resolve: (answer: T) => void,
  reject: (cause: unknown) => void,
): QueuedRequest {
  return {
    decide() {
      let decision: Decision<T>
      try {
        decision = request.decide()
      } catch (cause) {
        if (isSqliteError(cause)) throw cause
        return { hasWritten: false, answer: () => reject(cause) }
      }
      const hasWritten = decision.write?.() ?? false
      const { answer } = decision
      return {
        hasWritten,
        answer() {
          try {
            resolve(answer())
          } catch (cause) {
            reject(cause)
          }
        },
      }
    },
    fail: (cause) => resolve(request.onFailure(cause)),
  }
}

const textOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : 'a commit failed'

/**
 * Commits a change that cannot be refused.
 *
 * @throws Fault `LOG_FULL` where the disk is full, otherwise what failed
 */
export async function commitOrThrow<T>(commits: GroupCommit, change: () => T): Promise<T> {
  let result: T | undefined
  const failure = await commits.submit<{ cause: unknown } | undefined>({
    decide: () => ({
      answer: () => undefined,
      write() {
        result = change()
        return true
      },
    }),
    onFailure: (cause) => ({ cause }),
  })
  if (!failure) return result as T
  const { cause } = failure
  if (!isDiskFull(cause)) throw cause
  throw new Fault('LOG_FULL', { detail: 'the disk of the data directory is full', cause })
}

/** For a read-only database: every commit is refused. */
export function createReadOnlyCommit(): GroupCommit {
  return {
    async submit() {
      throw new Fault('DATA_READ_ONLY', { detail: 'a write was refused' })
    },
    flush: () => undefined,
    recover: () => undefined,
    setGatherMs: () => undefined,
    lastFailure: () => undefined,
    stopReason: () => undefined,
  }
}
