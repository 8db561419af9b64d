// Versions of messages: new code reads what old code stored; what is newer than the code waits.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { after, become, command, contract, entity, event, finish } from 'throughline'
import { handler, projection, refuse, saga, send, service, tool } from 'throughline'
import { z } from 'zod'
import { caughtUp } from '../support/simulation.ts'
import { NewAmount, OldAmount, createVersionedStore } from '../support/code-versions.ts'

const id = z.string()
const Id = z.object({ id })

/** How often each upcaster has run. */
interface Ups {
  count: number
}

const up =
  (ups: Ups) =>
  ({ id: same, total }: z.infer<typeof OldAmount>) => {
    ups.count += 1
    if (total < 0) throw new Error(`${total} is less than nothing`)
    return { id: same, totalCents: total * 100 }
  }

/** The first version of the code: amounts are in whole units. */
function firstYear() {
  const Till = contract(
    'till',
    { key: 'id' },
    { Pay: command(OldAmount, { refuses: ['large'] }), Paid: event(OldAmount) },
  )
  const money = entity(
    'money',
    { of: Till, id: 'id', initial: 0 },
    {
      decide: (on) => [on(Till.Pay, (pay) => (pay.total > 99 ? refuse('large') : Till.Paid(pay)))],
      evolve: (on) => [on(Till.Paid, ({ total }, sum) => sum + total)],
    },
  )
  return { Till, service: service('tills', { owns: [Till], runs: [money] }) }
}

/** The second version: amounts are in cents, and more rules subscribe. */
function secondYear(ups: Ups) {
  const was = [[OldAmount, up(ups)]] as const
  const Till = contract(
    'till',
    { key: 'id' },
    {
      Pay: command(NewAmount, { refuses: ['large'], upcasters: was }),
      Paid: event(NewAmount, { upcasters: was }),
    },
  )
  const money = entity(
    'money',
    { of: Till, id: 'id', initial: 0 },
    {
      decide: (on) => [
        on(Till.Pay, (pay) => (pay.totalCents > 9_900 ? refuse('large') : Till.Paid(pay))),
      ],
      evolve: (on) => [on(Till.Paid, ({ totalCents }, sum) => sum + totalCents)],
    },
  )
  const told: unknown[] = []
  const fold = (paid: unknown, all: readonly unknown[] | undefined) => [...(all ?? []), paid]
  const rows = (name: string) =>
    projection(name, { by: 'id', row: tool<readonly unknown[]>() }, (on) => [on(Till.Paid, fold)])
  const letters = handler('letters', {}, (on) => [
    on(Till.Paid, async (paid) => void told.push(paid)),
  ])
  const no = projection('noes', { by: 'code', row: tool<unknown>() }, (on) => [
    on(Till.Pay.refused, { ids: ({ command: { id: of } }) => [of] }, ({ command: pay }) => pay),
  ])
  const runs = [money, rows('one'), rows('two'), no, letters] as const
  return { Till, told, service: service('tills', { owns: [Till], runs }) }
}

