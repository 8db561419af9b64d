import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { Database } from './database.ts'
import { isAboutValue, isDamaged, isOfDatabase, isOfDisk } from './results.ts'

/** One change that wants to be committed. */
export interface Request<T> {
  /**
   * Looks at the database as the requests before it in the group leave it, and changes nothing.
   * What it throws goes to its caller alone, unless the database threw it.
   */
  decide(): Decision<T>
  /** What its caller is told when the group could not be committed. */
  failed(cause: unknown): T
}

export interface Decision<T> {
  /** Called after the commit. */
  readonly answer: () => T
  /** False where in the end nothing was changed. */
  readonly write?: () => boolean
}

/** Commits requests in groups: one transaction and one sync for all that came in one turn. */
export interface Commits {
  submit<T>(request: Request<T>): Promise<T>
  /** Commits what waits, at once. */
  flush(): void
  /**
   * After a failed commit memory is read again from the database. Where even that fails, it is
   * tried again here, before anything else relies on memory; throws while it fails.
   */
  recover(): void
  /** What went wrong last, until a commit succeeds again. */
  readonly trouble: () => string | undefined
  /** Why nothing is written any more: pages that everything shares are damaged. */
  readonly stopped: () => string | undefined
}

export interface CommitsParts {
  readonly database: Database
  readonly clock: Clock
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

export function commits(parts: CommitsParts): Commits {
  const { database, clock } = parts
  let queue: Waiting[] = []
  let trouble: string | undefined
  let stopped: Fault | undefined
  /** Set from a failure until memory is what the database has: whether it was the disk's. */
  let stale: { readonly isOfDisk: boolean } | undefined

  function recover(): void {
    if (!stale) return
    // A sync that failed may have dropped what it should have written: nothing that this connection
    // believes can be relied on.
    if (stale.isOfDisk) database.reconnect()
    else if (database.db().isTransaction) database.db().exec('ROLLBACK')
    parts.rolledBack()
    stale = undefined
  }

  function flush(): void {
    const group = queue
    queue = []
    if (group.length > 0) commit(group)
  }

  function commit(group: readonly Waiting[]): void {
    if (stopped) {
      for (const { fail } of group) fail(stopped)
      return
    }
    let isWriting = false
    let decided: readonly Decided[] = []
    try {
      recover()
      const db = database.db()
      db.exec('BEGIN IMMEDIATE')
      isWriting = true
      decided = group.map(({ decide }) => decide())
      if (decided.some(({ hasWritten }) => hasWritten)) parts.sealing()
      isWriting = false
      db.exec('COMMIT')
    } catch (cause) {
      failed(group, cause, isWriting)
      return
    }
    try {
      parts.sealed()
    } catch (cause) {
      // It is stored, but the promise that goes with an acknowledgement is not kept.
      trouble = textOf(cause)
      for (const { fail } of group) fail(cause)
      parts.committed()
      return
    }
    trouble = undefined
    for (const { answer } of decided) answer()
    parts.committed()
  }

  function failed(group: readonly Waiting[], cause: unknown, isWriting: boolean): void {
    // A value that cannot be written is one request's matter; the disk is everybody's.
    const isOfOne = isWriting && isAboutValue(cause)
    if (!isOfOne) trouble = textOf(cause)
    stale = { isOfDisk: isOfDisk(cause) }
    if (isDamaged(cause)) {
      const detail = 'a page that everything shares cannot be read, so nothing is written any more'
      stopped = new Fault('DATA_DAMAGED', { detail, cause })
    }
    try {
      recover()
    } catch {
      // The disk is gone altogether; `trouble` says why, and the next call tries again.
    }
    if (isOfOne && group.length > 1) for (const each of group) commit([each])
    else for (const { fail } of group) fail(stopped ?? cause)
  }

  return {
    flush,
    recover,
    trouble: () => trouble,
    stopped: () => stopped?.message,
    submit: (request) =>
      new Promise((resolve, reject) => {
        if (queue.length === 0) clock.soon(flush)
        queue.push(waitingFor(request, resolve, reject))
      }),
  }
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
      return { hasWritten, answer: () => resolve(answer()) }
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
    trouble: () => undefined,
    stopped: () => undefined,
  }
}
