// Data that version 0.1.0 has left is read, and gone on with, as if that had never ended.
import assert from 'node:assert/strict'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import type { App } from 'throughline'
import { hours, minutes, start } from 'throughline'
import { embedded, repair, restore } from 'throughline/embedded'
import type { ManualClock } from '../../src/testing/manual-clock.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import { findImbalances } from '../engine/support/simulation.ts'
import { fastTempDirectory } from '../crash/support/child-process.ts'
import { FORMAT_2, expectedOf, thaw } from './frozen.ts'
import { interruptedFold, resumedFold } from './long-fold.ts'
import { close, makeData, open, stoppedAt } from './make.ts'
import { namesIn } from './names.ts'
import type { Content } from './read.ts'
import { contentOf } from './read.ts'
import type { Outside } from './shop.ts'
import { Payments, shop } from './shop.ts'

const expected = expectedOf(FORMAT_2)

async function thawed(t: TestContext): Promise<{ readonly root: string; readonly data: string }> {
  const root = await fastTempDirectory(t)
  thaw(FORMAT_2, root)
  return { root, data: join(root, 'data') }
}

/** Opens a directory as its owner, which migrates it, and closes it again. */
async function migrate(directory: string): Promise<void> {
  const backend = embedded({ directory, clock: stoppedAt(expected.at) })
  await open(backend)
  await close(backend)
}

/** As JSON has it, like what is expected. */
async function read(directory: string): Promise<Content> {
  const clock = stoppedAt(expected.at)
  const content = await contentOf(embedded({ directory, isReadOnly: true, clock }), clock)
  return JSON.parse(JSON.stringify(content)) as Content
}

