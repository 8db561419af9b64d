// The verbs for dead letters, the account of the events, and the audit trail.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { App, ListPage } from 'throughline'
import { embedded } from 'throughline/embedded'
import { memory } from 'throughline/testing'
import { systemClock } from '../../src/base/time/clock.ts'
import type { OfflineSystem } from '../../src/control/offline-system.ts'
import { openOfflineSystem } from '../../src/control/offline-system.ts'
import type { System } from '../../src/control/system.ts'
import type { VerbArguments, VerbName } from '../../src/control/verbs.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type {
  Account,
  AuditEntry,
  DeadLetterCause,
  DeadLetterEntry,
  RedrivePreview,
} from '../../src/control/views.ts'
import { intercept } from '../../src/ports/intercept.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import type { Outside } from './failing-service.ts'
import { createOutside, startPost, writeLetters } from './failing-service.ts'

const IDS = ['bad-1', 'bad-1', 'bad-2', 'good', 'bad-3']
const BY = { by: 'ada', reason: 'the address is known now' }

let outside: Outside
let app: App
let system: System
beforeEach(async () => {
  outside = createOutside()
  app = await startPost(memory(), outside)
  system = systemOf(app)
  await writeLetters(app, IDS, 3)
})
afterEach(() => app.stop())

const run = async <T>(verb: VerbName, given: VerbArguments = {}): Promise<T> =>
  (await runVerb(system, verb, given)) as T
const list = async (given: VerbArguments = {}): Promise<readonly DeadLetterEntry[]> =>
  (await run<ListPage<DeadLetterEntry>>('dead', given)).items
const refused = (verb: VerbName, given: VerbArguments, issues: readonly string[]): Promise<void> =>
  assert.rejects(run(verb, given), (cause: { code?: string; issues?: { path: string }[] }) => {
    assert.equal(cause.code, 'OPTION_INVALID')
    assert.deepEqual(
      cause.issues?.map(({ path }) => path),
      issues,
    )
    return true
  })

