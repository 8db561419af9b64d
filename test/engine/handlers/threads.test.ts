// Handlers that run in threads: whoever else is there goes on, and a thread that ends loses nothing.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { after, describe, test } from 'node:test'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import type { App, StartOptions } from 'throughline'
import { Fault, handler, service, start } from 'throughline'
import { memory, simulate } from 'throughline/testing'
import type { Backend } from '../../../src/ports/event-store.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import { findImbalances, sharedBackend } from '../support/simulation.ts'
import type { Cut, Stone } from './threaded/quarry.ts'
import { Quarry, heap, quarry } from './threaded/quarry.ts'

const place = mkdtempSync(join(tmpdir(), 'throughline threads '))
after(() => rmSync(place, { recursive: true }))
let signs = 0
/** A file that does not exist yet. */
const newSign = (): string => join(place, `sign-${(signs += 1)}`)

/** A backend that several starts share. */
function shared(): Backend {
  return sharedBackend(memory(), (_, call) => call())
}

async function launch(engine: StartOptions['engine'] = {}, backend: Backend = shared()) {
  const faults: string[] = []
  const app = await start([quarry], backend, {
    engine: { retryDelayMs: 5, idleMs: 20, threadsMax: 1, ...engine },
    onRuleError: ({ error }) => void faults.push(error),
    onBackendError: (what, cause) => void faults.push(`${what} broke: ${String(cause)}`),
    onSlowRule: () => undefined,
  })
  return { app, backend, faults }
}

const breakAll = (app: App, stones: readonly Stone[]) =>
  Promise.all(stones.map((stone) => app.send(Quarry.Break(stone))))

/** Everything of a type that is in the log, in its order. */
async function dataOf<D>({ log }: Backend, type: string): Promise<readonly D[]> {
  const from = [0, 1].map((partition) => ({ topic: 'quarry.events', partition, next: 0 }))
  const slices = await log.read(from, { records: 10_000, bytes: 1e9 }, { ms: 0 })
  const records = slices.flatMap((slice) => slice.records).filter((each) => each.type === type)
  const inOrder = records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))
  return inOrder.map(({ data }) => JSON.parse(data ?? '') as D)
}
const cutsOf = (backend: Backend): Promise<readonly Cut[]> => dataOf<Cut>(backend, 'quarry.Told')

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turnOfLoop()
}

/** Waits until a unit has gone on without something that the consumer is still at. */
async function pending(app: App, consumer: string): Promise<void> {
  for (;;) {
    const status = await app.status()
    if (status.some((each) => each.consumer === consumer && each.pending > 0)) return
    await turnOfLoop()
  }
}

