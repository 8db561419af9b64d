// Handlers: the only rules that reach other systems.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App, HandlerContext } from 'throughline'
import { command, contract, entity, event, handler, send, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { Unit, CommitResult } from '../../../src/ports/event-store.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const Letter = z.object({ to: z.string(), number: z.int() })
const Post = contract(
  'post',
  { key: 'to', partitions: 2 },
  {
    Write: command(Letter),
    Deliver: command(Letter),
    Written: event(Letter),
    Delivered: event(Letter),
    Stamped: event(Letter),
  },
)
const letter = entity(
  'letter',
  { of: Post, id: 'to', initial: [] as string[], emits: [Post.Written, Post.Delivered] },
  {
    decide: (on) => [
      on(Post.Write, (data) => Post.Written(data)),
      on(Post.Deliver, (data) => Post.Delivered(data)),
    ],
    evolve: (on) => [
      on(Post.Written, ({ number }, all) => [...all, `written ${number}`]),
      on(Post.Delivered, ({ number }, all) => [...all, `delivered ${number}`]),
    ],
  },
)

/** The external system. */
interface Postman {
  carry(letter: z.infer<typeof Letter>, handling: HandlerContext): Promise<unknown>
}
const postmen = (concurrency = 16) =>
  handler(
    'postmen',
    {
      uses: { postman: tool<Postman>() },
      sends: [Post.Deliver],
      emits: [Post.Stamped],
      concurrency,
    },
    (on) => [
      on(Post.Written, async (data, { postman }, handling) => {
        await postman.carry(data, handling)
        return [Post.Stamped(data), send(Post.Deliver(data))]
      }),
    ],
  )

const engine = { retryDelayMs: 50, retryDelayMsMax: 400, deadlineMs: 200, leaseMs: 3_000 }

async function launch(stage: Simulation, postman: Postman, concurrency = 16, around?: Interceptor) {
  const { backend, clock, random, crash } = stage.instance(around)
  const office = service('office', { owns: [Post], runs: [letter, postmen(concurrency)] })
  const options = { clock, random, engine, tools: { postman } }
  return { app: await stage.clock.until(start([office], backend, options)), crash }
}

function write(app: App, people: readonly string[], numbers: readonly number[]) {
  return Promise.all(
    numbers.flatMap((number) => people.map((to) => app.send(Post.Write({ to, number })))),
  )
}

async function countOf(stage: Simulation, type: string): Promise<number> {
  const from = [0, 1].flatMap((partition) =>
    ['post.commands', 'post.events'].map((topic) => ({ topic, partition, next: 0 })),
  )
  const max = { records: 10_000, bytes: 1e8 }
  const slices = await stage.clock.until(stage.backend.log.read(from, max, { ms: 0 }))
  return slices.flatMap(({ records }) => records).filter((record) => record.type === type).length
}

const PEOPLE = ['a', 'b', 'c', 'd', 'e', 'f']

describe('a handler', () => {
  for (const concurrency of [1, 3, 16])
    test(`works on ${concurrency} keys at a time, each in order`, async () => {
      const stage = createSimulation(memory, concurrency)
      const busy = new Set<string>()
      const carried = new Map<string, number[]>()
      let most = 0
      const postman = {
        async carry({ to, number }: z.infer<typeof Letter>) {
          assert.ok(!busy.has(to), `two at a time for ${to}`)
          busy.add(to)
          most = Math.max(most, busy.size)
          await new Promise<void>((resolve) => stage.clock.after(5, resolve))
          carried.set(to, [...(carried.get(to) ?? []), number])
          busy.delete(to)
        },
      }
      const { app } = await launch(stage, postman, concurrency)
      await stage.clock.until(write(app, PEOPLE, numbersUpTo(5)))
      await stage.clock.until(caughtUp(stage.clock, app))
      for (const to of PEOPLE) assert.deepEqual(carried.get(to), numbersUpTo(5))
      assert.equal(most, Math.min(concurrency, PEOPLE.length))
      await stage.clock.until(app.stop())
    })

  test('gets the same effect key at each attempt, and a different one per event', async () => {
    const stage = createSimulation(memory, 2)
    const keys = new Map<string, Set<string>>()
    const ids = new Set<string>()
    let calls = 0
    const postman = {
      async carry({ to, number }: z.infer<typeof Letter>, handling: HandlerContext) {
        const { effectKey, messageId, key, signal } = handling
        assert.equal(key, to)
        assert.equal(signal.aborted, false)
        ids.add(messageId)
        const name = `${to} ${number}`
        keys.set(name, (keys.get(name) ?? new Set()).add(effectKey))
        calls += 1
        if (calls % 3 !== 0) throw new Error('nobody is at home')
      },
    }
    const { app, crash } = await launch(stage, postman)
    await stage.clock.until(write(app, ['a', 'b'], numbersUpTo(3)))
    await stage.clock.advance(100)
    crash()
    const anew = await launch(stage, postman)
    await stage.clock.until(caughtUp(stage.clock, anew.app))
    assert.equal(keys.size, 6)
    for (const [name, all] of keys) assert.equal(all.size, 1, name)
    assert.equal(new Set([...keys.values()].flatMap((all) => [...all])).size, 6)
    assert.equal(ids.size, 6)
    assert.ok(calls > 6)
    await stage.clock.until(anew.app.stop())
  })

  test('sends the messages it returns atomically with its acknowledgement', async () => {
    const stage = createSimulation(memory, 3)
    let lost = 0
    const around: Interceptor = async (method, call, [unit]) => {
      const isOfHandler = (unit as Unit | undefined)?.progress?.some(
        ({ consumer }) => consumer === 'office/postmen',
      )
      if (method !== 'store.commit' || !isOfHandler || lost >= 4) return call()
      lost += 1
      if (lost % 2 === 0) await call()
      return { status: 'unknown', cause: 'lost' } satisfies CommitResult
    }
    const postman = { carry: async () => undefined }
    const { app } = await launch(stage, postman, 16, around)
    await stage.clock.until(write(app, PEOPLE, [0, 1]))
    await stage.clock.until(caughtUp(stage.clock, app))
    assert.equal(lost, 4)
    assert.equal(await countOf(stage, 'post.Written'), 12)
    assert.equal(await countOf(stage, 'post.Stamped'), 12)
    assert.equal(await countOf(stage, 'post.Deliver'), 12)
    assert.equal(await countOf(stage, 'post.Delivered'), 12)
    await stage.clock.until(app.stop())
  })

  test('that hangs delays no entity, and its signal aborts when the app stops', async () => {
    const stage = createSimulation(memory, 4)
    let abortedAt = 0
    let calls = 0
    const postman = {
      carry: (_: unknown, { signal }: HandlerContext) =>
        new Promise((_resolve, reject) => {
          calls += 1
          signal.addEventListener('abort', () => {
            abortedAt = stage.clock.now()
            reject(new Error('gave up'))
          })
        }),
    }
    const { app } = await launch(stage, postman)
    await stage.clock.until(write(app, ['a'], [0, 1]))
    await stage.clock.advance(1_000)
    const status = await stage.clock.until(app.status())
    const { completed } = status.find(({ consumer }) => consumer === 'office/letter') ?? {}
    assert.equal(completed, 2)
    assert.equal(calls, 1)

    const stoppingAt = stage.clock.now()
    await stage.clock.until(app.stop({ graceMs: 5_000 }))
    assert.ok(abortedAt >= stoppingAt + 5_000 && abortedAt <= stoppingAt + 5_100)
    assert.equal(await countOf(stage, 'post.Stamped'), 0)

    // What was given up is handled by the next start.
    const anew = await launch(stage, { carry: async () => undefined })
    await stage.clock.until(caughtUp(stage.clock, anew.app))
    assert.equal(await countOf(stage, 'post.Delivered'), 2)
    await stage.clock.until(anew.app.stop())
  })

  test('is not called after its signal has aborted, and no attempt is counted', async () => {
    const stage = createSimulation(memory, 6)
    const called: string[] = []
    const postman = {
      carry: ({ to }: z.infer<typeof Letter>, { signal }: HandlerContext) =>
        new Promise((resolve, reject) => {
          called.push(to)
          signal.addEventListener('abort', () => reject(new Error('gave up')))
          if (called.length > 1) resolve(undefined)
        }),
    }
    const first = await launch(stage, postman, 1)
    await stage.clock.until(write(first.app, PEOPLE, [0]))
    await stage.clock.advance(1_000)
    await stage.clock.until(first.app.stop({ graceMs: 0 }))
    const [to] = called
    assert.deepEqual(called, [to])

    const anew = await launch(stage, postman, 1)
    await stage.clock.until(caughtUp(stage.clock, anew.app))
    assert.deepEqual(called.slice(1).toSorted(), PEOPLE)
    assert.equal(await countOf(stage, 'post.Delivered'), PEOPLE.length)
    await stage.clock.until(anew.app.stop())
  })

  test('that returns an undeclared message fails, and sends nothing', async () => {
    const stage = createSimulation(memory, 5)
    const odd = handler('odd', { sends: [Post.Deliver] }, (on) => [
      on(Post.Written, (data) => [send(Post.Deliver(data)), Post.Stamped(data) as never]),
    ])
    const { backend, clock, random } = stage.instance()
    const faults: string[] = []
    const office = service('office', { owns: [Post], runs: [letter, odd] })
    const faulted = ({ error }: { error: string }): void => void faults.push(error)
    const app = await stage.clock.until(
      start([office], backend, { clock, random, onRuleError: faulted }),
    )
    await stage.clock.until(write(app, ['a'], [0]))
    await stage.clock.advance(1_000)
    assert.match(
      faults[0] ?? '',
      /RULE_RETURNED.*handler odd returned post.Stamped without declaring it/,
    )
    assert.equal(await countOf(stage, 'post.Deliver'), 0)
    await stage.clock.until(app.stop())
  })
})

describe('a handler call that takes longer than a lease', () => {
  /** Runs forever, until it is told to stop. */
  const endless = () => {
    let calls = 0
    let aborted = 0
    return {
      calls: () => calls,
      underWay: () => calls - aborted,
      carry: (_: unknown, { signal }: HandlerContext) =>
        new Promise((_resolve, reject) => {
          calls += 1
          signal.addEventListener('abort', () => {
            aborted += 1
            reject(new Error('gave up'))
          })
        }),
    }
  }

  test('is not repeated by another instance', async () => {
    const stage = createSimulation(memory, 6)
    const postman = endless()
    const a = await launch(stage, postman)
    await stage.clock.until(write(a.app, ['a'], [0]))
    await stage.clock.advance(100)
    const b = await launch(stage, postman)
    await stage.clock.advance(4 * engine.leaseMs)
    assert.equal(postman.calls(), 1)
    await stage.clock.until(Promise.all([a, b].map(({ app }) => app.stop({ graceMs: 0 }))))
  })

  test('has its signal aborted when another instance takes over', async () => {
    const stage = createSimulation(memory, 7)
    const postman = endless()
    let isCut = false
    const cut: Interceptor = async (_, call) => (isCut ? new Promise(() => undefined) : call())
    const a = await launch(stage, postman, 16, cut)
    await stage.clock.until(write(a.app, ['a'], [0]))
    await stage.clock.advance(100)
    isCut = true
    const b = await launch(stage, postman)
    await stage.clock.advance(2 * engine.leaseMs)
    assert.equal(postman.calls(), 2, 'the other one has taken over')
    assert.equal(postman.underWay(), 1, 'and the first one has given up')
    a.crash()
    await stage.clock.until(b.app.stop({ graceMs: 0 }))
  })
})
