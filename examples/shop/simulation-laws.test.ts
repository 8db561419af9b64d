import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { SimulatedMessage, Simulation } from 'throughline/testing'
import { seededRandom, simulate } from 'throughline/testing'
import { differencesOf } from './check-books.ts'
import { Account, Inventory, Ordering, Payment } from './contracts.ts'
import { booksOf } from './oracle.ts'
import { shop } from './services.ts'

const { THROUGHLINE_TIMES } = process.env
/** How often a law is tried; `npm run test:long` asks for more. */
const runs = (count: number): number => Math.ceil(count * Number(THROUGHLINE_TIMES ?? 1))

/** An invoice of a script: an order, or a return where `isReturn`. No customer is a guest. */
interface Invoice {
  readonly isReturn: boolean
  readonly customer: string
  readonly country: string
  readonly lines: readonly { sku: string; quantity: number; unitPriceCents: number }[]
}
type Script = readonly Invoice[]

const numberOf = ({ isReturn }: Invoice, at: number): string =>
  `${isReturn ? 'C' : ''}${1_000 + at}`
const keyOf = (invoice: Invoice, at: number): string =>
  invoice.customer === '' ? `g:${numberOf(invoice, at)}` : `c:${invoice.customer}`

/** Sends one invoice; sent again it counts once and finds its operation. */
function play(world: Simulation, invoice: Invoice, at: number) {
  const id = numberOf(invoice, at)
  const customerId = keyOf(invoice, at)
  const { country, isReturn } = invoice
  if (!isReturn) {
    const lines = [...invoice.lines]
    return world.send(Ordering.ConfirmOrder({ orderId: id, customerId, country, lines }), { id })
  }
  const lines = invoice.lines.map(({ sku, quantity }) => ({ sku, quantity }))
  return world.send(Ordering.ReturnGoods({ returnId: id, customerId, lines }), { id })
}

/** The same script as the file that the oracle reads. */
function fileOf(script: Script): string {
  const head = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'
  const rows = script.flatMap((invoice, at) =>
    invoice.lines.map(({ sku, quantity, unitPriceCents }) => {
      const pieces = invoice.isReturn ? -quantity : quantity
      const price = (unitPriceCents / 100).toFixed(2)
      const { customer, country } = invoice
      const number = numberOf(invoice, at)
      return [number, sku, '', pieces, '2010-12-01T08:26:00Z', price, customer, country].join(',')
    }),
  )
  return [head, ...rows, ''].join('\n')
}

async function booksIn(world: Simulation, read: number) {
  const { standingCents, ...counted } = await world.ask(Ordering.CountInvoices({}))
  const money = { ...(await world.ask(Payment.SumPayments({}))), standingCents }
  const stock = await world.ask(Inventory.CountStock({}))
  return { orders: { read, ...counted }, money, stock }
}

async function accountsIn(world: Simulation, script: Script) {
  const keys = [...new Set(script.map(keyOf))].toSorted()
  return Promise.all(keys.map((customerId) => world.ask(Account.FindAccount({ customerId }))))
}

/** Every customer's answers come once, and in the order of what they answer. */
function assertInOrder(messages: readonly SimulatedMessage[]): void {
  const byId = new Map(messages.map((message) => [message.id, message]))
  const latest = new Map<string, number>()
  const said = new Set<string>()
  for (const { id, cause, key, topic, type, data } of messages) {
    const text = JSON.stringify([cause ?? id, topic, type, data])
    assert.ok(!said.has(text), `said twice: ${text}`)
    said.add(text)
    const before = byId.get(cause ?? '')
    if (!before) continue
    const way = `${key}: ${before.topic} to ${topic}`
    assert.ok(before.offset >= (latest.get(way) ?? 0), `out of order for ${way}`)
    latest.set(way, before.offset)
  }
}

/** What a settled shop must show after any script and whatever has happened on the way. */
async function assertSettled(world: Simulation, script: Script): Promise<void> {
  // What never settles fails the test instead of hanging it.
  const signal = AbortSignal.timeout(5_000)
  for (const [at, invoice] of script.entries()) {
    const operation = await play(world, invoice, at)
    assert.ok(operation.isDuplicate, `${operation.id} was not stored`)
    const { status } = await world.until(operation.settled({ signal }))
    const ends = invoice.isReturn ? 'returned declined refused' : 'completed rolled-back'
    assert.ok(ends.split(' ').includes(status), `${operation.id} ended as ${status}`)
  }
  await world.settled()
  for (const { consumer, accepted, completed, pending, lag } of await world.status())
    assert.deepEqual([consumer, accepted - completed, pending, lag], [consumer, 0, 0, 0])
  assert.deepEqual(world.faults(), [])
  assertInOrder(await world.messages())
}

