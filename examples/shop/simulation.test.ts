import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SimulatedMessage, Simulation } from 'throughline/testing'
import { simulate } from 'throughline/testing'
import { Account, Inventory, Ordering, Payment } from './contracts.ts'
import { shop } from './services.ts'

interface Wanted {
  readonly customer?: string
  readonly country?: string
  readonly quantity?: number
  readonly unitPriceCents?: number
}

const place = (world: Simulation, orderId: string, wanted: Wanted = {}) => {
  const { customer = '17850', country = 'EIRE', quantity = 2, unitPriceCents = 100 } = wanted
  const lines = [{ sku: '85123A', quantity, unitPriceCents }]
  const order = { orderId, customerId: `c:${customer}`, country, lines }
  return world.send(Ordering.ConfirmOrder(order), { id: `confirm:${orderId}` })
}
const giveBack = (world: Simulation, returnId: string, quantity: number) => {
  const aReturn = { returnId, customerId: 'c:17850', lines: [{ sku: '85123A', quantity }] }
  return world.send(Ordering.ReturnGoods(aReturn), { id: `return:${returnId}` })
}

/** What never settles fails its test instead of hanging it. */
const soon = () => ({ signal: AbortSignal.timeout(5_000) })

const isReply = ({ topic }: SimulatedMessage): boolean => topic.endsWith('.replies')
/** What was said on the way of one command, in the order of the log. */
const conversation = async (world: Simulation, correlation: string): Promise<string[]> =>
  (await world.messages())
    .filter((message) => message.correlation === correlation && !isReply(message))
    .map(({ type }) => type)
const countOf = async (world: Simulation, type: string): Promise<number> =>
  (await world.messages()).filter((message) => message.type === type).length
const lagOf = async (world: Simulation, consumer: string): Promise<number> => {
  const status = (await world.status()).find((each) => each.consumer === consumer)
  assert.ok(status, consumer)
  return status.lag
}

/** Each customer's answers come in the order of what they answer. */
function assertInOrder(messages: readonly SimulatedMessage[]): void {
  const byId = new Map(messages.map((message) => [message.id, message]))
  const latest = new Map<string, number>()
  for (const message of messages) {
    const cause = byId.get(message.cause ?? '')
    if (!cause) continue
    const way = `${message.key}: ${cause.topic} to ${message.topic}`
    assert.ok(cause.offset >= (latest.get(way) ?? 0), `out of order for ${way}`)
    latest.set(way, cause.offset)
  }
}

describe('account and delivery are isolated while orders are placed', () => {
  for (const cutOffMs of [500, 90_000])
    test(`for ${cutOffMs} ms, and catch up`, async () => {
      await using world = await simulate(shop(), { seed: cutOffMs })
      const ids = Array.from({ length: 40 }, (_, at) => `${at}`)
      const place40 = async (from: number, to: number): Promise<void> => {
        for (const id of ids.slice(from, to)) {
          const customer = `${Number(id) % 7}`
          // Every eighth order is more than payment takes.
          const unitPriceCents = Number(id) % 8 === 7 ? 250_001 : 100
          await place(world, id, { customer, unitPriceCents })
        }
      }
      await place40(0, 10)
      world.isolate('account')
      world.isolate('delivery')
      await world.advance(100)
      const heardBefore = await countOf(world, 'DELIVERY_SCHEDULED_SUCCESS')
      await place40(10, 40)
      await world.advance(cutOffMs)

      assert.equal(await countOf(world, 'PAYMENT_CHARGE_SUCCESS'), 35)
      assert.equal(await countOf(world, 'INVENTORY_UPDATE_SUCCESS'), 35)
      assert.equal(await countOf(world, 'ORDER_CONFIRMATION_ROLLBACK'), 5)
      assert.equal(await countOf(world, 'DELIVERY_SCHEDULED_SUCCESS'), heardBefore)
      assert.ok((await lagOf(world, 'delivery/drop')) >= 20)
      assert.ok((await lagOf(world, 'account/purchases')) >= 60)
      for (const consumer of ['payment/money', 'inventory/product', 'ordering/fulfilment'])
        assert.equal(await lagOf(world, consumer), 0, consumer)
      const sums = await world.ask(Payment.SumPayments({}))
      assert.deepEqual(sums, { chargedCents: 7_000, refundedCents: 0 })

      world.heal('account')
      world.heal('delivery')
      await world.settled()
      await assertCaughtUp(world)
    })

  async function assertCaughtUp(world: Simulation): Promise<void> {
    const counted = await world.ask(Ordering.CountInvoices({}))
    assert.equal(counted.completed, 35)
    assert.deepEqual(counted.rolledBack, { 'payment-limit': 5 })
    for (const { consumer, accepted, completed, lag } of await world.status()) {
      assert.equal(lag, 0, consumer)
      assert.equal(completed, accepted, consumer)
    }
    const messages = await world.messages()
    const drops = messages.filter(({ topic }) => topic === 'delivery.events')
    assert.equal(drops.length, 35)
    assert.equal(new Set(drops.map(({ cause }) => cause)).size, 35)
    assertInOrder(messages)
    const total = { orderedCents: 0, paidCents: 0, orders: 0 }
    for (let customer = 0; customer < 7; customer += 1) {
      const found = await world.ask(Account.FindAccount({ customerId: `c:${customer}` }))
      total.orderedCents += found.orderedCents
      total.paidCents += found.paidCents
      total.orders += found.orders.length
      assert.ok(found.orders.every(({ status }) => status !== 'ordered'))
    }
    assert.deepEqual(total, { orderedCents: 5 * 500_002 + 7_000, paidCents: 7_000, orders: 40 })
    assert.deepEqual(world.faults(), [])
  }
})

