// Lists of what waits: held keys, open sagas, pending operations, timers.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App, HeldKey, HeldKeysOptions, OperationEntry, WaitsFor } from 'throughline'
import { handler, hours, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import { createSimulation } from '../support/simulation.ts'
import { withFailingService, outside, thing, Work, RETRIES } from '../support/failing-service.ts'

/** Instants of two clocks, which may differ by parts of a millisecond. */
function isAbout(actual: number | undefined, expected: number): void {
  assert.ok(Math.abs((actual ?? 0) - expected) <= 2, `${actual} is not about ${expected}`)
}

suite('a held key', () => {
  test('shows since when it is held, the event in front, its error and the next attempt', () =>
    withFailingService(
      { broken: ['bad-1', 'bad-2'] },
      async ({ app, doing, pass, until, now, faults }) => {
        const begun = now()
        await doing('bad-1', 'good', 'bad-1', 'bad-2')
        await pass(1_000)
        const { items, next } = await until(app.heldKeys())
        assert.equal(next, undefined)
        assert.deepEqual(
          items.map(({ consumer, key, count }) => [consumer, key, count]),
          [
            ['worker/outside', 'bad-1', 2],
            ['worker/outside', 'bad-2', 1],
          ],
        )
        const { since, event: front, attempts, nextAttemptAt = 0, error } = items[0] as HeldKey
        assert.ok(since >= begun && since < begun + 500)
        assert.deepEqual([front.type, front.topic], ['work.Done', 'work.events'])
        assert.ok(attempts >= 3)
        assert.ok(nextAttemptAt > now())
        assert.equal(error?.message, 'the bank said no for bad-1')
        assert.equal(error.code, 'ECONNREFUSED')
        assert.match(error.stack ?? '', /failing-service\.ts/)
        isAbout(error.firstAt, since)
        assert.ok((error.lastAt ?? 0) > since)
        // What the hook was told is the same.
        const { id: messageId, type, topic, partition, offset } = front
        const told = faults.findLast(({ key }) => key === 'bad-1')
        assert.partialDeepStrictEqual(told, {
          consumer: 'worker/outside',
          messageId,
          type,
          topic,
          partition,
          offset,
          attempts,
          error: error.message,
          code: error.code,
          stack: error.stack,
          at: error.lastAt,
        })
        isAbout(told?.nextAttemptAt, nextAttemptAt)
      },
    ))

  test('is found by consumer, by key and page by page', () =>
    withFailingService(
      { broken: ['a', 'b', 'c', 'note-1'] },
      async ({ app, doing, pass, until }) => {
        await doing('a', 'b', 'c', 'note-1')
        await pass(1_000)
        const held = async (options: Parameters<App['heldKeys']>[0]): Promise<readonly string[]> =>
          (await until(app.heldKeys(options))).items.map(
            ({ consumer, key }) => `${consumer} ${key}`,
          )
        const all = await held({})
        assert.deepEqual(all, [
          'worker/thing note-1',
          ...['a', 'b', 'c', 'note-1'].map((key) => `worker/outside ${key}`),
        ])
        assert.deepEqual(await held({ consumer: 'worker/thing' }), ['worker/thing note-1'])
        assert.deepEqual(await held({ key: 'note-1' }), [
          'worker/thing note-1',
          'worker/outside note-1',
        ])
        assert.deepEqual(await held({ consumer: 'worker/thing', key: 'a' }), [])
        const paged: string[] = []
        let after: string | undefined
        do {
          const page = await until(app.heldKeys({ limit: 2, ...(after ? { after } : {}) }))
          assert.ok(page.items.length <= 2)
          paged.push(...page.items.map(({ consumer, key }) => `${consumer} ${key}`))
          after = page.next
        } while (after !== undefined)
        assert.deepEqual(paged, all)
        await assert.rejects(until(app.heldKeys({ consumer: 'worker/nobody' })), {
          code: 'RULE_NOT_FOUND',
        })
        for (const wrong of [{ limit: 0 }, { limit: 1_001 }, { after: 'x' }, { after: '0:x' }])
          await assert.rejects(until(app.heldKeys(wrong)), { code: 'OPTION_INVALID' })
      },
    ))

  test('is named by the last of the many commands it holds', () =>
    withFailingService({ broken: ['bad-1'] }, async ({ app, until, pass }) => {
      const commands = Array.from({ length: 1_200 }, (_, n) => Work.Note({ id: 'bad-1', n }))
      await until(app.append(commands))
      await pass(5_000)
      const { items } = await until(app.heldKeys())
      assert.equal(items[0]?.count, 1_200)
      const { items: operations } = await until(app.operations({ limit: 1 }))
      const [newest] = operations
      assert.equal(newest?.state.kind, 'pending')
      assert.partialDeepStrictEqual(newest.waitsFor, [{ heldBy: 'worker/thing' }])
    }))

  test('ends once its message is handled, and starts again for the next one', () =>
    withFailingService({ broken: ['bad'] }, async ({ app, doing, pass, until, broken }) => {
      await doing('bad', 'bad')
      await pass(1_000)
      assert.equal((await until(app.heldKeys())).items[0]?.count, 2)
      broken.keys.clear()
      await pass(10_000)
      assert.deepEqual(await until(app.heldKeys()), { items: [] })
      await until(app.settled())
    }))

  test('shows its next attempt by the wall clock, also after a clock step', () =>
    withFailingService({ broken: ['bad'] }, async ({ app, doing, pass, until, step, now }) => {
      await doing('bad')
      await pass(30_000)
      step(hours(2))
      const [held] = (await until(app.heldKeys())).items
      assert.ok(held)
      const { nextAttemptAt = 0 } = held
      assert.ok(nextAttemptAt >= now(), 'the next attempt lies ahead')
      assert.ok(nextAttemptAt <= now() + 60_000, 'by a minute at most')
      assert.ok(now() - held.since < 60_000, 'it is held as long as before')
      const { status, alarms } = await until(app.health())
      assert.equal(status, 'degraded')
      assert.ok(alarms.every(({ ageMs = 0 }) => ageMs < 60_000))
    }))

  test('of an earlier version, with an error text only, is readable', async () => {
    const stage = createSimulation(memory, 7)
    const { backend, clock, random } = stage.instance()
    const { until } = stage.clock
    const broken = { keys: new Set(['bad']) }
    const worker = service('worker', { owns: [Work], runs: [thing(broken), outside(broken)] })
    const options = { clock, random, engine: RETRIES, onRuleError: () => undefined }
    const app = await until(start([worker], backend, options))
    await until(app.send(Work.Do({ id: 'bad', n: 1 })))
    await stage.clock.advance(1_000)
    await until(app.stop())
    const key = { table: 'worker.holds', key: 'worker/outside:bad' }
    const [row] = await until(backend.store.get([key]))
    assert.ok(row)
    const { consumer, attempts, due, next, count } = JSON.parse(row.body) as Record<string, number>
    const old = { consumer, key: 'bad', attempts, due, error: 'the bank said no', next, count }
    const written = {
      ...key,
      expected: row.version,
      version: row.version + 1,
      body: JSON.stringify(old),
      index: { consumer: 'worker/outside' },
    }
    await until(backend.store.commit({ ...EMPTY_UNIT, rows: [written] }))
    const again = await until(start([worker], backend, options))
    const [held] = (await until(again.heldKeys())).items
    assert.deepEqual(held?.error, { message: 'the bank said no' })
    assert.ok(held.since > 0)
    await stage.clock.advance(120_000)
    const [later] = (await until(again.heldKeys())).items
    assert.match(later?.error?.stack ?? '', /failing-service\.ts/)
    broken.keys.clear()
    await until(again.settled())
    await until(again.stop())
  })
})

test('a held key whose rule was removed says so', async () => {
  const stage = createSimulation(memory, 7)
  const { backend, clock, random } = stage.instance()
  const { until } = stage.clock
  const broken = { keys: new Set(['bad']) }
  const other = handler('outside', {}, (on) => [on(Work.Noted, () => undefined)])
  const options = { clock, random, onRuleError: () => undefined }
  const seen: (true | undefined)[] = []
  for (const rule of [outside(broken), other]) {
    const worker = service('worker', { owns: [Work], runs: [thing(broken), rule] })
    const app = await until(start([worker], backend, options))
    if (rule !== other) await until(app.send(Work.Do({ id: 'bad', n: 1 })))
    await stage.clock.advance(60_000)
    const { items } = await until(app.heldKeys())
    seen.push(...items.map(({ hasNoRule }) => hasNoRule))
    await until(app.stop())
  }
  assert.deepEqual(seen, [undefined, true])
})

test('an event held by a queue is found by its key', async () => {
  const stage = createSimulation(memory, 7)
  const { backend, clock, random } = stage.instance()
  const { until } = stage.clock
  const queue = handler('queue', { consume: 'queue' }, (on) => [
    on(Work.Done, ({ n }) => {
      if (n > 1) throw new Error(`over one: ${n}`)
    }),
  ])
  const worker = service('worker', { owns: [Work], runs: [thing({ keys: new Set() }), queue] })
  const options = { clock, random, onRuleError: () => undefined }
  const app = await until(start([worker], backend, options))
  for (const [id, n] of Object.entries({ a: 2, b: 1, c: 3 }))
    await until(app.send(Work.Do({ id, n })))
  await until(app.send(Work.Do({ id: 'a', n: 4 })))
  await stage.clock.advance(1_000)
  const held = async (asked: HeldKeysOptions): Promise<readonly string[]> =>
    (await until(app.heldKeys(asked))).items.map(({ key, count, error }) => {
      return `${key} ${count} ${error?.message}`
    })
  assert.deepEqual(await held({ key: 'a' }), ['a 1 over one: 2', 'a 1 over one: 4'])
  assert.deepEqual(await held({ key: 'b' }), [])
  assert.equal((await held({})).length, 3)
  await until(app.stop())
})

test('an open saga shows since when it is open, and whether it waits for a timer, a reply or an event', () =>
  withFailingService({ broken: ['note-held'] }, async ({ app, doing, pass, until, now }) => {
    const begun = now()
    for (const id of ['timed', 'note-held', 'note-twice', 'plain']) {
      await doing(id)
      await pass(100)
    }
    await pass(500)
    const { items } = await until(app.sagas())
    const waits = new Map(items.map(({ instance, waitsFor }) => [instance, waitsFor]))
    assert.deepEqual([...waits.keys()], ['timed', 'note-held', 'note-twice'], 'the oldest first')
    assert.ok(items.every(({ since = 0 }) => since >= begun && since < begun + 1_000))
    assert.deepEqual(
      items.map(({ saga: of, operation }) => `${of} ${operation}`),
      ['1-timed', '2-note-held', '3-note-twice'].map((id) => `worker/reminding ${id}`),
    )
    const [timer] = waits.get('timed') as [WaitsFor]
    assert.ok(timer.kind === 'timer' && timer.type === 'work.Note')
    isAbout(timer.dueAt, (items[0]?.since ?? 0) + hours(5))
    const [answer] = waits.get('note-held') as [WaitsFor]
    assert.ok(answer.kind === 'answer' && answer.command === 'work.Note')
    assert.equal(answer.heldBy, 'worker/thing')
    assert.deepEqual(waits.get('note-twice'), [
      { kind: 'event', types: ['work.Done', 'work.Noted'] },
    ])
    const first = await until(app.sagas({ limit: 2 }))
    const second = await until(app.sagas({ limit: 2, after: first.next as string }))
    assert.deepEqual([...first.items, ...second.items], items)
    assert.equal(second.next, undefined)
    const { items: own } = await until(app.sagas({ operation: '1-timed' }))
    assert.deepEqual(own, [items[0]])
    const { items: set } = await until(app.timers())
    assert.deepEqual(set, [
      {
        saga: 'worker/reminding',
        instance: 'timed',
        type: 'work.Note',
        dueAt: timer.dueAt,
        attempts: 0,
      },
    ])
    assert.deepEqual(await until(app.timers({ until: now() })), { items: [] })
  }))

suite('operations', () => {
  test('are listed by state, key, type and time, and show what they wait for', () =>
    withFailingService({ broken: ['note-held'] }, async ({ app, doing, pass, until, now }) => {
      await doing('plain', 'timed', 'note-held', 'note-1')
      await pass(500)
      const between = now()
      await until(app.send(Work.Do({ id: 'plain', n: -1 }), { id: 'refused' }))
      await pass(1_000)
      const list = async (options: Parameters<App['operations']>[0]) =>
        (await until(app.operations(options))).items
      const short = ({ id, state }: OperationEntry): string => `${id} ${state.status}`
      assert.deepEqual((await list({})).map(short), [
        'refused refused',
        '4-note-1 noted',
        '3-note-held pending',
        '2-timed pending',
        '1-plain completed',
      ])
      const pending = await list({ state: 'pending' })
      assert.deepEqual(
        pending.map(({ waitsFor }) => waitsFor.map(({ kind }) => kind)),
        [['answer'], ['timer']],
      )
      const [refused] = await list({ since: between })
      assert.deepEqual(refused?.state, { kind: 'refused', status: 'refused', reason: 'no' })
      assert.partialDeepStrictEqual(refused, { command: 'work.Do', key: 'plain' })
      assert.equal((await list({ until: between })).length, 4)
      assert.deepEqual((await list({ key: 'plain' })).map(short), [
        'refused refused',
        '1-plain completed',
      ])
      assert.deepEqual(await list({ type: 'work.Note' }), [], 'a saga sent those')
      assert.equal((await list({ type: 'RK.d' })).length, 5, 'a part, in any case')
      const paged: OperationEntry[] = []
      let after: string | undefined
      do {
        const page = await until(app.operations({ limit: 1, ...(after ? { after } : {}) }))
        paged.push(...page.items)
        after = page.next
      } while (after !== undefined)
      assert.deepEqual(paged, await list({}))
    }))

  test('of one instant are each listed once, with any page size', () =>
    withFailingService({}, async ({ app, pass, until }) => {
      const ids = Array.from({ length: 150 }, (_, at) => `many-${at}`)
      await until(app.append(ids.map((id) => Work.Do({ id, n: 1 }))))
      await pass(2_000)
      const paged: string[] = []
      let after: string | undefined
      do {
        const page = await until(app.operations({ limit: 7, ...(after ? { after } : {}) }))
        paged.push(...page.items.map(({ key }) => key))
        after = page.next
      } while (after !== undefined)
      assert.deepEqual(paged.toSorted(), ids.toSorted())
    }))

  test('show that their command is held', () =>
    withFailingService({}, async ({ app, broken, pass, until }) => {
      broken.keys.add('note-1')
      await until(app.send(Work.Note({ id: 'note-1', n: 1 }), { id: 'held' }))
      await pass(1_000)
      const { items } = await until(app.operations())
      assert.deepEqual(items[0]?.state, { kind: 'pending', status: 'pending' })
      assert.deepEqual(items[0]?.waitsFor, [
        { kind: 'answer', command: 'work.Note', id: 'held', heldBy: 'worker/thing' },
      ])
    }))
})
