// Several instances of one service on one store: they share its partitions, handle nothing twice,
// and take over from a crashed one.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import { runs } from '../../extent.ts'
import type { Unit, CommitResult } from '../../../src/ports/event-store.ts'
import type { Before } from '../support/ledger-service.ts'
import {
  Ledger,
  PARTITIONS,
  accountsIn,
  createLedgerService,
  createOutside,
  numbersUpTo,
} from '../support/ledger-service.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const LEASE_MS = 3_000
const engine = {
  retryDelayMs: 50,
  retryDelayMsMax: 400,
  retryAttemptsMax: 1_000_000,
  leaseMs: LEASE_MS,
  idleMs: 200,
}
/** Long enough for heartbeats to settle the leases. */
const SHARED_MS = 2 * LEASE_MS

/** An instance of the ledger that reports what it has committed. */
async function launch(stage: Simulation, before?: Before, outside = createOutside()) {
  const done: Unit[] = []
  const answers: string[] = []
  const { backend, clock, random, crash } = stage.instance(async (method, call, [unit]) => {
    const answer = await call()
    if (method !== 'store.commit') return answer
    const { status } = answer as CommitResult
    answers.push(status)
    if (status === 'done') done.push(unit as Unit)
    return answer
  })
  const options = { clock, random, engine, tools: { outside } }
  const app = await stage.clock.until(start([createLedgerService(before)], backend, options))
  return { app, crash, done, answers, outside }
}

/** The partitions in which its units have counted anything. */
function placesOf(done: readonly Unit[]): readonly string[] {
  const moves = done.flatMap(({ progress }) => progress)
  const counted = moves.filter(({ accepted }) => accepted > 0)
  return [...new Set(counted.map(({ topic, partition }) => `${topic}/${partition}`))].toSorted()
}

/** Handlers lease their partitions separately. */
const isOfPureRules = ({ resource }: { readonly resource: string }): boolean =>
  !resource.startsWith('ledger/letters')

const mustRun = (): never => assert.fail('nothing runs')

const PLACES = ['ledger.commands', 'ledger.events'].flatMap((topic) =>
  numbersUpTo(PARTITIONS).map((partition) => `${topic}/${partition}`),
)

const ACCOUNTS = numbersUpTo(PARTITIONS).flatMap((partition) => accountsIn(partition, 1))

function sendAll(app: App, numbers: readonly number[]) {
  return Promise.all(
    numbers.flatMap((number) =>
      ACCOUNTS.map((account) => app.send(Ledger.Enter({ account, number }))),
    ),
  )
}

async function mustHaveAll(stage: Simulation, count: number): Promise<void> {
  for (const key of ACCOUNTS)
    for (const table of ['ledger.book', 'ledger.journal', 'ledger.tail']) {
      const [row] = await stage.clock.until(stage.backend.store.get([{ table, key }]))
      const value = JSON.parse(row?.body ?? '[]') as { state?: unknown }
      const numbers = table === 'ledger.journal' ? value : value.state
      assert.deepEqual(numbers, numbersUpTo(count), `${table} of ${key}`)
    }
}

describe('two instances', () => {
  test('share the partitions of their service', async () => {
    const stage = createSimulation(memory, 1)
    const a = await launch(stage)
    const b = await launch(stage)
    await stage.clock.advance(SHARED_MS)
    await stage.clock.until(sendAll(a.app, numbersUpTo(10)))
    await stage.clock.until(caughtUp(stage.clock, b.app))
    const pure = ({ done }: typeof a) =>
      placesOf(done.filter(({ fences }) => fences.some(isOfPureRules)))
    assert.ok(pure(a).length > 0 && pure(b).length > 0)
    assert.deepEqual([...pure(a), ...pure(b)].toSorted(), PLACES)
    await mustHaveAll(stage, 10)
    await stage.clock.until(Promise.all([a.app.stop(), b.app.stop()]))
  })

  test('take over at once after a stop, and after lease expiry after a crash', async () => {
    const stage = createSimulation(memory, 2)
    const a = await launch(stage)
    const b = await launch(stage)
    const c = await launch(stage)
    await stage.clock.advance(SHARED_MS)
    await stage.clock.until(a.app.stop())
    b.crash()
    const crashedAt = stage.clock.now()
    await stage.clock.until(sendAll(c.app, numbersUpTo(5)))
    await stage.clock.until(caughtUp(stage.clock, c.app))
    const tookMs = stage.clock.now() - crashedAt
    assert.ok(tookMs <= LEASE_MS + LEASE_MS / 3 + 500, `${tookMs} ms`)
    assert.deepEqual(placesOf(c.done), PLACES)
    await mustHaveAll(stage, 5)
    await stage.clock.until(c.app.stop())
  })

  test('keep order and effects while instances start, stop and crash', async () => {
    const step = fc.record({
      does: fc.constantFrom('launch', 'stop', 'crash', 'send'),
      who: fc.nat(),
      ms: fc.nat({ max: 2 * LEASE_MS }),
    })
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 12 }), async (seed, steps) => {
        const stage = createSimulation(memory, seed)
        const outside = createOutside()
        const running = [await launch(stage, undefined, outside)]
        let sent = 0
        const send = async (): Promise<void> => {
          const [{ app } = mustRun()] = running
          for (const account of ACCOUNTS)
            await stage.clock.until(app.send(Ledger.Enter({ account, number: sent })))
          sent += 1
        }
        for (const { does, who, ms } of steps) {
          const at = who % running.length
          if (does === 'launch' && running.length < 3)
            running.push(await launch(stage, undefined, outside))
          if (does === 'send') await send()
          if (running.length > 1 && does === 'crash') running.splice(at, 1)[0]?.crash()
          if (running.length > 1 && does === 'stop')
            await stage.clock.until(running.splice(at, 1)[0]?.app.stop() as Promise<void>)
          await stage.clock.advance(ms)
        }
        await send()
        const status = await stage.clock.until(caughtUp(stage.clock, running[0]?.app as App))
        for (const { consumer, completed } of status)
          assert.equal(completed, ACCOUNTS.length * sent, consumer)
        await mustHaveAll(stage, sent)
        for (const account of ACCOUNTS)
          assert.deepEqual(outside.told.get(account), numbersUpTo(sent))
        await stage.clock.until(Promise.all(running.map(({ app }) => app.stop())))
      }),
      { numRuns: runs(8), seed: 21 },
    )
  })
})

