// The sender: ids, back-pressure, the order of calls, and the answers of the log.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App } from 'throughline'
import { Fault, start } from 'throughline'
import { memory } from 'throughline/testing'
import { sleep } from '../../../src/base/time/clock.ts'
import type { LogAppendResult, LogEvent } from '../../../src/ports/event-log.ts'
import {
  Ledger,
  accountsInOtherPartitions,
  createLedgerService,
  createOutside,
  numbersUpTo,
} from '../support/ledger-service.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const engine = { deadlineMs: 200, retryDelayMs: 20, leaseMs: 3_000 }

async function launch(stage: Simulation, around: Interceptor, more: object = {}): Promise<App> {
  const { backend, clock, random } = stage.instance(around)
  const options = {
    clock,
    random,
    engine: { ...engine, ...more },
    tools: { outside: createOutside() },
  }
  return stage.clock.until(start([createLedgerService()], backend, options))
}

/** Intercepts appends only. */
const appends =
  (
    over: (call: () => Promise<unknown>, events: readonly LogEvent[]) => Promise<unknown>,
  ): Interceptor =>
  (method, call, args) =>
    method === 'log.append' ? over(call, args[0] as readonly LogEvent[]) : call()
const calm: Interceptor = (_, call) => call()

const enter = (account: string, number: number) => Ledger.Enter({ account, number })

/** The result of each call: `stored`, `repeat`, or the code of its fault. */
async function outcomes(calls: readonly Promise<{ isDuplicate: boolean }>[]) {
  const settled = await Promise.allSettled(calls)
  return settled.map((each) => {
    if (each.status === 'fulfilled') return each.value.isDuplicate ? 'repeat' : 'stored'
    assert.ok(each.reason instanceof Fault, String(each.reason))
    return each.reason.code
  })
}

async function bookOf(stage: Simulation, app: App, account: string): Promise<readonly number[]> {
  await stage.clock.until(caughtUp(stage.clock, app))
  return (await stage.clock.until(app.ask(Ledger.Read({ account })))).book
}

describe('a message id', () => {
  test('takes effect once when sent again: at once, later, and after a restart', async () => {
    const stage = createSimulation(memory, 1)
    const app = await launch(stage, calm)
    const id = 'once'
    const twice = [app.send(enter('a', 1), { id }), app.send(enter('a', 1), { id })]
    assert.deepEqual(await stage.clock.until(outcomes(twice)), ['stored', 'repeat'])
    const again = await stage.clock.until(app.send(enter('a', 1), { id }))
    assert.deepEqual([again.id, again.isDuplicate], [id, true])
    assert.deepEqual(await stage.clock.until(again.accepted()), { status: 'accepted' })
    await stage.clock.until(app.stop())
    const anew = await launch(stage, calm)
    assert.ok((await stage.clock.until(anew.send(enter('a', 1), { id }))).isDuplicate)
    assert.deepEqual(await bookOf(stage, anew, 'a'), [1])
    await stage.clock.until(anew.stop())
  })

  test('is refused for a different message, and the first one stays', async () => {
    const stage = createSimulation(memory, 2)
    const app = await launch(stage, calm)
    const id = 'taken'
    await stage.clock.until(app.send(enter('a', 1), { id }))
    const calls = [app.send(enter('a', 2), { id }), app.send(enter('b', 1), { id })]
    const settled = await stage.clock.until(Promise.allSettled(calls))
    for (const each of settled) {
      assert.ok(each.status === 'rejected' && each.reason instanceof Fault)
      assert.equal(each.reason.code, 'ID_CONFLICT')
      assert.equal(each.reason.ids['id'], id)
    }
    assert.deepEqual(await bookOf(stage, app, 'a'), [1])
    assert.deepEqual(await bookOf(stage, app, 'b'), [])
    await stage.clock.until(app.stop())
  })

  test('is generated if none is given, and has a length limit', async () => {
    const stage = createSimulation(memory, 3)
    const app = await launch(stage, calm)
    const sent = await stage.clock.until(
      Promise.all(numbersUpTo(50).map((number) => app.send(enter('a', number)))),
    )
    assert.equal(new Set(sent.map(({ id }) => id)).size, 50)
    const odd = ['', 'x'.repeat(257), 7 as never].map((id) => app.send(enter('a', 0), { id }))
    const faults = await stage.clock.until(outcomes(odd))
    assert.deepEqual(faults, ['MESSAGE_INVALID', 'MESSAGE_INVALID', 'MESSAGE_INVALID'])
    assert.deepEqual(await bookOf(stage, app, 'a'), numbersUpTo(50))
    await stage.clock.until(app.stop())
  })
})

