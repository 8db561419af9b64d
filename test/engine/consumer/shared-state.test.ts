// State that several instances of a service change: decisions, rows, timers and holds whose ids are
// not the message key, so that partitions do not separate them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { App } from 'throughline'
import { after, become, command, contract, entity, event, finish } from 'throughline'
import { projection, refuse, saga, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { accountsIn, numbersUpTo } from '../support/ledger-service.ts'
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

const Stock = contract(
  'stock',
  { key: 'orderId', partitions: 8 },
  {
    Restock: command(z.object({ orderId: z.string(), skus: z.array(z.string()) })),
    Reserve: command(z.object({ orderId: z.string(), skus: z.array(z.string()) }), {
      refuses: ['out-of-stock'],
    }),
    Restocked: event(z.object({ orderId: z.string(), skus: z.array(z.string()) })),
    Reserved: event(z.object({ orderId: z.string(), skus: z.array(z.string()) })),
  },
)
const several = { ids: ({ skus }: { readonly skus: string[] }) => skus }
const product = entity(
  'product',
  { of: Stock, id: 'sku', initial: 0 },
  {
    decide: (on) => [
      on(Stock.Restock, several, (order) => Stock.Restocked(order)),
      on(Stock.Reserve, several, (order, counts) =>
        [...counts.values()].every((count) => count > 0)
          ? Stock.Reserved(order)
          : refuse('out-of-stock'),
      ),
    ],
    evolve: (on) => [
      on(Stock.Restocked, several, (_, count) => count + 1),
      on(Stock.Reserved, several, (_, count) => count - 1),
    ],
  },
)
const stock = service('stock', { owns: [Stock], runs: [product] })

async function severalOf(
  stage: Simulation,
  count: number,
  each: () => Parameters<typeof start>[0],
) {
  const apps: App[] = []
  for (const _ of numbersUpTo(count)) {
    const { backend, clock, random } = stage.instance()
    const options = { clock, random, engine }
    apps.push(await stage.clock.until(start(each() as never, backend, options as never)))
  }
  await stage.clock.advance(SHARED_MS)
  return apps as [App, App]
}

describe('entities that several instances decide over', () => {
  test('never oversell: of two concurrent decisions one runs again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const stage = createSimulation(memory, seed)
        const [a, b] = await severalOf(stage, 2, () => [stock])
        const restocks = numbersUpTo(5).map((at) =>
          a.send(Stock.Restock({ orderId: `r-${at}`, skus: ['x', 'y'] })),
        )
        await stage.clock.until(Promise.all(restocks))
        await stage.clock.until(caughtUp(stage.clock, a))
        const skus = [['x'], ['y'], ['x', 'y'], ['y', 'x']]
        const asked = numbersUpTo(24).map(async (at) => {
          const order = { orderId: `o-${at}`, skus: skus[at % 4] as string[] }
          const operation = await (at % 2 === 0 ? a : b).send(Stock.Reserve(order))
          return { skus: order.skus, is: (await operation.accepted()).status }
        })
        const answers = await stage.clock.until(Promise.all(asked))
        for (const sku of ['x', 'y']) {
          const given = answers.filter((each) => each.is === 'accepted' && each.skus.includes(sku))
          const [row] = await stage.clock.until(
            stage.backend.store.get([{ table: 'stock.product', key: sku }]),
          )
          assert.equal((JSON.parse(row?.body ?? '') as { state: number }).state, 5 - given.length)
          assert.ok(given.length <= 5, `${given.length} times ${sku}`)
        }
        await stage.clock.until(Promise.all([a.stop(), b.stop()]))
      }),
      { numRuns: 10, seed: 22 },
    )
  })

  test('are not refused because of a stale state', async () => {
    const stage = createSimulation(memory, 5)
    const [a, b] = await severalOf(stage, 2, () => [stock])
    const reserve = async (name: string): Promise<readonly string[]> => {
      const answers = numbersUpTo(16).map(async (at) => {
        const operation = await a.send(Stock.Reserve({ orderId: `${name}-${at}`, skus: ['x'] }))
        return (await operation.accepted()).status
      })
      return stage.clock.until(Promise.all(answers))
    }
    // Every instance has seen that there is none …
    assert.deepEqual([...new Set(await reserve('none'))], ['refused'])
    for (const at of numbersUpTo(16)) {
      const skus = [`y-${at}`, 'x']
      const operation = b.send(Stock.Restock({ orderId: 'one', skus }))
      await stage.clock.until(operation.then((each) => each.accepted()))
    }
    // … and now there are sixteen, of which only one instance has made any.
    assert.deepEqual([...new Set(await reserve('all'))], ['accepted'])
    await stage.clock.until(Promise.all([a.stop(), b.stop()]))
  })
})

const Timing = contract(
  'timing',
  { key: 'id', partitions: 8 },
  {
    Begin: command(z.object({ id: z.string() })),
    Begun: event(z.object({ id: z.string() })),
    End: command(z.object({ id: z.string() })),
    Ended: event(z.object({ id: z.string() })),
  },
)
const clockwork = entity(
  'clockwork',
  { of: Timing, id: 'id', initial: 'new' },
  {
    decide: (on) => [
      on(Timing.Begin, (data) => Timing.Begun(data)),
      on(Timing.End, (data) => Timing.Ended(data)),
    ],
    evolve: (on) => [on(Timing.Begun, () => 'begun'), on(Timing.Ended, () => 'ended')],
  },
)
const egg = saga('egg', { by: 'id', initial: 'raw', sends: [Timing.End] }, (on) => [
  on(Timing.Begun, ({ id }) => [become('cooking'), after(10_000, Timing.End({ id }))]),
  on(Timing.Ended, () => finish()),
])
const kitchen = service('kitchen', { owns: [Timing], runs: [clockwork, egg] })

