// The end of an app: it takes nothing new, ends what is in hand, and leaves nothing undone.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App } from 'throughline'
import { Fault, command, contract, entity, event, handler, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { sleep, systemClock } from '../../src/base/time/clock.ts'
import { runVerb } from '../../src/control/verbs.ts'
import {
  Ledger,
  createLedgerService,
  createOutside,
  numbersUpTo,
} from '../engine/support/ledger-service.ts'
import type { Interceptor } from '../../src/ports/intercept.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import type { Simulation } from '../engine/support/simulation.ts'
import { caughtUp, createSimulation } from '../engine/support/simulation.ts'

const engine = { leaseMs: 3_000, retryDelayMs: 50 }

async function launch(stage: Simulation, around?: Interceptor) {
  const { backend, clock, random } = stage.instance(around)
  const outside = createOutside()
  const options = { clock, random, engine, tools: { outside } }
  return { app: await stage.clock.until(start([createLedgerService()], backend, options)), outside }
}

const sendAll = (app: App, count: number) =>
  Promise.all(numbersUpTo(count).map((number) => app.send(Ledger.Enter({ account: 'a', number }))))

describe('an app that stops', () => {
  test('accepts nothing new, stores what it accepted, and the next start handles the rest', async () => {
    const stage = createSimulation(memory, 1)
    const { app } = await launch(stage, async (method, call) => {
      if (method === 'log.append') await sleep(stage.clock, 500)
      return call()
    })
    let stored = 0
    const sending = sendAll(app, 50).then(({ length }) => (stored = length))
    const stopping = app.stop()
    const late = app.send(Ledger.Enter({ account: 'a', number: 50 }), { id: 'late' })
    await assert.rejects(stage.clock.until(late), (fault) => {
      assert.ok(fault instanceof Fault && fault.retryable)
      assert.deepEqual([fault.code, fault.ids['id']], ['APP_STOPPING', 'late'])
      return true
    })
    await stage.clock.until(stopping)
    assert.equal(stored, 50, 'who was let in is answered before the end')
    await sending
    await assert.rejects(app.send(Ledger.Enter({ account: 'a', number: 51 })), /APP_STOPPING/)

    const anew = await launch(stage)
    await stage.clock.until(caughtUp(stage.clock, anew.app))
    const { book } = await stage.clock.until(anew.app.ask(Ledger.Read({ account: 'a' })))
    assert.deepEqual(book, numbersUpTo(50))
    await stage.clock.until(anew.app.stop())
  })

  test('completes the unit in progress, starts no other, and releases its leases', async () => {
    const stage = createSimulation(memory, 2)
    let isStopped = false
    let underWay = 0
    const units: boolean[] = []
    const held = new Map<string, boolean>()
    const around: Interceptor = async (method, call, [member, wants]) => {
      assert.ok(!isStopped, `${method} after the end`)
      if (method === 'store.beat')
        held.set((member as { id: string }).id, (wants as readonly string[]).length > 0)
      if (method !== 'store.commit') return call()
      underWay += 1
      units.push(stopping !== undefined)
      const answer = await call()
      underWay -= 1
      return answer
    }
    let stopping: Promise<void> | undefined
    const { app } = await launch(stage, around)
    await stage.clock.until(sendAll(app, 50))
    while (underWay === 0) await stage.clock.advance(1)
    stopping = app.stop()
    await stage.clock.until(stopping)
    isStopped = true
    assert.equal(underWay, 0)
    assert.ok(units.length > 0)
    assert.ok(units.filter((isLate) => isLate).length <= 2, 'one unit for each group at most')
    assert.deepEqual([...new Set(held.values())], [false])
    await stage.clock.advance(10_000)

    // Nobody waits for a lease to end.
    const anew = await launch(stage)
    const startedAt = stage.clock.now()
    await stage.clock.until(caughtUp(stage.clock, anew.app))
    assert.ok(stage.clock.now() - startedAt < engine.leaseMs / 3)
    await stage.clock.until(anew.app.stop())
  })

  test('stops once, however often stop is called, and at the end of its scope', async () => {
    const stage = createSimulation(memory, 3)
    let beats = 0
    const around: Interceptor = (method, call, [, wants]) => {
      if (method === 'store.beat' && (wants as readonly string[]).length === 0) beats += 1
      return call()
    }
    const { app } = await launch(stage, around)
    await stage.clock.until(sendAll(app, 3))
    const all = [app.stop(), app.stop({ graceMs: 1 }), app[Symbol.asyncDispose]()]
    await stage.clock.until(Promise.all(all))
    await stage.clock.until(app.stop())
    assert.equal(beats, 3, 'each group, and the maintenance, gives its leases back once')
  })

  test('closes its backend once, after its last call to it', async () => {
    const { log, store } = memory()
    const closed: string[] = []
    const close = (name: string) => async (): Promise<void> => void closed.push(name)
    const backend = {
      log: { ...log, close: close('log') },
      store: { ...store, close: close('store') },
    }
    const app = await start([createLedgerService()], backend, {
      tools: { outside: createOutside() },
    })
    await sendAll(app, 3)
    await Promise.all([app.stop(), app.stop()])
    await app.stop()
    assert.deepEqual(closed.toSorted(), ['log', 'store'])
  })
})

const Id = z.object({ id: z.string() })
const Job = contract('job', { key: 'id' }, { Do: command(Id), Done: event(Id) })
const job = entity(
  'job',
  { of: Job, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Job.Do, (data) => Job.Done(data))],
    evolve: (on) => [on(Job.Done, (_, count) => count + 1)],
  },
)
type Work = (signal: AbortSignal) => Promise<void>
const worker = handler('worker', { uses: { work: tool<Work>() } }, (on) => [
  on(Job.Done, (_, { work }, { signal }) => work(signal)),
])