suite('data of format 2', () => {
  test('is migrated by its owner, and says what it said to the version that wrote it', async (t) => {
    const { data } = await thawed(t)
    await migrate(data)
    const content = await read(data)
    for (const [about, said] of Object.entries(expected.content))
      assert.deepEqual(content[about], said, about)
    assert.deepEqual(Object.keys(content), Object.keys(expected.content))
    assert.match(readFileSync(join(data, 'throughline.json'), 'utf8'), /"format":4/)
  })

  test('has a ledger once it is migrated, with the events that are held', async (t) => {
    const { data } = await thawed(t)
    await migrate(data)
    const backend = embedded({ directory: data })
    await open(backend)
    const { store } = backend
    const [topic, type] = ['orders.events', 'orders.Placed']
    const consumer = { consumer: 'sales/post', service: 'sales', topic, type, isResponse: false }
    await store.declareLedger('sales', [consumer])
    const waiting = await store.ledger?.({ status: 'UNPROCESSED', limit: 100 })
    assert.deepEqual(
      waiting?.rows.map(({ EVENT_ID }) => EVENT_ID.slice(0, 18)),
      ['016f5f30-eec0-7297', '016f5ed5-af60-72a8', '016f5ed5-af60-72a4', '016f5ed5-af60-72a1'],
    )
    const completed = await store.ledger?.({ status: 'COMPLETED', limit: 100 })
    assert.ok((completed?.rows.length ?? 0) > 5)
    await close(backend)
  })

  test('finds the conversations of its records once it is migrated', async (t) => {
    const { data } = await thawed(t)
    await migrate(data)
    const backend = embedded({ directory: data })
    await open(backend)
    const { log } = backend
    const conversations = new Map<string, string[]>()
    const topics = expected.content['topics'] as readonly (readonly [string, number])[]
    for (const [topic, partitions] of topics)
      for (let partition = 0; partition < partitions; partition += 1) {
        const from = [{ topic, partition, next: 0 }]
        const [slice] = await log.read(from, { records: 1_000, bytes: 1e7 }, { ms: 0 })
        for (const record of slice?.records ?? []) {
          const { correlation } = JSON.parse(record.head) as { correlation: string }
          const ids = conversations.get(correlation) ?? []
          conversations.set(correlation, [...ids, `${topic} ${record.id}`])
        }
      }
    assert.ok(conversations.size > 20)
    for (const [correlation, ids] of conversations) {
      const found = (await log.conversation?.(correlation, 1_000)) ?? []
      const names = new Set(found.map(({ topic, id }) => `${topic} ${id}`))
      assert.deepEqual(
        ids.filter((id) => !names.has(id)),
        [],
        correlation,
      )
    }
    await close(backend)
  })

  test('is not migrated by a reader, and stays as it is', async (t) => {
    const { data } = await thawed(t)
    const before = readFileSync(join(data, 'throughline.db'))
    await assert.rejects(read(data), { code: 'DATA_OLDER' })
    assert.ok(readFileSync(join(data, 'throughline.db')).equals(before))
  })

  test('has the names that are written today', async (t) => {
    const root = await fastTempDirectory(t)
    await makeData(root)
    const since = new Map([['damage is not what was written', 'damage CONTENT_CHANGED']])
    const names = expected.names.flatMap((name) => {
      const isOfBuild = /^row \w+\.control\.\w+\.(?:live|shadow)\.rules$/.test(name)
      if (isOfBuild) return [name, name.replace(/rules$/, 'declared')]
      // Complaints of a refusal were texts.
      if (name.endsWith('.complaints[]')) return [`${name}.message`, `${name}.path`]
      return [since.get(name) ?? name]
    })
    const today = namesIn(root)
    // What was added since is no matter.
    const gone = names.filter((name) => !today.includes(name))
    assert.deepEqual(
      gone.map((name) => name.split(' ').slice(0, 3).join(' ')),
      ['CREATE TABLE progress', 'user_version 2'],
    )
  })

  test('is restored from its backup; what its archive holds, once that is there', async (t) => {
    const { root, data } = await thawed(t)
    const [from, directory] = [join(root, 'backup'), join(root, 'restored')]
    const { missing } = await restore({ from, directory, clock: stoppedAt(expected.at) })
    assert.deepEqual(
      missing.map((file) => file.split('.').slice(0, 3).join('.')),
      ['/somewhere/else/orders.events.0'],
    )
    await migrate(directory)
    await assert.rejects(read(directory), { code: 'ARCHIVE_MISSING' })
    cpSync(join(data, 'archive'), join(directory, 'archive'), { recursive: true })
    assert.deepEqual(await read(directory), expected.content)
  })

  test('has a snapshot of a long fold, which starts over: its fingerprint has the former format', async (t) => {
    const resumed = async (isKeptToday: boolean): Promise<readonly unknown[]> => {
      const backend = embedded({ directory: (await thawed(t)).data })
      await open(backend)
      const { services } = shop('present', outsideOf(false))
      const clock = systemClock()
      if (isKeptToday) await interruptedFold(backend.store, services[0], clock)
      const { firstRead, state } = await resumedFold(backend.store, services[0], clock)
      await close(backend)
      return [firstRead, state]
    }
    assert.deepEqual(await resumed(false), [1, { status: 'cancelled', total: 0 }])
    assert.deepEqual(await resumed(true), [10_001, { status: 'cancelled', total: 10_000 }])
  })
})

interface Running {
  readonly app: App
  readonly clock: ManualClock
  readonly Orders: ReturnType<typeof shop>['Orders']
  run<T>(promise: Promise<T>): Promise<T>
  end(): Promise<void>
}

/** Today's code over the data, where time goes on from when that was left. */
async function running(
  t: TestContext,
  data: string,
  outside: Outside,
  at: number,
): Promise<Running> {
  const clock = createManualClock(at)
  const { Orders, services } = shop('present', outside)
  const { log, store } = embedded({ directory: data, clock })
  const nothing = (): void => undefined
  const run = <T>(promise: Promise<T>): Promise<T> => clock.until(promise, hours(1))
  const app = await run(
    start(
      services,
      { log, store },
      {
        clock,
        tools: { outside },
        engine: {
          idleMs: minutes(1),
          leaseMs: minutes(10),
          damageScanRecordsPerSecondMax: 0,
          retryDelayMsMax: minutes(1),
          retryAttemptsMax: 1_000,
        },
        onRuleError: nothing,
        onBackendError: nothing,
        onExpired: nothing,
      },
    ),
  )
  const end = async (): Promise<void> => {
    let hasStopped = false
    const stopping = app.stop().finally(() => (hasStopped = true))
    // What is closed is closed in real time.
    while (!hasStopped) await clock.advance(1_000)
    await stopping
  }
  t.after(end)
  return { app, clock, Orders, run, end }
}

function outsideOf(isBroken: boolean): Outside {
  return { isBroken, die: () => assert.fail('nobody dies any more'), told: [] }
}