test('a timer fires in time, whichever instance has set it', async () => {
  const stage = createSimulation(memory, 6)
  const apps = await severalOf(stage, 4, () => [kitchen])
  for (const id of numbersUpTo(8).flatMap((partition) => accountsIn(partition, 1, 8))) {
    const operation = await stage.clock.until(apps[0].send(Timing.Begin({ id })))
    await stage.clock.until(operation.settled(), 15_000)
  }
  await stage.clock.until(Promise.all(apps.map((app) => app.stop())))
})

const Tags = z.object({ page: z.string(), tag: z.string() })
const Wiki = contract(
  'wiki',
  { key: 'page', partitions: 8 },
  { Tag: command(Tags), Untag: command(Tags), Tagged: event(Tags), Untagged: event(Tags) },
)
const page = entity(
  'page',
  { of: Wiki, id: 'page', initial: 0 },
  {
    decide: (on) => [
      on(Wiki.Tag, (data) => Wiki.Tagged(data)),
      on(Wiki.Untag, (data) => Wiki.Untagged(data)),
    ],
    evolve: (on) => [on(Wiki.Tagged, () => 1), on(Wiki.Untagged, () => 0)],
  },
)
const tags = projection('tags', { by: 'tag', row: tool<string>() }, (on) => [
  on(Wiki.Tagged, ({ page }) => page),
  on(Wiki.Untagged, () => undefined),
])
const wiki = service('wiki', { owns: [Wiki], runs: [page, tags] })

test('a tombstone deletes a row that another instance has written', async () => {
  const stage = createSimulation(memory, 7)
  const apps = await severalOf(stage, 2, () => [wiki])
  const pages = numbersUpTo(8).flatMap((partition) => accountsIn(partition, 1, 8))
  const step = async (message: ReturnType<typeof Wiki.Tag | typeof Wiki.Untag>): Promise<void> => {
    await stage.clock.until(apps[0].send(message))
    await stage.clock.until(caughtUp(stage.clock, apps[0]))
  }
  for (const [at, first] of pages.entries()) {
    const second = pages[(at + 3) % 8] as string
    const tag = `tag-${at}`
    // Whoever has the first page knows now that there is no such row, and keeps that in mind.
    await step(Wiki.Untag({ page: first, tag }))
    await step(Wiki.Tag({ page: second, tag }))
    await step(Wiki.Untag({ page: first, tag }))
  }
  const rows = await stage.clock.until(stage.backend.store.scan({ table: 'wiki.tags', limit: 10 }))
  assert.deepEqual(rows, [])
  await stage.clock.until(Promise.all(apps.map((app) => app.stop())))
})

const Steps = z.object({ id: z.string(), step: z.int() })
const Left = contract(
  'left',
  { key: 'id', partitions: 8 },
  { Go: command(Steps), Went: event(Steps) },
)
const Right = contract(
  'right',
  { key: 'id', partitions: 4 },
  { Go: command(Steps), Went: event(Steps) },
)
const footOf = <const N extends string>(name: N, of: typeof Left) =>
  entity(
    name,
    { of, id: 'id', initial: 0 },
    {
      decide: (on) => [on(of.Go, (data) => of.Went(data))],
      evolve: (on) => [on(of.Went, (_, count) => count + 1)],
    },
  )

test('a held key waits in all topics, whichever instance reads them', async () => {
  const stage = createSimulation(memory, 8)
  let isBroken = true
  const path = saga('path', { by: 'id', initial: [] as readonly number[], sends: [] }, (on) => [
    on(Left.Went, ({ step }, steps) => {
      if (isBroken) throw new Error('broken')
      return become([...steps, step])
    }),
    on(Right.Went, ({ step }, steps) => become([...steps, step])),
  ])
  const walk = service('walk', {
    owns: [Left, Right],
    runs: [footOf('left', Left), footOf('right', Right as never), path],
  })
  const apps = await severalOf(stage, 3, () => [walk])
  const walkers = numbersUpTo(8).flatMap((partition) => accountsIn(partition, 1, 8))
  for (const step of numbersUpTo(4))
    for (const id of walkers) {
      const foot = step % 2 === 0 ? Left : Right
      const going = apps[0].send(foot.Go({ id, step }))
      await stage.clock.until(going.then((operation) => operation.accepted()))
    }
  await stage.clock.advance(3_000)
  isBroken = false
  await stage.clock.until(caughtUp(stage.clock, apps[0]))
  for (const key of walkers) {
    const [row] = await stage.clock.until(stage.backend.store.get([{ table: 'walk.path', key }]))
    assert.deepEqual(
      (JSON.parse(row?.body ?? '{}') as { state?: unknown }).state,
      numbersUpTo(4),
      key,
    )
  }
  await stage.clock.until(Promise.all(apps.map((app) => app.stop())))
})
