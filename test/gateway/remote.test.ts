// Two apps on two backends: the gateway of one forwards the messages that the other owns.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import type { Fault } from 'throughline'
import { gateway } from 'throughline/gateway'
import { Ordering, Payment } from './contracts.ts'
import { openShop, openTill, post } from './system.ts'

const expose = [Ordering, Payment]
const charge = { orderId: 'o-1', customerId: 'c-1', cents: 500 }
const codeOf = async (answer: Response): Promise<string> =>
  `${answer.status} ${((await answer.json()) as { code: string }).code}`

/** A server in place of the other gateway, which records the requests that it gets. */
async function startOtherServer(answer: RequestListener): Promise<{
  readonly at: string
  readonly asked: string[]
  [Symbol.dispose](): void
}> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(String(request.headers['idempotency-key']))
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    at,
    asked,
    [Symbol.dispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

describe('a gateway with remote contracts', () => {
  test('forwards commands, queries and operations to the owner', async () => {
    await using till = await openTill('t0ken')
    const remote = [{ contract: Payment, url: `${till.origin}/`, token: 't0ken' }]
    await using shop = await openShop({ remote, expose })
    const url = `${shop.origin}/messages/payment/Charge`
    const key = { 'idempotency-key': 'k' }
    const answer = await post(url, charge, key)
    assert.equal(answer.status, 202)
    assert.equal(answer.headers.get('location'), '/operations/payment.Charge%3Ak')
    const waited = await fetch(`${shop.origin}${answer.headers.get('location')}?wait=10`)
    const operation = (await waited.json()) as { status: string; command: string }
    assert.deepEqual([operation.status, operation.command], ['completed', 'payment.Charge'])
    assert.equal((await post(url, charge, key)).headers.get('idempotency-replayed'), 'true')
    assert.equal(await codeOf(await post(url, { ...charge, cents: 1 }, key)), '409 ID_CONFLICT')
    await till.app.settled()
    const sum = await post(`${shop.origin}/messages/payment/SumCharges`, { customerId: 'c-1' })
    assert.deepEqual([sum.status, await sum.json()], [200, { cents: 500 }])
    const headers = { accept: 'text/event-stream' }
    const stream = await fetch(`${shop.origin}${answer.headers.get('location')}`, { headers })
    assert.match(await stream.text(), /^: open\n\nevent: operation\ndata: \{"status":"completed"/)
  })

  for (const how of ['HEAD', 'refused'] as const)
    test(`a forwarded stream that nobody reads frees its place at the owner: ${how}`, async () => {
      await using till = await openTill(undefined, { streamsMax: 2 })
      const streamsMax = how === 'refused' ? 0 : 2
      const remote = [{ contract: Payment, url: till.origin }]
      await using shop = await openShop({ remote, expose }, undefined, { streamsMax })
      await till.app.pause('payment')
      const { headers: answered } = await post(`${shop.origin}/messages/payment/Charge`, charge)
      const path = answered.get('location') ?? ''
      const headers = { accept: 'text/event-stream' }
      const method = how === 'HEAD' ? 'HEAD' : 'GET'
      for (let count = 0; count < 4; count += 1)
        await fetch(shop.origin + path, { method, headers }).then((answer) => answer.text())
      const until = performance.now() + 5_000
      const statuses: number[] = []
      while (statuses.length < 2) {
        const stream = await fetch(till.origin + path, { headers })
        if (stream.status === 200 || performance.now() > until) statuses.push(stream.status)
        else await stream.body?.cancel()
      }
      assert.deepEqual(statuses, [200, 200])
    })

  test('creates an idempotency key if there is none, and finds operations by any id', async () => {
    await using till = await openTill()
    await using shop = await openShop({
      remote: [{ contract: Payment, url: till.origin }],
      expose,
    })
    const answer = await post(`${shop.origin}/messages/payment/Charge`, charge)
    assert.match(
      answer.headers.get('location') ?? '',
      /^\/operations\/payment\.Charge%3A[0-9a-f-]{36}$/,
    )
    const { id } = await till.app.send(Payment.Charge({ ...charge, orderId: 'o-2' }))
    const found = await fetch(`${shop.origin}/operations/${id}?wait=10`)
    assert.equal(((await found.json()) as { status: string }).status, 'completed')
    for (const none of ['none', 'payment.Charge:none', 'ordering.PlaceOrder:none'])
      assert.equal(
        await codeOf(await fetch(`${shop.origin}/operations/${none}`)),
        '404 OPERATION_NOT_FOUND',
      )
  })

  test('forwards how long to wait for an operation, and until when', async () => {
    const paths: (string | undefined)[] = []
    using other = await startOtherServer((request, response) => {
      paths.push(request.url)
      response.setHeader('content-type', 'application/json').end('{"status":"pending"}')
    })
    await using shop = await openShop({ remote: [{ contract: Payment, url: other.at }], expose })
    await fetch(`${shop.origin}/operations/payment.Charge:k?wait=7&until=projected`)
    assert.deepEqual(paths, ['/operations/payment.Charge%3Ak?wait=7&until=projected'])
  })

  test('validates a message before it forwards it', async () => {
    using other = await startOtherServer((_, response) => response.end())
    await using shop = await openShop({ remote: [{ contract: Payment, url: other.at }], expose })
    const answer = await post(`${shop.origin}/messages/payment/Charge`, { ...charge, cents: 0 })
    assert.equal(await codeOf(answer), '400 MESSAGE_INVALID')
    assert.deepEqual(other.asked, [])
  })

  test('answers 502 when the other gateway fails twice under the same key', async () => {
    using other = await startOtherServer((request) => request.socket.destroy())
    await using shop = await openShop({ remote: [{ contract: Payment, url: other.at }], expose })
    const answer = await post(`${shop.origin}/messages/payment/Charge`, charge)
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.equal(answer.status, 502)
    const { code, detail } = (await answer.json()) as { code: string; detail: string }
    assert.equal(code, 'REMOTE_UNREACHABLE')
    assert.match(detail, /^the gateway of payment: .*; retry with the same Idempotency-Key$/)
    assert.equal(other.asked.length, 2)
    assert.equal(new Set(other.asked).size, 1)
    const operation = await fetch(`${shop.origin}/operations/payment.Charge:k`)
    assert.equal(await codeOf(operation), '502 REMOTE_UNREACHABLE')
    // Operations of contracts that are owned here are not looked up at the other gateway.
    const own = await fetch(`${shop.origin}/operations/ordering.PlaceOrder:none`)
    assert.equal(await codeOf(own), '404 OPERATION_NOT_FOUND')
  })

  test('answers 502 when the answer does not come from a gateway', async () => {
    const answers: RequestListener[] = [
      (_, response) => response.setHeader('content-type', 'text/html').end('<html>'),
      (_, response) => response.writeHead(302, { location: 'http://192.0.2.1/' }).end(),
      (_, response) =>
        response.writeHead(401, { 'content-type': 'application/problem+json' }).end('{}'),
    ]
    for (const answer of answers) {
      using other = await startOtherServer(answer)
      await using shop = await openShop({ remote: [{ contract: Payment, url: other.at }], expose })
      const handed = await post(`${shop.origin}/messages/payment/Charge`, charge)
      assert.equal(await codeOf(handed), '502 REMOTE_UNREACHABLE')
    }
  })

  test('answers 502 when the other gateway misses the deadline', async () => {
    using other = await startOtherServer(() => undefined)
    const remote = [{ contract: Payment, url: other.at }]
    await using shop = await openShop({ remote, expose, deadlineMs: 200 })
    const answer = await post(`${shop.origin}/messages/payment/Charge`, charge)
    assert.equal(await codeOf(answer), '502 REMOTE_UNREACHABLE')
    assert.equal(other.asked.length, 1)
  })

  test('stops a loop when two gateways name each other', async () => {
    let shopAt = ''
    // The till forwards charges to the shop, and the shop forwards them to the till.
    using other = await startOtherServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { host: _, connection: __, ...headers } = request.headers
        void fetch(`${shopAt}${request.url}`, {
          method: request.method ?? 'GET',
          headers: headers as Record<string, string>,
          ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
        }).then(async (answer) => {
          response.writeHead(answer.status, {
            'content-type': answer.headers.get('content-type') ?? '',
          })
          response.end(await answer.text())
        })
      })
    })
    await using shop = await openShop({ remote: [{ contract: Payment, url: other.at }], expose })
    shopAt = shop.origin
    const answer = await post(`${shop.origin}/messages/payment/Charge`, charge)
    assert.equal(await codeOf(answer), '508 REMOTE_LOOP')
    assert.equal(other.asked.length, 4)
    other.asked.length = 0
    assert.equal(await codeOf(await fetch(`${shopAt}/operations/none`)), '404 OPERATION_NOT_FOUND')
    assert.equal(other.asked.length, 1)
  })

  test('refuses invalid options', async () => {
    await using shop = await openShop()
    const at = 'http://127.0.0.1:1'
    const remote = [
      { contract: Payment, url: 'nonsense' },
      { contract: Payment, url: 'ftp://x' },
      { contract: Payment, url: at },
      { contract: Payment, url: at },
    ]
    const paths = (fault: Fault) => fault.issues.map(({ path }) => path)
    assert.throws(
      () => gateway(shop.app, { remote }),
      (fault: Fault) => {
        const expected = ['remote[0].url', 'remote[1].url', 'remote[3]']
        assert.deepEqual(paths(fault), expected)
        return true
      },
    )
    const both = { remote: [{ contract: Ordering, url: at }], expose: [Ordering.CloseOrder] }
    assert.throws(() => gateway(shop.app, both), { code: 'OPTION_INVALID' })
  })
})