/** Where commands stand that were sent before, by their ids, and why. */
async function outcomesOf({ app, Orders, run }: Running): Promise<ReadonlyMap<string, unknown>> {
  const outcomes = new Map<string, unknown>()
  for (const { id, command } of (await run(app.operations())).items) {
    if (command !== 'orders.Place') continue
    const found = await run(app.operation(Orders.Place, id).state())
    if (found.status === 'refused') outcomes.set(id, [found.status, found.code, found.issues])
    else
      outcomes.set(
        id,
        found.status === 'pending' ? [found.status] : [found.status, found.reason ?? ''],
      )
  }
  return outcomes
}

async function heldBy({ app, run }: Running): Promise<readonly string[]> {
  const { items } = await run(app.heldKeys())
  return items.map(({ consumer, key, count }) => `${consumer} ${key} ${count}`).toSorted()
}

const PENDING = ['back-2', 'entity-behind', 'entity-breaks', 'saga-behind', 'saga-breaks']
/** Stored as texts, and read in today's form. */
const COMPLAINTS = [
  { path: '', message: 'total: is below zero' },
  { path: '', message: 'customer: is not known' },
]
const REFUSED = ['refused', 'no-credit', COMPLAINTS]
const LATE = ['too-late', 'nobody paid']
const FINISHED: readonly (readonly [order: string, outcome: readonly unknown[]])[] = [
  ['back-1', ['rolled-back', 'sent back']],
  ['dear-1', ['rolled-back', 'declined']],
  ['refused-1', REFUSED],
  ['refused-2', REFUSED],
  ['wait-lost', LATE],
]
/** Of a tombstone no projection makes a row: it waits for other code. */
const FOR_EVER = ['catalogue/prices pad 1', 'orders/risky hal 1']

/** With the world as broken as it was: nothing has moved. */
async function isAsItWas(was: Running): Promise<void> {
  const { app, run, Orders } = was
  const { held, sagas, timers } = expected.content as Record<string, readonly unknown[][]>
  assert.deepEqual(
    await heldBy(was),
    held?.map(([consumer, key, , count]) => [consumer, key, count].join(' ')).toSorted(),
  )
  assert.deepEqual(
    (await run(app.sagas())).items.map(({ instance }) => instance),
    sagas?.map(([, instance]) => instance),
  )
  assert.deepEqual(
    (await run(app.timers())).items.map(({ instance, dueAt }) => [instance, dueAt]),
    timers?.map(([, instance, , dueAt]) => [instance, dueAt]),
  )
  const outcomes = await outcomesOf(was)
  for (const order of [...PENDING, 'wait-1', 'wait-2', 'wait-3'])
    assert.deepEqual(outcomes.get(`place-${order}`), ['pending'], order)
  for (const [order, outcome] of FINISHED)
    assert.deepEqual(outcomes.get(`place-${order}`), outcome, order)
  assert.equal(outcomes.size, 23)
  assert.deepEqual((await run(app.health())).paused.toSorted(), ['notes', 'payments'])
  const balance = await run(app.ask(Payments.Balance({ customer: 'no-refund' })))
  assert.deepEqual(balance, { balance: -6 })
  // Folded anew: its event was of the first version.
  const state = await run(app.ask(Orders.State({ customer: 'dan', order: 'plain-1' })))
  assert.deepEqual(state, { status: 'open', total: 500 })
}

/** Once the world is well again: all that was held is done, in the order in which it came. */
async function isReleased(released: Running, told: readonly string[]): Promise<void> {
  assert.deepEqual(await heldBy(released), [...FOR_EVER, 'orders/mail later 1'].toSorted())
  const outcomes = await outcomesOf(released)
  const completed = ['entity-behind', 'entity-breaks', 'saga-behind', 'saga-breaks', 'plain-2']
  for (const order of completed)
    assert.deepEqual(outcomes.get(`place-${order}`), ['completed', ''], order)
  assert.deepEqual(outcomes.get('place-back-2'), ['rolled-back', 'sent back'])
  const kept = told.filter((each) => /^mail (?:held|entity)/.test(each))
  assert.deepEqual(
    kept.filter((each) => each.includes('held')),
    ['mail held-1', 'mail held-2', 'mail held-3'],
  )
  assert.deepEqual(
    kept.filter((each) => each.includes('entity')),
    ['mail entity-breaks', 'mail entity-behind'],
  )
  for (const held of ['held-1', 'held-2', 'held-3'])
    assert.equal(told.filter((each) => each === `audit ${held}`).length, 1, held)
}