/** Has rules of every kind read messages of an earlier version. Returns how often upcasters ran. */
async function readEarlier(seed: number) {
  const { stage, faults, run, row, records, conflicts } = createVersionedStore(seed)
  const old = firstYear()
  await run(old.service, async (app) => {
    await app.send(old.Till.Pay({ id: 'a', total: 3 }))
    await app.send(old.Till.Pay({ id: 'b', total: 100 }))
    await caughtUp(stage.clock, app)
  })
  const before = await records('till.events')
  const ups = { count: 0 }
  const now = secondYear(ups)
  await run(now.service, async (app) => {
    await app.send(now.Till.Pay({ id: 'a', totalCents: 5, currency: 'CHF' }))
    await app.send(now.Till.Pay({ id: 'c', totalCents: 20_000, currency: 'CHF' }))
    await caughtUp(stage.clock, app)
  })
  const paid = [
    { id: 'a', totalCents: 300, currency: 'EUR' },
    { id: 'a', totalCents: 5, currency: 'CHF' },
  ]
  assert.deepEqual(await row('tills.one', 'a'), paid)
  assert.deepEqual(await row('tills.two', 'a'), paid)
  assert.deepEqual(now.told, paid)
  const refused = { id: 'b', totalCents: 10_000, currency: 'EUR' }
  assert.deepEqual(await row('tills.noes', 'b'), refused)
  const large = { id: 'c', totalCents: 20_000, currency: 'CHF' }
  assert.deepEqual(await row('tills.noes', 'c'), large)
  assert.deepEqual(faults, [])
  const all = await records('till.events')
  const known = new Set(before.map(({ id: of }) => of))
  assert.deepEqual(
    all.filter(({ id: of }) => known.has(of)),
    before,
  )
  const heads = all.map(({ head }) => (JSON.parse(head) as { version?: number }).version ?? 1)
  assert.deepEqual(
    heads.toSorted((one, other) => one - other),
    [1, 1, 2, 2],
  )
  return { upcasts: ups.count, conflicts: conflicts() }
}

describe('a message stored under an earlier version', () => {
  test('is upcast for rules of every kind, once for each reading', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const { upcasts, conflicts } = await readEarlier(seed)
      // A unit that conflicts with the start of a projection runs its rules again.
      if (conflicts > 0) continue
      // The pure rules share one reading of the event and one of the refusal, the handler has its own
      // of the event, and the state of `a` is folded again, since another version of its event is
      // another rule.
      assert.equal(upcasts, 4)
      return
    }
    assert.fail('there is always a conflict')
  })

  test('is upcast if it is a command that still waits', async () => {
    const { stage, run, row } = createVersionedStore()
    const old = firstYear()
    await run(old.service, async (app) => {
      await app.pause('tills')
      await app.send(old.Till.Pay({ id: 'a', total: 7 }))
    })
    const now = secondYear({ count: 0 })
    await run(now.service, async (app) => {
      await app.resume('tills')
      await caughtUp(stage.clock, app)
    })
    assert.equal(((await row('tills.money', 'a')) as { state: number }).state, 700)
  })

  test('is held alone if its upcaster throws', async () => {
    const { stage, faults, run, row } = createVersionedStore()
    const old = firstYear()
    await run(old.service, async (app) => {
      for (const [key, total] of [
        ['a', 1],
        ['bad', -1],
        ['bad', 2],
        ['c', 3],
      ] as const)
        await app.send(old.Till.Pay({ id: key, total }))
      await caughtUp(stage.clock, app)
    })
    const now = secondYear({ count: 0 })
    await run(now.service, async (app) => {
      await stage.clock.advance(3_000)
      const pending = (await app.status()).map(({ consumer, dead, pending: held }) => [
        consumer,
        dead + held,
      ])
      assert.deepEqual(Object.fromEntries(pending), {
        'tills/money': 0,
        'tills/one': 2,
        'tills/two': 2,
        'tills/noes': 0,
        'tills/letters': 2,
      })
    })
    assert.equal(faults.length, 3, 'no retry can help')
    for (const fault of faults)
      assert.match(fault, /tills\/\w+: UPCAST_FAILED: .*the upcaster threw: -1 is/)
    assert.deepEqual(now.told.map((paid) => (paid as { id: string }).id).toSorted(), ['a', 'c'])
    assert.equal(await row('tills.one', 'bad'), undefined)
    // With an up that is right, both go on in order.
    const cured = secondYear({ count: 0 })
    const Paid = { ...OldAmount.shape, total: z.number() }
    const was = [
      [
        z.object(Paid),
        (data: { id: string; total: number }) => ({ id: data.id, totalCents: data.total * 100 }),
      ],
    ] as const
    const Till = contract(
      'till',
      { key: 'id' },
      { Pay: command(NewAmount, { upcasters: was }), Paid: event(NewAmount, { upcasters: was }) },
    )
    const rows = projection('one', { by: 'id', row: tool<number[]>(), version: 2 }, (on) => [
      on(Till.Paid, ({ totalCents }, all) => [...(all ?? []), totalCents]),
    ])
    const money = entity(
      'money',
      { of: Till, id: 'id', initial: 0 },
      {
        decide: (on) => [on(Till.Pay, (pay) => Till.Paid(pay))],
        evolve: (on) => [on(Till.Paid, (_, sum) => sum)],
      },
    )
    assert.equal(cured.told.length, 0)
    await run(service('tills', { owns: [Till], runs: [money, rows] }), async (app) => {
      await caughtUp(stage.clock, app)
    })
    assert.deepEqual(await row('tills.one', 'bad'), [-100, 200])
  })

  test('is found under its former wire names', async () => {
    const { stage, run, row } = createVersionedStore()
    const old = firstYear()
    await run(old.service, async (app) => {
      await app.send(old.Till.Pay({ id: 'a', total: 3 }))
      await caughtUp(stage.clock, app)
    })
    const renamed = (schema: z.ZodType<{ id: string }>) => {
      const Till = contract(
        'till',
        { key: 'id' },
        {
          Pay: command(OldAmount),
          Received: event(schema, { wire: 'PAYMENT', aliases: ['till.Paid'] }),
        },
      )
      const money = entity(
        'money',
        { of: Till, id: 'id', initial: 0 as unknown },
        {
          decide: (on) => [on(Till.Pay, (pay) => Till.Received(pay))],
          evolve: (on) => [on(Till.Received, (_, sum) => sum)],
        },
      )
      const rows = projection('rows', { by: 'id', row: tool<unknown>() }, (on) => [
        on(Till.Received, (paid) => paid),
      ])
      return service('tills', { owns: [Till], runs: [money, rows] })
    }
    await run(renamed(OldAmount), (app) => caughtUp(stage.clock, app))
    assert.deepEqual(await row('tills.rows', 'a'), { id: 'a', total: 3 })
    const other = z.object({ id, total: z.string() })
    await assert.rejects(
      run(renamed(other), async () => undefined),
      /CONTRACT_INCOMPATIBLE[^]*- till\.Paid, total: was a number, and is text now/,
    )
  })
})

