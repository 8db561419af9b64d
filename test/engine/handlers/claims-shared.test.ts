// Two instances share a store, and the lease of a long call moves between them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { App } from 'throughline'
import { contract, event, handler, service, start } from 'throughline'
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

const Parcel = z.object({ to: z.string(), n: z.int() })
const Mail = contract('mail', { key: 'to', partitions: 4 }, { Due: event(Parcel) })
const KEYS = Array.from({ length: 12 }, (_, at) => `k${at}`)
const COUNT = 6

for (let seed = 1; seed <= runs(5); seed += 1)
  for (const onFailed of ['hold-key', 'skip'] as const)
    test(`long calls survive crashes, faults and moving leases (${onFailed}, ${seed})`, async () => {
      const stage = createSimulation(memory, seed)
      const { until } = stage.clock
      const random = seededRandom(seed)
      const launch = async (): Promise<{ app: App; crash: () => void }> => {
        const { backend, clock, random: own, crash } = stage.instance(randomFaults(random, 0.08))
        const post = handler(
          'post',
          { onFailed, retry: { attempts: 3, delayMs: 300 }, redrive: { onDeploy: false } },
          (on) => [
            on(Mail.Due, async () => {
              const ms = random() < 0.4 ? 1_500 : 5
              await new Promise<void>((resolve) => void stage.clock.after(ms, resolve))
              if (random() < 0.3) throw new Error('no bell')
            }),
          ],
        )
        const shop = service('shop', { owns: [Mail], runs: [post] })
        const hooks = { onRuleError: () => undefined, onBackendError: () => undefined }
        const engine = { leaseMs: 2_000, idleMs: 100, retryDelayMs: 50 }
        const options = { clock, random: own, engine, ...hooks }
        const app = await untilDone(stage, () => start([shop], backend, options))
        return { app, crash }
      }
      const safe = <T>(run: () => Promise<T>): Promise<T> => untilDone(stage, run)
      let [one, two] = [await launch(), await launch()]
      for (let n = 0; n < COUNT; n += 1) {
        await safe(() =>
          one.app.append(
            KEYS.map((to) => Mail.Due({ to, n })),
            { ids: KEYS.map((to) => `${to} ${n}`) },
          ),
        )
        await stage.clock.advance(1_700)
        if (n === 2) {
          one.crash()
          one = await launch()
        }
        if (n === 4) {
          two.crash()
          two = await launch()
        }
      }
      for (let round = 0; round < 12; round += 1) {
        await stage.clock.advance(20_000)
        await safe(() => one.app.deadLetters.redrive({ by: 'x', reason: 'y' }))
      }
      await stage.clock.advance(60_000)
      const status = await safe(() => caughtUp(stage.clock, one.app))
      assert.deepEqual(findImbalances(status), [])
      const statuses = await until(stage.backend.store.statuses({ limit: 10_000 }))
      const open = statuses.filter((each) => each.status !== 'COMPLETED')
      assert.equal(open.length, status[0]?.dead ?? -1)
      assert.ok(open.every((each) => each.status === 'FAILED'))
    })