const sku = fc.constantFrom('85123A', '85123a', '22423', '71053', 'POST')
const customer = fc.constantFrom('17850', '13047', '12583', '')
const line = fc.record({
  sku,
  quantity: fc.integer({ min: 1, max: 9 }),
  unitPriceCents: fc.oneof(
    { weight: 15, arbitrary: fc.integer({ min: 1, max: 9_999 }) },
    // At nine pieces above the limit, at one below it.
    { weight: 1, arbitrary: fc.constant(499_999) },
  ),
})
const lines = fc.array(line, { minLength: 1, maxLength: 3 })
const order: fc.Arbitrary<Invoice> = fc.record({
  isReturn: fc.constant(false),
  customer,
  country: fc.oneof(
    { weight: 6, arbitrary: fc.constant('EIRE') },
    { weight: 1, arbitrary: fc.constantFrom('Unspecified', 'European Community') },
  ),
  lines,
})
/** Fewer pieces than orders have, so that some returns are covered and some are not. */
const aReturn: fc.Arbitrary<Invoice> = fc.record({
  isReturn: fc.constant(true),
  customer,
  country: fc.constant('EIRE'),
  lines: lines.map((all) =>
    all.slice(0, 2).map((each) => ({ ...each, quantity: Math.ceil(each.quantity / 3) })),
  ),
})
const invoice = fc.oneof({ weight: 3, arbitrary: order }, { weight: 2, arbitrary: aReturn })
const scripts = (maxLength: number) => fc.array(invoice, { minLength: 1, maxLength, size: 'max' })
const seeds = fc.integer({ min: 1, max: 1_000_000 })

/** Thirty invoices out of which every kind of end comes. */
function busyScript(seed: number): Script {
  const thirty = fc.array(invoice, { minLength: 30, maxLength: 30 })
  return fc.sample(thirty, { seed, numRuns: 1 })[0] ?? []
}

const serviceNames = ['ordering', 'payment', 'inventory', 'delivery', 'account'] as const

describe('a crash', () => {
  const script = busyScript(11)
  const expected = booksOf(fileOf(script))
  let calm: ReturnType<typeof run> | undefined

  /** Runs the script and kills what is named before the invoice at its place, and at the end. */
  async function run(seed: number, crashes: ReadonlyMap<number, readonly string[]>) {
    // A short lease, so that little simulated time passes idly.
    await using world = await simulate(shop(), { seed, engine: { leaseMs: 2_000 } })
    const random = seededRandom(seed)
    for (const [at, invoice] of script.entries()) {
      for (const name of crashes.get(at) ?? []) await world.crash(name)
      await play(world, invoice, at)
      await world.advance(random() * 10)
    }
    for (const name of crashes.get(script.length) ?? []) {
      await world.advance(random() * 40)
      await world.crash(name)
    }
    await assertSettled(world, script)
    return { books: await booksIn(world, script.length), accounts: await accountsIn(world, script) }
  }

  test('is absent: the script reaches every final status of an invoice', async () => {
    const { orders } = expected
    assert.deepEqual(expected.warnings, [])
    assert.ok(orders.completed > 5 && orders.returned > 1)
    assert.deepEqual(Object.keys(orders.rolledBack).toSorted(), ['not-served', 'payment-limit'])
    assert.deepEqual(Object.keys(orders.refused).toSorted(), ['no-customer', 'nothing-to-return'])
    const { books } = await (calm ??= run(1, new Map()))
    assert.deepEqual(differencesOf(expected, books), [])
  })

  for (const name of serviceNames)
    test(`of ${name} at several moments changes nothing in the end`, async () => {
      const { accounts: expectedAccounts } = await (calm ??= run(1, new Map()))
      for (let seed = 1; seed <= runs(2); seed += 1) {
        const random = seededRandom(seed * 31)
        const crashes = new Map([
          [Math.floor(random() * 15), [name]],
          [15 + Math.floor(random() * 15), [name]],
          [script.length, [name]],
        ])
        const { books, accounts } = await run(seed, crashes)
        assert.deepEqual(differencesOf(expected, books), [], `seed ${seed}`)
        assert.deepEqual(accounts, expectedAccounts, `seed ${seed}`)
      }
    })

  test('of all services, one after another and all at once, changes nothing in the end', async () => {
    for (let seed = 1; seed <= runs(2); seed += 1) {
      const crashes = new Map<number, readonly string[]>([[27, serviceNames]])
      for (const [at, name] of serviceNames.entries()) crashes.set(3 + at * 4, [name])
      crashes.set(script.length, serviceNames)
      const { books } = await run(seed, crashes)
      assert.deepEqual(differencesOf(expected, books), [], `seed ${seed}`)
    }
  })
})

