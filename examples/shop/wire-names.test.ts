import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CommandType, EventType, RefusalType } from 'throughline'
import { contract, projection, query, queryHandler, service, start, tool } from 'throughline'
import { memory, simulate } from 'throughline/testing'
import { z } from 'zod'
import { Account, Delivery, Inventory, Ordering, Payment } from './contracts.ts'
import { shop } from './services.ts'
import { names } from './wire-names.ts'

type Message = CommandType | EventType | RefusalType

const contracts = [Ordering, Payment, Inventory, Delivery]
/** Every command, event and refusal of the shop. */
const messages = contracts
  .flatMap((each): (Message | { kind: 'query' })[] => Object.values(each))
  .filter((message) => message.kind !== 'query')
  .flatMap((message): Message[] =>
    message.kind === 'command' ? [message, message.refused] : [message],
  )
const heard = messages.filter((message) => message.kind !== 'command')

describe('the table', () => {
  test('names every command, event and refusal, and no other', () => {
    const named = Object.values(names).flatMap((each) =>
      'refusal' in each ? [each.wire, each.refusal.wire] : [each.wire],
    )
    assert.deepEqual(messages.map(({ wire }) => wire).toSorted(), named.toSorted())
  })

  test('gives every name and alias to one message only', () => {
    const all = messages.flatMap(({ wire, aliases }) => [wire, ...aliases])
    assert.equal(new Set(all).size, all.length)
    assert.ok(all.every((name) => /^[A-Z]+(_[A-Z]+)*$/.test(name)))
  })

  test('writes the first of the two vocabularies and reads the second', () => {
    const vocabularies = [
      [Ordering.OrderConfirmed, 'ORDER_CONFIRMATION_SUCCESS', 'ORDER_PLACED_SUCCESS'],
      [Ordering.ConfirmOrder.refused, 'ORDER_CONFIRMATION_ERROR', 'ORDER_PLACED_ERROR'],
      [Ordering.OrderRolledBack, 'ORDER_CONFIRMATION_ROLLBACK', 'ORDER_PLACED_ROLLBACK'],
      [Payment.PaymentCharged, 'PAYMENT_CHARGE_SUCCESS', 'PAYMENT_PROCESSED_SUCCESS'],
      [Payment.ChargePayment.refused, 'PAYMENT_CHARGE_ERROR', 'PAYMENT_PROCESSED_ERROR'],
      [Payment.PaymentRolledBack, 'PAYMENT_CHARGE_ROLLBACK', 'PAYMENT_PROCESSED_ROLLBACK'],
      [Inventory.InventoryUpdated, 'INVENTORY_UPDATE_SUCCESS', 'INVENTORY_UPDATED_SUCCESS'],
      [Inventory.UpdateInventory.refused, 'INVENTORY_UPDATE_ERROR', 'INVENTORY_UPDATED_ERROR'],
      [Inventory.InventoryRolledBack, 'INVENTORY_UPDATE_ROLLBACK', 'INVENTORY_UPDATED_ROLLBACK'],
      [Delivery.DeliveryScheduled, 'DELIVERY_SCHEDULED_SUCCESS', 'DELIVERY_SCHEDULE_SUCCESS'],
      [Delivery.ScheduleDelivery.refused, 'DELIVERY_SCHEDULED_ERROR', 'DELIVERY_SCHEDULE_ERROR'],
      [Delivery.DeliveryRolledBack, 'DELIVERY_SCHEDULED_ROLLBACK', 'DELIVERY_SCHEDULE_ROLLBACK'],
    ] as const
    for (const [message, wire, alias] of vocabularies) {
      assert.equal(message.wire, wire)
      assert.deepEqual(message.aliases, [alias])
    }
    const others = messages.filter((each) => !vocabularies.some(([message]) => message === each))
    assert.deepEqual(
      others.flatMap(({ aliases }) => aliases),
      [],
    )
  })
})

/** A record as another program would have written it. */
const record = (topic: string, wire: string, id: string, data: object) => {
  const head = JSON.stringify({ source: 'elsewhere', correlation: id, hops: 1 })
  const stored = { topic, partition: 0, id, key: 'c:17850', type: wire, at: 0, head }
  return { ...stored, data: JSON.stringify(data) }
}

