// The order of a key survives errors of rules, crashes, and both at once.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { App, Service } from 'throughline'
import { start } from 'throughline'
import { memory, seededRandom } from 'throughline/testing'
import { runs } from '../../extent.ts'
import type { Before, Outside } from '../support/ledger-service.ts'
import {
  Ledger,
  PARTITIONS,
  accountsInOtherPartitions,
  createLedgerService,
  createOutside,
  numbersUpTo,
} from '../support/ledger-service.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation, findImbalances } from '../support/simulation.ts'

const delays = { retryDelayMs: 50, retryDelayFactor: 2, retryDelayMsMax: 400 }
const options = { ...delays, retryAttemptsMax: 1_000, leaseMs: 3_000 }

type LedgerService = Service<'ledger', { outside: Outside }>

async function launch(stage: Simulation, service: LedgerService, outside: Outside) {
  const { backend, clock, random, crash } = stage.instance()
  const engine = options
  const starting = start([service], backend, { clock, random, engine, tools: { outside } })
  return { app: await stage.clock.until(starting), crash }
}

/** Sends the numbers of each account in order, as one caller would. */
function sendAll(app: App, accounts: readonly string[], numbers: readonly number[]) {
  return Promise.all(
    numbers.flatMap((number) =>
      accounts.map((account) => app.send(Ledger.Enter({ account, number }))),
    ),
  )
}

/** What every rule has recorded of an account once all is done. */
async function listsOf({ clock, backend }: Simulation, app: App, account: string) {
  const lists = await clock.until(app.ask(Ledger.Read({ account })))
  const [row] = await clock.until(backend.store.get([{ table: 'ledger.tail', key: account }]))
  const { state } = JSON.parse(row?.body ?? '{"state":[]}') as { state: readonly number[] }
  return { ...lists, tail: state }
}

/** Throws at the first `times` calls of a rule with one entry. */
function faultAt(rule: string, account: string, number: number, times: number): Before {
  let calls = 0
  return (at, entry) => {
    if (at !== rule || entry.account !== account || entry.number !== number) return
    calls += 1
    if (calls <= times) throw new Error(`${rule} is out of order`)
  }
}

const RULES = ['book', 'journal', 'tail'] as const

describe('while a rule throws', () => {
  for (const rule of RULES)
    test(`only later messages of its key wait at ${rule}, in order`, async () => {
      let isBroken = true
      const stage = createSimulation(memory, 1)
      const outside = createOutside()
      const service = createLedgerService((at, { account, number }) => {
        if (isBroken && at === rule && account === 'a' && number === 2) throw new Error('broken')
      })
      const { app } = await launch(stage, service, outside)
      // One partition has all of them, so that the key in error lies in everybody's way.
      const accounts = ['a', ...accountsInOtherPartitions('a', 3)]
      await stage.clock.until(sendAll(app, accounts, numbersUpTo(6)))
      await stage.clock.advance(2_000)

      const before = await listsOf(stage, app, 'a')
      const reached: readonly string[] = rule === 'book' ? RULES : [rule]
      for (const each of RULES)
        assert.deepEqual(before[each], reached.includes(each) ? [0, 1] : numbersUpTo(6), each)
      for (const account of accounts.slice(1))
        for (const each of RULES)
          assert.deepEqual((await listsOf(stage, app, account))[each], numbersUpTo(6), account)
      const status = await stage.clock.until(app.status())
      assert.deepEqual(findImbalances(status), [])
      const held = status.find(({ consumer }) => consumer === `ledger/${rule}`)
      assert.deepEqual([held?.accepted, held?.completed, held?.pending, held?.lag], [24, 20, 4, 0])

      isBroken = false
      const after = await stage.clock.until(caughtUp(stage.clock, app))
      for (const { consumer, accepted, completed } of after)
        assert.deepEqual([accepted, completed], [24, 24], consumer)
      const lists = await listsOf(stage, app, 'a')
      for (const each of RULES) assert.deepEqual(lists[each], numbersUpTo(6), each)
      assert.deepEqual(outside.told.get('a'), numbersUpTo(6))
      await stage.clock.until(app.stop())
    })

  test('messages that arrive later wait behind held ones', async () => {
    let isBroken = true
    const stage = createSimulation(memory, 2)
    const service = createLedgerService((at, { account, number }) => {
      if (isBroken && at === 'journal' && account === 'a' && number === 0) throw new Error('broken')
    })
    const { app } = await launch(stage, service, createOutside())
    for (const number of numbersUpTo(100)) {
      await stage.clock.until(app.send(Ledger.Enter({ account: 'a', number })))
      if (number === 95) isBroken = false
    }
    await stage.clock.until(caughtUp(stage.clock, app))
    assert.deepEqual((await listsOf(stage, app, 'a')).journal, numbersUpTo(100))
    await stage.clock.until(app.stop())
  })

  test('the retry delay stays within a bound that doubles, and each error is reported', async () => {
    const stage = createSimulation(memory, 3)
    const at: number[] = []
    const told: string[] = []
    const service = createLedgerService((rule, { account }) => {
      if (rule !== 'book' || account !== 'a') return
      at.push(stage.clock.now())
      if (at.length <= 6) throw new Error(`attempt ${at.length}`)
    })
    const { backend, clock, random: any } = stage.instance()
    // Near the end of its range, so that the bounds of the delays show.
    const random = (): number => 0.9 + 0.1 * any()
    const app = await stage.clock.until(
      start([service], backend, {
        clock,
        random,
        engine: options,
        tools: { outside: createOutside() },
        onRuleError: ({ consumer, messageId, key, error }) =>
          void told.push(`${consumer} ${messageId} ${key} ${error}`),
      }),
    )
    // Until it is written down by what rows are made, a unit may conflict, and run its rules again.
    await stage.clock.until(app.send(Ledger.Enter({ account: 'b', number: 0 })))
    await stage.clock.until(caughtUp(stage.clock, app))
    await stage.clock.until(app.send(Ledger.Enter({ account: 'a', number: 0 }), { id: 'e-0' }))
    await stage.clock.until(caughtUp(stage.clock, app))
    assert.deepEqual(
      told,
      numbersUpTo(6).map((attempt) => `ledger/book e-0 a attempt ${attempt + 1}`),
    )
    const waits = at.slice(1).map((now, index) => now - (at[index] ?? 0))
    for (const [index, wait] of waits.entries()) {
      const wanted = Math.min(50 * 2 ** index, 400)
      assert.ok(wait >= 0.9 * wanted - 1 && wait <= wanted + 100, `wait ${index}: ${wait} ms`)
    }
    await stage.clock.until(app.stop())
  })
})