test('a handler that ends within graceMs is awaited and its progress commits', async () => {
  const stage = createSimulation(memory, 4)
  const { backend, clock, random } = stage.instance()
  let began = 0
  let wasAborted = false
  const work: Work = async (signal) => {
    began += 1
    await new Promise<void>((resolve) => stage.clock.after(2_000, resolve))
    wasAborted = signal.aborted
  }
  const jobs = service('jobs', { owns: [Job], runs: [job, worker] })
  const options = { clock, random, engine, tools: { work } }
  const app = await stage.clock.until(start([jobs], backend, options))
  await stage.clock.until(app.send(Job.Do({ id: 'a' })))
  while (began === 0) await stage.clock.advance(10)
  const stoppingAt = stage.clock.now()
  await stage.clock.until(app.stop({ graceMs: 60_000 }))
  const tookMs = stage.clock.now() - stoppingAt
  assert.ok(tookMs >= 1_900 && tookMs < 2_500, `${tookMs} ms: the work, and not the whole grace`)
  assert.equal(wasAborted, false)
  const progress = await stage.clock.until(stage.backend.store.progress(['jobs/worker']))
  assert.equal(
    progress.reduce((sum, { completed }) => sum + completed, 0),
    1,
  )
})

test('an aborted handler is awaited, too, and then nothing runs any more', async () => {
  const stage = createSimulation(memory, 5)
  let isStopped = false
  const { backend, clock, random } = stage.instance((method, call) => {
    assert.ok(!isStopped, `${method} after the end`)
    return call()
  })
  let began = 0
  let ended = 0
  const work: Work = (signal) =>
    new Promise((resolve) => {
      began += 1
      signal.addEventListener('abort', () => {
        stage.clock.after(1_000, () => {
          ended += 1
          resolve()
        })
      })
    })
  const jobs = service('jobs', { owns: [Job], runs: [job, worker] })
  const app = await stage.clock.until(
    start([jobs], backend, { clock, random, engine, tools: { work } }),
  )
  await stage.clock.until(app.send(Job.Do({ id: 'a' })))
  while (began === 0) await stage.clock.advance(10)
  await stage.clock.until(app.stop({ graceMs: 500 }))
  isStopped = true
  assert.equal(ended, 1)
  await stage.clock.advance(10_000)
})

test('on the real clock an app starts, settles and stops, and the process can exit', async () => {
  await using app = await start([createLedgerService()], memory(), {
    tools: { outside: createOutside() },
  })
  await sendAll(app, 20)
  await caughtUp(systemClock(), app, 1)
  const { journal } = await app.ask(Ledger.Read({ account: 'a' }))
  assert.deepEqual(journal, numbersUpTo(20))
})

const Post = contract('post', { key: 'id' }, { Send: command(Id), Sent: event(Id) })
const post = entity(
  'post',
  { of: Post, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Post.Send, (data) => Post.Sent(data))],
    evolve: (on) => [on(Post.Sent, () => 1)],
  },
)

