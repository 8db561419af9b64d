// The listing commands (held, sagas, timers, operations): with a running owner, and without one.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { LedgerRow } from '../../src/ports/ledger.ts'
import type { App, HeldKey, ListPage, OpenSaga, OperationEntry, TimerEntry } from 'throughline'
import { command, contract, entity, event, handler, hours, saga, service } from 'throughline'
import { after as later, refuse, start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'
import type { WorkingDataRow } from '../../src/control/ledger/ledger.ts'
import type { ChainView } from '../../src/control/views.ts'
import type { PayloadRow } from '../../src/ports/payloads.ts'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory } from './harness.ts'

const Id = z.object({ id: z.string() })
const Work = contract(
  'work',
  { key: 'id' },
  { Do: command(Id), Done: event(Id), Note: command(Id), Noted: event(Id) },
)
const thing = entity(
  'thing',
  { of: Work, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Work.Do, (data) => Work.Done(data)),
      on(Work.Note, (data) => Work.Noted(data)),
    ],
    evolve: (on) => [on(Work.Done, (_, count) => count + 1), on(Work.Noted, (_, count) => count)],
  },
)
const outside = handler('outside', {}, (on) => [
  on(Work.Done, ({ id }) => {
    if (id.startsWith('bad')) throw new Error(`the bank said no\n for \u001b[31m${id}`)
  }),
])
const reminding = saga('reminding', { by: 'id', initial: {}, sends: [Work.Note] }, (on) => [
  on(Work.Done, (data) => later(hours(5), Work.Note(data))),
])
const stuck = service('work', { owns: [Work], runs: [thing, outside, reminding] })

/** Starts an app with two held keys and three sagas that wait for timers. */
async function launch(at: TestDirectory): Promise<App> {
  const app = await start([stuck], embedded({ directory: at.data }), {
    engine: { retryDelayMs: 2, idleMs: 5 },
    onRuleError: () => undefined,
  })
  for (const id of ['bad-1', 'bad-2', 'good']) await app.send(Work.Do({ id }), { id: `do-${id}` })
  for (;;) {
    const [{ items }, sagas] = await Promise.all([app.heldKeys(), app.sagas()])
    const isStuck = items.length === 2 && items.every(({ attempts }) => attempts > 3)
    if (isStuck && sagas.items.length === 3) return app
    await setImmediate()
  }
}