describe('the race between stock and delivery', () => {
  const begin = [
    'CONFIRM_ORDER',
    'ORDER_CONFIRMATION_SUCCESS',
    'CHARGE_PAYMENT',
    'PAYMENT_CHARGE_SUCCESS',
    'UPDATE_INVENTORY',
    'SCHEDULE_DELIVERY',
  ]
  const stockBack = ['ROLL_BACK_INVENTORY', 'INVENTORY_UPDATE_ROLLBACK']
  const dropBack = ['ROLL_BACK_DELIVERY', 'DELIVERY_SCHEDULED_ROLLBACK']
  const end = [
    'ROLL_BACK_PAYMENT',
    'PAYMENT_CHARGE_ROLLBACK',
    'ROLL_BACK_ORDER',
    'ORDER_CONFIRMATION_ROLLBACK',
  ]
  const complete = ['COMPLETE_ORDER', 'ORDER_COMPLETION_SUCCESS']
  const [taken, notTaken] = ['INVENTORY_UPDATE_SUCCESS', 'INVENTORY_UPDATE_ERROR']
  const [scheduled, notScheduled] = ['DELIVERY_SCHEDULED_SUCCESS', 'DELIVERY_SCHEDULED_ERROR']

  /** One order in a shop of ten pieces, one of its two branches late. */
  async function race(late: 'delivery' | 'inventory', wanted: Wanted) {
    await using world = await simulate(shop(10), { seed: 7 })
    world.isolate(late)
    const operation = await place(world, '1', wanted)
    await world.advance(5_000)
    const [first] = (await conversation(world, 'confirm:1')).slice(begin.length)
    world.heal(late)
    const outcome = await world.until(operation.settled(soon()))
    const said = await conversation(world, 'confirm:1')
    assert.deepEqual(said.slice(0, begin.length), begin)
    assert.deepEqual(world.faults(), [])
    const money = await world.ask(Payment.SumPayments({}))
    const stock = await world.ask(Inventory.CountStock({}))
    return { first, said: said.slice(begin.length), outcome, money, stock }
  }
  const rolledBack = (reason: string) => ({ status: 'rolled-back', reason })
  const untouched = { start: 10, shipped: 0, returned: 0, onHand: 10 }
  const back = { chargedCents: 200, refundedCents: 200 }

  test('delivery fails after stock was taken', async () => {
    const run = await race('delivery', { country: 'Unspecified' })
    assert.deepEqual(run.said, [taken, notScheduled, ...stockBack, ...end])
    assert.equal(run.first, taken)
    assert.deepEqual(run.outcome, rolledBack('not-served'))
    assert.deepEqual(run.stock, untouched)
    assert.deepEqual(run.money, back)
  })

  test('delivery fails before stock is taken', async () => {
    const run = await race('inventory', { country: 'Unspecified' })
    assert.deepEqual(run.said, [notScheduled, taken, ...stockBack, ...end])
    assert.equal(run.first, notScheduled)
    assert.deepEqual(run.outcome, rolledBack('not-served'))
    assert.deepEqual(run.stock, untouched)
    assert.deepEqual(run.money, back)
  })

  test('stock is refused after the drop was scheduled', async () => {
    const run = await race('inventory', { quantity: 11 })
    assert.deepEqual(run.said, [scheduled, notTaken, ...dropBack, ...end])
    assert.deepEqual(run.outcome, rolledBack('out-of-stock'))
    assert.deepEqual(run.money, { chargedCents: 1_100, refundedCents: 1_100 })
  })

  test('stock is refused before the drop is scheduled', async () => {
    const run = await race('delivery', { quantity: 11 })
    assert.deepEqual(run.said, [notTaken, scheduled, ...dropBack, ...end])
    assert.deepEqual(run.outcome, rolledBack('out-of-stock'))
    assert.deepEqual(run.money, { chargedCents: 1_100, refundedCents: 1_100 })
  })

  test('both are refused, in either order', async () => {
    const wanted = { country: 'European Community', quantity: 11 }
    const one = await race('inventory', wanted)
    const other = await race('delivery', wanted)
    assert.deepEqual(one.said, [notScheduled, notTaken, ...end])
    assert.deepEqual(other.said, [notTaken, notScheduled, ...end])
    assert.deepEqual(one.outcome, other.outcome)
  })

  test('both succeed, in either order', async () => {
    const one = await race('inventory', {})
    const other = await race('delivery', {})
    assert.deepEqual(one.said, [scheduled, taken, ...complete])
    assert.deepEqual(other.said, [taken, scheduled, ...complete])
    for (const { outcome, stock } of [one, other]) {
      assert.deepEqual(outcome, { status: 'completed' })
      assert.deepEqual(stock, { start: 10, shipped: 2, returned: 0, onHand: 8 })
    }
  })

  test('a refused charge rolls back only the order', async () => {
    await using world = await simulate(shop(), { seed: 7 })
    const operation = await place(world, '1', { unitPriceCents: 250_001 })
    assert.deepEqual(await world.until(operation.settled(soon())), rolledBack('payment-limit'))
    assert.deepEqual(await conversation(world, 'confirm:1'), [
      ...begin.slice(0, 3),
      'PAYMENT_CHARGE_ERROR',
      ...end.slice(2),
    ])
  })
})

