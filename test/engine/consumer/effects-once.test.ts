// Each effect happens exactly once, whatever the backend answers: lost answers, conflicts, fences
// and broken connections, at random by seed.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory, seededRandom } from 'throughline/testing'
import { runs } from '../../extent.ts'
import type { Before } from '../support/ledger-service.ts'
import {
  Ledger,
  PARTITIONS,
  createLedgerService,
  createOutside,
  numbersUpTo,
} from '../support/ledger-service.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, randomFaults, createSimulation } from '../support/simulation.ts'

const ACCOUNTS = ['a', 'b', 'c', 'd']
const COUNT = 6

/** Runs a whole ledger over a backend, and returns what happened to the entries. */
async function runOf(seed: number, around: Interceptor, before?: Before) {
  const stage = createSimulation(memory, seed)
  const outside = createOutside()
  const { backend, clock, random } = stage.instance(around)
  const app = await stage.clock.until(
    start([createLedgerService(before)], backend, {
      clock,
      random,
      engine: {
        retryDelayMs: 20,
        retryDelayMsMax: 100,
        retryAttemptsMax: 1_000_000,
        deadlineMs: 200,
        leaseMs: 3_000,
      },
      tools: { outside },
    }),
  )
  for (const number of numbersUpTo(COUNT))
    await stage.clock.until(Promise.all(ACCOUNTS.map((account) => enter(app, account, number))))
  // The books are looked at in fair weather.
  const status = await stage.clock.until(caughtUp(stage.clock, patient(app)))
  return { stage, outside, app, status }
}

/** Sends until it is stored: the answer may be lost, the message may not. */
async function enter(app: App, account: string, number: number): Promise<void> {
  for (;;)
    try {
      await app.send(Ledger.Enter({ account, number }), { id: `${account}-${number}` })
      return
    } catch (fault) {
      assert.match(String(fault), /LOG_UNKNOWN|EARLIER_NOT_STORED/)
    }
}

/** Retries if the backend failed. */
function patient(app: App): Pick<App, 'status'> {
  return {
    async status() {
      for (;;)
        try {
          return await app.status()
        } catch (cause) {
          assert.match(String(cause), /broke/)
        }
    },
  }
}

type Run = Awaited<ReturnType<typeof runOf>>

/** Every entry was handled once by every rule, in account order. */
async function mustBeWhole({ stage, outside, app, status }: Run): Promise<void> {
  for (const { consumer, accepted, completed } of status)
    assert.deepEqual([accepted, completed], [ACCOUNTS.length * COUNT, accepted], consumer)
  const rowOf = async (table: string, key: string): Promise<unknown> => {
    const [row] = await stage.clock.until(stage.backend.store.get([{ table, key }]))
    return JSON.parse(row?.body ?? 'null')
  }
  for (const account of ACCOUNTS) {
    const kept = (await rowOf('ledger.book', account)) as { state: unknown }
    assert.deepEqual(kept.state, numbersUpTo(COUNT), account)
    assert.deepEqual(await rowOf('ledger.journal', account), numbersUpTo(COUNT), account)
    const instance = (await rowOf('ledger.tail', account)) as { state: unknown }
    assert.deepEqual(instance.state, numbersUpTo(COUNT), account)
    assert.deepEqual(outside.told.get(account), numbersUpTo(COUNT), account)
  }
  await stage.clock.until(mustHoldNothing(stage))
  await stage.clock.until(app.stop())
}

/** The log contains each entry once, and no held rows are left. */
async function mustHoldNothing({ backend: { log, store } }: Simulation): Promise<void> {
  for (const topic of ['ledger.commands', 'ledger.events']) {
    const from = numbersUpTo(PARTITIONS).map((partition) => ({ topic, partition, next: 0 }))
    const slices = await log.read(from, { records: 1_000, bytes: 1e7 }, { ms: 0 })
    const entries = slices.flatMap(({ records }) => records).map(({ data }) => data)
    assert.equal(new Set(entries).size, ACCOUNTS.length * COUNT, topic)
    assert.equal(entries.length, ACCOUNTS.length * COUNT, topic)
  }
  for (const table of ['ledger.holds', 'ledger.held'])
    assert.deepEqual(await store.scan({ table, limit: 10 }), [], table)
}

/** Faults only in calls of one method, all in the same way. */
function only(method: string, seed: number, rate: number, wrong: Interceptor): Interceptor {
  const random = seededRandom(seed)
  return (called, call, args) =>
    called === method && random() < rate ? wrong(called, call, args) : call()
}

/** The first `times` calls of each rule with every third entry fail. */
function stubborn(times: number): Before {
  const calls = new Map<string, number>()
  return (rule, { account, number }) => {
    if ((number + account.charCodeAt(0)) % 3 !== 0) return
    const call = `${rule} ${account} ${number}`
    calls.set(call, (calls.get(call) ?? 0) + 1)
    if ((calls.get(call) ?? 0) <= times) throw new Error(`${call} is out of order`)
  }
}

const LOST = { status: 'unknown', cause: 'the answer was lost' } as const

/** Answers to a commit that the engine must handle. */
const ANSWERS: Readonly<Record<string, Interceptor>> = {
  'unknown, and nothing has happened': async () => LOST,
  'unknown, and all has happened': async (_, call) => {
    await call()
    return LOST
  },
  'too late': async (_, call) => {
    await call()
    return new Promise(() => undefined)
  },
  'by breaking off': async () => {
    throw new Error('the connection broke')
  },
  'that it is fenced': async () => ({ status: 'fenced', resources: [] }),
  'that it conflicts': async () => ({ status: 'conflict', rows: [] }),
}

describe('each effect happens once when the answer to a commit is', () => {
  for (const [name, wrong] of Object.entries(ANSWERS))
    for (const times of [0, 2])
      test(`${name}${times > 0 ? ', and rules fail as well' : ''}`, async () => {
        const seeds = fc.nat()
        await fc.assert(
          fc.asyncProperty(seeds, async (seed) => {
            const around = only('store.commit', seed, 0.3, wrong)
            await mustBeWhole(await runOf(seed, around, stubborn(times)))
          }),
          { numRuns: runs(4), seed: 11 },
        )
      })
})

test('each effect happens once if the answer to an append is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.boolean(), async (seed, isStored) => {
      const around = only('log.append', seed, 0.6, async (_, call, args) => {
        if (isStored) await call()
        return (args[0] as readonly unknown[]).map(() => LOST)
      })
      await mustBeWhole(await runOf(seed, around))
    }),
    { numRuns: runs(5), seed: 12 },
  )
})

test('order and effects survive a store that fails while it is read', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const random = seededRandom(seed)
      let isRunning = false
      await mustBeWhole(
        await runOf(
          seed,
          async (method, call) => {
            if (method === 'store.commit') isRunning = true
            const isRead = /^store\.(get|scan|progress)$/.test(method)
            if (isRunning && isRead && random() < 0.15) throw new Error('the connection broke')
            return call()
          },
          stubborn(2),
        ),
      )
    }),
    { numRuns: runs(4), seed: 13 },
  )
})

test('each effect happens once through faults of every kind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat({ max: 2 }), async (seed, times) => {
      const unlucky = randomFaults(seededRandom(seed), 0.2)
      let isRunning = false
      const around: Interceptor = (method, call, args) => {
        if (method === 'store.commit') isRunning = true
        return isRunning ? unlucky(method, call, args) : call()
      }
      await mustBeWhole(await runOf(seed, around, stubborn(times)))
    }),
    { numRuns: runs(5), seed: 14 },
  )
})
