// Queue handlers: each event is handled by itself.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App, HandlerContext } from 'throughline'
import { command, contract, entity, event, handler, retryAfter } from 'throughline'
import { send, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { seededRandom } from '../../../src/base/random.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import type { Simulation } from '../support/simulation.ts'
import { anySchema, caughtUp, randomFaults, createSimulation } from '../support/simulation.ts'

interface Parcel {
  readonly to: string
  readonly number: number
}
const Parcel = anySchema<Parcel>()

const Post = contract(
  'post',
  { key: 'to', partitions: 2 },
  {
    Bring: command(Parcel),
    Note: command(Parcel),
    Brought: event(Parcel),
    Noted: event(Parcel),
  },
)

const parcels = entity(
  'parcels',
  { of: Post, id: 'to', initial: [] as readonly number[] },
  {
    decide: (on) => [
      on(Post.Bring, (parcel) => Post.Brought(parcel)),
      on(Post.Note, (parcel) => Post.Noted(parcel)),
    ],
    evolve: (on) => [
      on(Post.Brought, (_, noted) => noted),
      on(Post.Noted, ({ number }, noted) => [...noted, number]),
    ],
  },
)

/** The external system. */
interface Street {
  carry(parcel: Parcel, handling: HandlerContext): Promise<unknown>
}

interface Way {
  readonly consume?: 'stream' | 'queue'
  readonly concurrency?: number
  readonly delayMs?: number
}

const couriers = (way: Way) =>
  handler(
    'couriers',
    { uses: { street: tool<Street>() }, sends: [Post.Note], consume: 'queue', ...way },
    (on) => [
      on(Post.Brought, async (parcel, { street }, handling) => {
        const answer = await street.carry(parcel, handling)
        return answer === undefined ? send(Post.Note(parcel)) : (answer as never)
      }),
    ],
  )

const ACK_MS = 200
const LEASE_MS = 3_000
const engine = {
  retryDelayMs: 50,
  retryDelayMsMax: 400,
  retryAttemptsMax: 1_000_000,
  leaseMs: LEASE_MS,
  queueAckMs: ACK_MS,
  deadlineMs: 1_000,
}

async function launch(stage: Simulation, street: Street, way: Way = {}, around?: Interceptor) {
  const { backend, clock, random, crash } = stage.instance(around)
  const depot = service('depot', { owns: [Post], runs: [parcels, couriers(way)] })
  const faults: string[] = []
  const faulted = ({ error }: { readonly error: string }): void => void faults.push(error)
  const options = { clock, random, engine, tools: { street }, onRuleError: faulted }
  const app = await stage.clock.until(start([depot], backend, options))
  return { app, crash, faults }
}

function bring(app: App, people: readonly string[], numbers: readonly number[]) {
  return Promise.all(
    numbers.flatMap((number) => people.map((to) => app.send(Post.Bring({ to, number })))),
  )
}

/** The numbers recorded for a person: once each, in any order. */
async function notedFor(stage: Simulation, to: string): Promise<readonly number[]> {
  const key = { table: 'depot.parcels', key: to }
  const [row] = await stage.clock.until(stage.backend.store.get([key]))
  const { state } = JSON.parse(row?.body ?? '{"state":[]}') as { state: readonly number[] }
  return state.toSorted((a, b) => a - b)
}

async function countsOf(stage: Simulation, app: App) {
  const status = await stage.clock.until(app.status())
  const found = status.find(({ consumer }) => consumer === 'depot/couriers')
  assert.ok(found)
  return found
}

const after = (stage: Simulation, delayMs: number): Promise<void> =>
  new Promise((resolve) => void stage.clock.after(delayMs, () => resolve()))

const PEOPLE = ['a', 'b', 'c', 'd']

describe('a queue', () => {
  test('handles events of one key concurrently, up to its concurrency', async () => {
    const stage = createSimulation(memory, 1)
    let [busy, most] = [0, 0]
    const street: Street = {
      async carry() {
        busy += 1
        most = Math.max(most, busy)
        await after(stage, 5)
        busy -= 1
      },
    }
    const { app } = await launch(stage, street, { concurrency: 3 })
    await stage.clock.until(bring(app, ['a'], numbersUpTo(20)))
    await stage.clock.until(caughtUp(stage.clock, app))
    assert.equal(most, 3)
    assert.deepEqual(await notedFor(stage, 'a'), numbersUpTo(20))
    await stage.clock.until(app.stop())
  })

  test('holds only the event that fails, and removes its hold in the end', async () => {
    const stage = createSimulation(memory, 2)
    let isBroken = true
    const street: Street = {
      async carry({ number }) {
        if (number === 3 && isBroken) throw new Error('the road is closed')
      },
    }
    const { app, faults } = await launch(stage, street)
    await stage.clock.until(bring(app, PEOPLE, numbersUpTo(10)))
    await stage.clock.advance(2_000)
    const rest = numbersUpTo(10).filter((number) => number !== 3)
    for (const to of PEOPLE) assert.deepEqual(await notedFor(stage, to), rest)
    const { completed, pending, lag } = await countsOf(stage, app)
    assert.deepEqual([completed, pending, lag > 0], [36, 4, false])
    const { scan: held } = stage.backend.store
    const rows = await stage.clock.until(held({ table: 'depot.held', limit: 100 }))
    assert.equal(rows.length, 4, 'nobody waits behind them')
    assert.ok(faults.length >= 4 && faults.every((error) => error === 'the road is closed'))
    isBroken = false
    await stage.clock.until(caughtUp(stage.clock, app))
    for (const to of PEOPLE) assert.deepEqual(await notedFor(stage, to), numbersUpTo(10))
    for (const table of ['depot.held', 'depot.holds'])
      assert.deepEqual(await stage.clock.until(held({ table, limit: 100 })), [])
    await stage.clock.until(app.stop())
  })

  test('acks handled events in time while others take long', async () => {
    const stage = createSimulation(memory, 3)
    const calls = new Map<string, number>()
    const street: Street = {
      async carry({ to, number }) {
        calls.set(`${to} ${number}`, (calls.get(`${to} ${number}`) ?? 0) + 1)
        await after(stage, number === 0 ? 20 * LEASE_MS : 1)
      },
    }
    const { app } = await launch(stage, street)
    await stage.clock.until(bring(app, ['a'], numbersUpTo(10)))
    await stage.clock.advance(100 + ACK_MS)
    assert.deepEqual((await notedFor(stage, 'a')).length, 9)
    const during = await countsOf(stage, app)
    assert.deepEqual([during.completed, during.pending], [9, 1])
    await stage.clock.until(bring(app, ['a', 'b'], [10, 11]))
    await stage.clock.advance(100 + ACK_MS)
    assert.deepEqual(await notedFor(stage, 'b'), [10, 11], 'later ones are not held up, either')
    await stage.clock.advance(20 * LEASE_MS)
    assert.deepEqual(await notedFor(stage, 'a'), numbersUpTo(12))
    assert.deepEqual(new Set(calls.values()), new Set([1]), 'nothing was begun twice')
    const { completed, pending } = await countsOf(stage, app)
    assert.deepEqual([completed, pending], [14, 0])
    await stage.clock.until(app.stop())
  })

  test('acks a long call as soon as it ends', async () => {
    const stage = createSimulation(memory, 4)
    let end: () => void = () => undefined
    const street: Street = { carry: () => new Promise<void>((resolve) => (end = resolve)) }
    const { app } = await launch(stage, street)
    await stage.clock.until(bring(app, ['a'], [0]))
    await stage.clock.advance(5_000)
    assert.equal((await countsOf(stage, app)).pending, 1)
    end()
    await stage.clock.advance(50)
    assert.equal((await countsOf(stage, app)).completed, 1)
    await stage.clock.until(app.stop())
  })

  test('takes no more events than slots while all calls take long', async () => {
    const stage = createSimulation(memory, 5)
    const ends: (() => void)[] = []
    const street: Street = { carry: () => new Promise<void>((resolve) => ends.push(resolve)) }
    const { app } = await launch(stage, street, { concurrency: 3 })
    await stage.clock.until(bring(app, PEOPLE, numbersUpTo(5)))
    await stage.clock.advance(10 * ACK_MS)
    assert.equal(ends.length, 3)
    const { accepted, lag } = await countsOf(stage, app)
    assert.deepEqual([accepted, lag >= 17], [3, true], 'the rest waits in the log')
    while (ends.length < 20) {
      for (const end of ends) end()
      await stage.clock.advance(ACK_MS)
    }
    for (const end of ends) end()
    await stage.clock.until(caughtUp(stage.clock, app))
    for (const to of PEOPLE) assert.deepEqual(await notedFor(stage, to), numbersUpTo(5))
    await stage.clock.until(app.stop())
  })
})

test('a queue stores each effect once, whatever the store answers', async () => {
  for (let seed = 0; seed < 12; seed += 1) {
    const stage = createSimulation(memory, seed)
    const random = seededRandom(seed)
    const street: Street = {
      async carry() {
        await after(stage, random() < 0.1 ? 5 * ACK_MS : 3)
        if (random() < 0.2) throw new Error('lost on the way')
        return random() < 0.2 ? retryAfter(100) : undefined
      },
    }
    const bad = randomFaults(random, 0.2)
    let isBad = false
    const around: Interceptor = (...given) => (isBad ? bad(...given) : given[1]())
    const { app } = await launch(stage, street, {}, around)
    isBad = true
    for (let number = 0; number < 10; number += 1)
      for (const to of PEOPLE) await stage.clock.until(surely(app, { to, number }))
    const look = { status: async () => settledStatus(app) }
    await stage.clock.until(caughtUp(stage.clock, look))
    for (const to of PEOPLE)
      assert.deepEqual(await notedFor(stage, to), numbersUpTo(10), `seed ${seed}`)
    const { accepted, completed } = await countsOf(stage, look as App)
    assert.deepEqual([accepted, completed], [40, 40])
    isBad = false
    await stage.clock.until(app.stop())
  }
})

/** Sends with a fixed id until it is known to be stored. */
async function surely(app: App, parcel: Parcel): Promise<void> {
  const id = `${parcel.to} ${parcel.number}`
  for (;;) {
    const sent = await app.send(Post.Bring(parcel), { id }).catch(() => undefined)
    if (sent) return
  }
}

/** The status, with as many retries as needed. */
async function settledStatus(app: App): ReturnType<App['status']> {
  for (;;) {
    const status = await app.status().catch(() => undefined)
    if (status) return status
  }
}

describe('a queue that stops', () => {
  test('leaves running calls to the next instance, and each effect is stored once', async () => {
    const stage = createSimulation(memory, 6)
    let calls = 0
    const street: Street = {
      async carry({ number }) {
        if (number > 0) return
        calls += 1
        await after(stage, 3 * ACK_MS)
      },
    }
    const first = await launch(stage, street)
    await stage.clock.until(bring(first.app, ['a'], numbersUpTo(5)))
    await stage.clock.advance(100 + ACK_MS)
    assert.equal((await countsOf(stage, first.app)).pending, 1)
    first.crash()
    const second = await launch(stage, street)
    await stage.clock.until(caughtUp(stage.clock, second.app))
    assert.equal(calls, 2)
    assert.deepEqual(await notedFor(stage, 'a'), numbersUpTo(5))
    await stage.clock.until(second.app.stop())
  })

  test('waits for running calls, and aborts them after the grace period', async () => {
    const stage = createSimulation(memory, 7)
    let aborted = 0
    const street: Street = {
      async carry({ number }, { signal }) {
        signal.addEventListener('abort', () => void (aborted += 1))
        await after(stage, number === 0 ? 10 * ACK_MS : 1_000_000)
      },
    }
    const { app } = await launch(stage, street)
    await stage.clock.until(bring(app, ['a'], [0, 1]))
    await stage.clock.advance(3 * ACK_MS)
    assert.equal((await countsOf(stage, app)).pending, 2)
    await stage.clock.until(app.stop({ graceMs: 20 * ACK_MS }))
    assert.equal(aborted, 2)
    const progress = await stage.clock.until(stage.backend.store.progress(['depot/couriers']))
    const sum = progress.reduce((total, { completed }) => total + completed, 0)
    assert.equal(sum, 1)
    const next = await launch(stage, { carry: async () => undefined })
    await stage.clock.until(caughtUp(stage.clock, next.app))
    assert.deepEqual(await notedFor(stage, 'a'), [0, 1])
    await stage.clock.until(next.app.stop())
  })

  test('cannot ack after another instance has taken its lease', async () => {
    const stage = createSimulation(memory, 8)
    let isCut = false
    const gates: (() => void)[] = []
    const cut: Interceptor = async (_, call) => (isCut ? new Promise(() => undefined) : call())
    const signals: AbortSignal[] = []
    const street: Street = {
      carry: (_, { signal }) => {
        signals.push(signal)
        return new Promise<void>((resolve) => gates.push(resolve))
      },
    }
    const a = await launch(stage, street, {}, cut)
    await stage.clock.until(bring(a.app, ['a'], [0]))
    await stage.clock.advance(3 * ACK_MS)
    isCut = true
    const b = await launch(stage, street)
    await stage.clock.advance(3 * LEASE_MS)
    assert.equal(gates.length, 2, 'the other one has begun with it')
    const aborted = signals.map((signal) => signal.aborted)
    assert.deepEqual(aborted, [true, false], 'the first one was told to give up')
    isCut = false
    for (const end of gates) end()
    await stage.clock.until(caughtUp(stage.clock, b.app))
    assert.deepEqual(await notedFor(stage, 'a'), [0])
    a.crash()
    await stage.clock.until(b.app.stop())
  })
})

for (const order of ['stream', 'queue'] as const)
  describe(`later, with order ${order}`, () => {
    test('an event is handled no earlier than its delay after it was stored', async () => {
      const stage = createSimulation(memory, 9)
      const times: number[] = []
      const street: Street = { carry: async () => void times.push(stage.clock.now()) }
      const { app } = await launch(stage, street, { consume: order, delayMs: 60_000 })
      const sentAt = stage.clock.now()
      await stage.clock.until(bring(app, PEOPLE, numbersUpTo(3)))
      await stage.clock.advance(10_000)
      await stage.clock.until(bring(app, PEOPLE, numbersUpTo(3)))
      await stage.clock.advance(49_000)
      assert.equal(times.length, 0)
      await stage.clock.advance(2_000)
      assert.equal(times.length, 12)
      await stage.clock.until(caughtUp(stage.clock, app))
      assert.equal(times.length, 24)
      assert.ok(times.every((at) => at >= sentAt + 60_000))
      assert.ok(times.slice(12).every((at) => at >= sentAt + 70_000))
      await stage.clock.until(app.stop())
    })

    for (const way of ['returned', 'thrown'])
      test(`retryAfter, ${way}, is no error and counts no attempt`, async () => {
        const stage = createSimulation(memory, 10)
        const times: number[] = []
        const street: Street = {
          async carry({ number }) {
            if (number > 0) return undefined
            times.push(stage.clock.now())
            if (times.length === 3) return undefined
            // oxlint-disable-next-line typescript/only-throw-error -- what a user may do
            if (way === 'thrown') throw retryAfter(5_000)
            return retryAfter(5_000)
          },
        }
        const { app, faults } = await launch(stage, street, { consume: order })
        await stage.clock.until(bring(app, ['a'], numbersUpTo(3)))
        await stage.clock.advance(1_000)
        const { completed, pending } = await countsOf(stage, app)
        assert.deepEqual([completed, pending], order === 'stream' ? [0, 3] : [2, 1])
        const scan = stage.backend.store.scan({ table: 'depot.holds', limit: 10 })
        const [hold] = await stage.clock.until(scan)
        assert.equal((JSON.parse(hold?.body ?? '{}') as { attempts?: number }).attempts, 0)
        await stage.clock.until(caughtUp(stage.clock, app))
        assert.equal(times.length, 3)
        const [first = 0, second = 0, third = 0] = times
        assert.ok(second - first >= 5_000 && third - second >= 5_000)
        assert.ok(third - first < 12_000)
        assert.deepEqual(faults, [])
        assert.deepEqual(await notedFor(stage, 'a'), numbersUpTo(3))
        await stage.clock.until(app.stop())
      })
  })