describe('a message that is stored', () => {
  const Listening = contract(
    'listening',
    { key: 'customerId' },
    {
      FindHeard: query(z.object({ id: z.string() }), { answers: z.string() }),
    },
  )

  test('under its name or an alias is handled as the same message', async () => {
    // Hears all that can be heard, and notes as what.
    const notes = projection('notes', { by: 'orderId', row: tool<{ as: string }>() }, (on) =>
      heard.map((message) =>
        on(message as EventType, { ids: ({ id }) => [id] }, () => ({ as: message.name })),
      ),
    )
    const finding = queryHandler('finding', { of: Listening, reads: [notes] }, (on) => [
      on(Listening.FindHeard, async ({ id }, read) => (await read(notes).get(id))?.as ?? 'nothing'),
    ])
    const listener = service('listener', { owns: [Listening], runs: [notes, finding] })
    const backend = memory()
    await using app = await start([listener], backend, { remote: contracts })
    const records = heard.flatMap(({ contract: of, wire, aliases }) =>
      [wire, ...aliases].map((each) => record(`${of}.events`, each, each, { id: each })),
    )
    for (const answer of await backend.log.append(records)) assert.equal(answer.status, 'stored')
    await app.settled()
    for (const { wire, aliases, name } of heard)
      for (const id of [wire, ...aliases])
        assert.equal(await app.ask(Listening.FindHeard({ id })), name, id)
  })

  test("in the second vocabulary counts in a customer's account", async () => {
    const backend = memory()
    await using app = await start(shop(), backend)
    const order = { orderId: '1', customerId: 'c:17850' }
    const lines = [{ sku: '85123A', quantity: 3, unitPriceCents: 100 }]
    const confirmed = { ...order, country: 'EIRE', lines, totalCents: 300 }
    const amount = { ...order, amountCents: 300 }
    const records = [
      record('ordering.events', 'ORDER_PLACED_SUCCESS', 'm-1', confirmed),
      record('payment.events', 'PAYMENT_PROCESSED_SUCCESS', 'm-2', amount),
      record('payment.events', 'PAYMENT_PROCESSED_ROLLBACK', 'm-3', amount),
      record('ordering.events', 'ORDER_PLACED_ROLLBACK', 'm-4', { ...order, reason: 'not-served' }),
    ]
    for (const each of records) await backend.log.append([each])
    await app.settled()
    const found = await app.ask(Account.FindAccount({ customerId: order.customerId }))
    assert.equal(found.orders[0]?.status, 'rolled-back')
    assert.equal(found.orderedCents, 300)
    assert.equal(found.paidCents, 300)
    assert.equal(found.refundedCents, 300)
  })
})

test('only main names are written', async () => {
  await using world = await simulate(shop(50), { seed: 3 })
  const order = { customerId: 'c:17850', country: 'EIRE' }
  const place = (orderId: string, quantity: number, country = 'EIRE', unitPriceCents = 1) => {
    const lines = [{ sku: '85123A', quantity, unitPriceCents }]
    const command = Ordering.ConfirmOrder({ ...order, country, orderId, lines })
    return world.send(command, { id: `confirm:${orderId}:${quantity}` })
  }
  const giveBack = (returnId: string, quantity: number) =>
    world.send(
      Ordering.ReturnGoods({
        returnId,
        customerId: order.customerId,
        lines: [{ sku: '85123A', quantity }],
      }),
    )
  await place('1', 20)
  await place('1', 21)
  await place('2', 40, 'EIRE', 1)
  await place('3', 1, 'Unspecified')
  await place('4', 1, 'EIRE', 500_001)
  await place('5', 60)
  await giveBack('C6', 5)
  await giveBack('C7', 500)
  await world.settled()
  await giveBack('C8', 500)
  await world.send(
    Ordering.RejectInvoice({ ...order, invoiceId: '9', reason: 'malformed', complaints: [] }),
  )
  await world.settled()
  const known = new Set(messages.map(({ wire }) => wire))
  const all = (await world.messages()).filter(({ topic }) => !topic.endsWith('.replies'))
  const written = new Set(all.map((message) => message.type))
  for (const wire of written) assert.ok(known.has(wire), wire)
  // Only a shop with a payment provider says these.
  const ofProvider = new Set(['PAYMENT_CHARGE_REQUESTED', 'CONFIRM_PAYMENT'])
  // What the shop can say of itself; the rest are refusals of steps that do not go wrong.
  const unsaid = [...known].filter((wire) => !written.has(wire) && !ofProvider.has(wire))
  assert.ok(
    unsaid.every((wire) => wire.endsWith('_ERROR')),
    unsaid.join(', '),
  )
  for (const wire of ['ORDER_CONFIRMATION', 'PAYMENT_CHARGE', 'INVENTORY_UPDATE'])
    for (const outcome of ['SUCCESS', 'ERROR', 'ROLLBACK'])
      assert.ok(written.has(`${wire}_${outcome}`), `${wire}_${outcome}`)
})
