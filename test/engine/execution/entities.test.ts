// Decisions over several entities at once: all or none.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Fault } from 'throughline'
import { command, contract, entity, event, refuse, service, start } from 'throughline'
import { memory, simulate } from 'throughline/testing'
import { z } from 'zod'
import { runs } from '../../extent.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const Move = z.object({ transfer: z.string(), from: z.string(), to: z.array(z.string()) })
const Purse = contract(
  'purse',
  { key: 'transfer' },
  {
    Fill: command(Move),
    Give: command(Move, { refuses: ['empty'] }),
    Filled: event(Move),
    Given: event(Move),
  },
)
const ids = ({ from, to }: z.infer<typeof Move>): string[] => [from, ...to]
const purse = entity(
  'purse',
  { of: Purse, id: 'from', initial: { coins: 0 } },
  {
    decide: (on) => [
      on(Purse.Fill, (data) => Purse.Filled(data)),
      on(Purse.Give, { ids }, (data, purses) => {
        if ((purses.get(data.from)?.coins ?? 0) < data.to.length) return refuse('empty')
        // One event for each who is given something, decided on by the same states.
        return data.to.map((to) => Purse.Given({ ...data, to: [to] }))
      }),
    ],
    evolve: (on) => [
      on(Purse.Filled, ({ to }, { coins }) => ({ coins: coins + to.length })),
      on(Purse.Given, { ids }, ({ from }, { coins }, id) => {
        if (id === 'cursed') throw new Error('nobody may touch it')
        return { coins: id === from ? coins - 1 : coins + 1 }
      }),
    ],
  },
)
const tally = entity(
  'tally',
  { of: Purse, id: 'transfer', initial: 0, receives: [Purse.Given], emits: [] },
  { decide: () => [], evolve: (on) => [on(Purse.Given, (_, count) => count + 1)] },
)
const bank = service('bank', { owns: [Purse], runs: [purse, tally] })

const OWNERS = ['a', 'b', 'c', 'd']

