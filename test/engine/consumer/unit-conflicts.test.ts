// A unit that conflicts forever does not spin, blocks no other key, and is reported.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  after,
  command,
  contract,
  entity,
  event,
  finish,
  handler,
  saga,
  send,
  service,
  start,
} from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { intercept } from '../../../src/ports/intercept.ts'
import type { Unit, CommitResult } from '../../../src/ports/event-store.ts'
import { testClock } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Work = contract(
  'work',
  { key: 'id' },
  { Do: command(Id), Done: event(Id), Late: event(Id), Note: command(Id), Noted: event(Id) },
)
const doing = entity(
  'doing',
  { of: Work, id: 'id', initial: 0, emits: [Work.Done, Work.Noted] },
  {
    decide: (on) => [on(Work.Do, (x) => Work.Done(x)), on(Work.Note, (x) => Work.Noted(x))],
    evolve: (on) => [on(Work.Done, (_, n) => n + 1), on(Work.Noted, (_, n) => n + 1)],
  },
)
const noting = handler('noting', { sends: [Work.Note] }, (on) => [
  on(Work.Done, (x) => send(Work.Note(x))),
])
const reminding = saga('reminding', { by: 'id', initial: {}, sends: [Work.Note] }, (on) => [
  on(Work.Done, (x) => after(1_000, Work.Note(x))),
  on(Work.Noted, () => finish()),
])
const keys = ['a', 'bad', 'c', 'd']
const isBad = ({ rows, checks }: Unit): boolean =>
  [...rows, ...checks].some(({ table, key }) => table === 'worker.doing' && key === 'bad')

/**
 * Runs commands of several keys while units named by `fails` conflict, and then once more without
 * conflicts.
 */
async function run(runs: readonly unknown[], fails: (unit: Unit) => boolean) {
  const clock = testClock()
  let isFailing = false
  let commits = 0
  const backend = intercept(memory({ clock }), async (method, call, [unit]) => {
    if (method !== 'store.commit') return call()
    commits += 1
    if (!isFailing || !fails(unit as Unit)) return call()
    const { rows } = unit as Unit
    return { status: 'conflict', rows } satisfies CommitResult
  })
  const broke: string[] = []
  const worker = service('worker', { owns: [Work], runs: runs as readonly [typeof doing] })
  const app = await clock.until(
    start([worker], backend, {
      clock,
      onRuleError: () => undefined,
      onBackendError: (_, cause) => void broke.push((cause as Error).message),
      engine: { retryDelayMs: 1_000, retryDelayMsMax: 10_000, retryAttemptsMax: 1_000 },
    }),
  )
  isFailing = true
  for (const id of keys) await clock.until(app.send(Work.Do({ id })))
  const before = commits
  await clock.advance(60_000)
  const status = await clock.until(app.status())
  const failing = await clock.until(app.health())
  const spent = commits - before
  isFailing = false
  await clock.until(app.settled())
  const well = await clock.until(app.health())
  await clock.until(app.stop())
  return { status, failing, well, spent, broke }
}

suite('a unit that conflicts for ever', () => {
  test('holds only its own key', async () => {
    const { status, failing, well, spent, broke } = await run([doing], isBad)
    assert.deepEqual(
      status.map(({ completed, pending, lag }) => [completed, pending, lag]),
      [[3, 1, 0]],
    )
    assert.equal(failing.status, 'failing')
    assert.match(failing.detail, /UNIT_CONFLICT.*worker\/doing on work\.Do/s)
    assert.match(broke[0] ?? '', /UNIT_CONFLICT/)
    assert.ok(spent < 200, `${spent} commits in a minute`)
    assert.equal(well.status, 'well')
  })

  test('delays only its own timer', async () => {
    const { failing, spent, well } = await run([doing, reminding], (unit) =>
      unit.rows.some(
        ({ table, body, key }) =>
          table === 'worker.reminding' && key === 'bad' && !body?.includes('"timers":["'),
      ),
    )
    assert.equal(failing.status, 'failing')
    assert.match(failing.detail, /the timer/)
    assert.ok(spent < 200, `${spent} commits in a minute`)
    assert.equal(well.status, 'well')
  })

  for (const [what, runs] of Object.entries({
    'pure rules': [doing],
    'a handler': [doing, noting],
  }))
    test(`does not spin, whatever it is about (${what})`, async () => {
      const { spent, failing, well } = await run(runs, () => true)
      assert.ok(spent < 2_000, `${spent} commits in a minute`)
      assert.equal(failing.status, 'failing')
      assert.equal(well.status, 'well')
    })
})
