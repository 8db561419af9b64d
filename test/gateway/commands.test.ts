// Commands over HTTP: stored before the answer, stored once however often they are sent, and
// validated with all issues at once.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Fault, command, contract, entity, event, service, start } from 'throughline'
import { fetchHandler, gateway, reject, route } from 'throughline/gateway'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { Ordering, Payment } from './contracts.ts'
import { openShop, placed, post, routes } from './system.ts'

interface AcceptedBody {
  readonly id: string
  readonly status: string
  readonly operation: string
}
interface ProblemBody {
  readonly code: string
  readonly status: number
  readonly issues: readonly { readonly path: string; readonly message: string }[]
}
const acceptedBody = async (answer: Response): Promise<AcceptedBody> =>
  (await answer.json()) as AcceptedBody
const problemBody = async (answer: Response): Promise<ProblemBody> => {
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  const body = (await answer.json()) as ProblemBody
  assert.equal(body.status, answer.status)
  return body
}

describe('a command', () => {
  test('is answered 202 with the path of its operation, once it is stored', async () => {
    await using shop = await openShop()
    const answer = await post(`${shop.origin}/messages/ordering/PlaceOrder`, placed('o-1'))
    assert.equal(answer.status, 202)
    const { id, status, operation } = await acceptedBody(answer)
    assert.deepEqual([status, operation], ['pending', `/operations/${id}`])
    assert.equal(answer.headers.get('location'), operation)
    assert.deepEqual(await shop.app.operation(Ordering.PlaceOrder, id).settled(), {
      status: 'completed',
    })
  })

  test('takes effect once under one idempotency key, and conflicts with another body', async () => {
    await using shop = await openShop()
    const send = (orderId: string) =>
      post(`${shop.origin}/messages/ordering/PlaceOrder`, placed(orderId), {
        'idempotency-key': 'k/1',
      })
    const first = await send('o-1')
    assert.equal(first.headers.get('idempotency-replayed'), null)
    assert.equal(first.headers.get('location'), '/operations/ordering.PlaceOrder%3Ak%2F1')
    const again = await send('o-1')
    assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [202, 'true'])
    assert.deepEqual(await acceptedBody(again), await acceptedBody(first))
    const other = await send('o-2')
    assert.equal((await problemBody(other)).code, 'ID_CONFLICT')
    assert.equal(other.status, 409)
    await shop.app.settled()
    const list = await shop.app.ask(Ordering.ListOrders({ customerId: 'c-1' }))
    assert.deepEqual(list, [{ orderId: 'o-1' }])
  })

  test('is stored once when twenty requests with one key arrive together', async () => {
    await using shop = await openShop()
    const url = `${shop.origin}/messages/ordering/PlaceOrder`
    const key = { 'idempotency-key': 'same' }
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(url, placed('o-1'), key)),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]))
    const isFirst = (answer: Response) => !answer.headers.has('idempotency-replayed')
    assert.equal(answers.filter(isFirst).length, 1)
  })

  test('with an invalid idempotency key is answered 400 and not stored', async () => {
    await using shop = await openShop()
    for (const key of ['a b', 'x'.repeat(129), 'a,\tb']) {
      const url = `${shop.origin}/messages/ordering/PlaceOrder`
      const { code, issues } = await problemBody(
        await post(url, placed('o-1'), { 'idempotency-key': key }),
      )
      assert.deepEqual([code, issues[0]?.path], ['REQUEST_INVALID', 'idempotency-key'])
    }
    assert.deepEqual(await shop.app.ask(Ordering.ListOrders({ customerId: 'c-1' })), [])
  })

  test('with invalid data is answered 400 with every issue', async () => {
    await using shop = await openShop()
    const bad = { orderId: '', customerId: 1, lines: [{ sku: 'a', quantity: 0 }] }
    const { code, issues } = await problemBody(
      await post(`${shop.origin}/messages/ordering/PlaceOrder`, bad),
    )
    assert.equal(code, 'MESSAGE_INVALID')
    assert.deepEqual(
      issues.map(({ path }) => path),
      ['orderId', 'customerId', 'lines[0].quantity', 'isGift'],
    )
    const hostile = `{"__proto__":{"a":1},"lines":${'['.repeat(40)}${']'.repeat(40)}}`
    const answer = await post(`${shop.origin}/messages/ordering/PlaceOrder`, hostile)
    const { issues: found } = await problemBody(answer)
    assert.ok(found.some(({ path }) => path === '__proto__'))
    assert.ok(found.some(({ message }) => /nested/.test(message)))
    const none = await fetch(`${shop.origin}/messages/ordering/PlaceOrder`, { method: 'POST' })
    assert.equal((await problemBody(none)).code, 'MESSAGE_INVALID')
  })

  test('keeps a valid trace context and drops an invalid one', async () => {
    const traces: unknown[] = []
    const app = {
      send: async (_: unknown, trace: unknown) => {
        traces.push(trace)
        return { id: '1', isDuplicate: false }
      },
      describe: () => ({ contracts: [{ name: 'payment', owner: 'payment' }] }),
    }
    const ask = fetchHandler(gateway(app as never, { expose: [Payment.Charge] }))
    const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const later = `${good.replace('00', 'cc')}-what-the-future-will-be-like`
    const without = good.replace(/-b.*-/, '-0000000000000000-')
    for (const headers of [
      { traceparent: good, tracestate: 'a=1,b=2' },
      { traceparent: later },
      { traceparent: good, tracestate: 'nonsense' },
      { traceparent: 'nonsense', tracestate: 'a=1' },
      { traceparent: without },
      { traceparent: '', tracestate: '' },
    ])
      await ask(
        new Request('http://x/messages/payment/Charge', {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: '{}',
        }),
      )
    assert.deepEqual(traces, [
      { traceparent: good, tracestate: 'a=1,b=2' },
      { traceparent: later },
      { traceparent: good },
      {},
      {},
      {},
    ])
  })
})