describe('a decision over several entities', () => {
  test('keeps their sum constant, through crashes and with several instances', async () => {
    const transfer = fc.record({
      from: fc.constantFrom(...OWNERS),
      to: fc.uniqueArray(fc.constantFrom(...OWNERS), { minLength: 1, maxLength: 3 }),
    })
    const transfers = fc.array(transfer, { minLength: 5, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(fc.nat(), transfers, fc.boolean(), async (seed, all, doesCrash) => {
        const stage = createSimulation(memory, seed)
        const launch = async () => {
          const { backend, clock, random, crash } = stage.instance()
          const engine = { leaseMs: 3_000, retryDelayMs: 50 }
          const options = { clock, random, engine }
          return { app: await stage.clock.until(start([bank], backend, options)), crash }
        }
        const a = await launch()
        const b = await launch()
        await stage.clock.advance(6_000)
        for (const from of OWNERS)
          await stage.clock.until(
            b.app.send(Purse.Fill({ transfer: `fill-${from}`, from, to: ['x', 'x', 'x'] })),
          )
        const sent = await stage.clock.until(
          Promise.all(
            all.map(({ from, to }, at) =>
              b.app.send(
                Purse.Give({ transfer: `give-${at}`, from, to: to.filter((id) => id !== from) }),
              ),
            ),
          ),
        )
        if (doesCrash) a.crash()
        const answers = await stage.clock.until(Promise.all(sent.map((each) => each.accepted())))
        await stage.clock.until(caughtUp(stage.clock, b.app))
        const coins = new Map(OWNERS.map((owner) => [owner, 3]))
        let count = 0
        for (const [at, { from, to }] of all.entries()) {
          if (answers[at]?.status !== 'accepted') continue
          for (const id of to.filter((other) => other !== from)) {
            coins.set(from, (coins.get(from) ?? 0) - 1)
            coins.set(id, (coins.get(id) ?? 0) + 1)
            count += 1
          }
        }
        const { store, log } = stage.backend
        for (const key of OWNERS) {
          const [row] = await stage.clock.until(store.get([{ table: 'bank.purse', key }]))
          const { state } = JSON.parse(row?.body ?? '') as { state: { coins: number } }
          assert.deepEqual(state, { coins: coins.get(key) }, key)
          assert.ok(state.coins >= 0)
          // The stream of the entity tells the same: one event for each version, in order.
          const stream = await stage.clock.until(
            store.stream({ table: 'bank.purse', key }, 1, 1_000),
          )
          assert.equal(stream.length, row?.version)
          const sum = stream.reduce((coins, { type, data }) => {
            const { from, to } = JSON.parse(data ?? '') as z.infer<typeof Move>
            assert.ok(from === key || to.includes(key), `${key} has an event of others`)
            if (type === 'purse.Filled') return coins + to.length
            return from === key ? coins - 1 : coins + 1
          }, 0)
          assert.equal(sum, state.coins)
        }
        const tallies = await stage.clock.until(store.scan({ table: 'bank.tally', limit: 1_000 }))
        const told = tallies.map(({ body }) => (JSON.parse(body) as { state: number }).state)
        assert.equal(
          told.reduce((sum, each) => sum + each, 0),
          count,
        )
        const ends = await stage.clock.until(log.ends(['purse.commands']))
        assert.equal(
          ends.reduce((sum, { next }) => sum + next, 0),
          OWNERS.length + all.length,
        )
        if (!doesCrash) await stage.clock.until(a.app.stop())
        await stage.clock.until(b.app.stop())
      }),
      { numRuns: runs(8), seed: 41 },
    )
  })

  test('changes none of them and publishes nothing if one of them throws', async () => {
    await using world = await simulate([bank], { seed: 2 })
    await world.send(Purse.Fill({ transfer: 'f', from: 'a', to: ['x', 'x', 'x'] }))
    await world.settled()
    await world.send(Purse.Give({ transfer: 't', from: 'a', to: ['b', 'cursed', 'c'] }))
    await world.advance(2_000)
    assert.match(world.faults()[0]?.error ?? '', /nobody may touch it/)
    const given = (await world.messages()).filter(({ type }) => type === 'purse.Given')
    assert.deepEqual(given, [])
    const left = await world.send(Purse.Give({ transfer: 'u', from: 'a', to: ['b', 'c', 'd'] }))
    assert.deepEqual(await world.until(left.accepted()), { status: 'accepted' })
    const next = await world.send(Purse.Give({ transfer: 'v', from: 'a', to: ['b'] }))
    assert.equal((await world.until(next.accepted())).status, 'refused')
  })

  test('sees the result of the previous decision', async () => {
    await using world = await simulate([bank], { seed: 3 })
    await world.send(Purse.Fill({ transfer: 'f', from: 'a', to: ['x', 'x', 'x'] }))
    await world.settled()
    const sent = []
    for (const at of numbersUpTo(5))
      sent.push(await world.send(Purse.Give({ transfer: 't', from: 'a', to: [`b-${at}`] })))
    const answers = await world.until(Promise.all(sent.map((each) => each.accepted())))
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['accepted', 'accepted', 'accepted', 'refused', 'refused'],
    )
  })
})

test('a command with an invalid entity id is refused when sent, and holds no key', async () => {
  const Item = z.object({ owner: z.string(), item: z.string(), parts: z.array(z.string()) })
  const Store = contract(
    'store',
    { key: 'owner' },
    { Add: command(Item), Added: event(Item), Split: command(Item), Parted: event(Item) },
  )
  const item = entity(
    'item',
    { of: Store, id: 'item', initial: 0, emits: [Store.Added] },
    {
      decide: (on) => [on(Store.Add, (data) => Store.Added(data))],
      evolve: (on) => [on(Store.Added, (_, count) => count + 1)],
    },
  )
  const part = entity(
    'part',
    { of: Store, id: 'item', initial: 0, emits: [Store.Parted] },
    {
      decide: (on) => [
        on(Store.Split, { ids: ({ parts }) => parts }, (data) => Store.Parted(data)),
      ],
      evolve: (on) => [on(Store.Parted, { ids: ({ parts }) => parts }, (_, count) => count + 1)],
    },
  )
  const keeper = service('keeper', { owns: [Store], runs: [item, part] })
  await using world = await simulate([keeper], { seed: 1 })
  const fine = { owner: 'a', item: 'i', parts: ['p'] }
  for (const bad of ['', 'a\u0000b', '\ud800', 'x'.repeat(257)]) {
    await assert.rejects(world.send(Store.Add({ ...fine, item: bad })), (cause: Fault) => {
      assert.deepEqual([cause.code, cause.issues[0]?.path], ['MESSAGE_INVALID', 'item'])
      return true
    })
    await assert.rejects(world.send(Store.Split({ ...fine, parts: ['p', bad] })), {
      code: 'MESSAGE_INVALID',
    })
  }
  await world.send(Store.Add(fine))
  await world.send(Store.Split(fine))
  await world.settled()
  assert.deepEqual(world.faults(), [])
})