describe('a handler in a thread', () => {
  test('computes while everybody else goes on', async (t) => {
    const { app, backend } = await launch()
    const sign = newSign()
    await app.send(Quarry.Break({ key: 'a', number: 0, to: 'await-sign', sign }))
    await until(() => existsSync(`${sign}.begun`))
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    // Each of these would wait for ever, where the handler held up whoever they need.
    const [operation] = await breakAll(app, [{ key: 'b', number: 1, to: 'cut' }])
    assert.deepEqual(await operation?.accepted(), { status: 'accepted' })
    for (let turn = 0; turn < 1_000; turn += 1) await turnOfLoop()
    delay.disable()
    t.diagnostic(`longest delay of the loop meanwhile: ${Math.round(delay.max / 1e6)} ms`)
    assert.deepEqual(await cutsOf(backend), [])
    writeFileSync(sign, '')
    await app.settled()
    const cuts = await cutsOf(backend)
    assert.deepEqual(cuts.map(({ key, isMain }) => ({ key, isMain })).toSorted(byKey), [
      { key: 'a', isMain: false },
      { key: 'b', isMain: false },
    ])
    const { slowRules } = await app.health()
    assert.deepEqual(
      slowRules.filter(({ consumer }) => consumer === 'quarry/mason'),
      [],
    )
    await app.stop()
  })

  test('is told what any handler is told, and its messages are sent with its acknowledgement', async () => {
    const { app, backend, faults } = await launch()
    const [operation] = await breakAll(app, [{ key: 'a', number: 7, to: 'cut' }])
    await app.settled()
    const [{ thread, ...cut } = {} as Cut] = await cutsOf(backend)
    assert.ok(thread > 0)
    assert.match(cut.messageId, /^[0-9a-f-]{36}$/)
    assert.notEqual(cut.messageId, operation?.id)
    assert.ok(cut.at > 1.5e12)
    const effectKey = `quarry/mason:${cut.messageId}`
    assert.deepEqual(cut, {
      key: 'a',
      number: 7,
      isMain: false,
      effectKey,
      messageId: cut.messageId,
      at: cut.at,
    })
    assert.deepEqual(await dataOf(backend, 'quarry.Noted'), [{ ...cut, thread }])
    assert.deepEqual(faults, [])
    await app.stop()
  })

  test('keeps the order of each key, over as many threads as there may be', async () => {
    const { app, backend } = await launch({ threadsMax: 2 })
    const keys = ['a', 'b', 'c', 'd']
    const stones = numbersUpTo(6).flatMap((number) =>
      keys.map((key) => ({ key, number, to: 'cut' })),
    )
    await breakAll(app, stones as readonly Stone[])
    // Two that are busy at the same time are two threads.
    const [one, other] = [newSign(), newSign()]
    await breakAll(app, [
      { key: 'a', number: 6, to: 'await-sign', sign: one },
      { key: 'b', number: 6, to: 'await-sign', sign: other },
    ])
    await until(() => existsSync(`${one}.begun`) && existsSync(`${other}.begun`))
    for (const sign of [one, other]) writeFileSync(sign, '')
    await app.settled()
    const cuts = await cutsOf(backend)
    const numbersOf = (key: string): number[] =>
      cuts.filter((cut) => cut.key === key).map(({ number }) => number)
    for (const key of keys) assert.deepEqual(numbersOf(key), numbersUpTo(key < 'c' ? 7 : 6), key)
    assert.equal(new Set(cuts.map(({ thread }) => thread)).size, 2)
    await app.stop()
  })

  test('may ask to be called later, which is no fault', async () => {
    const { app, backend, faults } = await launch()
    await breakAll(app, [
      { key: 'a', number: 0, to: 'later-once', sign: newSign() },
      { key: 'b', number: 1, to: 'throw-later-once', sign: newSign() },
    ])
    await app.settled()
    assert.deepEqual(faults, [])
    assert.deepEqual((await cutsOf(backend)).map(({ key }) => key).toSorted(), ['a', 'b'])
    await app.stop()
  })

  test('without order is left by the units that go on meanwhile, and done all the same', async () => {
    const faults: string[] = []
    const backend = shared()
    const app = await start([heap], backend, {
      engine: { threadsMax: 1, queueAckMs: 10, idleMs: 20 },
      onRuleError: ({ error }) => void faults.push(error),
    })
    const sign = newSign()
    const others = numbersUpTo(3).map((number): Stone => ({ key: 'a', number, to: 'cut' }))
    await breakAll(app, [{ key: 'a', number: 9, to: 'await-sign', sign }, ...others])
    await until(() => existsSync(`${sign}.begun`))
    await pending(app, 'quarry/free-mason')
    writeFileSync(sign, '')
    await app.settled()
    assert.deepEqual(faults, [])
    const cuts = await cutsOf(backend)
    assert.deepEqual(
      cuts.map(({ number }) => number).toSorted((a, b) => a - b),
      [0, 1, 2, 9],
    )
    assert.ok(cuts.every(({ isMain }) => !isMain))
    await app.stop()
  })

  test('that throws, or returns what it may not, is held like any other', async () => {
    const { app, backend, faults } = await launch()
    await breakAll(app, [
      { key: 'a', number: 4, to: 'throw' },
      { key: 'b', number: 1, to: 'return-date' },
      { key: 'c', number: 2, to: 'return-undeclared' },
      { key: 'd', number: 3, to: 'cut' },
      { key: 'e', number: 5, to: 'change' },
    ])
    await until(() => new Set(faults).size >= 4)
    assert.ok(faults.includes('the chisel broke on 4'), faults[0])
    const texts = [...new Set(faults)].join('\n')
    assert.match(texts, /RULE_RETURNED: .*at: must be plain data, not an instance of a class/s)
    assert.match(texts, /RULE_RETURNED: .*handler mason returned quarry.Noted without declaring it/)
    assert.match(texts, /read only property 'number'/, 'data is frozen in a thread, too')
    const { items } = await app.heldKeys({ key: 'a' })
    assert.match(items[0]?.error?.stack ?? '', /chisel broke on 4\n.*threaded\/quarry\.ts/)
    await app.stop({ graceMs: 10_000 })
    assert.deepEqual((await cutsOf(backend)).map(({ key }) => key).toSorted(), ['d'])
  })
})

