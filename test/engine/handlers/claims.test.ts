// An ordered handler whose call takes long: its event is in progress, and everybody can see it.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App } from 'throughline'
import { contract, event, handler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import { createSimulation } from '../support/simulation.ts'

const Parcel = z.object({ to: z.string(), n: z.int() })
const Mail = contract('mail', { key: 'to' }, { Due: event(Parcel) })
/** Longer than the ack time. */
const LONG_MS = 2_000

/** A post office in which a call ends once it is told to. */
function createPost() {
  const stage = createSimulation(memory, 1)
  const { until } = stage.clock
  const called: string[] = []
  const ends = new Map<string, (error?: Error) => void>()
  const retry = { attempts: 5, delayMs: 1_000 }
  const post = handler('post', { retry }, (on) => [
    on(Mail.Due, ({ to, n }) => {
      called.push(`${to} ${n}`)
      return new Promise((resolve, reject) =>
        ends.set(to, (error) => (error ? reject(error) : resolve(undefined))),
      )
    }),
  ])
  let app: App | undefined
  return {
    until,
    called,
    end: (to: string, error?: Error) => ends.get(to)?.(error),
    advance: (ms: number) => stage.clock.advance(ms),
    async launch(around?: Interceptor): Promise<() => void> {
      const { backend, clock, random, crash } = stage.instance(around)
      const shop = service('shop', { owns: [Mail], runs: [post] })
      const engine = { leaseMs: 3_000, idleMs: 200 }
      const hooks = { onRuleError: () => undefined, onBackendError: () => undefined }
      app = await until(start([shop], backend, { clock, random, engine, ...hooks }))
      return crash
    },
    append: (to: string, n: number) => until((app as App).append([Mail.Due({ to, n })])),
    async statuses(): Promise<readonly string[]> {
      const rows = await until(stage.backend.store.statuses({ limit: 100 }))
      return rows.map(({ key, status, attempts }) => `${key} ${status} ${attempts}`)
    },
    async counts() {
      const [status] = await until((app as App).status())
      return [status?.completed, status?.pending, status?.lag]
    },
    stop: () => until((app as App).stop()),
  }
}

suite('a call that takes longer than the ack time', () => {
  test('is in progress, then completed; a short one has no row', async () => {
    const post = createPost()
    await post.launch()
    await post.append('ann', 1)
    await post.append('bob', 1)
    await post.advance(100)
    post.end('bob')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.statuses(), ['ann IN_PROGRESS 0'])
    post.end('ann')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 0'])
    assert.deepEqual(await post.counts(), [2, 0, 0])
    await post.stop()
  })

  test('may fail, and is in progress again at its next attempt', async () => {
    const post = createPost()
    await post.launch()
    await post.append('ann', 1)
    await post.advance(LONG_MS)
    post.end('ann', new Error('the bell is broken'))
    await post.advance(50)
    assert.deepEqual(await post.statuses(), ['ann RETRY 1'])
    await post.advance(3_000)
    assert.deepEqual(await post.statuses(), ['ann IN_PROGRESS 1'])
    post.end('ann')
    await post.advance(LONG_MS)
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 1'])
    assert.deepEqual(await post.counts(), [1, 0, 0])
    await post.stop()
  })

  for (const [moment, first] of [
    ['first', true],
    ['second', false],
  ] as const)
    test(`goes on after a crash in its ${moment} attempt`, async () => {
      const post = createPost()
      const crash = await post.launch()
      await post.append('ann', 1)
      await post.advance(LONG_MS)
      if (!first) {
        post.end('ann', new Error('the bell is broken'))
        await post.advance(4_000)
      }
      const attempts = first ? 0 : 1
      assert.deepEqual(await post.statuses(), [`ann IN_PROGRESS ${attempts}`])
      crash()
      await post.launch()
      await post.advance(10_000)
      assert.equal(post.called.length, attempts + 2)
      post.end('ann')
      await post.advance(LONG_MS)
      assert.deepEqual(await post.statuses(), [`ann COMPLETED ${attempts}`])
      assert.deepEqual(await post.counts(), [1, 0, 0])
      await post.stop()
    })

  test('is done once, although the answer of its claim was lost', async () => {
    const post = createPost()
    let lost = 0
    await post.launch(async (method, call, args) => {
      const answer = await call()
      const isClaim = method === 'store.commit' && JSON.stringify(args).includes('IN_PROGRESS')
      if (isClaim && (lost += 1) === 1) throw new Error('the connection is gone')
      return answer
    })
    await post.append('ann', 1)
    await post.advance(LONG_MS)
    post.end('ann')
    await post.advance(LONG_MS)
    assert.ok(lost > 0)
    assert.deepEqual(post.called, ['ann 1'])
    assert.deepEqual(await post.statuses(), ['ann COMPLETED 0'])
    assert.deepEqual(await post.counts(), [1, 0, 0])
    await post.stop()
  })
})
