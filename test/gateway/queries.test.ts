// Queries and operations over HTTP.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import { fetchHandler, gateway } from 'throughline/gateway'
import { sharedBackend } from '../engine/support/simulation.ts'
import { Ordering } from './contracts.ts'
import { openShop, ordering, placed, post } from './system.ts'

const place = (origin: string, orderId: string, quantity = 1) =>
  post(`${origin}/messages/ordering/PlaceOrder`, placed(orderId, quantity), {
    'idempotency-key': orderId,
  })
const operation = (orderId: string) => `/operations/ordering.PlaceOrder:${orderId}`
const codeOf = async (answer: Response): Promise<string> => {
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  return `${answer.status} ${((await answer.json()) as { code: string }).code}`
}

describe('a query', () => {
  test('reads the path and the query string as its schema says', async () => {
    await using shop = await openShop()
    await place(shop.origin, 'o-1')
    await place(shop.origin, '2')
    await shop.app.settled()
    const found = await fetch(`${shop.origin}/orders/o-1?version=3`)
    assert.equal(found.headers.get('content-type'), 'application/json')
    assert.deepEqual(await found.json(), { orderId: 'o-1', is: 'open', quantity: 1 })
    // A text that looks like a number stays text if the schema says text.
    assert.equal((await fetch(`${shop.origin}/orders/2`)).status, 200)
    const list = await fetch(`${shop.origin}/customers/c-1/orders?limit=1`)
    assert.deepEqual(await list.json(), [{ orderId: '2' }])
    for (const query of ['limit=x', 'limit=0', 'limit=1&limit=2', 'limit=', 'limit=0x1'])
      assert.equal(
        await codeOf(await fetch(`${shop.origin}/customers/c-1/orders?${query}`)),
        '400 MESSAGE_INVALID',
        query,
      )
  })

  test('whose query string contradicts its path is refused', async () => {
    await using shop = await openShop()
    await place(shop.origin, 'o-1')
    await shop.app.settled()
    const ask = (query: string) => fetch(`${shop.origin}/customers/c-1/orders?${query}`)
    for (const query of ['customerId=c-2', 'customerId=c-1&customerId=c-2', 'customerId=']) {
      const answer = await ask(query)
      assert.equal(answer.status, 400, query)
      assert.partialDeepStrictEqual(await answer.json(), {
        code: 'MESSAGE_INVALID',
        issues: [{ path: 'customerId', message: 'differs from the value in the path' }],
      })
    }
    const same = await ask('customerId=c-1')
    assert.deepEqual([same.status, await same.json()], [200, [{ orderId: 'o-1' }]])
  })

  test('can be exposed without a route, and takes its data in the body', async () => {
    await using shop = await openShop()
    await place(shop.origin, 'o-1')
    await shop.app.settled()
    const url = `${shop.origin}/messages/ordering/ListOrders`
    const answer = await post(url, { customerId: 'c-1' })
    assert.deepEqual([answer.status, await answer.json()], [200, [{ orderId: 'o-1' }]])
  })

  test('answers 404 for null, and for a query without a rule', async () => {
    await using shop = await openShop()
    assert.equal(await codeOf(await fetch(`${shop.origin}/orders/none`)), '404 NOTHING_FOUND')
    const unanswered = await post(`${shop.origin}/messages/ordering/Unanswered`, {})
    assert.equal(await codeOf(unanswered), '404 QUERY_NOT_ANSWERED')
  })

  test('whose rule throws is answered 500; only the server gets the error', async () => {
    await using shop = await openShop()
    const answer = await fetch(`${shop.origin}/orders/broken`)
    const text = await answer.text()
    assert.equal(answer.status, 500)
    assert.doesNotMatch(text, /secret|stack|at /)
    assert.match(String(shop.broken[0]), /a secret of the rule/)
  })
})