describe('a thread that ends in the middle of a message', () => {
  const ends = {
    'exit-once': /THREAD_ENDED: .*: it has exited with code 3\n/,
    'stray-once': /THREAD_ENDED: .*: a stray splinter\n/,
    'fill-memory-once': /THREAD_ENDED: .*: it used over 67108864 bytes of memory/,
    'grow-list-once': /THREAD_ENDED: .*: it used over 67108864 bytes of memory/,
  } as const
  for (const [to, said] of Object.entries(ends))
    test(`counts an attempt, and another takes its place: ${to}`, async () => {
      const { app, backend, faults } = await launch({ threadBytesMax: 67_108_864 })
      const sign = newSign()
      await breakAll(app, [
        { key: 'a', number: 0, to: to as Stone['to'], sign },
        { key: 'a', number: 1, to: 'cut' },
        { key: 'b', number: 2, to: 'cut' },
      ])
      await app.settled()
      assert.equal(faults.length, 1)
      assert.match(faults[0] ?? '', said)
      const cuts = await cutsOf(backend)
      assert.deepEqual(
        cuts.filter(({ key }) => key === 'a').map(({ number }) => number),
        [0, 1],
      )
      assert.equal(cuts.length, 3)
      assert.ok(cuts.every(({ isMain }) => !isMain))
      assert.deepEqual(findImbalances(await app.status()), [])
      await app.stop()
    })
})

describe('a thread that ends', () => {
  test('between two calls is reported, and the next call gets a new thread', async () => {
    const { app, backend, faults } = await launch()
    await breakAll(app, [{ key: 'a', number: 0, to: 'stray-after' }])
    await until(() => faults.length > 0)
    assert.match(faults.join('\n'), /^threads broke: .*THREAD_ENDED: .*: a late splinter\n[^\n]*$/)
    await breakAll(app, [{ key: 'a', number: 1, to: 'cut' }])
    await app.settled()
    const cuts = await cutsOf(backend)
    assert.deepEqual(
      cuts.map(({ number }) => number),
      [0, 1],
    )
    assert.equal(new Set(cuts.map(({ thread }) => thread)).size, 2)
    assert.equal(faults.length, 1)
    await app.stop()
  })

  test('makes room at once for a new one, while another is busy', async () => {
    const { app } = await launch({ threadsMax: 2, retryDelayMs: 60_000 })
    const [busy, ending, waiting] = [newSign(), newSign(), newSign()]
    await breakAll(app, [
      { key: 'a', number: 0, to: 'await-sign', sign: busy },
      { key: 'b', number: 1, to: 'exit-once', sign: ending },
      { key: 'c', number: 2, to: 'await-sign', sign: waiting },
    ])
    await until(() => existsSync(`${waiting}.begun`))
    writeFileSync(waiting, '')
    writeFileSync(busy, '')
    await app.stop()
  })
})

describe('an app that stops with work in threads', () => {
  test('ends what is in hand, where that comes in time', async () => {
    const { app, backend } = await launch()
    const sign = newSign()
    await app.send(Quarry.Break({ key: 'a', number: 0, to: 'await-sign', sign }))
    await until(() => existsSync(`${sign}.begun`))
    const stopping = app.stop({ graceMs: 30_000 })
    writeFileSync(sign, '')
    await stopping
    assert.equal((await cutsOf(backend)).length, 1)
  })

  test('aborts the signal in the thread past its grace', async () => {
    const { app } = await launch()
    const sign = newSign()
    await app.send(Quarry.Break({ key: 'a', number: 0, to: 'await-abort', sign }))
    await until(() => existsSync(sign))
    await app.stop({ graceMs: 0 })
    assert.equal(readFileSync(sign, 'utf8'), 'aborted')
  })

  test('ends a thread that ignores its signal; what waited for it has no attempt counted', async () => {
    const { app, backend, faults } = await launch()
    const sign = newSign()
    const others = numbersUpTo(5).map((number): Stone => ({
      key: `k-${number}`,
      number,
      to: 'cut',
    }))
    await breakAll(app, [{ key: 'a', number: 9, to: 'ignore-abort', sign }, ...others])
    await until(() => existsSync(sign))
    await app.stop({ graceMs: 0 })
    assert.deepEqual(await cutsOf(backend), [])
    const strange = faults.filter((text) => !/its signal had aborted/.test(text))
    assert.deepEqual(strange, [])
    assert.ok(faults.length <= 1)
    const anew = await launch({}, backend)
    await anew.app.settled()
    // The error may be stored by the stop, and reported once its retry is decided.
    assert.ok(faults.length + anew.faults.length <= 1)
    assert.equal((await cutsOf(backend)).length, 6)
    assert.deepEqual(findImbalances(await anew.app.status()), [])
    await anew.app.stop()
  })
})