test('a single instance keeps its leases, also with handlers', async () => {
  const stage = createSimulation(memory, 3)
  const held = new Map<string, Set<number>>()
  const { backend, clock, random } = stage.instance(async (method, call) => {
    const answer = await call()
    if (method === 'store.beat')
      for (const { resource, generation } of (answer as { held: Unit['fences'] }).held)
        held.set(resource, (held.get(resource) ?? new Set()).add(generation))
    return answer
  })
  const options = { clock, random, engine, tools: { outside: createOutside() } }
  const app = await stage.clock.until(start([createLedgerService()], backend, options))
  await stage.clock.advance(5 * LEASE_MS)
  assert.ok(held.size > 0)
  for (const [resource, generations] of held) assert.deepEqual([...generations], [1], resource)
  await stage.clock.until(app.stop())
})

test('rebalancing takes a few heartbeats, not hundreds', async () => {
  const stage = createSimulation(memory, 8)
  let beats = 0
  const apps: App[] = []
  for (const _ of numbersUpTo(3)) {
    const { backend, clock, random } = stage.instance((method, call) => {
      if (method === 'store.beat') beats += 1
      return call()
    })
    const options = { clock, random, engine, tools: { outside: createOutside() } }
    apps.push(await stage.clock.until(start([createLedgerService()], backend, options)))
  }
  await stage.clock.advance(2 * LEASE_MS)
  // Two groups each, a beat every third of a lease, and as many again to give something up.
  assert.ok(beats <= 2 * 3 * 2 * 7, `${beats} beats`)
  await stage.clock.until(Promise.all(apps.map((app) => app.stop())))
})

test('a key held by one instance blocks no other instance', async () => {
  const stage = createSimulation(memory, 4)
  const [poisoned = ''] = accountsIn(0, 1)
  let isBroken = true
  const calls: string[] = []
  const before =
    (who: string): Before =>
    (rule, { account, number }) => {
      if (rule === 'book' && account === poisoned && number === 0) {
        calls.push(who)
        if (isBroken) throw new Error('broken')
      }
    }
  const a = await launch(stage, before('a'))
  await stage.clock.until(a.app.send(Ledger.Enter({ account: poisoned, number: 0 })))
  await stage.clock.advance(1_000)
  const b = await launch(stage, before('b'))
  await stage.clock.advance(SHARED_MS)
  calls.length = 0
  a.answers.length = 0
  b.answers.length = 0
  await stage.clock.advance(2_000)
  assert.equal(new Set(calls).size, 1, 'one of them tries it again')
  assert.ok(![...a.answers, ...b.answers].includes('fenced'), 'and the other one keeps out')

  for (const account of ACCOUNTS.filter((each) => each !== poisoned))
    await stage.clock.until(b.app.send(Ledger.Enter({ account, number: 0 })))
  await stage.clock.advance(2_000)
  const status = await stage.clock.until(b.app.status())
  const { completed, pending } = status.find(({ consumer }) => consumer === 'ledger/book') ?? {}
  assert.deepEqual({ completed, pending }, { completed: ACCOUNTS.length - 1, pending: 1 })
  isBroken = false
  await stage.clock.until(caughtUp(stage.clock, a.app))
  await stage.clock.until(Promise.all([a.app.stop(), b.app.stop()]))
})