describe('dead letters', () => {
  test('are listed with their error, data and what waits behind them, page by page', async () => {
    const letters = await list({ key: 'bad-1' })
    assert.equal(letters.length, 1)
    assert.partialDeepStrictEqual(letters[0], {
      consumer: 'post/mail',
      key: 'bad-1',
      attempts: 1,
      heldBehind: 1,
      isSkipped: false,
      data: '{"id":"bad-1","note":"note 0"}',
      error: { code: 'NO_ADDRESS', message: 'no address -1' },
    })
    const pages: string[] = []
    let after: string | undefined
    do {
      const from = after === undefined ? {} : { after }
      const page = await run<ListPage<DeadLetterEntry>>('dead', { limit: 1, ...from })
      pages.push(...page.items.map(({ key }) => key))
      after = page.next
    } while (after !== undefined)
    assert.deepEqual(pages.toSorted(), ['bad-1', 'bad-2', 'bad-3'])
    const [{ event, cause, failedAt }] = letters as [DeadLetterEntry]
    for (const filter of [
      { id: event.id, consumer: 'post/mail' },
      { id: event.id, type: 'post.Written', cause, since: failedAt, until: failedAt + 1 },
    ])
      assert.equal((await list(filter)).length, 1)
    for (const filter of [{ type: 'post.Write' }, { cause: 'x' }, { until: failedAt - 60_000 }])
      assert.equal((await list(filter)).length, 0)
    await assert.rejects(list({ consumer: 'post/none' }), { code: 'RULE_NOT_FOUND' })
  })

  test('are grouped by cause, and a preview says what a redrive would do', async () => {
    const [cause, ...others] = await run<readonly DeadLetterCause[]>('dead-causes')
    assert.equal(others.length, 0)
    assert.partialDeepStrictEqual(cause, { count: 3, message: 'no address -<n>' })
    const preview = await run<RedrivePreview>('dead-preview', { cause: cause?.cause })
    assert.partialDeepStrictEqual(preview, { letters: 3, heldBehind: 1, effectsRepeated: 3 })
    assert.equal((await list()).length, 3)
  })

  test('are redriven by a filter, or all of them, with progress', async () => {
    await refused('dead-redrive', BY, ['all'])
    await refused('dead-redrive', { ...BY, all: true, key: 'bad-2' }, ['all'])
    await refused('dead-redrive', { all: 'yes', perSecond: 0, by: 7, x: 1 }, [
      'x',
      'all',
      'perSecond',
      'by',
    ])
    assert.equal((await list()).length, 3)
    outside.isWorking = true
    assert.deepEqual(await run('dead-redrive', { ...BY, key: 'bad-2' }), { done: 1, skipped: 0 })
    const told: object[] = []
    await runVerb(system, 'dead-redrive', { ...BY, all: true }, (each) => void told.push(each))
    assert.deepEqual(told.at(-1), { done: 2, total: 2 })
    await app.settled()
    assert.deepEqual(outside.handled.toSorted(), [
      'bad-1 note 0',
      'bad-1 note 1',
      'bad-2 note 2',
      'bad-3 note 4',
      'good note 3',
    ])
    assert.deepEqual(await list(), [])
  })

  test('are discarded only with a reason, and what waits behind them goes on', async () => {
    await refused('dead-discard', { by: 'ada' }, ['reason', 'all'])
    await run('dead-discard', { ...BY, all: true })
    await writeLetters(app, [], 1)
    await run('dead-discard', { ...BY, all: true })
    await app.settled()
    assert.deepEqual(outside.handled, ['good note 3'])
    const { balances, consumers } = await run<Account>('account')
    assert.equal(balances, true)
    assert.partialDeepStrictEqual(
      consumers.find(({ consumer }) => consumer === 'post/mail'),
      { accepted: 5, completed: 1, dead: 0, discarded: 4, expired: 0, pending: 0 },
    )
  })

  test('are edited with all issues of their schema, and an edit can be undone', async () => {
    const [letter] = await list({ key: 'bad-2' })
    const place = { consumer: 'post/mail', id: letter?.event.id }
    await refused('dead-edit', { ...place, data: '{' }, ['data'])
    await refused('dead-edit', { id: 'x' }, ['consumer', 'data'])
    const wrong = { ...BY, ...place, data: '{"id":7,"note":"much too long to be a note"}' }
    await assert.rejects(run('dead-edit', wrong), (cause: { code?: string; issues?: object[] }) => {
      assert.equal(cause.code, 'MESSAGE_INVALID')
      assert.equal(cause.issues?.length, 2)
      return true
    })
    const edit = { ...BY, ...place, data: '{"id":"bad-2","note":"good"}' }
    await run('dead-edit', edit)
    assert.partialDeepStrictEqual((await list({ key: 'bad-2' }))[0], {
      data: edit.data,
      edit: BY,
    })
    await run('dead-undo-edit', { ...place, by: 'ada' })
    assert.equal((await list({ key: 'bad-2' }))[0]?.edit, undefined)
    await run('dead-edit', edit)
    await run('dead-redrive', { id: place.id })
    await app.status()
    while (!outside.handled.includes('bad-2 good')) await new Promise(setImmediate)
  })
})

test('the account says which consumer does not balance', async () => {
  const backend = intercept(system.backend, async (call, next) => {
    const answer = await next()
    if (call !== 'store.progress') return answer
    return (answer as { completed: number }[]).map((each) => ({
      ...each,
      completed: each.completed + 1,
    })) as never
  })
  const account = (await runVerb({ ...system, backend }, 'account', {})) as Account
  assert.equal(account.balances, false)
  assert.equal(account.consumers.find(({ consumer }) => consumer === 'post/mail')?.balances, false)
})

