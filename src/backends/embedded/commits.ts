import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { Database } from './database.ts'
import { isAboutValue, isDamaged, isInTheWay, isOfDatabase, isOfDisk } from './results.ts'

/** One change that wants to be committed. */
export interface Request<T> {
  /**
   * Looks at the database as the requests before it in the group leave it, and writes nothing: what
   * writes is `write` of its decision, which comes next. What it throws goes to its caller alone,
   * unless the database threw it.
   */
  decide(): Decision<T>
  /** What its caller is told when the group could not be committed. */
  failed(cause: unknown): T
}

export interface Decision<T> {
  /** Called after the commit. What it throws goes to its caller alone. */
  readonly answer: () => T
  /** Changes the database. False where in the end nothing was changed. */
  readonly write?: () => boolean
}

/** Commits requests in groups: one transaction and one sync for all that came in two turns. */
export interface Commits {
  submit<T>(request: Request<T>): Promise<T>
  /** Commits what waits, at once. */
  flush(): void
  /**
   * After a failed commit memory is read again from the database. Where even that fails, it is
   * tried again here, before anything else relies on memory; throws while it fails.
   */
  recover(): void
  /** From now on groups gather for so long, and leave gaps for others; 0 for two turns. */
  pace(gatherMs: number): void
  /** What went wrong last, until a commit succeeds again. */
  readonly trouble: () => string | undefined
  /** Why nothing is written any more: pages that everything shares are damaged. */
  readonly stopped: () => string | undefined
}

export interface CommitsParts {
  readonly database: Database
  readonly clock: Clock
  /** Everything that is in the database is on the disk; where not, the first commit brings it there. */
  readonly isSynced: boolean
  /** All requests of a group have written: what belongs to the group itself comes now. */
  readonly sealing: () => void
  /** The group is on the disk, and nobody was told yet. */
  readonly sealed: () => void
  /** Everybody was told. */
  readonly committed: () => void
  /** A group was rolled back, so that what memory knows has to be read again. */
  readonly rolledBack: () => void
}

interface Waiting {
  readonly decide: () => Decided
  readonly fail: (cause: unknown) => void
}

interface Decided {
  readonly hasWritten: boolean
  readonly answer: () => void
}

/** What went wrong, and what has to be made good before the next commit. */
interface State {
  trouble: string | undefined
  stopped: Fault | undefined
  /** Set from a failure until memory is what the database has: whether it was the disk's. */
  stale: { readonly isOfDisk: boolean } | undefined
  isSynced: boolean
}

export function commits(parts: CommitsParts): Commits {
  const { isSynced } = parts
  const state: State = { trouble: undefined, stopped: undefined, stale: undefined, isSynced }
  let queue: Waiting[] = []
  let gatherMs = 0
  const flush = (): void => {
    const group = queue
    queue = []
    if (group.length > 0) commit(parts, state, group)
  }
  return {
    flush,
    recover: () => recover(parts, state),
    pace(ms) {
      gatherMs = ms
    },
    trouble: () => state.trouble,
    stopped: () => state.stopped?.message,
    submit: (request) =>
      new Promise((resolve, reject) => {
        if (queue.length === 0)
          if (gatherMs > 0) parts.clock.after(gatherMs, flush)
          // Two turns: whoever is told of one commit and goes on at once is in the next one, with all
          // others that were told, and shares its sync.
          else parts.clock.soon(() => parts.clock.soon(flush))
        queue.push(waitingFor(request, resolve, reject))
      }),
  }
}

function recover({ database, rolledBack }: CommitsParts, state: State): void {
  if (!state.stale) return
  // A sync that failed may have dropped what it should have written: nothing that this connection
  // believes can be relied on.
  if (state.stale.isOfDisk) database.reconnect()
  else if (database.db().isTransaction) database.db().exec('ROLLBACK')
  rolledBack()
  state.stale = undefined
}

function commit(parts: CommitsParts, state: State, group: readonly Waiting[]): void {
  if (state.stopped) return failAll(group, state.stopped)
  let isWriting = false
  let decided: readonly Decided[] = []
  try {
    recover(parts, state)
    const db = parts.database.db()
    db.exec('BEGIN IMMEDIATE')
    isWriting = true
    decided = group.map(({ decide }) => decide())
    if (!state.isSynced || decided.some(({ hasWritten }) => hasWritten)) parts.sealing()
    isWriting = false
    db.exec('COMMIT')
    state.isSynced = true
  } catch (cause) {
    return failed(parts, state, group, cause, isWriting)
  }
  try {
    parts.sealed()
    state.trouble = undefined
    for (const { answer } of decided) answer()
  } catch (cause) {
    // It is stored, but the promise that goes with an acknowledgement is not kept.
    state.trouble = textOf(cause)
    failAll(group, cause)
  }
  parts.committed()
}

function failed(
  parts: CommitsParts,
  state: State,
  group: readonly Waiting[],
  cause: unknown,
  isWriting: boolean,
): void {
  // A value that cannot be written is one request's matter; the disk is everybody's.
  const isBroken = isDamaged(cause) || isInTheWay(cause)
  const isOfOne = isWriting && isAboutValue(cause) && !isBroken
  if (!isOfOne) state.trouble = textOf(cause)
  state.stale = { isOfDisk: isOfDisk(cause) }
  if (isBroken) {
    const detail = 'a page that everything shares cannot be read, so nothing is written any more'
    state.stopped = new Fault('DATA_DAMAGED', { detail, cause })
  }
  try {
    recover(parts, state)
  } catch {
    // The disk is gone altogether; `trouble` says why, and the next call tries again.
  }
  if (isOfOne && group.length > 1) for (const each of group) commit(parts, state, [each])
  else failAll(group, state.stopped ?? cause)
}

function failAll(group: readonly Waiting[], cause: unknown): void {
  for (const { fail } of group) fail(cause)
}

function waitingFor<T>(
  request: Request<T>,
  resolve: (answer: T) => void,
  reject: (cause: unknown) => void,
): Waiting {
  return {
    decide() {
      let decision: Decision<T>
      try {
        decision = request.decide()
      } catch (cause) {
        if (isOfDatabase(cause)) throw cause
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
    fail: (cause) => resolve(request.failed(cause)),
  }
}

const textOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : 'a commit failed'

/** For a database that is only read: nothing is ever committed. */
export function noCommits(): Commits {
  return {
    async submit() {
      throw new Fault('DATA_READ_ONLY', { detail: 'a write' })
    },
    flush: () => undefined,
    recover: () => undefined,
    pace: () => undefined,
    trouble: () => undefined,
    stopped: () => undefined,
  }
}
