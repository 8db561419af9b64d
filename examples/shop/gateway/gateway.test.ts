// The shop over HTTP, from an order to its end; over the memory backend, without a socket.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { App } from 'throughline'
import { start } from 'throughline'
import { fetchHandler, gateway } from 'throughline/gateway'
import { memory } from 'throughline/testing'
import { checkInvoice } from '../intake/invoices.ts'
import { stockOnFirstSight } from '../inventory.ts'
import { shop } from '../services.ts'
import { boards } from './boards.ts'
import { routes } from './routes.ts'

let app: App
let fetched: ReturnType<typeof fetchHandler>

before(async () => {
  app = await start(shop(stockOnFirstSight), memory())
  fetched = fetchHandler(gateway(app, { routes }))
})
after(() => app.stop())

const get = async (path: string) => {
  const response = await fetched(new Request(`http://shop${path}`))
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const post = async (path: string, body: unknown, key?: string) => {
  const headers = {
    'content-type': 'application/json',
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetched(new Request(`http://shop${path}`, init))
  const location = response.headers.get('location') ?? ''
  return { status: response.status, location, body: (await response.json()) as never }
}
const order = (change: object = {}) => ({
  orderId: 'W1',
  customerId: '17850',
  country: 'France',
  lines: [{ sku: '85123A', quantity: 6, unitPrice: 2.55 }],
  ...change,
})

describe('an order over HTTP', () => {
  test('completes, and every service has handled it', async () => {
    const { status, location } = await post('/orders', order(), 'first')
    assert.equal(status, 202)
    const { body } = await get(`${location}?wait=10`)
    assert.deepEqual([body['status'], body['command']], ['completed', 'CONFIRM_ORDER'])
    await app.settled()
    const placed = { orderId: 'W1', customerId: 'c:17850', kind: 'order', status: 'completed' }
    const known = { ...placed, reason: null, standingCents: 1530 }
    assert.deepEqual(await get('/orders/W1'), { status: 200, body: known })
    assert.deepEqual((await get('/customers/17850/orders')).body['orders'], [known])
    assert.equal((await get('/accounts/17850')).body['paidCents'], 1530)
    assert.equal((await get('/stock/85123A')).body['onHand'], stockOnFirstSight - 6)
    assert.deepEqual((await get('/deliveries/W1')).body, { orderId: 'W1', status: 'scheduled' })
  })

  test('sent again has no further effect, and with another body is a conflict', async () => {
    const again = await post('/orders', order(), 'first')
    assert.equal(again.status, 202)
    const other = await post('/orders', order({ country: 'Spain' }), 'first')
    assert.equal(other.status, 409)
    assert.equal((other.body as { code: string }).code, 'ID_CONFLICT')
  })

  test('without an id gets one that is derived from the idempotency key', async () => {
    const { orderId: _, ...anonymous } = order({ customerId: undefined })
    const first = await post('/orders', anonymous, 'guest')
    assert.deepEqual((await post('/orders', anonymous, 'guest')).location, first.location)
    assert.equal((await get(`${first.location}?wait=10`)).body['status'], 'completed')
  })

  test('that cannot be served or paid is rolled back, with the reason', async () => {
    const far = await post('/orders', order({ orderId: 'W2', country: 'Unspecified' }))
    const dear = order({ orderId: 'W3', lines: [{ sku: 'x', quantity: 6, unitPrice: '900.01' }] })
    const ends = [far, await post('/orders', dear)].map(({ location }) =>
      get(`${location}?wait=10`),
    )
    const seen = (await Promise.all(ends)).map(({ body }) => [body['status'], body['reason']])
    assert.deepEqual(seen, [
      ['rolled-back', 'not-served'],
      ['rolled-back', 'payment-limit'],
    ])
  })
})

test('goods are returned over HTTP, but not more than were bought', async () => {
  const lines = [{ sku: '85123A', quantity: 2 }]
  const some = await post('/returns', { customerId: '17850', lines })
  assert.equal((await get(`${some.location}?wait=10`)).body['status'], 'returned')
  const more = await post('/returns', {
    customerId: '17850',
    lines: [{ sku: '85123A', quantity: 9 }],
  })
  const { body } = await get(`${more.location}?wait=10`)
  assert.deepEqual([body['status'], body['code']], ['refused', 'nothing-to-return'])
})

describe('an invalid body', () => {
  const refused = async (path: string, body: unknown): Promise<readonly object[]> => {
    // What came before is read to its end: an answer does not wait for rows.
    await app.settled()
    const before = await app.status()
    const answer = await post(path, body)
    assert.equal(answer.status, 400)
    assert.deepEqual(await app.status(), before, 'something was stored')
    return (answer.body as { issues: object[] }).issues
  }

  test('is refused with the complaints that a file with the same lines causes', async () => {
    const lines = [
      { sku: '', quantity: -6, unitPrice: 2.555 },
      { sku: 'a', quantity: '1e3', unitPrice: 0 },
    ]
    const invoice = checkInvoice(
      'W9',
      lines.map(({ sku, quantity, unitPrice }, at) => ({
        line: at + 1,
        sku,
        quantity: String(quantity),
        unitPrice: String(unitPrice),
        placedAt: '2010-12-01T08:26:00Z',
        customerId: '17850',
        country: 'France',
      })),
    )
    assert.ok(invoice.kind === 'rejected')
    const complaints = await refused('/orders', order({ orderId: 'W9', lines }))
    assert.deepEqual(
      complaints.map((each) => (each as { message: string }).message),
      invoice.complaints.map(({ reason, message }) => `${reason}: ${message}`),
    )
    assert.deepEqual(
      complaints.map((each) => (each as { path: string }).path),
      [
        'lines[0].sku',
        'lines[0].quantity',
        'lines[0].unitPrice',
        'lines[1].quantity',
        'lines[1].unitPrice',
      ],
    )
  })

  test('is refused with the path of each schema issue', async () => {
    assert.deepEqual(
      (await refused('/orders', { country: 7, lines: 'x' })).map(
        (each) => 'path' in each && each.path,
      ),
      ['country', 'lines'],
    )
  })

  test('is refused without lines, or with an id of the other kind', async () => {
    await refused('/orders', order({ lines: [] }))
    await refused('/orders', order({ orderId: 'C1' }))
    await refused('/returns', { returnId: 'W1', lines: [{ sku: 'a', quantity: 1 }] })
    await refused('/returns', { lines: [{ sku: 'a', quantity: 0 }] })
  })
})

test('an unknown order, customer or path is not found', async () => {
  for (const path of ['/orders/none', '/stock/none', '/deliveries/none', '/operations/none', '/no'])
    assert.equal((await get(path)).status, 404, path)
})

test('the board counts every order once', async () => {
  await app.settled()
  const [board] = boards(app)
  assert.deepEqual(await board?.states(), {
    'under way': 0,
    completed: 2,
    returned: 1,
    'rolled back': 2,
    refused: 1,
  })
})

test('an issue names the wrong field once, and an unknown field', async () => {
  const pathsOf = async (path: string, body: unknown): Promise<readonly unknown[]> => {
    const answer = await post(path, body)
    assert.equal(answer.status, 400)
    return (answer.body as { issues: { path: string }[] }).issues.map((each) => each.path)
  }
  const lines = [
    { sku: 'a', quantity: 1, unitPrice: 1 },
    { sku: '', quantity: 0, unitPrice: 1 },
  ]
  const wrong = { orderId: '', customerId: 'x'.repeat(65), country: '\u0000', lines }
  assert.deepEqual(await pathsOf('/orders', wrong), [
    'orderId',
    'customerId',
    'country',
    'lines[1].sku',
    'lines[1].quantity',
  ])
  assert.deepEqual(await pathsOf('/orders', order({ lines: [] })), ['lines'])
  const typo = await post('/orders', { ...order(), customer_id: '17850' })
  assert.equal(typo.status, 400)
  assert.match(JSON.stringify(typo.body), /customer_id/)
})