describe('a custom route', () => {
  test('maps body, path and id to the message, the same for the same key', async () => {
    await using shop = await openShop()
    const key = { 'idempotency-key': '01890a5d-ac96-774b-bcce-b302099a8057' }
    const order = { customer: 'c-9', skus: ['a', 'b'] }
    const answer = await post(`${shop.origin}/orders`, order, key)
    assert.equal(answer.status, 202)
    assert.equal((await post(`${shop.origin}/orders`, order, key)).status, 202)
    await shop.app.settled()
    const orderId = key['idempotency-key']
    const found = await shop.app.ask(Ordering.FindOrder({ orderId }))
    assert.deepEqual(found, { orderId, is: 'open', quantity: 2 })
    const url = `${shop.origin}/customers/c-9/orders/${orderId}`
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 202)
    await shop.app.settled()
    assert.equal((await shop.app.ask(Ordering.FindOrder({ orderId })))?.is, 'closed')
  })

  test('reports issues of its body schema and of its map before anything is stored', async () => {
    const rejecting = route.command('POST', '/closings', Ordering.CloseOrder, {
      map: ({ query }) =>
        query.has('ok')
          ? { orderId: 'o', customerId: 'c' }
          : reject([
              { path: 'a', message: 'is wrong' },
              { path: 'b', message: 'is wrong, too' },
            ]),
    })
    await using shop = await openShop({ routes: [...routes, rejecting] })
    const { issues } = await problemBody(await post(`${shop.origin}/orders`, { customer: 1 }))
    assert.deepEqual(
      issues.map(({ path }) => path),
      ['customer', 'skus'],
    )
    const own = await problemBody(await post(`${shop.origin}/closings`, {}))
    assert.equal(own.status, 400)
    assert.deepEqual(
      own.issues.map(({ path }) => path),
      ['a', 'b'],
    )
    const deep = `${'['.repeat(40)}${']'.repeat(40)}`
    assert.equal((await problemBody(await post(`${shop.origin}/closings?ok`, deep))).status, 400)
    assert.equal((await post(`${shop.origin}/closings?ok`, {})).status, 202)
  })

  test('adds path parameters to the data, and refuses a body that contradicts them', async () => {
    await using shop = await openShop()
    const put = route.command('PUT', '/orders/:orderId', Ordering.PlaceOrder)
    const fetched = fetchHandler(gateway(shop.app, { routes: [put] }))
    const send = (body: object): Promise<Response> =>
      fetched(
        new Request('http://shop/orders/o-7', {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      )
    const { orderId: _, ...rest } = placed('o-7')
    const { id } = await acceptedBody(await send(rest))
    assert.deepEqual(await shop.app.operation(Ordering.PlaceOrder, id).settled(), {
      status: 'completed',
    })
    const { issues } = await problemBody(await send(placed('o-8')))
    assert.deepEqual(issues, [{ path: 'orderId', message: 'differs from the value in the path' }])
    assert.equal((await send(placed('o-7'))).status, 202)
  })

  test('converts path parameters by the schema, and drops those that it does not have', async () => {
    const Meter = contract(
      'meter',
      { key: 'id' },
      {
        Set: command(z.strictObject({ id: z.string(), at: z.int() })),
        Moved: event(z.object({ id: z.string() })),
      },
    )
    const meter = entity(
      'meter',
      { of: Meter, id: 'id', initial: 0 },
      {
        decide: (on) => [on(Meter.Set, ({ id }) => Meter.Moved({ id }))],
        evolve: (on) => [on(Meter.Moved, (_, moves) => moves + 1)],
      },
    )
    await using app = await start([service('meters', { owns: [Meter], runs: [meter] })], memory())
    const put = route.command('PUT', '/houses/:house/meters/:id/:at', Meter.Set)
    const fetched = fetchHandler(gateway(app, { routes: [put] }))
    const send = (body: object): Promise<Response> =>
      fetched(
        new Request('http://shop/houses/1/meters/m/7', {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      )
    assert.equal((await send({})).status, 202)
    assert.equal((await send({ id: 'm', at: 7 })).status, 202)
    assert.equal((await send({ at: 8 })).status, 400)
  })

  test('does not take data with a field of that name for a rejection', async () => {
    const looks = route.command('POST', '/looks', Ordering.CloseOrder, {
      map: () => ({ orderId: 'o', customerId: 'c', issues: [] }),
    })
    await using shop = await openShop({ routes: [looks] })
    assert.equal((await post(`${shop.origin}/looks`, {})).status, 202)
  })
})

describe('a gateway', () => {
  test('refuses invalid routes with all issues at once', async () => {
    await using shop = await openShop()
    const close = (path: string) => route.command('POST', path, Ordering.CloseOrder)
    const impossible = [
      close('/a/:x'),
      close('/a/:y'),
      close('no-slash'),
      close('/a/*'),
      close('/operations/x'),
      route.command('POST', '/pay', Payment.Charge),
      { method: 'POST' as const, path: '/event', type: Ordering.OrderPlaced as never },
    ]
    assert.throws(
      () => gateway(shop.app, { routes: impossible }),
      (fault: Fault) => {
        assert.equal(fault.code, 'OPTION_INVALID')
        const paths = fault.issues.map(({ path }) => path)
        const expected = ['/a/:y', 'no-slash', '/a/*', '/operations/x', '/pay', '/event']
        assert.deepEqual(
          paths,
          expected.map((path) => `POST ${path}`),
        )
        return true
      },
    )
  })

  test('refuses options out of bounds', async () => {
    await using shop = await openShop()
    for (const options of [{ deadlineMs: 0 }, { bodyBytesMax: 1e9 }, { deadlineMs: 1.5 }])
      assert.throws(() => gateway(shop.app, options), { code: 'OPTION_INVALID' })
  })

  test('answers a fault of the app with the status of its code', async () => {
    for (const [code, status] of [
      ['BACKPRESSURE', 429],
      ['APP_STOPPING', 503],
      ['LOG_UNKNOWN', 503],
      ['EARLIER_NOT_STORED', 503],
    ] as const) {
      await using shop = await openShop()
      const send = () => Promise.reject(new Fault(code, { detail: 'it' }))
      const ask = fetchHandler(gateway({ ...shop.app, send }, { expose: [Ordering] }))
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
      const answer = await ask(new Request('http://x/messages/ordering/CloseOrder', init))
      assert.deepEqual([answer.status, (await problemBody(answer)).code], [status, code])
      assert.equal(answer.headers.get('retry-after'), '1')
    }
  })

  test('does not fail a request because of the conflict of another client', async () => {
    await using shop = await openShop()
    const ask = fetchHandler(gateway(shop.app, { expose: [Ordering] }))
    const send = (order: object, key?: string): Promise<Response> => {
      const own = key === undefined ? {} : { 'idempotency-key': key }
      const headers = { 'content-type': 'application/json', ...own }
      const init = { method: 'POST', headers, body: JSON.stringify(order) }
      return ask(new Request('http://x/messages/ordering/PlaceOrder', init))
    }
    await send(placed('o-1'), 'k')
    // In one batch, a conflict refuses the later messages of its key.
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        index % 10 === 0 ? send(placed('o-2'), 'k') : send(placed(`p-${index}`)),
      ),
    )
    const statuses = answers.map(({ status }) => status)
    assert.deepEqual(
      statuses,
      statuses.map((_, index) => (index % 10 === 0 ? 409 : 202)),
    )
  })

  test('of a stopped app answers APP_STOPPING', async () => {
    await using shop = await openShop()
    await shop.app.stop()
    const url = `${shop.origin}/messages/ordering/PlaceOrder`
    assert.equal((await problemBody(await post(url, placed('o-1')))).code, 'APP_STOPPING')
    assert.equal((await problemBody(await fetch(`${shop.origin}/orders/o-1`))).code, 'APP_STOPPING')
    assert.equal(
      (await problemBody(await fetch(`${shop.origin}/operations/1`))).code,
      'APP_STOPPING',
    )
  })

  test('answers DEADLINE_PASSED when the app does not answer in time', async () => {
    await using shop = await openShop()
    const clock = createManualClock()
    const send = () => new Promise<never>(() => undefined)
    const options = { expose: [Ordering], clock, deadlineMs: 2_000 }
    const ask = fetchHandler(gateway({ ...shop.app, send }, options))
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
    const begunAt = clock.elapsed()
    const asked = ask(new Request('http://x/messages/ordering/CloseOrder', init))
    // The runtime reads the body of a Request without this clock.
    await new Promise(setImmediate)
    const answer = await clock.until(asked)
    assert.equal(clock.elapsed() - begunAt, 2_000)
    assert.deepEqual([answer.status, (await problemBody(answer)).code], [503, 'DEADLINE_PASSED'])
  })
})