describe('an operation', () => {
  test('shows its outcome, or that it is pending', async () => {
    await using shop = await openShop()
    for (const [orderId, quantity] of [
      ['done', 1],
      ['many', 2_000],
      ['open', 7],
    ] as const)
      await place(shop.origin, orderId, quantity)
    const look = async (id: string) =>
      (await fetch(`${shop.origin}${operation(id)}?wait=${id === 'open' ? 0 : 9}`)).json()
    const about = (id: string) => ({
      id: `ordering.PlaceOrder:${id}`,
      command: 'ordering.PlaceOrder',
    })
    assert.deepEqual(await look('done'), { status: 'completed', ...about('done') })
    await (await shop.app.find('ordering.PlaceOrder:open'))?.accepted()
    assert.deepEqual(await look('open'), { status: 'pending', isAccepted: true, ...about('open') })
    const refused = {
      status: 'refused',
      code: 'too-many',
      issues: [{ path: 'lines', message: 'at most 1,000' }],
    }
    assert.deepEqual(await look('many'), { ...refused, ...about('many') })
  })

  test('is awaited until it is settled, or until the wait is over', async () => {
    await using shop = await openShop()
    await place(shop.origin, 'o-1', 7)
    const short = await fetch(`${shop.origin}${operation('o-1')}?wait=1`)
    assert.equal(((await short.json()) as { status: string }).status, 'pending')
    const waiting = fetch(`${shop.origin}${operation('o-1')}?wait=60`)
    await shop.app.send(Ordering.CloseOrder({ orderId: 'o-1', customerId: 'c-1' }))
    const { status, reason } = (await (await waiting).json()) as { status: string; reason: string }
    assert.deepEqual([status, reason], ['rolled-back', 'closed'])
    for (const wait of ['61', '-1', 'x', '1.5', ''])
      assert.equal(
        await codeOf(await fetch(`${shop.origin}${operation('o-1')}?wait=${wait}`)),
        '400 REQUEST_INVALID',
      )
  })

  test('can be waited for until it is accepted or projected', async () => {
    await using shop = await openShop()
    const at = `${shop.origin}${operation('o-1')}`
    const ask = async (query: string) => (await fetch(`${at}?${query}`)).json() as Promise<object>
    await shop.app.pause('ordering')
    await place(shop.origin, 'o-1', 7)
    assert.partialDeepStrictEqual(await ask('until=accepted'), {
      status: 'pending',
      isAccepted: false,
    })
    const early = await ask('until=projected&wait=1')
    assert.partialDeepStrictEqual(early, { isAccepted: false, isProjected: false })
    await shop.app.resume('ordering')
    const accepted = await ask('until=accepted&wait=60')
    assert.partialDeepStrictEqual(accepted, { status: 'pending', isAccepted: true })
    assert.equal('isProjected' in accepted, false)
    const projected = await ask('until=projected&wait=60')
    assert.partialDeepStrictEqual(projected, {
      status: 'pending',
      isAccepted: true,
      isProjected: true,
    })
    const found = (await shop.app.ask(Ordering.FindOrder({ orderId: 'o-1' }))) as { is: string }
    assert.equal(found.is, 'open')
    assert.partialDeepStrictEqual(await ask('until=projected'), { isProjected: true })
    assert.equal(await codeOf(await fetch(`${at}?until=done`)), '400 REQUEST_INVALID')
  })

  test('streams its changes and ends when it is settled', async () => {
    await using shop = await openShop()
    await place(shop.origin, 'o-1', 7)
    const headers = { accept: 'text/event-stream' }
    const answer = await fetch(`${shop.origin}${operation('o-1')}`, { headers })
    assert.equal(answer.headers.get('content-type'), 'text/event-stream')
    await shop.app.send(Ordering.CloseOrder({ orderId: 'o-1', customerId: 'c-1' }))
    const events = (await answer.text()).split('\n').filter((line) => line.startsWith('data:'))
    const states = events.map((line) => (JSON.parse(line.slice(5)) as { status: string }).status)
    // It may have been accepted meanwhile or before.
    assert.deepEqual([...new Set(states)], ['pending', 'rolled-back'])
  })

  test('is streamed if the request accepts a stream and does not prefer JSON', async () => {
    await using shop = await openShop()
    await place(shop.origin, 'o-1')
    await shop.app.settled()
    const typeFor = async (accept: string) => {
      const answer = await fetch(`${shop.origin}${operation('o-1')}`, { headers: { accept } })
      await answer.text()
      return answer.headers.get('content-type')
    }
    const streams = [
      'Text/Event-Stream',
      'application/json, text/event-stream',
      '*/*;q=0.1, text/event-stream',
    ]
    for (const accept of streams) assert.equal(await typeFor(accept), 'text/event-stream', accept)
    for (const accept of [
      '*/*',
      'text/event-stream;q=0',
      'application/json, text/event-stream; q=0.5',
      'text/event-streams',
    ])
      assert.equal(await typeFor(accept), 'application/json', accept)
  })

  test('does not delay a stop: waits and streams end', async () => {
    await using shop = await openShop()
    await place(shop.origin, 'o-1', 7)
    const waiting = fetch(`${shop.origin}${operation('o-1')}?wait=60`)
    const headers = { accept: 'text/event-stream' }
    const stream = await fetch(`${shop.origin}${operation('o-1')}`, { headers })
    const reader = stream.body?.getReader()
    await reader?.read()
    await shop.server.close({ graceMs: 60_000 })
    assert.equal(((await (await waiting).json()) as { status: string }).status, 'pending')
    while (!(await reader?.read())?.done);
  })

  test('that does not exist is answered 404', async () => {
    await using shop = await openShop()
    for (const id of ['none', 'ordering.PlaceOrder:none', '__proto__', '%00', 'a%2Fb', '.'])
      assert.match(await codeOf(await fetch(`${shop.origin}/operations/${id}`)), /^404 /, id)
  })

  test('is found after a restart', async () => {
    const backend = sharedBackend(memory(), (_method, call) => call())
    const ask = (app: Parameters<typeof gateway>[0]) =>
      fetchHandler(gateway(app, { expose: [Ordering] }))
    const first = await start([ordering], backend)
    const body = JSON.stringify(placed('o-1'))
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'o-1' }
    const url = 'http://x/messages/ordering/PlaceOrder'
    await ask(first)(new Request(url, { method: 'POST', headers, body }))
    await first.settled()
    await first.stop()
    await using second = await start([ordering], backend)
    const answer = await ask(second)(new Request(`http://x${operation('o-1')}`))
    assert.equal(((await answer.json()) as { status: string }).status, 'completed')
    const again = await ask(second)(new Request(url, { method: 'POST', headers, body }))
    assert.equal(again.headers.get('idempotency-replayed'), 'true')
  })
})
