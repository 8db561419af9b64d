import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '../base/time/clock.ts'
import type { HttpHandler } from './handler.ts'
import { fetchHandler, firstResponse } from './handler.ts'
import { json } from './response.ts'
import { routes } from './routes.ts'
import type { StreamEvent } from './stream.ts'
import { eventStream } from './stream.ts'

async function* never(): AsyncGenerator<StreamEvent> {
  assert.fail('a HEAD request must not start the stream')
  yield { data: '' }
}

const stream = (signal: AbortSignal): Response =>
  eventStream(never(), { clock: systemClock(), signal })
const handler = routes([
  { method: 'GET', path: '/orders/:id', run: async ({ params }) => json(200, { ...params }) },
  { method: 'PUT', path: '/orders/:id', run: async () => json(200, 'put') },
  { method: 'GET', path: '/orders/new', run: async () => json(200, 'new') },
  { method: 'GET', path: '/stream', run: async ({ request }) => stream(request.signal) },
])
const fetched = fetchHandler(handler)
const ask = (method: string, path: string) => fetched(new Request(`http://x${path}`, { method }))

describe('routes', () => {
  test('match method and path, static parts before parameters, and decode parameters', async () => {
    assert.deepEqual(await (await ask('GET', '/orders/a%2Fb%20%C3%A4')).json(), { id: 'a/b ä' })
    assert.deepEqual(await (await ask('GET', '/orders/new')).json(), 'new')
    assert.deepEqual(await (await ask('PUT', '/orders/new')).json(), 'put')
  })

  test('pass unknown and invalid paths to the next handler', async () => {
    const paths = [
      '/',
      '/order',
      '/orders',
      '/orders/a/b',
      '/orders/%zz',
      `/orders/${'a'.repeat(2_000)}`,
    ]
    for (const path of paths) assert.equal((await ask('GET', path)).status, 404, path)
    const mine = routes([{ method: 'GET', path: '/mine', run: async () => json(200, 1) }])
    const chain: HttpHandler = (request) => firstResponse([handler, mine], request)
    assert.equal((await fetchHandler(chain)(new Request('http://x/mine'))).status, 200)
  })

  test('answer an unsupported method with the supported ones', async () => {
    for (const method of ['POST', 'DELETE', 'PROPFIND']) {
      const answer = await ask(method, '/orders/1')
      assert.equal(answer.status, 405)
      assert.equal(answer.headers.get('allow'), 'GET, PUT, HEAD, OPTIONS')
      assert.equal(((await answer.json()) as { code: string }).code, 'METHOD_NOT_ALLOWED')
    }
    const options = await ask('OPTIONS', '/orders/1')
    assert.deepEqual(
      [options.status, options.headers.get('allow')],
      [204, 'GET, PUT, HEAD, OPTIONS'],
    )
  })

  test('answer HEAD like GET without the body', async () => {
    const answer = await ask('HEAD', '/orders/ä')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-length'), String('{"id":"ä"}'.length + 1))
    assert.equal(await answer.text(), '')
    assert.equal(await (await ask('HEAD', '/stream')).text(), '')
  })
})
