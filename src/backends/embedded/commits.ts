import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import { isAboutValue } from './results.ts'

/** One change that wants to be committed. */
export interface Request<T> {
  /**
   * Looks at the database as the requests before it in the group leave it, and changes nothing.
   * What it throws goes to its caller alone.
   */
  decide(): Decision<T>
  /** What its caller is told when the group could not be committed. */
  failed(cause: unknown): T
}

export interface Decision<T> {
  /** Called after the commit. */
  readonly answer: () => T
  readonly write?: () => void
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
}

export interface CommitsParts {
  readonly db: DatabaseSync
  readonly clock: Clock
  /** Something was committed. */
  readonly committed: () => void
  /** A group was rolled back, so that what memory knows has to be read again. */
  readonly rolledBack: () => void
}

interface Waiting {
  readonly decide: () => (() => void) | undefined
  readonly fail: (cause: unknown) => void
}

export function commits({ db, clock, committed, rolledBack }: CommitsParts): Commits {
  let queue: Waiting[] = []
  let trouble: string | undefined
  let isStale = false

  function recover(): void {
    if (!isStale) return
    if (db.isTransaction) db.exec('ROLLBACK')
    rolledBack()
    isStale = false
  }

  function flush(): void {
    const group = queue
    queue = []
    if (group.length > 0) commit(group)
  }

  function commit(group: readonly Waiting[]): void {
    let isWriting = false
    let answers: readonly ((() => void) | undefined)[] = []
    try {
      recover()
      db.exec('BEGIN IMMEDIATE')
      isWriting = true
      answers = group.map(({ decide }) => decide())
      isWriting = false
      db.exec('COMMIT')
    } catch (cause) {
      // A value that cannot be written is one request's matter; the disk is everybody's.
      const isOfOne = isWriting && isAboutValue(cause)
      if (!isOfOne) trouble = textOf(cause)
      isStale = true
      try {
        recover()
      } catch {
        // The disk is gone altogether; `trouble` says why, and the next call tries again.
      }
      if (isOfOne && group.length > 1) for (const each of group) commit([each])
      else for (const { fail } of group) fail(cause)
      return
    }
    trouble = undefined
    for (const answer of answers) answer?.()
    committed()
  }

  return {
    flush,
    recover,
    trouble: () => trouble,
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
        return () => reject(cause)
      }
      decision.write?.()
      const { answer } = decision
      return () => resolve(answer())
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
  }
}