/** Hours later every timer has fired, and both rebuilds are through. */
async function isOver(over: Running): Promise<void> {
  const { app, run, Orders } = over
  const { items: sagas } = await run(app.sagas())
  const { items: timers } = await run(app.timers())
  assert.deepEqual([sagas, timers], [[], []])
  const outcomes = await outcomesOf(over)
  for (const order of ['wait-1', 'wait-2', 'wait-3'])
    assert.deepEqual(outcomes.get(`place-${order}`), LATE, order)
  const rows = async (of: string): Promise<Record<string, Record<string, unknown>>> => {
    const found = await run(app.ask(Orders.Rows({ of })))
    const pairs = found as readonly { readonly id: string; readonly row: Record<string, unknown> }[]
    return Object.fromEntries(pairs.map(({ id, row }) => [id, row]))
  }
  const [board, report] = [await rows('board'), await rows('report')]
  assert.deepEqual([Object.keys(board).length, Object.keys(report).length], [17, 21])
  assert.deepEqual(
    Object.keys(report).filter((id) => !(id in board)),
    ['wait-1', 'wait-2', 'wait-3', 'wait-lost'],
  )
  for (const each of [board, report]) {
    assert.deepEqual(each['held-1'], { customer: 'broken', total: 100, version: 2 })
    assert.deepEqual(each['held-3'], { customer: 'broken', total: 1_300, version: 2 })
  }
  const late = { n: 2 }
  assert.deepEqual(await rows('cancelled'), {
    'wait-1': late,
    'wait-2': late,
    'wait-3': late,
    'wait-lost': late,
  })
  const spending = await rows('spending')
  assert.deepEqual([spending['gus'], spending['fay']], [{ total: 27 }, { total: 900 }])
  assert.deepEqual(findImbalances(await run(app.status())), [])
}

/** What has failed, once its cause is gone. */
async function redriveAll({ app, run }: Running): Promise<void> {
  await run(app.deadLetters.redrive({ by: 'test', reason: 'it is well again' }))
}

test('data of format 2 goes on where it was', async (t) => {
  const { data } = await thawed(t)
  const outside = outsideOf(true)
  const first = await running(t, data, outside, expected.at)
  await isAsItWas(first)
  outside.isBroken = false
  for (const service of ['payments', 'notes']) await first.run(first.app.resume(service))
  await redriveAll(first)
  await first.clock.advance(minutes(2))
  await isReleased(first, outside.told)
  await first.clock.advance(hours(4))
  await isOver(first)
  assert.equal(outside.told.filter((each) => each === 'mail later-1').length, 1)
  assert.deepEqual(await heldBy(first), FOR_EVER)
  // Their rows are made anew, as far as the damage that nobody has accepted.
  assert.deepEqual(await notesOf(first), [0, 24])
  await first.end()

  const found = await repair(data, stoppedAt(first.clock.now()), { accept: ['all'] })
  assert.deepEqual(
    found.losses.map((loss) => [loss.topic, loss.partition, loss.from, loss.to, loss.isAccepted]),
    [
      ['notes.events', 0, 9, 10, true],
      ['notes.events', 1, 5, 6, true],
    ],
  )
  const second = await running(t, data, outside, first.clock.now())
  await redriveAll(second)
  await second.clock.advance(minutes(2))
  assert.deepEqual(await heldBy(second), FOR_EVER.slice(0, 1))
  assert.deepEqual(await notesOf(second), [0, 0])
  assert.ok(outside.told.includes('risky poison'))
  await second.end()
  const { verified, tables } = (await read(data)) as Record<string, readonly unknown[]>
  assert.deepEqual([verified?.[0], verified?.[5]], [true, []])
  // No rebuild has left anything behind.
  const shadows = (tables as [name: string, rows: readonly string[]][]).filter(([name]) =>
    name.endsWith('.shadow'),
  )
  assert.deepEqual([shadows.length, shadows.flatMap(([, rows]) => rows)], [6, []])
})

/** Notes that were lost, and those that are yet to be read. */
async function notesOf({ app, run }: Running): Promise<readonly unknown[]> {
  const status = await run(app.status())
  const notes = status.find(({ consumer }) => consumer === 'notes/noted')
  return [notes?.expired, notes?.lag]
}