describe('without threads', () => {
  test('the same handler runs where the app runs, and is named as slow', async () => {
    const { app, backend } = await launch({ threadsMax: 0, ruleBudgetMs: 100 })
    await breakAll(app, [{ key: 'a', number: 0, to: 'burn' }])
    await app.settled()
    assert.deepEqual(
      (await cutsOf(backend)).map(({ isMain }) => isMain),
      [true],
    )
    const { status, slowRules } = await app.health()
    assert.equal(status, 'well')
    const slow = slowRules.find(({ consumer }) => consumer === 'quarry/mason')
    assert.equal(slow?.type, 'quarry.Broken')
    assert.ok(slow.worst.tookMs >= 150 && slow.worst.key === 'a')
    assert.deepEqual(findImbalances(await app.status()), [])
    await app.stop()
  })

  test('a simulated world runs it, the same way each time', async () => {
    const told = async () => {
      await using world = await simulate([quarry], { seed: 4 })
      for (const number of numbersUpTo(3))
        await world.send(Quarry.Break({ key: `k-${number % 2}`, number, to: 'cut' }))
      await world.settled()
      const all = await world.messages()
      return all.filter(({ type }) => type === 'quarry.Told').map(({ data }) => data as Cut)
    }
    const first = await told()
    assert.equal(first.length, 3)
    assert.ok(first.every(({ isMain }) => isMain))
    assert.deepEqual(await told(), first)
  })
})

describe('start refuses', () => {
  const refusal = async (runs: Parameters<typeof service>[1]['runs']): Promise<string> => {
    const { owns } = quarry
    const [block] = quarry.runs
    const all = service('quarry', { owns, runs: [block as (typeof quarry.runs)[0], ...runs] })
    const calls: string[] = []
    const backend = memory()
    const open = async (): Promise<void> => void calls.push('open')
    const untouched = { log: { ...backend.log, open }, store: { ...backend.store, open } }
    const fault = await start([all], untouched, {} as never).then(
      (app) => app.stop().then(() => assert.fail('it has started')),
      (cause: unknown) => cause,
    )
    assert.ok(fault instanceof Fault, String(fault))
    assert.equal(fault.code, 'START_REFUSED')
    assert.deepEqual(calls, [], 'the backend was touched')
    return fault.issues.map(({ path, message }) => `${path} ${message}`).join('\n')
  }
  const on = (thread: string, name = 'mason') =>
    handler(name, { thread }, (on) => [on(Quarry.Broken, () => undefined)])
  const urlOf = (path: string): string => new URL(path, import.meta.url).href

  const misfits: readonly (readonly [string, ReturnType<typeof on>, RegExp])[] = [
    [
      'a module that is not there',
      on(urlOf('threaded/nowhere.ts')),
      /^quarry\/mason a thread cannot import its module: .*nowhere/,
    ],
    [
      'a module without the handler',
      on(urlOf('threaded/quarry.ts'), 'miner'),
      /^quarry\/miner its module exports no handler miner: export it/,
    ],
    [
      'a module that starts an app itself',
      on(urlOf('threaded/starting.ts'), 'hearing'),
      /^quarry\/hearing .*START_REFUSED.*start: is called by a module that a thread imports/s,
    ],
    [
      'what is no module',
      on('mason.ts'),
      /^quarry\/mason its thread must be the module that exports it: thread: import.meta.url/,
    ],
    [
      'tools, which cannot be passed to it',
      { ...on(urlOf('threaded/quarry.ts')), uses: { saw: {} } },
      /^quarry\/mason runs in a thread, and tools cannot be passed to threads: create saw/,
    ],
  ]
  for (const [what, misfit, said] of misfits)
    test(what, async () => assert.match(await refusal([misfit]), said))
})

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : 1
}
