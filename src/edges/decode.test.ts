import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { command } from '../contract/message.ts'
import { refuse } from '../rules/effect.ts'
import { decodeDelivery } from './decode.ts'
import { edge } from './edge.ts'

const Orders = contract(
  'orders',
  { key: 'orderId' },
  {
    Place: command(z.object({ orderId: z.string() })),
    Cancel: command(z.object({ orderId: z.string() })),
  },
)
const Body = z.object({ id: z.string(), kind: z.literal('place') })

const partner = edge(
  'partner',
  { system: 'PARTNER', service: 'ORDERS', bodyBytesMax: 100 },
  {
    receives: (on) => [
      on(Orders.Place, { topic: 'IN', body: Body, id: ({ id }) => id }, ({ id }) => {
        if (id === 'no') return refuse('unwanted', ['not today'])
        if (id === 'bug') throw new TypeError('of the decoder')
        return { orderId: id }
      }),
      on(
        Orders.Cancel,
        {
          topic: 'IN',
          body: Body.extend({ kind: z.literal('cancel') }),
          id: ({ id }) => `c-${id}`,
        },
        ({ id }, { headers }) => ({ orderId: headers?.['order'] ?? id }),
      ),
    ],
  },
)

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (body: string | Uint8Array, headers = {}) =>
  decodeDelivery(partner, {
    topic: 'IN',
    body: typeof body === 'string' ? bytes(body) : body,
    headers,
  })
const codeOf = (body: string | Uint8Array): string => {
  const { result } = decode(body)
  return result.status === 'rejected' ? result.code : result.status
}

suite('a received body', () => {
  test('becomes a message, and is recorded as it was', () => {
    const body = '{ "kind": "place", "id": "o-1" }'
    const { record, result } = decode(body)
    const { recordId, ...rest } = record
    assert.match(recordId, /^in:[0-9a-f]{32}$/)
    assert.deepEqual(rest, {
      eventId: 'o-1',
      direction: 'in',
      topic: 'IN',
      source: 'PARTNER',
      target: 'ORDERS',
      body,
    })
    assert.deepEqual(result, { status: 'message', message: Orders.Place({ orderId: 'o-1' }) })
  })

  test('is taken by the first rule whose schema fits', () => {
    const { record, result } = decode('{"kind":"cancel","id":"x"}', { order: 'o-2' })
    assert.equal(record.eventId, 'c-x')
    assert.deepEqual(result, { status: 'message', message: Orders.Cancel({ orderId: 'o-2' }) })
  })

  test('has one record however often it comes, and another one for another body', () => {
    const id = (body: string): string => decode(body).record.recordId
    assert.equal(id('{"kind":"place","id":"a"}'), id('{"kind":"place","id":"a"}'))
    assert.notEqual(id('{"kind":"place","id":"a"}'), id('{"kind":"place", "id":"a"}'))
  })

  test('is rejected with a code for each reason', () => {
    assert.equal(codeOf('{"kind":'), 'BODY_INVALID')
    assert.equal(codeOf(new Uint8Array([0xff, 0xfe])), 'BODY_INVALID')
    assert.equal(codeOf('{"kind":"other","id":"a"}'), 'BODY_INVALID')
    assert.equal(codeOf('{"kind":"place","id":"a","__proto__":{}}'), 'BODY_INVALID')
    assert.equal(codeOf(`{"kind":"place","id":"${'a'.repeat(90)}"}`), 'BODY_TOO_LARGE')
    assert.equal(codeOf('{"kind":"place","id":""}'), 'ID_INVALID')
    assert.equal(codeOf('{"kind":"place","id":"no"}'), 'unwanted')
    assert.equal(codeOf('{"kind":"place","id":"bug"}'), 'DECODE_FAILED')
  })

  test('has a hash for its id where that cannot be read, and its own id where it can', () => {
    assert.match(decode('?').record.eventId, /^sha256:[0-9a-f]{32}$/)
    assert.equal(decode('{"kind":"place","id":"no"}').record.eventId, 'no')
  })

  test('is recorded in base64 where it is no plain text, and cut where it is too large', () => {
    assert.deepEqual(encodingOf(new Uint8Array([0xff, 0x00])), ['/wA=', 'base64'])
    assert.deepEqual(encodingOf(bytes('a\u0000b')), ['YQBi', 'base64'])
    assert.deepEqual(encodingOf(bytes('\ufeff{}')), ['77u/e30=', 'base64'])
    assert.deepEqual(encodingOf(bytes('é\n\t"')), ['é\n\t"', undefined])
    const { cut, body } = decode('x'.repeat(5_000)).record
    assert.equal(body, 'x'.repeat(4_096))
    assert.equal(cut?.bytes, 5_000)
    assert.equal(cut?.sha256.length, 64)
  })
})

const encodingOf = (body: Uint8Array): unknown[] => {
  const { record } = decode(body)
  return [record.body, record.encoding]
}