for (const isRunning of [true, false])
  suite(`lists ${isRunning ? 'with a running owner' : 'without an owner'}`, () => {
    const at = createTestDirectory()
    let app: App
    before(async () => {
      app = await launch(at)
      if (!isRunning) await app.stop()
    })
    after(async () => {
      await app.stop()
      at.remove()
    })
    const list = async <T>(...argv: readonly string[]): Promise<readonly T[]> =>
      ((await at.runJson(...argv)) as ListPage<T>).items

    test('held lists the held keys with their errors, and with --key the details', async () => {
      const { code, out, err } = await at.run(['held'])
      assert.deepEqual([code, err], [0, ''])
      const [head, ...lines] = out.trimEnd().split('\n')
      assert.match(
        head ?? '',
        /^consumer +key +for +waiting +behind +status +attempts +next +error$/,
      )
      assert.equal(lines.length, 2)
      assert.match(
        lines[0] ?? '',
        isRunning
          ? /^work\/outside +bad-1 .* 1 +work\.Done \S+ +(?:RETRY|ERROR) +\d+ +(in|now).* the bank/
          : /^work\/outside +bad-1 .* 1 +work\.Done \S+ +(?:RETRY|ERROR) +\d+ +after start +the bank/,
      )
      assert.ok(!out.includes('\u001b'), 'control characters of errors are escaped')
      const items = await list<HeldKey>('held', '--consumer', 'work/outside')
      assert.deepEqual(
        items.map(({ key }) => key),
        ['bad-1', 'bad-2'],
      )
      const one = await at.run(['held', '--key', 'bad-2'])
      assert.match(
        one.out,
        /work\/outside bad-2: work\.Done \S+ at work\.events\/\d@\d+, created at 2/,
      )
      assert.match(one.out, /First failed at 2\S+Z, last at 2\S+Z:\nError: the bank said no\n/)
      assert.ok(one.out.includes(basename(import.meta.filename)))
      const none = await at.run(['held', '--key', 'good'])
      assert.deepEqual([none.code, none.out, none.err], [0, '', 'No keys are held.\n'])
    })

    test('sagas and timers show what they wait for', async () => {
      const { out } = await at.run(['sagas'])
      assert.match(out, /^saga +instance +open for +operation +waits for$/m)
      assert.match(out, /^work\/reminding +good +\S+ \S+ +do-good +timer for work\.Note in 5 h$/m)
      const [saga_] = await list<OpenSaga>('sagas', '--operation', 'do-good')
      const [timer] = await list<TimerEntry>('timers', '--saga', 'work/reminding', '--limit', '1')
      assert.equal(saga_?.waitsFor[0]?.kind, 'timer')
      assert.equal(timer?.type, 'work.Note')
      assert.match(
        (await at.run(['timers'])).out,
        /^2\S+Z +in 5 h +work\/reminding +bad-1 +work\.Note +0$/m,
      )
      const none = await at.run(['timers', '--until', '2020-01-01T00:00:00Z'])
      assert.deepEqual([none.code, none.out, none.err], [0, '', 'No timers are set.\n'])
    })

    test('operations lists by state, key and time, page by page', async () => {
      const { out } = await at.run(['operations', '--state', 'pending'])
      assert.match(out, /^time +command +key +id +state +waits for, or reason$/m)
      assert.match(out, /^2\S+Z +work\.Do +good +do-good +pending +timer for work\.Note in 5 h$/m)
      const ids = async (...argv: readonly string[]): Promise<readonly string[]> =>
        (await list<OperationEntry>('operations', ...argv)).map(({ id }) => id)
      assert.deepEqual(await ids(), ['do-good', 'do-bad-2', 'do-bad-1'])
      assert.deepEqual(await ids('--key', 'bad-1'), ['do-bad-1'])
      assert.deepEqual(await ids('--since', '2100-01-01T00:00:00Z'), [])
      assert.deepEqual(await ids('--state', 'completed'), [])
      const first = (await at.runJson('operations', '--limit', '2')) as ListPage<OperationEntry>
      assert.deepEqual(await ids('--after', first.next ?? ''), ['do-bad-1'])
      const more = await at.run(['operations', '--limit', '2'])
      assert.equal(more.err, `There is more: --after ${JSON.stringify(first.next)}\n`)
    })

    test('chain and operations show the same state of a command', async () => {
      const { operation } = (await at.runJson('chain', 'do-good')) as ChainView
      const entries = await list<OperationEntry>('operations', '--key', 'good')
      assert.deepEqual(
        entries.map(({ state }) => [state.kind, state.status]),
        [[operation?.kind, operation?.status]],
      )
      assert.match((await at.run(['chain', 'do-good'])).out, /^Outcome: pending$/m)
    })

    test('ledger lists the status of each event at each consumer, as asked', async () => {
      const retried = await list<LedgerRow>('ledger', '--consumer', 'work/outside')
      assert.deepEqual(
        retried.map(({ consumer, MESSAGE_TYPE }) => [consumer, MESSAGE_TYPE]),
        retried.map(() => ['work/outside', 'work.Done']),
      )
      const failing = retried.filter(({ error }) => error?.includes('the bank'))
      assert.equal(failing.length, 2)
      for (const { STATUS, attempts, CREATED_BY, UPDATED_BY } of failing) {
        assert.match(STATUS, /^(?:RETRY|ERROR)$/)
        assert.ok(attempts > 0)
        assert.deepEqual([CREATED_BY, UPDATED_BY], ['work', 'work'])
      }
      const [{ EVENT_ID }] = failing as [LedgerRow]
      const { out } = await at.run(['ledger', '--event', EVENT_ID])
      assert.match(out, /^EVENT_ID +SERVICE_MESSAGE_TYPE +STATUS +CREATED_BY +CREATED_DTTM /)
      assert.match(
        out,
        new RegExp(`^${EVENT_ID} +work\\.Done +(?:RETRY|ERROR) +work .* work/outside `, 'm'),
      )
      const inbound = await list<LedgerRow>('ledger', '--view', 'inbound')
      assert.ok(inbound.every(({ MESSAGE_TYPE }) => MESSAGE_TYPE === 'work.Do'))
      const { code, err } = await at.run(['ledger', '--status', 'DONE'])
      assert.equal(code, 2)
      assert.match(err, /must be one of UNPROCESSED, IN_PROGRESS, COMPLETED, ERROR, RETRY, FAILED/)
    })

    test('ledger lists bodies and working data as the SQL views have them', async () => {
      const rows = (view: string): readonly object[] => {
        using db = new DatabaseSync(join(at.data, 'throughline.db'), { readOnly: true })
        return db
          .prepare(`SELECT * FROM ${view}`)
          .all()
          .map((row) => ({ ...row }))
      }
      const bodies = await list<PayloadRow>('ledger', '--view', 'payload')
      assert.deepEqual(bodies, rows('payload'))
      const ofOne = await list<PayloadRow>('ledger', '--view', 'payload', '--event', 'do-bad-1')
      assert.deepEqual(
        ofOne.map(({ TARGET_SERVICE, PAYLOAD }) => [TARGET_SERVICE, PAYLOAD]),
        [['work', '{"id":"bad-1"}']],
      )
      const kept = await list<WorkingDataRow>('ledger', '--view', 'working_data')
      const byKey = (all: readonly object[]): readonly string[] =>
        all.map((row) => JSON.stringify(row)).toSorted()
      assert.deepEqual(byKey(kept), byKey(rows('working_data')))
      assert.deepEqual(
        kept.map(({ kind, service, key, operation }) => [kind, service, key, operation]),
        ['bad-1', 'bad-2', 'good'].map((key) => ['saga', 'work', key, `do-${key}`]),
      )
      const [first, next] = [
        (await at.runJson('ledger', '--view', 'working_data', '--limit', '1')) as ListPage<object>,
        await list<object>('ledger', '--view', 'working_data', '--key', 'good'),
      ]
      assert.deepEqual([first.items, next], [kept.slice(0, 1), kept.slice(2)])
      const { out } = await at.run(['ledger', '--view', 'payload', '--topic', 'work.events'])
      assert.match(out, /^EVENT_ID +TOPIC +SOURCE_SERVICE +TARGET_SERVICE +PAYLOAD +CREATED_BY /)
      const { code, err } = await at.run(['ledger', '--view', 'payload', '--status', 'FAILED'])
      assert.equal(code, 2)
      assert.match(err, /status: is no filter of this view, which takes event, topic, service/)
      const cursor = await at.run(['ledger', '--view', 'working_data', '--after', 'x'])
      assert.match(cursor.err, /after: must be the next of an earlier page/)
    })

    test('chain shows where it is held and what it waits for', async () => {
      const { out } = await at.run(['chain', 'do-bad-1'])
      assert.match(out, /^Waits for: timer for work\.Note in 5 h$/m)
      assert.match(
        out,
        /^Held: work\/outside holds bad-1 behind work\.Done \S+, \d+ failed attempts, next attempt /m,
      )
      assert.equal(/next attempt after start: the bank/.test(out), !isRunning)
      assert.match(out, /^message .* id +status$/m)
      assert.match(out, /^work\.Do .* do-bad-1 +COMPLETED at work\/thing$/m)
      assert.match(
        out,
        isRunning
          ? /^└─ work\.Done .*(?:RETRY|ERROR) \(\d+ failed attempts, next (?:in|now).*\) at work\/outside/m
          : /^└─ work\.Done .*(?:RETRY|ERROR) \(\d+ failed attempts, next after start\) at work\/outside/m,
      )
      assert.doesNotMatch((await at.run(['chain', 'do-good'])).out, /^Held/m)
    })

    test('health is degraded, names the held keys, and ends with 1', async () => {
      const { code, out } = await at.run(['health'])
      assert.equal(code, 1)
      assert.match(out, /^degraded: 1 alarm\n/)
      assert.match(out, /^Alarm: work\/outside holds 2 keys \(bad-\d, bad-\d\), for up to /m)
      assert.equal(/^Not running\.$/m.test(out), !isRunning)
      const report = JSON.parse((await at.run(['health', '--json'])).out) as object
      assert.partialDeepStrictEqual(report, { status: 'degraded', isRunning })
    })

    test('an unknown consumer, an invalid limit and an invalid time are refused', async () => {
      const rule = await at.run(['held', '--consumer', 'work/inside'])
      assert.equal(rule.code, 1)
      assert.match(rule.err, /^RULE_NOT_FOUND: .*work\/inside; here are work\/thing/)
      for (const verb of ['sagas', 'timers']) {
        const other = await at.run([verb, '--saga', 'work/thing'])
        assert.equal(other.code, 2)
        assert.match(other.err, /saga: work\/thing is not a saga; the sagas are work\/reminding$/m)
        const none = await at.run([verb, '--saga', 'work/inside'])
        assert.match(none.err, /^RULE_NOT_FOUND: .*work\/inside; here are work\/reminding$/m)
      }
      const limit = await at.run(['sagas', '--limit', '0'])
      assert.equal(limit.code, 2)
      assert.match(limit.err, /limit: must be a whole number from 1 to 1000/)
      const time = await at.run(['operations', '--since', '2030-01-31T12:00'])
      assert.equal(time.code, 2)
      assert.match(time.err, /since: "2030-01-31T12:00" has no time zone/)
      const none = await at.run(['operations', '--since', 'foo'])
      assert.match(none.err, /since: "foo" is not a date or RFC 3339 timestamp, such as 2026-11-2/)
    })
  })

test('chain shows why a command was refused, with and without an owner', async () => {
  const at = createTestDirectory()
  const Late = contract('late', { key: 'id' }, { Ask: command(Id, { refuses: ['late'] }) })
  const clerk = entity(
    'clerk',
    { of: Late, id: 'id', initial: 0 },
    { decide: (on) => [on(Late.Ask, () => refuse('late', ['come at nine']))], evolve: () => [] },
  )
  const closed = service('office', { owns: [Late], runs: [clerk] })
  const app = await start([closed], embedded({ directory: at.data }))
  await (await app.send(Late.Ask({ id: 'a' }), { id: 'ask' })).settled()
  const seen = async (): Promise<unknown> => {
    assert.match((await at.run(['chain', 'ask'])).out, /^Outcome: refused \(late\)$/m)
    return ((await at.runJson('chain', 'ask')) as ChainView).operation
  }
  const live = await seen()
  await app.stop()
  assert.deepEqual(await seen(), live)
  assert.partialDeepStrictEqual(live, {
    kind: 'refused',
    issues: [{ path: '', message: 'come at nine' }],
  })
  at.remove()
})
