import assert from 'node:assert/strict'
import type { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import type { Clock } from '../../../base/time/clock.ts'
import type { GroupCommit, CommitRequest } from './group-commit.ts'
import { createGroupCommit } from './group-commit.ts'

/** A database that records its statements, and fails on demand. */
interface Trial {
  readonly group: GroupCommit
  /** Everything that happened, in order. */
  readonly events: string[]
  /** Statements that fail, with what they throw. */
  readonly failing: Map<string, Error>
  /** Makes the reload of the in-memory state fail. */
  readonly reload: { failure?: Error }
  /** Thrown after the commit, as when the high-water mark cannot be written. */
  readonly mark: { failure?: Error }
  /** Ends the tick. */
  turn(): void
}

function trial(): Trial {
  const events: string[] = []
  const failing = new Map<string, Error>()
  const reload: { failure?: Error } = {}
  const mark: { failure?: Error } = {}
  let due: (() => void)[] = []
  let isOpen = false
  const db = {
    get isTransaction() {
      return isOpen
    },
    exec(sql: string) {
      const verb = sql.split(' ')[0] as string
      events.push(verb)
      const failure = failing.get(verb)
      if (failure) throw failure
      isOpen = verb === 'BEGIN'
    },
  }
  const clock: Pick<Clock, 'defer'> = { defer: (run) => void due.push(run) }
  const group = createGroupCommit({
    database: {
      db: () => db as unknown as DatabaseSync,
      reconnect: () => events.push('reconnect'),
    },
    clock: clock as Clock,
    isSynced: true,
    beforeCommit: () => undefined,
    afterCommit() {
      if (mark.failure) throw mark.failure
    },
    onCommitted: () => events.push('committed'),
    onRollback() {
      events.push('rolled back')
      if (reload.failure) throw reload.failure
    },
  })
  /** A group is committed two ticks later. */
  const turn = (): void => {
    for (let pass = 0; pass < 2; pass += 1) {
      const runs = due
      due = []
      for (const run of runs) run()
    }
  }
  return { group, events, failing, reload, mark, turn }
}

/** A request that records its steps, and answers with its name or its failure. */
function change(name: string, events: string[], write?: () => void): CommitRequest<string> {
  return {
    decide() {
      events.push(`decide ${name}`)
      return {
        answer() {
          events.push(`answer ${name}`)
          return name
        },
        write() {
          events.push(`write ${name}`)
          write?.()
          return true
        },
      }
    },
    onFailure: (cause) => `${name} failed: ${(cause as Error).message}`,
  }
}

const full = Object.assign(new Error('database or disk is full'), { errcode: 13 })

suite('commits in groups', () => {
  test('commits all requests of one tick in one transaction, and answers after the commit', async () => {
    const { group, events, turn } = trial()
    const answers = ['a', 'b', 'c'].map((name) => group.submit(change(name, events)))
    assert.deepEqual(events, [], 'nothing happens inside the turn')
    turn()
    assert.deepEqual(await Promise.all(answers), ['a', 'b', 'c'])
    const steps = ['a', 'b', 'c'].flatMap((name) => [`decide ${name}`, `write ${name}`])
    const answered = ['a', 'b', 'c'].map((name) => `answer ${name}`)
    assert.deepEqual(events, ['BEGIN', ...steps, 'COMMIT', ...answered, 'committed'])
  })

  test('rejects one request where its answer throws', async () => {
    const { group, events, turn } = trial()
    const answers = [
      group.submit({
        ...change('a', events),
        decide: () => ({
          answer() {
            throw new Error('it was taken')
          },
          write: () => false,
        }),
      }),
      group.submit(change('b', events)),
    ]
    turn()
    await assert.rejects(answers[0] as Promise<string>, /it was taken/)
    assert.equal(await answers[1], 'b')
  })

  test('commits 1,000 requests of one tick in one transaction, and loses none', async () => {
    const { group, events, turn } = trial()
    const names = Array.from({ length: 1_000 }, (_, at) => String(at))
    const answers = names.map((name) => group.submit(change(name, events)))
    turn()
    assert.deepEqual(await Promise.all(answers), names)
    assert.equal(events.filter((event) => event === 'BEGIN').length, 1)
  })

  test('commits requests of the next tick in the next transaction', async () => {
    const { group, events, turn } = trial()
    const first = group.submit(change('a', events))
    turn()
    const second = group.submit(change('b', events))
    turn()
    assert.deepEqual(await Promise.all([first, second]), ['a', 'b'])
    assert.equal(events.filter((event) => event === 'COMMIT').length, 2)
  })

  test('a request made during a commit waits for the next group', async () => {
    const { group, events, turn } = trial()
    let second: Promise<string> | undefined
    const first = group.submit(
      change('a', events, () => (second = group.submit(change('b', events)))),
    )
    turn()
    assert.equal(await first, 'a')
    assert.ok(!events.includes('decide b'))
    turn()
    assert.equal(await second, 'b')
  })

  test('a request sees what an earlier one of its group wrote', async () => {
    const { group, events, turn } = trial()
    let stock = 1
    const take = (name: string): Promise<string> =>
      group.submit({
        decide() {
          const isThere = stock > 0
          const write = (): boolean => {
            stock -= isThere ? 1 : 0
            return isThere
          }
          return { answer: () => `${name}: ${isThere}`, write }
        },
        onFailure: () => 'failed',
      })
    const answers = [take('a'), take('b')]
    turn()
    assert.deepEqual(await Promise.all(answers), ['a: true', 'b: false'])
    assert.deepEqual(events, ['BEGIN', 'COMMIT', 'committed'])
  })

  test('a request whose decision throws rejects alone', async () => {
    const { group, events, turn } = trial()
    const broken = new Error('the table t was not declared')
    const first = group.submit(change('a', events))
    const second = group.submit<string>({
      decide() {
        throw broken
      },
      onFailure: () => 'failed',
    })
    const third = group.submit(change('c', events))
    turn()
    await assert.rejects(second, broken)
    assert.deepEqual(await Promise.all([first, third]), ['a', 'c'])
    assert.ok(!events.includes('ROLLBACK'))
    assert.equal(group.lastFailure(), undefined)
  })

  test('a failed write rolls back its group, and the in-memory state is reloaded', async () => {
    const { group, events, turn } = trial()
    const answers = [
      group.submit(change('a', events)),
      group.submit(
        change('b', events, () => {
          throw full
        }),
      ),
      group.submit(change('c', events)),
    ]
    const answered = answers.map((answer) => answer.then(() => events.push('answered')))
    turn()
    assert.deepEqual(await Promise.all(answers), [
      'a failed: database or disk is full',
      'b failed: database or disk is full',
      'c failed: database or disk is full',
    ])
    await Promise.all(answered)
    const steps = ['BEGIN', 'decide a', 'write a', 'decide b', 'write b']
    assert.deepEqual(events.slice(0, 7), [...steps, 'ROLLBACK', 'rolled back'])
    assert.ok(!events.includes('COMMIT') && !events.includes('committed'))
  })

  test('an invalid value fails its request alone', async () => {
    const { group, events, turn } = trial()
    const answers = [
      group.submit(change('a', events)),
      group.submit(
        change('b', events, () => {
          throw new TypeError('cannot be bound')
        }),
      ),
      group.submit(change('c', events)),
    ]
    turn()
    assert.deepEqual(await Promise.all(answers), ['a', 'b failed: cannot be bound', 'c'])
    assert.equal(events.filter((event) => event === 'COMMIT').length, 2)
  })

  for (const verb of ['BEGIN', 'COMMIT'])
    test(`a failed ${verb} fails the group and is reported, and the next group succeeds`, async () => {
      const { group, events, failing, turn } = trial()
      failing.set(verb, full)
      const first = group.submit(change('a', events))
      turn()
      assert.equal(await first, 'a failed: database or disk is full')
      assert.equal(group.lastFailure(), 'database or disk is full')
      assert.equal(events.includes('ROLLBACK'), verb === 'COMMIT')
      assert.ok(events.includes('rolled back') && !events.includes('answer a'))
      failing.clear()
      const second = group.submit(change('b', events))
      turn()
      assert.equal(await second, 'b')
      assert.equal(group.lastFailure(), undefined)
    })

  test('a failed write of the high-water mark fails the group, and a later group succeeds', async () => {
    const { group, events, mark, turn } = trial()
    mark.failure = new Error('EIO: i/o error, write')
    const first = group.submit(change('a', events))
    turn()
    assert.equal(await first, 'a failed: EIO: i/o error, write')
    assert.equal(group.lastFailure(), 'EIO: i/o error, write')
    assert.ok(!events.includes('answer a') && events.includes('committed'))
    delete mark.failure
    const second = group.submit(change('b', events))
    turn()
    assert.equal(await second, 'b')
    assert.equal(group.lastFailure(), undefined)
  })

  test('a flush commits at once, and leaves nothing for the scheduled tick', async () => {
    const { group, events, turn } = trial()
    const answer = group.submit(change('a', events))
    group.flush()
    assert.equal(await answer, 'a')
    turn()
    assert.equal(events.filter((event) => event === 'BEGIN').length, 1)
    group.flush()
    assert.equal(events.filter((event) => event === 'BEGIN').length, 1, 'no empty transaction')
  })
})

suite('a request that cannot be written', () => {
  /** The error of SQLite for a violated constraint. */
  const badValue = Object.assign(new Error('cannot store REAL value'), { errcode: 3091 })
  const bad = (name: string, events: string[]): CommitRequest<string> =>
    change(name, events, () => {
      throw badValue
    })

  test('fails alone: the other requests of its group are committed one by one, in order', async () => {
    const { group, events, turn } = trial()
    const answers = [
      group.submit(change('a', events)),
      group.submit(bad('b', events)),
      group.submit(change('c', events)),
    ]
    turn()
    assert.deepEqual(await Promise.all(answers), ['a', 'b failed: cannot store REAL value', 'c'])
    const committed = events.filter((event) => event.startsWith('answer'))
    assert.deepEqual(committed, ['answer a', 'answer c'])
    assert.equal(events.filter((event) => event === 'COMMIT').length, 2)
  })

  test('is retried alone at most once, also when it is the only request', async () => {
    const { group, events, turn } = trial()
    const answer = group.submit(bad('a', events))
    turn()
    assert.match(await answer, /^a failed/)
    assert.equal(events.filter((event) => event === 'write a').length, 1)
  })

  test('is not reported as a failure of the disk', async () => {
    const { group, events, turn } = trial()
    const answers = [group.submit(change('a', events)), group.submit(bad('b', events))]
    turn()
    await Promise.all(answers)
    assert.equal(group.lastFailure(), undefined)
  })
})

suite('commits on a disk that fails altogether', () => {
  test('answers all requests although the rollback fails, too', async () => {
    const { group, events, failing, turn } = trial()
    failing.set('COMMIT', full).set('ROLLBACK', new Error('disk I/O error'))
    const answer = group.submit(change('a', events))
    assert.doesNotThrow(turn)
    assert.match(await answer, /^a failed/)
    assert.ok(group.lastFailure())
  })

  test('answers all requests although the in-memory state cannot be reloaded', async () => {
    const { group, events, failing, reload, turn } = trial()
    failing.set('COMMIT', full)
    reload.failure = new Error('disk I/O error')
    const answer = group.submit(change('a', events))
    assert.doesNotThrow(turn)
    assert.match(await answer, /^a failed/)
  })

  test('decides nothing before the in-memory state is reloaded', async () => {
    const { group, events, failing, reload, turn } = trial()
    failing.set('COMMIT', full)
    reload.failure = new Error('disk I/O error')
    const first = group.submit(change('a', events))
    assert.doesNotThrow(turn)
    assert.match(await first, /^a failed/)
    failing.clear()
    const second = group.submit(change('b', events))
    assert.doesNotThrow(turn)
    assert.match(await second, /^b failed/)
    assert.ok(!events.includes('decide b'), 'memory is not what the database has')
    delete reload.failure
    const third = group.submit(change('c', events))
    turn()
    assert.equal(await third, 'c')
    assert.equal(group.lastFailure(), undefined)
  })
})
