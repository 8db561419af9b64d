// Random requests: the gateway answers each quickly, with a code, and without a server error.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { gateway } from 'throughline/gateway'
import { seededRandom } from '../../src/base/random.ts'
import { gatewayTarget } from '../fuzz/gateway-requests.ts'
import { fuzz } from '../fuzz/send-fuzz.ts'
import { Ordering } from './contracts.ts'
import { openShop, routes } from './system.ts'

describe('random requests', () => {
  test('of a few seeds cause no server error', async () => {
    await using shop = await openShop()
    const target = gatewayTarget(gateway(shop.app, { routes, expose: [Ordering] }).description())
    for (const seed of [1, 2, 3]) {
      const { statuses, findings } = await fuzz(shop.origin, target, {
        random: seededRandom(seed),
        requests: 200,
      })
      assert.deepEqual(findings, [], `seed ${seed}`)
      for (const status of ['200', '202', '400', '404', '405'])
        assert.ok(statuses[status], `seed ${seed} never came to ${status}`)
    }
    assert.deepEqual(shop.broken, [])
    assert.equal((await fetch(`${shop.origin}/openapi.json`)).status, 200)
  })

  test('are reported when the server fails, does not answer, or answers without a problem', async () => {
    await using shop = await openShop()
    const target = gatewayTarget(gateway(shop.app, { routes }).description())
    let count = 0
    const server = createServer((request, response) => {
      count += 1
      if (count % 3 === 0) request.socket.destroy()
      else response.writeHead(count % 3 === 1 ? 500 : 400).end('broken')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { findings } = await fuzz(origin, target, {
      random: seededRandom(1),
      requests: 30,
      width: 1,
    })
    server.closeAllConnections()
    server.close()
    for (const expected of [/^500 broken/, /^no answer/, /^no problem/])
      assert.ok(
        findings.some((finding) => expected.test(finding)),
        String(expected),
      )
  })
})