test('any script ends with the totals of the oracle, whatever is isolated meanwhile', async () => {
  const disturbance = fc.record({
    name: fc.constantFrom(...serviceNames.slice(1)),
    from: fc.nat(12),
    until: fc.nat(12),
  })
  await fc.assert(
    fc.asyncProperty(
      scripts(12),
      seeds,
      disturbance,
      async (script, seed, { name, from, until }) => {
        await using world = await simulate(shop(), { seed })
        for (const [at, invoice] of script.entries()) {
          if (at === from) world.isolate(name)
          if (at === until) world.heal(name)
          await play(world, invoice, at)
        }
        world.heal(name)
        await assertSettled(world, script)
        const books = booksOf(fileOf(script))
        assert.deepEqual(books.warnings, [])
        assert.deepEqual(differencesOf(books, await booksIn(world, script.length)), [])
        const accounts = await accountsIn(world, script)
        const sum = (of: 'paidCents' | 'refundedCents') =>
          accounts.reduce((sumCents, account) => sumCents + account[of], 0)
        assert.equal(sum('paidCents'), books.money.chargedCents)
        assert.equal(sum('refundedCents'), books.money.refundedCents)
      },
    ),
    { numRuns: runs(8) },
  )
})

describe('scarce stock', () => {
  interface Counted {
    readonly lines: readonly { sku: string; quantity: number; opening?: number }[]
  }

  /** Walks through the stock's events and never finds less than nothing on a shelf. */
  function assertShelves(messages: readonly SimulatedMessage[], openingStock: number) {
    const shelf = new Map<string, number>()
    let shipped = 0
    let returned = 0
    for (const { topic, type, data } of messages) {
      if (topic !== 'inventory.events' || type.endsWith('_ERROR')) continue
      const isOut = type === 'INVENTORY_UPDATE_SUCCESS'
      for (const { sku, quantity, opening = 0 } of (data as Counted).lines) {
        assert.equal(opening > 0, isOut && !shelf.has(sku), `${sku} opens on first sight`)
        if (opening > 0) assert.equal(opening, openingStock)
        const left = (shelf.get(sku) ?? 0) + opening + (isOut ? -quantity : quantity)
        assert.ok(left >= 0, `${sku} was shipped and not there`)
        shelf.set(sku, left)
        if (type === 'INVENTORY_RESTOCK_SUCCESS') returned += quantity
        else shipped += isOut ? quantity : -quantity
      }
    }
    const onHand = [...shelf.values()].reduce((sum, left) => sum + left, 0)
    return { start: shelf.size * openingStock, shipped, returned, onHand }
  }

  test('the totals balance, and nothing is shipped that was not in stock', async () => {
    const reasons = new Set<string>()
    const openings = fc.integer({ min: 1, max: 15 })
    await fc.assert(
      fc.asyncProperty(scripts(14), seeds, openings, async (script, seed, openingStock) => {
        await using world = await simulate(shop(openingStock), { seed })
        for (const [at, invoice] of script.entries()) await play(world, invoice, at)
        await assertSettled(world, script)
        const { orders, money, stock } = await booksIn(world, script.length)
        const total = (counts: Readonly<Record<string, number>>): number =>
          Object.values(counts).reduce((sum, count) => sum + count, 0)
        assert.equal(orders.read, orders.accepted + total(orders.refused))
        const ends = orders.completed + total(orders.rolledBack) + orders.returned
        assert.equal(orders.accepted, ends)
        assert.equal(money.chargedCents - money.refundedCents, money.standingCents)
        assert.equal(stock.start - stock.shipped + stock.returned, stock.onHand)
        assert.deepEqual(assertShelves(await world.messages(), openingStock), stock)
        for (const reason of Object.keys(orders.rolledBack)) reasons.add(reason)
      }),
      { numRuns: runs(8) },
    )
    assert.ok(reasons.has('out-of-stock'))
  })
})