for (const order of ['stream', 'queue'] as const)
  test(`a handler of order ${order} that ignores its signal is abandoned and reported`, async () => {
    let called = 0
    const never = () => {
      called += 1
      return new Promise<never>(() => undefined)
    }
    const options = { consume: order, concurrency: 2 }
    const stuck = handler('stuck', options, (on) => [on(Post.Sent, never)])
    const quick = handler('quick', { consume: order }, (on) => [on(Post.Sent, () => undefined)])
    const stage = createSimulation(memory, 9)
    const { backend, clock, random } = stage.instance()
    const broke: string[] = []
    const app = await stage.clock.until(
      start([service('post', { owns: [Post], runs: [post, stuck, quick] })], backend, {
        clock,
        random,
        onBackendError: (group, cause) => broke.push(`${group}: ${(cause as Error).message}`),
      }),
    )
    await stage.clock.until(app.send(Post.Send({ id: 'a' })))
    await stage.clock.until(app.send(Post.Send({ id: 'b' })))
    while (called < 2) await stage.clock.advance(10)
    const began = stage.clock.now()
    await stage.clock.until(app.stop({ graceMs: 500 }))
    assert.ok(stage.clock.now() - began <= 2_000)
    assert.deepEqual(broke, [
      'stop: handlers that ignore their aborted signal were left behind: ' +
        'post/stuck (2 messages)',
    ])
  })

test('a queue handler that ends on its signal is not abandoned', async () => {
  const stage = createSimulation(memory, 10)
  const { backend, clock, random } = stage.instance()
  let [began, ended] = [0, 0]
  const late = handler('late', { consume: 'queue' }, (on) => [
    on(Post.Sent, async (_, _tools, { signal }) => {
      began += 1
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      await sleep(stage.clock, 500)
      ended += 1
    }),
  ])
  const broke: string[] = []
  const app = await stage.clock.until(
    start([service('post', { owns: [Post], runs: [post, late] })], backend, {
      clock,
      random,
      onBackendError: (group) => broke.push(group),
    }),
  )
  await stage.clock.until(app.send(Post.Send({ id: 'a' })))
  while (began === 0) await stage.clock.advance(10)
  await stage.clock.until(app.stop({ graceMs: 500 }))
  assert.deepEqual([ended, broke], [1, []])
})

test('everything but describe throws APP_STOPPING once an app has stopped', async () => {
  const app = await start([service('post', { owns: [Post], runs: [post] })], memory())
  const operation = await app.send(Post.Send({ id: 'a' }), { id: 'a' })
  await operation.settled()
  const system = systemOf(app)
  await app.stop()
  const late = app.operation(Post.Send, 'b')
  const methods: Readonly<Record<string, () => Promise<unknown>>> = {
    send: () => app.send(Post.Send({ id: 'b' })),
    append: () => app.append([Post.Send({ id: 'b' })]),
    find: () => app.find('a'),
    status: () => app.status(),
    health: () => app.health(),
    edges: () => app.edges(),
    heldKeys: () => app.heldKeys(),
    sagas: () => app.sagas(),
    operations: () => app.operations(),
    timers: () => app.timers(),
    unsettled: () => app.unsettled(),
    pause: () => app.pause('post'),
    resume: () => app.resume('post'),
    rewind: () => app.rewind('post/none', 'latest'),
    rebuild: () => app.rebuild('post/none'),
    settled: () => app.settled(),
    deadLetters: () => app.deadLetters.list(),
    'operation.look': () => operation.state(),
    'operation.accepted': () => operation.accepted(),
    'operation.settled': () => operation.settled(),
    'late.look': () => late.state(),
    'system.health': () => system.health(),
    'system.setPaused': () => system.setPaused('post', true),
    'system.rewind': () => system.rewind({ consumer: 'post/none', to: 'latest' }),
    'system.rebuild': () => system.rebuild('post/none', () => undefined),
    'system.operation': () => system.operation('a'),
    'verb overview': () => runVerb(system, 'overview', {}),
    'verb log': () => runVerb(system, 'log', { topic: 'post.events' }),
    'verb verify': () => runVerb(system, 'verify', {}),
  }
  for (const [name, call] of Object.entries(methods))
    await assert.rejects(call, { code: 'APP_STOPPING' }, name)
  assert.equal(app.describe().services.length, 1)
  const known = Object.keys(app).filter((name) => !['operation', 'describe', 'stop'].includes(name))
  const untried = known.filter((name) => name !== 'ask' && !Object.hasOwn(methods, name))
  assert.deepEqual(untried, [], 'a method that this test does not call')
})
