import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'

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

  function flush(): void {
    const group = queue
    if (group.length === 0) return
    queue = []
    try {
      db.exec('BEGIN IMMEDIATE')
      const answers = group.map(({ decide }) => decide())
      db.exec('COMMIT')
      trouble = undefined
      for (const answer of answers) answer?.()
      committed()
    } catch (cause) {
      trouble = cause instanceof Error ? cause.message : 'a commit failed'
      if (db.isTransaction) db.exec('ROLLBACK')
      rolledBack()
      for (const { fail } of group) fail(cause)
    }
  }

  return {
    flush,
    trouble: () => trouble,
    submit: (request) =>
      new Promise((resolve, reject) => {
        if (queue.length === 0) clock.soon(flush)
        queue.push({
          decide() {
            let decision
            try {
              decision = request.decide()
            } catch (cause) {
              return () => reject(cause as Error)
            }
            decision.write?.()
            const { answer } = decision
            return () => resolve(answer())
          },
          fail: (cause) => resolve(request.failed(cause)),
        })
      }),
  }
}
