// Results that cannot be stored and errors that cannot be read: the message is held like any other,
// and everything else continues.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { after, become, command, contract, entity, event, finish, handler } from 'throughline'
import { projection, query, queryHandler, refuse, saga, service, start, tool } from 'throughline'
import { memory, simulate } from 'throughline/testing'
import { upcast } from '../../../src/contract/upcast.ts'

const Data = z.object({ id: z.string(), isBad: z.boolean() })
const Work = contract(
  'work',
  { key: 'id' },
  {
    Do: command(Data, { refuses: ['no'] }),
    Done: event(Data),
    Tick: event(z.object({ id: z.string().max(8) })),
    Count: query(z.object({}), { answers: z.object({ count: z.number() }) }),
  },
)

/** An object that throws on any access: not even `instanceof` works. */
const revokedProxy = (): unknown => {
  const { proxy, revoke } = Proxy.revocable(new Error('x'), {})
  revoke()
  return proxy
}
const cyclic = (): unknown => {
  const value: Record<string, unknown> = {}
  value['self'] = value
  return value
}
/** Values that JSON rejects or changes. */
const UNKEPT: Readonly<Record<string, () => unknown>> = {
  'a bigint': () => 1n,
  'a cycle': cyclic,
  'a set': () => ({ seen: new Set([1]) }),
  'a promise': async () => 1,
  'a function': () => () => 1,
  'a number that is none': () => ({ count: Number.NaN }),
  'over 16 MB': () => ({ text: 'x'.repeat(17_000_000) }),
}

const done = (evolved: (isBad: boolean) => unknown) =>
  entity(
    'doing',
    { of: Work, id: 'id', initial: 0 as unknown, emits: [Work.Done] },
    {
      decide: (on) => [on(Work.Do, (data) => Work.Done(data))],
      evolve: (on) => [on(Work.Done, ({ isBad }) => evolved(isBad))],
    },
  )
const well = done(() => 1)

/** Each way in which a rule can fail for one message. */
function poisoned(bad: () => unknown) {
  return {
    'an entity that evolves to': [done((isBad) => (isBad ? bad() : 1))],
    'a projection whose row is': [
      well,
      projection('rows', { by: 'id', row: tool<unknown>() }, (on) => [
        on(Work.Done, ({ isBad }) => (isBad ? bad() : 1)),
      ]),
    ],
    'a saga that becomes': [
      well,
      saga('going', { by: 'id', initial: 0 as unknown, sends: [] }, (on) => [
        on(Work.Done, ({ isBad }) => (isBad ? become(bad()) : finish())),
      ]),
    ],
  }
}

async function othersGoOn(runs: readonly unknown[]) {
  const worker = service('worker', { owns: [Work], runs: runs as readonly [typeof well] })
  await using world = await simulate([worker], { seed: 3, timeoutMs: 60_000 })
  // In one turn, so that the one at fault has to be found among the others.
  const ids = ['a', 'b', 'bad', 'c', 'd']
  await Promise.all(ids.map((id) => world.send(Work.Do({ id, isBad: id === 'bad' }))))
  await world.advance(5_000)
  const behind = (await world.status()).map(({ lag, dead, pending }) => {
    return { lag, pending: dead + pending }
  })
  const held = behind.reduce((sum, { pending }) => sum + pending, 0)
  assert.equal(held, 1, 'one message is held')
  assert.ok(
    behind.every(({ lag }) => lag === 0),
    'nobody is stuck',
  )
  assert.ok(world.faults().length > 0)
  return world.faults()[0]
}