describe('a return behind an unsettled order', () => {
  test('is parked, delays no other customer, and is decided when the order settles', async () => {
    await using world = await simulate(shop(), { seed: 11 })
    world.isolate('delivery')
    await place(world, '1', { quantity: 3 })
    const operation = await giveBack(world, 'C2', 2)
    await place(world, '3', { quantity: 1 })
    await world.advance(40_000)
    assert.deepEqual(await world.until(operation.accepted()), { status: 'accepted' })
    assert.deepEqual(await conversation(world, 'return:C2'), [
      'RETURN_GOODS',
      'RETURN_GOODS_PARKED',
    ])
    // The customer's next order goes on behind the parked return.
    assert.ok((await conversation(world, 'confirm:3')).includes('INVENTORY_UPDATE_SUCCESS'))
    world.heal('delivery')
    assert.deepEqual(await world.until(operation.settled(soon())), { status: 'returned' })
    await world.settled()
    const stock = await world.ask(Inventory.CountStock({}))
    assert.deepEqual(stock, { start: 100_000, shipped: 4, returned: 2, onHand: 99_998 })
    const accepted = (await world.messages()).find(({ type }) => type === 'RETURN_GOODS_SUCCESS')
    assert.deepEqual(accepted?.data, {
      returnId: 'C2',
      customerId: 'c:17850',
      lines: [{ orderId: '1', sku: '85123A', quantity: 2, unitPriceCents: 100 }],
      refundCents: 200,
    })
  })

  test('is declined if the order is rolled back', async () => {
    await using world = await simulate(shop(), { seed: 12 })
    world.isolate('delivery')
    await place(world, '1', { country: 'Unspecified' })
    const operation = await giveBack(world, 'C2', 1)
    await world.advance(1_000)
    world.heal('delivery')
    const declined = { status: 'declined', reason: 'nothing-to-return' }
    assert.deepEqual(await world.until(operation.settled(soon())), declined)
    const { accepted, refused } = await world.ask(Ordering.CountInvoices({}))
    assert.deepEqual({ accepted, refused }, { accepted: 1, refused: { 'nothing-to-return': 1 } })
  })
})

describe('a seed', () => {
  async function run(seed: number): Promise<readonly SimulatedMessage[]> {
    await using world = await simulate(shop(), { seed })
    for (let at = 0; at < 12; at += 1) {
      if (at === 5) world.isolate('inventory')
      if (at === 8) await world.crash('ordering')
      await place(world, `${at}`, { customer: `${at % 3}`, quantity: 1 + at })
    }
    await giveBack(world, 'C1', 3)
    world.heal('inventory')
    await world.settled()
    return world.messages()
  }

  test('gives the same messages again, also with crashes and isolation', async () => {
    const first = await run(5)
    assert.ok(first.length > 100)
    assert.deepEqual(await run(5), first)
  })

  test('that differs gives other ids and times', async () => {
    const [one, other] = [await run(5), await run(6)]
    const idsOf = (messages: readonly SimulatedMessage[]) =>
      messages.map(({ id, at }) => `${id} ${at}`)
    assert.notDeepEqual(idsOf(one), idsOf(other))
  })
})