test('errors and crashes change neither the order nor the number of effects', async () => {
  const plan = fc.record({
    seed: fc.nat(),
    rule: fc.constantFrom(...RULES),
    number: fc.nat({ max: 7 }),
    times: fc.integer({ min: 0, max: 5 }),
    crashAtMs: fc.array(fc.integer({ min: 1, max: 3_000 }), { maxLength: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ seed, rule, number, times, crashAtMs }) => {
      const stage = createSimulation(memory, seed)
      const outside = createOutside()
      const service = createLedgerService(faultAt(rule, 'a', number, times))
      const accounts = ['a', 'b', 'c']
      let { app, crash } = await launch(stage, service, outside)
      await stage.clock.until(sendAll(app, accounts, numbersUpTo(8)))
      for (const ms of crashAtMs) {
        await stage.clock.advance(ms)
        crash()
        ;({ app, crash } = await launch(stage, service, outside))
      }
      const status = await stage.clock.until(caughtUp(stage.clock, app))
      for (const { consumer, completed } of status) assert.equal(completed, 24, consumer)
      for (const account of accounts) {
        const lists = await listsOf(stage, app, account)
        for (const each of RULES)
          assert.deepEqual(lists[each], numbersUpTo(8), `${account} ${each}`)
        assert.deepEqual(outside.told.get(account), numbersUpTo(8))
      }
      await stage.clock.until(app.stop())
    }),
    { numRuns: runs(12), seed: 7 },
  )
})

test('the same seed gives the same run', async () => {
  const runOf = async (seed: number): Promise<string> => {
    const stage = createSimulation(memory, seed)
    const service = createLedgerService(faultAt('book', 'a', 1, 2))
    const { app } = await launch(stage, service, createOutside())
    const random = seededRandom(seed)
    for (const number of numbersUpTo(5)) {
      await stage.clock.advance(random() * 100)
      await stage.clock.until(app.send(Ledger.Enter({ account: 'a', number })))
    }
    await stage.clock.until(caughtUp(stage.clock, app))
    const from = numbersUpTo(PARTITIONS).map((partition) => ({
      topic: 'ledger.events',
      partition,
      next: 0,
    }))
    const slices = await stage.clock.until(
      stage.backend.log.read(from, { records: 100, bytes: 1e6 }, { ms: 0 }),
    )
    await stage.clock.until(app.stop())
    return JSON.stringify(slices)
  }
  assert.equal(await runOf(5), await runOf(5))
  assert.notEqual(await runOf(5), await runOf(6))
})
