// A path that contains all data of a message needs no body.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { command, contract, query } from 'throughline'
import type { Route } from 'throughline/gateway'
import { fetchHandler, gateway, listen, route } from 'throughline/gateway'
import { z } from 'zod'
import { jsonSchemaOf } from '../../src/gateway/routing/schema.ts'

const Id = z.object({ id: z.string() })
const Door = contract(
  'door',
  { key: 'id' },
  {
    Close: command(Id),
    Lock: command(Id.extend({ turns: z.int(), note: z.string().optional() })),
    Toggle: command(
      z.discriminatedUnion('to', [
        Id.extend({ to: z.literal('open') }),
        Id.extend({ to: z.literal('shut'), force: z.int() }),
      ]),
    ),
    Shut: command(Id.meta({ id: 'Shut door' })),
    Look: query(z.object({ id: z.string().optional() }), { answers: z.unknown() }),
  },
)

interface Body {
  readonly required: boolean
  readonly content: { readonly 'application/json': { schema: { $ref: string }; example?: unknown } }
}

/** A gateway with these routes, the messages that it sent, and how it describes a body. */
function opened(routes: readonly Route[]) {
  const sent: unknown[] = []
  const app = {
    ask: async ({ data }: { data: unknown }) => data,
    send: async ({ data }: { data: unknown }) => (sent.push(data), { id: '1', isDuplicate: false }),
    describe: () => ({ contracts: [{ name: 'door', owner: 'door' }] }),
  }
  const handler = gateway(app as never, { routes, expose: [Door.Look] })
  const { paths, components } = handler.description()
  const bodyOf = (path: string, method: string): Body =>
    paths[path]?.[method]?.['requestBody'] as Body
  const schemaOf = (body: Body): unknown =>
    components['schemas']?.[body.content['application/json'].schema.$ref.split('/').at(-1) ?? '']
  return { handler, sent, bodyOf, schemaOf }
}

describe('a path with all data', () => {
  test('needs no body, and an empty body counts as none', async () => {
    const { handler, sent } = opened([
      route.command('DELETE', '/doors/:id', Door.Close),
      route.command('PUT', '/doors/:id', Door.Shut),
    ])
    await using served = await listen([handler], { port: 0 })
    const json = { 'content-type': 'application/json' }
    for (const init of [
      {},
      { headers: json },
      { headers: { 'content-type': 'text/plain' } },
      { headers: json, body: '' },
      { headers: json, body: '{}' },
      { headers: json, body: '{"id":"1"}' },
    ])
      for (const method of ['DELETE', 'PUT']) {
        const answer = await fetch(`${served.url}/doors/1`, { method, ...init })
        assert.equal(answer.status, 202, JSON.stringify(init))
        const asked = new Request('http://x/doors/1', { method, ...init })
        assert.equal((await fetchHandler(handler)(asked)).status, 202, JSON.stringify(init))
      }
    assert.deepEqual(
      sent,
      Array.from({ length: 24 }, () => ({ id: '1' })),
    )
  })

  test('describes its body as optional, without requiring the path parameters', () => {
    const { bodyOf, schemaOf } = opened([
      route.command('DELETE', '/doors/:id', Door.Close),
      route.command('PUT', '/doors/:id', Door.Shut),
      route.command('POST', '/doors/:id/lock', Door.Lock),
      route.command('POST', '/doors/:id/lock/:turns', Door.Lock),
      route.command('POST', '/doors/:id/:to', Door.Toggle),
      route.command('POST', '/locks', Door.Lock),
    ])
    const close = bodyOf('/doors/{id}', 'delete')
    assert.equal(close.required, false)
    const properties = { id: { type: 'string' } }
    assert.deepEqual(schemaOf(close), { type: 'object', properties, required: [] })
    assert.deepEqual(close.content['application/json'].example, {})
    assert.equal(bodyOf('/doors/{id}', 'put').required, false)
    const lock = bodyOf('/doors/{id}/lock', 'post')
    assert.equal(lock.required, true)
    assert.deepEqual((schemaOf(lock) as { required: unknown }).required, ['turns'])
    assert.deepEqual(lock.content['application/json'].example, { turns: 1, note: 'text' })
    assert.equal(bodyOf('/doors/{id}/lock/{turns}', 'post').required, false)
    assert.equal(bodyOf('/doors/{id}/{to}', 'post').required, false)
    const whole = schemaOf(bodyOf('/locks', 'post'))
    assert.deepEqual(whole, jsonSchemaOf(Door.Lock.schema, 'input'))
    assert.equal(bodyOf('/locks', 'post').required, true)
  })

  test('accepts a body that completes an alternative of the message', async () => {
    const { handler, sent } = opened([
      route.command('POST', '/doors/:id/force/:force', Door.Toggle),
    ])
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: '{"to":"shut"}' }
    const answer = await fetchHandler(handler)(new Request('http://x/doors/1/force/2', init))
    assert.equal(answer.status, 202)
    assert.deepEqual(sent, [{ id: '1', to: 'shut', force: 2 }])
  })

  test('needs no parameter if the message may be empty', async () => {
    const { handler, bodyOf } = opened([])
    const ask = fetchHandler(handler)
    const look = await ask(new Request('http://x/messages/door/Look', { method: 'POST' }))
    assert.deepEqual([look.status, await look.json()], [200, {}])
    assert.equal(bodyOf('/messages/door/Look', 'post').required, false)
  })
})