describe('a timer set by old code', () => {
  test('sends its message upcast to the current version', async () => {
    const { stage, run, row } = createVersionedStore()
    const timed = (isNew: boolean) => {
      const Tea = contract(
        'tea',
        { key: 'id' },
        {
          Put: command(Id),
          Was: event(Id),
          Ring: isNew
            ? command(NewAmount, { upcasters: [[OldAmount, up({ count: 0 })]] })
            : (command(OldAmount) as never),
          Rung: event(z.object({ id, of: z.unknown() })),
        },
      )
      const pot = entity(
        'pot',
        { of: Tea, id: 'id', initial: 0 as unknown },
        {
          decide: (on) => [
            on(Tea.Put, (put) => Tea.Was(put)),
            on(Tea.Ring, (ring) => Tea.Rung({ id: ring.id, of: ring })),
          ],
          evolve: (on) => [on(Tea.Was, () => 'put'), on(Tea.Rung, ({ of }) => of)],
        },
      )
      const egg = saga('egg', { by: 'id', initial: 0, sends: [Tea.Ring] }, (on) => [
        on(Tea.Was, ({ id: of }) => [
          become(1),
          after(
            60_000,
            Tea.Ring((isNew ? { id: of, totalCents: 9 } : { id: of, total: 4 }) as never),
          ),
        ]),
        on(Tea.Rung, () => finish()),
      ])
      return { Tea, service: service('kitchen', { owns: [Tea], runs: [pot, egg] }) }
    }
    const old = timed(false)
    await run(old.service, async (app) => {
      await app.send(old.Tea.Put({ id: 'a' }))
      await caughtUp(stage.clock, app)
    })
    const now = timed(true)
    await run(now.service, async (app) => {
      await app.send(now.Tea.Put({ id: 'b' }))
      await stage.clock.advance(90_000)
    })
    const state = { id: 'a', totalCents: 400, currency: 'EUR' }
    assert.deepEqual(((await row('kitchen.pot', 'a')) as { state: unknown }).state, state)
    const ofToday = { id: 'b', totalCents: 9, currency: 'EUR' }
    assert.deepEqual(((await row('kitchen.pot', 'b')) as { state: unknown }).state, ofToday)
  })
})