test('calls of one key keep their order without awaiting each other', async () => {
  const stage = createSimulation(memory, 4)
  const app = await launch(stage, calm)
  const accounts = ['a', ...accountsInOtherPartitions('a', 2)]
  const calls = numbersUpTo(300).map(async (number) => {
    // Some calls come while a batch is on its way.
    if (number % 100 === 99) await stage.clock.advance(1)
    return Promise.all(accounts.map((account) => app.send(enter(account, number))))
  })
  await stage.clock.until(Promise.all(calls))
  for (const account of accounts) {
    const book = await bookOf(stage, app, account)
    assert.equal(book.length, 300)
    for (const from of [0, 100, 200]) {
      const part = book.filter((number) => number >= from && number < from + 99)
      assert.deepEqual(
        part,
        numbersUpTo(99).map((number) => number + from),
        account,
      )
    }
  }
  await stage.clock.until(app.stop())
})

describe('back-pressure', () => {
  test('by bytes that wait for their ack ends once they are stored', async () => {
    const stage = createSimulation(memory, 5)
    const gate = Promise.withResolvers<void>()
    const app = await launch(
      stage,
      appends(async (call) => {
        await gate.promise
        return call()
      }),
      { sendBytesMax: 1_048_576, deadlineMs: 60_000 },
    )
    const big = 'x'.repeat(100_000)
    const data = (number: number) => ({ account: 'a', number, big }) as never
    const many = numbersUpTo(12).map((number) => app.send(Ledger.Enter(data(number))))
    const results = outcomes(many)
    await stage.clock.advance(100)
    gate.resolve()
    const expected = numbersUpTo(12).map((number) => (number < 10 ? 'stored' : 'BACKPRESSURE'))
    assert.deepEqual(await stage.clock.until(results), expected)
    await stage.clock.until(app.send(Ledger.Enter(data(10))))
    assert.deepEqual(await bookOf(stage, app, 'a'), numbersUpTo(11))
    await stage.clock.until(app.stop())
  })

  test('by consumer lag names the consumer, and ends with the lag', async () => {
    const stage = createSimulation(memory, 6)
    let isSlow = true
    const app = await launch(
      stage,
      async (method, call) => {
        if (method !== 'log.read' || !isSlow) return call()
        await sleep(stage.clock, 100)
        return []
      },
      { lagEventsMax: 10 },
    )
    for (const number of numbersUpTo(12)) await stage.clock.until(app.send(enter('a', number)))
    await stage.clock.advance(1_001)
    // The call that finds it out still passes; it does not wait for the answer.
    await stage.clock.until(app.send(enter('a', 12)))
    await stage.clock.advance(50)
    await assert.rejects(stage.clock.until(app.send(enter('a', 13))), (fault) => {
      assert.ok(fault instanceof Fault)
      assert.equal(fault.code, 'BACKPRESSURE')
      assert.ok(fault.retryable)
      assert.match(fault.message, /ledger\/book lags by 1[23] events/)
      return true
    })
    isSlow = false
    await stage.clock.advance(2_000)
    const late = await stage.clock.until(outcomes([app.send(enter('a', 13))]))
    await stage.clock.advance(50)
    if (late[0] === 'BACKPRESSURE') await stage.clock.until(app.send(enter('a', 13)))
    assert.deepEqual(await bookOf(stage, app, 'a'), numbersUpTo(14))
    await stage.clock.until(app.stop())
  })
})

