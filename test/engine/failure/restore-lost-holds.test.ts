// The row of a hold is lost while its messages exist: no message overtakes them, none is replaced,
// and each is handled once.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App } from 'throughline'
import { contract, event, handler, projection, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { Backend } from '../../../src/ports/event-store.ts'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import { testClock, findImbalances, sharedBackend } from '../support/simulation.ts'

const Data = z.object({ k: z.string(), n: z.int() })
const Work = contract('work', { key: 'k', partitions: 1 }, { Done: event(Data) })
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => Work.Done({ k: 'a', n: from + at }))

const ascending = (a: number, b: number): number => a - b

const KINDS = ['handler', 'queue', 'projection'] as const

/** A consumer that throws on request, on a backend that outlives its apps. */
function worldOf(kind: (typeof KINDS)[number]) {
  const clock = testClock()
  const backend: Backend = sharedBackend(memory({ clock }), (_, call) => call())
  const mood = { isBad: true }
  const done: number[] = []
  const broke: string[] = []
  const run = ({ n }: z.infer<typeof Data>): void => {
    if (mood.isBad) throw new Error('planted')
    done.push(n)
  }
  const rule =
    kind === 'projection'
      ? projection('rule', { by: 'k', row: tool<{ n: number }>() }, (on) => [
          on(Work.Done, (data) => (run(data), { n: data.n })),
        ])
      : handler('rule', { consume: kind === 'queue' ? 'queue' : 'stream' }, (on) => [
          on(Work.Done, run),
        ])
  const until = clock.until
  return {
    clock,
    mood,
    done,
    broke,
    until,
    launch: (): Promise<App> =>
      until(
        start([service('svc', { owns: [Work], runs: [rule] })], backend, {
          clock,
          random: () => 0.5,
          engine: { retryDelayMs: 100, retryDelayMsMax: 100, retryAttemptsMax: 1_000_000 },
          onRuleError: () => undefined,
          onBackendError: (group, cause) => void broke.push(`${group}: ${String(cause)}`),
        }),
      ),
    async held(): Promise<readonly string[]> {
      const table = 'svc.held'
      const rows = await until(backend.store.scan({ table, limit: 100 }))
      return rows.map(({ body }) => (JSON.parse(body) as { data: string }).data)
    },
    async loseHolds(): Promise<void> {
      const table = 'svc.holds'
      const found = await until(backend.store.scan({ table, limit: 100 }))
      const rows = found.map(({ key, version }) => {
        return { table, key, expected: version, version: 0, body: null }
      })
      assert.ok(rows.length > 0)
      assert.equal((await until(backend.store.commit({ ...EMPTY_UNIT, rows }))).status, 'done')
    },
  }
}

suite('a hold whose row was lost', () => {
  for (const kind of KINDS) {
    test(`is restored at the next start, and its messages are handled in order (${kind})`, async () => {
      const { clock, mood, done, broke, until, launch, held, loseHolds } = worldOf(kind)
      const first = await launch()
      await until(first.append(numbers(1, 3)))
      await clock.advance(1_000)
      await until(first.stop())
      await loseHolds()
      const second = await launch()
      await clock.advance(1_000)
      const { items } = await until(second.heldKeys())
      assert.equal(
        items.reduce((sum, { count }) => sum + count, 0),
        3,
      )
      await until(second.append(numbers(4, 5)))
      await clock.advance(1_000)
      assert.equal((await held()).length, 5, 'new messages wait behind those that are held')
      mood.isBad = false
      await clock.advance(1_000)
      await until(second.settled())
      const status = await until(second.status())
      await until(second.stop())
      assert.deepEqual(done.toSorted(ascending), [1, 2, 3, 4, 5])
      if (kind !== 'queue') assert.deepEqual(done, [1, 2, 3, 4, 5])
      assert.deepEqual([broke, findImbalances(status), await held()], [[], [], []])
      assert.deepEqual([status[0]?.completed, status[0]?.pending], [5, 0])
    })

    test(`loses no message while its service runs (${kind})`, async () => {
      const { clock, mood, done, until, launch, held, loseHolds } = worldOf(kind)
      const app = await launch()
      await until(app.append(numbers(1, 3)))
      await clock.advance(1_000)
      await loseHolds()
      await until(app.append(numbers(4, 5)))
      await clock.advance(1_000)
      assert.equal((await held()).length, 5)
      mood.isBad = false
      await clock.advance(1_000)
      await until(app.settled())
      const status = await until(app.status())
      await until(app.stop())
      assert.deepEqual([...new Set(done)].toSorted(ascending), [1, 2, 3, 4, 5])
      if (kind !== 'queue') assert.deepEqual(done, [1, 2, 3, 4, 5])
      assert.deepEqual([findImbalances(status), await held()], [[], []])
    })
  }
})