suite('only its own message is held by', () => {
  for (const [what, bad] of Object.entries(UNKEPT))
    for (const [who, runs] of Object.entries(poisoned(bad)))
      test(`${who} ${what}`, async () => {
        const fault = await othersGoOn(runs)
        assert.match(fault?.error ?? '', /RULE_RETURNED/)
      })

  const wrongIds = {
    nothing: [undefined],
    'no text': [5],
    'empty text': [''],
    'half a sign': ['\ud800'],
  }
  for (const [what, ids] of Object.entries({ ...wrongIds, 'no list': 'abc' }))
    test(`a rule whose ids are ${what}`, async () => {
      const rows = projection('rows', { by: 'id', row: tool<number>() }, (on) => [
        on(Work.Done, { ids: ({ isBad, id }) => (isBad ? (ids as string[]) : [id]) }, () => 1),
      ])
      await othersGoOn([well, rows])
    })

  const thrown: readonly (() => unknown)[] = [
    () => Object.create(null) as unknown,
    () => Object.assign(new Error('x'), { message: 5n }),
    () => undefined,
    revokedProxy,
  ]
  for (const [at, what] of thrown.entries())
    test(`a rule that throws what has no text (${at + 1})`, async () => {
      await othersGoOn([
        done((isBad) => {
          // oxlint-disable-next-line typescript/only-throw-error -- rules of users do
          if (isBad) throw what()
          return 1
        }),
      ])
    })

  for (const order of ['stream', 'queue'] as const)
    for (const [at, what] of thrown.entries())
      test(`a handler of order ${order} that throws what has no text (${at + 1})`, async () => {
        const outside = handler('outside', { consume: order }, (on) => [
          on(Work.Done, ({ isBad }) => {
            // oxlint-disable-next-line typescript/only-throw-error -- handlers of users do
            if (isBad) throw what()
          }),
        ])
        await othersGoOn([well, outside])
      })

  test('an upcaster that throws a hostile object', async () => {
    const fault = await othersGoOn([
      done((isBad) => {
        if (!isBad) return 1
        const up = (): never => {
          // oxlint-disable-next-line typescript/only-throw-error -- upcasters of users do
          throw revokedProxy()
        }
        const schema = z.object({ id: z.string() })
        const { Late } = contract(
          'late',
          { key: 'id' },
          { Late: event(schema, { upcasters: [[schema, up]] }) },
        )
        return upcast(Late, { id: 'x' }, 1)
      }),
    ])
    assert.match(fault?.error ?? '', /UPCAST_FAILED/)
  })

  test('a refusal with endless complaints', async () => {
    const refusing = entity(
      'doing',
      { of: Work, id: 'id', initial: 0, emits: [Work.Done] },
      {
        decide: (on) => [
          on(Work.Do, (data) =>
            data.isBad ? refuse('no', ['x'.repeat(2_000_000)]) : Work.Done(data),
          ),
        ],
        evolve: (on) => [on(Work.Done, () => 1)],
      },
    )
    await othersGoOn([refusing])
  })

  test('a timer with an invalid message fails when it is set', async () => {
    const late = saga('late', { by: 'id', initial: 0, sends: [], emits: [Work.Tick] }, (on) => [
      on(Work.Done, ({ isBad }) =>
        isBad ? after(1_000, Work.Tick({ id: 'much too long' })) : finish(),
      ),
    ])
    await othersGoOn([well, late])
  })
})

test('an initial state cannot be changed by any rule', async () => {
  const greedy = entity(
    'doing',
    { of: Work, id: 'id', initial: { count: 0 }, emits: [Work.Done] },
    {
      decide: (on) => [
        on(Work.Do, (data, state) => {
          state.count += 100
          return data.isBad ? Work.Done(data) : refuse('no')
        }),
      ],
      evolve: (on) => [on(Work.Done, (_, state) => state)],
    },
  )
  const worker = service('worker', { owns: [Work], runs: [greedy] })
  await using world = await simulate([worker], { seed: 4 })
  await world.send(Work.Do({ id: 'a', isBad: false }))
  await world.advance(1_000)
  assert.match(world.faults()[0]?.error ?? '', /read only/)
})

test('an initial state that cannot be stored is refused at start', async () => {
  const odd = entity(
    'doing',
    { of: Work, id: 'id', initial: { seen: new Set<string>() }, emits: [Work.Done] },
    {
      decide: (on) => [on(Work.Do, (data) => Work.Done(data))],
      evolve: (on) => [on(Work.Done, (_, state) => state)],
    },
  )
  const worker = service('worker', { owns: [Work], runs: [odd] })
  await assert.rejects(
    start([worker], memory()),
    /START_REFUSED[^]*initial state cannot be stored: seen/,
  )
})

test('an answer that violates its query schema fails', async () => {
  const counting = queryHandler('counting', { of: Work, reads: [] }, (on) => [
    on(Work.Count, () => ({}) as { count: number }),
  ])
  const worker = service('worker', { owns: [Work], runs: [well, counting] })
  const app = await start([worker], memory())
  await assert.rejects(app.ask(Work.Count({})), /RULE_RETURNED[^]*count/)
  await app.stop()
  await assert.rejects(app.ask(Work.Count({})), /APP_STOPPING/)
  await assert.rejects(app.status(), /APP_STOPPING/)
  await assert.rejects(app.settled(), /APP_STOPPING/)
})

test('ids and traces of messages are validated when sent', async () => {
  const worker = service('worker', { owns: [Work], runs: [well] })
  const app = await start([worker], memory())
  const message = Work.Do({ id: 'a', isBad: false })
  for (const id of ['', 'a\ud800', 'a\u0000', 'x'.repeat(257), 5 as never])
    await assert.rejects(app.send(message, { id }), /MESSAGE_INVALID[^]*- id: /)
  for (const traceparent of ['', 'x'.repeat(9_999), `00-${'0'.repeat(32)}`, null as never])
    await assert.rejects(app.send(message, { traceparent }), /MESSAGE_INVALID[^]*- traceparent: /)
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  await assert.rejects(
    app.send(message, { traceparent, tracestate: 'nonsense' }),
    /MESSAGE_INVALID[^]*- tracestate: /,
  )
  const trace = { traceparent, tracestate: 'a=1' }
  assert.deepEqual(await (await app.send(message, trace)).accepted(), { status: 'accepted' })
  await app.stop()
})