const LOST: LogAppendResult = { status: 'unknown', cause: new Error('the answer was lost') }

describe('when the log does not answer', () => {
  test('a message is appended again and stored once', async () => {
    const stage = createSimulation(memory, 7)
    let calls = 0
    const app = await launch(
      stage,
      appends(async (call, events) => {
        calls += 1
        const answers = await call()
        return calls === 1 ? events.map(() => LOST) : answers
      }),
    )
    await stage.clock.until(app.send(enter('a', 0)))
    assert.equal(calls, 2)
    assert.deepEqual(await bookOf(stage, app, 'a'), [0])
    await stage.clock.until(app.stop())
  })

  test('the caller gets LOG_UNKNOWN in the end, and can send again with the same id', async () => {
    const stage = createSimulation(memory, 8)
    let isSilent = true
    const app = await launch(
      stage,
      appends(async (call) => {
        const answers = await call()
        return isSilent ? new Promise(() => undefined) : answers
      }),
    )
    const before = stage.clock.now()
    const sending = app.send(enter('a', 0), { id: 'one' })
    assert.deepEqual(await stage.clock.until(outcomes([sending])), ['LOG_UNKNOWN'])
    assert.ok(stage.clock.now() - before < 4 * engine.deadlineMs, 'each call has its deadline')
    isSilent = false
    await stage.clock.until(app.send(enter('a', 0), { id: 'one' }))
    assert.deepEqual(await bookOf(stage, app, 'a'), [0])
    await stage.clock.until(app.stop())
  })

  test('later messages of the same key are refused, and no others', async () => {
    const stage = createSimulation(memory, 9)
    let isBroken = true
    const app = await launch(
      stage,
      appends(async (call, events) => {
        if (isBroken && events.some(({ key }) => key === 'a')) throw new Error('broken')
        return call()
      }),
    )
    const first = app.send(enter('a', 0))
    await stage.clock.advance(5)
    const later = [enter('a', 1), enter('b', 1), enter('a', 2)].map((each) => app.send(each))
    const codes = await stage.clock.until(outcomes([first, ...later]))
    assert.deepEqual(codes, ['LOG_UNKNOWN', 'EARLIER_NOT_STORED', 'stored', 'EARLIER_NOT_STORED'])
    isBroken = false
    await stage.clock.until(app.send(enter('a', 3)))
    assert.deepEqual(await bookOf(stage, app, 'a'), [3])
    assert.deepEqual(await bookOf(stage, app, 'b'), [1])
    await stage.clock.until(app.stop())
  })

  test('a refusal of the log is passed on with its reason', async () => {
    const stage = createSimulation(memory, 10)
    const full: LogAppendResult = {
      status: 'refused',
      code: 'TOPIC_NOT_FOUND',
      detail: 'no such topic',
    }

    const app = await launch(
      stage,
      appends(async (_, events) => events.map(() => full)),
    )
    const sending = app.send(enter('a', 0), { id: 'one' })
    await assert.rejects(stage.clock.until(sending), /LOG_REFUSED.*TOPIC_NOT_FOUND: no such topic/)
    await stage.clock.until(app.stop())
  })
})

test('an invalid message is refused with all issues, and not stored', async () => {
  const stage = createSimulation(memory, 11)
  const app = await launch(stage, calm)
  const odd = [
    undefined,
    Ledger.Entered({ account: 'a', number: 1 }),
    Ledger.Read({ account: 'a' }),
    { contract: 'other', name: 'Enter', kind: 'command', data: {} },
    Ledger.Enter({ number: 1 } as never),
    Ledger.Enter({ account: 'a', number: Number.NaN }),
  ]
  const calls = odd.map((message) => app.send(message as never))
  const codes = await stage.clock.until(outcomes(calls))
  assert.deepEqual(
    codes,
    odd.map(() => 'MESSAGE_INVALID'),
  )
  const ends = await stage.clock.until(stage.backend.log.ends(['ledger.commands']))
  assert.deepEqual([...new Set(ends.map(({ next }) => next))], [0])
  await stage.clock.until(app.stop())
})