describe('the audit trail', () => {
  const audit = async (given: VerbArguments = {}): Promise<readonly AuditEntry[]> =>
    (await run<ListPage<AuditEntry>>('audit', given)).items

  test('is empty at first, and not written by reads or invalid calls', async () => {
    await list()
    await run('dead-preview')
    await refused('dead-redrive', BY, ['all'])
    assert.deepEqual(await audit(), [])
  })

  test('has every write, newest first, with its outcome', async () => {
    await run('pause', { service: 'post', by: 'ada' })
    await assert.rejects(run('pause', { service: 'none', by: 'bob', reason: 'why not' }))
    await run('dead-redrive', { key: 'bad-2' })
    const entries = await audit()
    assert.deepEqual(
      entries.map(({ sequence, verb, outcome, code }) => [sequence, verb, outcome, code]),
      [
        [3, 'dead-redrive', 'done', undefined],
        [2, 'pause', 'failed', 'SERVICE_NOT_FOUND'],
        [1, 'pause', 'done', undefined],
      ],
    )
    assert.partialDeepStrictEqual(entries[1], {
      by: 'bob',
      reason: 'why not',
      arguments: { service: 'none' },
    })
    assert.deepEqual(entries[0]?.result, { done: 1, skipped: 0 })
    // Of the user of this process, since none was named.
    assert.notEqual(entries[0]?.by, '')
    assert.deepEqual(await audit({ by: 'ada', verb: 'pause' }), [entries[2]])
    const first = await run<ListPage<AuditEntry>>('audit', { limit: 2 })
    assert.deepEqual(await audit({ after: first.next }), [entries[2]])
    await refused('audit', { after: 'x' }, ['after'])
  })

  test('leaves out long data, and refuses what cannot be stored', async () => {
    const [letter] = await list({ key: 'bad-2' })
    const place = { consumer: 'post/mail', id: letter?.event.id }
    const data = JSON.stringify({ id: 'bad-2', note: 'x'.repeat(2_000) })
    await assert.rejects(run('dead-edit', { ...place, data, ...BY }))
    const [entry] = await audit()
    assert.equal(entry?.arguments['data'], `left out: ${data.length} bytes`)
    await refused('dead-redrive', { all: true, by: '\ud800', reason: 'a\0b' }, ['by', 'reason'])
    await refused('pause', { service: 'post', by: 'x'.repeat(129), reason: 'x'.repeat(1_001) }, [
      'by',
      'reason',
    ])
  })

  test('survives an unknown answer of the store without a second entry', async () => {
    let isLost = true
    const backend = intercept(system.backend, async (call, next) => {
      const answer = await next()
      if (call !== 'store.commit' || !isLost) return answer
      isLost = false
      return { status: 'unknown', cause: new Error('lost') } as never
    })
    await runVerb({ ...system, backend }, 'dead-redrive', { key: 'bad-2' })
    assert.deepEqual(
      (await audit()).map(({ outcome }) => outcome),
      ['done'],
    )
  })

  test('is written before the write, which does not happen if that fails', async () => {
    const backend = intercept(system.backend, async (call, next) =>
      call === 'store.commit' ? ({ status: 'unknown', cause: 'gone' } as never) : next(),
    )
    const broken = { ...system, backend }
    await assert.rejects(runVerb(broken, 'pause', { service: 'post' }), { code: 'STORE_UNKNOWN' })
    assert.deepEqual((await app.health()).paused, [])
  })

  test('keeps the newest entries: a new one replaces the oldest', async () => {
    const { store } = system.backend
    await run('pause', { service: 'post' })
    const [row] = await store.scan({ table: 'throughline.audit', limit: 1 })
    const { key: oldest, table, body } = row as { key: string; table: string; body: string }
    const key = String(Number(oldest) - 99_999).padStart(16, '0')
    const write = { table, key, expected: 0, version: 1, body }
    const unit = { fences: [], progress: [], checks: [], appends: [], streams: [], statuses: [] }
    await store.commit({ ...unit, rows: [write] })
    await run('resume', { service: 'post' })
    const sequences = (await audit()).map(({ sequence }) => sequence)
    assert.deepEqual(sequences, [100_001, 100_000])
  })

  test('has the calls of a program, with whom and why it names', async () => {
    const [letter] = await list({ key: 'bad-2' })
    const place = { consumer: 'post/mail', id: letter?.event.id ?? '' }
    await app.pause('post')
    await app.resume('post', { by: 'ada', reason: 'lunch is over' })
    await app.rewind('post/mail', { atMs: 0 }, { by: 'bob' })
    await app.deadLetters.edit({ ...place, data: { id: 'bad-2', note: 'good' }, ...BY })
    await app.deadLetters.undoEdit(place)
    await app.deadLetters.redrive({ key: 'bad-2', ...BY })
    await app.deadLetters.discard({ key: 'bad-3', ...BY })
    await assert.rejects(app.pause('none'), { code: 'SERVICE_NOT_FOUND' })
    const entries = (await audit()).toReversed()
    assert.deepEqual(
      entries.map(({ verb, by, outcome, code }) => [verb, by, code ?? outcome]),
      [
        ['pause', 'program', 'done'],
        ['resume', 'ada', 'done'],
        ['rewind', 'bob', 'done'],
        ['dead-edit', 'ada', 'done'],
        ['dead-undo-edit', 'program', 'done'],
        ['dead-redrive', 'ada', 'done'],
        ['dead-discard', 'ada', 'done'],
        ['pause', 'program', 'SERVICE_NOT_FOUND'],
      ],
    )
    assert.equal(entries[1]?.reason, 'lunch is over')
    assert.deepEqual(entries[2]?.arguments, {
      consumer: 'post/mail',
      to: '1970-01-01T00:00:00.000Z',
    })
    assert.deepEqual(entries[3]?.arguments, { ...place, data: '{"id":"bad-2","note":"good"}' })
    assert.deepEqual(entries[5]?.arguments, { key: 'bad-2' })
    assert.deepEqual(entries[5]?.result, { done: 1, skipped: 0 })
  })

  test('has a page end early if it is searched for long, and goes on behind it', async () => {
    const { store } = system.backend
    await run('pause', { service: 'post', by: 'ada' })
    const [row] = await store.scan({ table: 'throughline.audit', limit: 1 })
    const { key: first, table, body } = row as { key: string; table: string; body: string }
    const other = body.replace('"ada"', '"bob"')
    const rows = Array.from({ length: 2_500 }, (_, at) => {
      const key = String(Number(first) - 1 - at).padStart(16, '0')
      return { table, key, expected: 0, version: 1, body: other }
    })
    const unit = { fences: [], progress: [], checks: [], appends: [], streams: [], statuses: [] }
    await store.commit({ ...unit, rows })
    let elapsedMs = 0
    const clock = { ...system.clock, elapsed: () => (elapsedMs += 200) }
    const pages: ListPage<AuditEntry>[] = []
    for (let after: object | undefined = {}; after;) {
      const given = { by: 'ada', ...after }
      const page = (await runVerb({ ...system, clock }, 'audit', given)) as ListPage<AuditEntry>
      pages.push(page)
      after = page.next === undefined ? undefined : { after: page.next }
    }
    assert.deepEqual(
      pages.map(({ items }) => items.length),
      [0, 1],
    )
  })

  test('has entries of concurrent writes', async () => {
    const writes = Array.from({ length: 10 }, () => run('pause', { service: 'post' }))
    await Promise.all(writes)
    assert.deepEqual(
      (await audit()).map(({ sequence }) => sequence),
      [10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    )
  })
})

describe('data without an owner', () => {
  let directory: string
  beforeEach(async () => {
    directory = join(mkdtempSync(join(tmpdir(), 'throughline dead ')), 'data')
    const owner = await startPost(embedded({ directory }), outside)
    await writeLetters(owner, IDS, 3)
    await owner.stop()
  })
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }))
  const open = (isReadOnly: boolean): Promise<OfflineSystem> =>
    openOfflineSystem(embedded({ directory, isReadOnly }), systemClock())

  test('can be read, and is not changed without being its owner', async () => {
    const read = await open(true)
    const { items } = (await runVerb(read, 'dead', {})) as ListPage<DeadLetterEntry>
    assert.equal(items.length, 3)
    assert.partialDeepStrictEqual(await runVerb(read, 'dead-preview', {}), { letters: 3 })
    assert.deepEqual(await runVerb(read, 'audit', {}), { items: [] })
    assert.equal(((await runVerb(read, 'account', {})) as Account).balances, true)
    for (const verb of ['dead-redrive', 'dead-discard'] as const)
      await assert.rejects(runVerb(read, verb, { all: true, reason: 'x' }), {
        code: 'DATA_READ_ONLY',
      })
    const to = join(directory, '..', 'backup')
    await runVerb(read, 'backup', { to })
    await read.close()
  })

  test('is redriven and discarded by a process that owns it meanwhile', async () => {
    const owned = await open(false)
    await runVerb(owned, 'dead-discard', { key: 'bad-3', reason: 'gone' })
    await runVerb(owned, 'dead-redrive', { all: true })
    const edit = { consumer: 'post/mail', id: 'x', data: '{}' }
    await assert.rejects(runVerb(owned, 'dead-edit', edit), { code: 'DATA_READ_ONLY' })
    const { items } = (await runVerb(owned, 'audit', {})) as ListPage<AuditEntry>
    assert.deepEqual(
      items.map(({ verb, code }) => [verb, code]),
      [
        ['dead-edit', 'DATA_READ_ONLY'],
        ['dead-redrive', undefined],
        ['dead-discard', undefined],
      ],
    )
    await owned.close()
    outside.isWorking = true
    const owner = await startPost(embedded({ directory }), outside)
    await owner.settled()
    assert.deepEqual(outside.handled.filter((each) => each.startsWith('bad')).toSorted(), [
      'bad-1 note 0',
      'bad-1 note 1',
      'bad-2 note 2',
    ])
    await owner.stop()
  })
})