describe('a reply to a command sent by old code', () => {
  test('contains the command upcast to the current version', async () => {
    const { stage, run, row } = createVersionedStore()
    const asking = (isNew: boolean) => {
      const Shop = contract(
        'shop',
        { key: 'id' },
        {
          Buy: command(Id),
          Bought: event(Id),
          Pay: isNew
            ? command(NewAmount, { refuses: ['no'], upcasters: [[OldAmount, up({ count: 0 })]] })
            : (command(OldAmount, { refuses: ['no'] }) as never),
        },
      )
      const till = entity(
        'till',
        { of: Shop, id: 'id', initial: 0 },
        {
          decide: (on) => [
            on(Shop.Buy, (buy) => Shop.Bought(buy)),
            on(Shop.Pay, () => refuse('no') as never),
          ],
          evolve: (on) => [on(Shop.Bought, () => 1)],
        },
      )
      const buying = saga(
        'buying',
        { by: 'id', initial: 0 as unknown, sends: [Shop.Pay] },
        (on) => [
          on(Shop.Bought, ({ id: of }) => [
            become(1),
            send(Shop.Pay((isNew ? { id: of, totalCents: 9 } : { id: of, total: 4 }) as never)),
          ]),
          on.refused(Shop.Pay, ({ command: pay }) => {
            if (!isNew) throw new Error('not today')
            return become(pay)
          }),
        ],
      )
      return { Shop, service: service('shop', { owns: [Shop], runs: [till, buying] }) }
    }
    const old = asking(false)
    await run(old.service, async (app) => {
      await app.send(old.Shop.Buy({ id: 'a' }))
      await stage.clock.advance(2_000)
    })
    const now = asking(true)
    await run(now.service, async (app) => {
      await app.send(now.Shop.Buy({ id: 'b' }))
      await caughtUp(stage.clock, app)
    })
    const ofToday = (await row('shop.buying', 'b')) as { state: unknown }
    assert.deepEqual(ofToday.state, { id: 'b', totalCents: 9, currency: 'EUR' })
    const { state } = (await row('shop.buying', 'a')) as { state: unknown }
    assert.deepEqual(state, { id: 'a', totalCents: 400, currency: 'EUR' })
  })
})

describe('a message that is newer than the code', () => {
  test('is held, keeps its key in order, and is handled once the code knows it', async () => {
    const { stage, faults, run, row } = createVersionedStore()
    const ups = { count: 0 }
    const now = secondYear(ups)
    await run(now.service, async (app) => {
      await app.pause('tills')
      await app.send(now.Till.Pay({ id: 'a', totalCents: 5, currency: 'CHF' }))
    })
    const old = firstYear()
    await run(old.service, async (app) => {
      await app.send(old.Till.Pay({ id: 'a', total: 1 }))
      await app.send(old.Till.Pay({ id: 'b', total: 1 }))
      await app.resume('tills')
      await stage.clock.advance(3_000)
      const [money] = await app.status()
      const { accepted, completed, dead, pending } = money ?? {}
      assert.deepEqual([accepted, completed, dead, pending], [3, 1, 1, 1])
    })
    assert.match(faults[0] ?? '', /^tills\/money: MESSAGE_NEWER: .*till\.Pay has version 2/)
    await run(now.service, (app) => caughtUp(stage.clock, app))
    assert.deepEqual(await row('tills.one', 'a'), [
      { id: 'a', totalCents: 5, currency: 'CHF' },
      { id: 'a', totalCents: 100, currency: 'EUR' },
    ])
  })
})
