// Pages through lost answers, conflicts, crashes and moving leases.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App, FailureOptions } from 'throughline'
import { contract, event, handler, projection, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { runs } from '../../extent.ts'
import { seededRandom } from '../../../src/base/random.ts'
import {
  caughtUp,
  createSimulation,
  findImbalances,
  randomFaults,
  untilDone,
} from '../support/simulation.ts'

const Data = z.object({ k: z.string(), n: z.int() })
const Work = contract('work', { key: 'k', partitions: 4 }, { Done: event(Data) })
const KEYS = ['a', 'b', 'c', 'd']
const COUNT = 500

async function runWith(kind: 'handler' | 'projection', seed: number, failure: FailureOptions) {
  const stage = createSimulation(memory, seed)
  const { until } = stage.clock
  const random = seededRandom(seed)
  const failing = new Set<string>(['a 0', 'b 3', 'c 300', 'a 400'])
  const handled: string[] = []
  const check = ({ k, n }: { k: string; n: number }): void => {
    if (failing.has(`${k} ${n}`)) throw new Error(`no ${k} ${n}`)
  }
  const launch = async (): Promise<{ app: App; crash: () => void }> => {
    const { backend, clock, random: own, crash } = stage.instance(randomFaults(random, 0.03))
    const rule =
      kind === 'handler'
        ? handler('rule', { ...failure }, (on) => [
            on(Work.Done, async (data) => {
              check(data)
              handled.push(`${data.k} ${data.n}`)
              if (data.n % 97 === 0)
                await new Promise<void>((resolve) => void stage.clock.after(700, resolve))
            }),
          ])
        : projection('rule', { by: 'k', row: tool<readonly number[]>(), ...failure }, (on) => [
            on(Work.Done, (data, rows: readonly number[] = []) => {
              check(data)
              return [...rows, data.n]
            }),
          ])
    const svc = service('svc', { owns: [Work], runs: [rule] })
    const hooks = { onRuleError: () => undefined, onBackendError: () => undefined }
    const engine = { retryDelayMs: 50, retryDelayMsMax: 400, leaseMs: 3_000, idleMs: 200 }
    const options = { clock, random: own, engine, ...hooks }
    const app = await untilDone(stage, () => start([svc], backend, options))
    return { app, crash }
  }
  const safe = <T>(run: () => Promise<T>): Promise<T> => untilDone(stage, run)
  let [one, two] = [await launch(), await launch()]
  for (let from = 0; from < COUNT; from += 50) {
    for (const k of KEYS) {
      const range = Array.from({ length: 50 }, (_, at) => from + at)
      await safe(() =>
        one.app.append(
          range.map((n) => Work.Done({ k, n })),
          { ids: range.map((n) => `${k} ${n}`) },
        ),
      )
    }
    await stage.clock.advance(400)
    if (from === 200) {
      one.crash()
      one = await launch()
    }
  }
  await stage.clock.advance(30_000)
  failing.delete('a 0')
  failing.delete('b 3')
  await safe(() => one.app.deadLetters.redrive({ by: 'x', reason: 'y' }))
  await stage.clock.advance(300)
  two.crash()
  two = await launch()
  await stage.clock.advance(30_000)
  failing.clear()
  await safe(() => one.app.deadLetters.redrive({ by: 'x', reason: 'y' }))
  await stage.clock.advance(100)
  one.crash()
  one = await launch()
  await stage.clock.advance(30_000)
  const status = await safe(() => caughtUp(stage.clock, one.app))
  assert.deepEqual(findImbalances(status), [])
  assert.equal(status[0]?.completed, COUNT * KEYS.length, JSON.stringify(status))
  if (kind === 'projection')
    for (const key of KEYS) {
      const [row] = await until(stage.backend.store.get([{ table: 'svc.rule', key }]))
      const found = row ? (JSON.parse(row.body) as { row?: unknown }) : {}
      if (failure.onFailed !== 'skip')
        assert.match(
          JSON.stringify(found),
          new RegExp(
            JSON.stringify(Array.from({ length: COUNT }, (_, n) => n))
              .replaceAll('[', '\\[')
              .replaceAll(']', '\\]'),
          ),
        )
    }
  else if (failure.onFailed !== 'skip')
    for (const key of KEYS) {
      const own = handled.filter((each) => each.startsWith(`${key} `))
      assert.deepEqual(
        [...new Set(own)],
        Array.from({ length: COUNT }, (_, n) => `${key} ${n}`),
      )
    }
  for (const table of ['svc.held', 'svc.held-pages', 'svc.holds'])
    assert.deepEqual(await until(stage.backend.store.scan({ table, limit: 10 })), [], table)
  const open = await until(stage.backend.store.statuses({ limit: 10_000 }))
  assert.deepEqual(
    open.filter((each) => each.status !== 'COMPLETED'),
    [],
  )
}

suite('events in pages keep their order through faults, crashes and moving leases', () => {
  for (const kind of ['handler', 'projection'] as const)
    for (const onFailed of ['hold-key', 'skip'] as const)
      for (let seed = 1; seed <= runs(1); seed += 1)
        test(`${kind} ${onFailed} ${seed}`, () =>
          runWith(kind, seed, { onFailed, retry: { attempts: 2 }, redrive: { onDeploy: false } }))
})
