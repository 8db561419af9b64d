import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Fault } from '../base/errors/fault.ts'
import type { Envelope } from './envelope.ts'
import { cloudEvent, decodeEnvelope, encodeHead } from './envelope.ts'

const text = fc.string({
  unit: fc.constantFrom('a', '"', '\\', '\n', '\0', 'é', '客', '😀', '\ud800'),
})
const sender = fc.record({ service: text, rule: text, instance: text }, { noNullPrototype: true })
const always = { id: text, type: text, key: text, source: text, correlation: text }
const version = fc.integer({ min: 2, max: 100 })
const trace = { traceparent: text, tracestate: text }
const sometimes = { cause: text, ...trace, undoes: text, sender, version }
const envelopes = fc.record(
  { ...always, at: fc.maxSafeNat(), hops: fc.nat(256), ...sometimes },
  {
    requiredKeys: ['id', 'type', 'key', 'at', 'source', 'correlation', 'hops'],
    noNullPrototype: true,
  },
) as fc.Arbitrary<Envelope>

const plain: Envelope = {
  id: 'm-2',
  type: 'ordering.OrderPlaced',
  key: 'c-1',
  at: Date.UTC(2024, 0, 2, 3, 4, 5, 6),
  source: 'ordering',
  correlation: 'm-1',
  hops: 1,
}

function stored(envelope: Envelope, head: string = encodeHead(envelope)): Stored {
  const { id, type, key, at } = envelope
  return { id, type, key, at, head }
}
type Stored = Parameters<typeof decodeEnvelope>[0]

describe('an envelope', () => {
  test('is the same after it was stored and read', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        assert.deepEqual(decodeEnvelope(stored(envelope)), envelope)
      }),
      { numRuns: 500 },
    )
  })

  test('does not store members with their own column or absent members in the head', () => {
    const head: unknown = JSON.parse(encodeHead({ ...plain, cause: 'm-1' }))
    assert.deepEqual(head, { source: 'ordering', correlation: 'm-1', hops: 1, cause: 'm-1' })
  })

  test('has version 1 by default and only integer versions', () => {
    assert.equal(encodeHead({ ...plain, version: 1 }), encodeHead(plain))
    assert.equal(decodeEnvelope(stored(plain)).version, undefined)
    for (const wrong of ['"2"', '0', '1.5', 'null'])
      assert.throws(
        () => decodeEnvelope(stored(plain, encodeHead(plain).replace('{', `{"version":${wrong},`))),
        /DATA_DAMAGED/,
      )
  })

  test('of a newer version of the package is read with its unknown members', () => {
    const head = JSON.stringify({ ...JSON.parse(encodeHead(plain)), shard: { of: [1, 'x', null] } })
    const { id, source, hops } = decodeEnvelope(stored(plain, head))
    assert.deepEqual({ id, source, hops }, { id: 'm-2', source: 'ordering', hops: 1 })
    const hostile = head.replace('"shard"', '"__proto__"')
    assert.equal(({} as { of?: unknown }).of, undefined)
    assert.equal(decodeEnvelope(stored(plain, hostile)).source, 'ordering')
  })

  test('takes id, type, key and time from the columns', () => {
    const { id, type, key, at } = plain
    const columns = { id: 'other', type: 'other', key: 'other', at: 0 }
    const head = JSON.stringify({ ...JSON.parse(encodeHead(plain)), ...columns })
    const read = decodeEnvelope(stored(plain, head))
    const kept = { id: read.id, type: read.type, key: read.key, at: read.at }
    assert.deepEqual(kept, { id, type, key, at })
  })

  for (const head of ['', '{', 'null', '[]', '"text"', '7', '{"source":1}'])
    test(`with the damaged head ${head || '(empty)'} throws a fault that names the message`, () => {
      assert.throws(
        () => decodeEnvelope(stored(plain, head)),
        (fault) => {
          assert.ok(fault instanceof Fault, `not a Fault but ${String(fault)}`)
          assert.equal(fault.code, 'DATA_DAMAGED')
          assert.ok(Object.values(fault.ids).includes('m-2'))
          return true
        },
      )
    })
})

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

describe('a message as a CloudEvent', () => {
  test('has the attributes of CloudEvents 1.0 and its extensions', () => {
    const data = { orderId: 'o-1' }
    const envelope = { ...plain, cause: 'm-1', traceparent, tracestate: 'a=1' }
    assert.deepEqual(cloudEvent('ordering.events', envelope, data), {
      specversion: '1.0',
      id: 'm-2',
      source: '/ordering/ordering.events',
      type: 'ordering.OrderPlaced',
      time: '2024-01-02T03:04:05.006Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:throughline:message:ordering.OrderPlaced:1',
      data,
      partitionkey: 'c-1',
      correlationid: 'm-1',
      causationid: 'm-1',
      traceparent,
      tracestate: 'a=1',
    })
  })

  test('has a different source per topic, since ids are unique per topic', () => {
    const outside = { ...plain, id: 'order-7', source: 'door' }
    const sources = ['orders.events', 'money.events'].map(
      (topic) => cloudEvent(topic, outside, null).source,
    )
    assert.deepEqual(sources, ['/door/orders.events', '/door/money.events'])
    const odd = cloudEvent('a/b', { ...plain, source: 'c d\ud800' }, null)
    assert.equal(odd.source, '/c%20d%EF%BF%BD/a%2Fb')
  })

  test('does not contain an invalid trace context, also if that was stored', () => {
    const trace = { traceparent: traceparent.replace('00', 'ff'), tracestate: 'a=1' }
    const read = decodeEnvelope(stored(plain, encodeHead({ ...plain, ...trace })))
    const names = Object.keys(cloudEvent('ordering.events', read, null))
    for (const name of Object.keys(trace)) assert.ok(!names.includes(name), name)
  })

  test('names its schema by wire name and version, as a URI', () => {
    const { dataschema } = cloudEvent(
      'ordering.events',
      { ...plain, type: 'ORDER PLACED/2\ud800', version: 3 },
      null,
    )
    assert.equal(dataschema, 'urn:throughline:message:ORDER%20PLACED%2F2%EF%BF%BD:3')
    assert.equal(new URL(dataschema).protocol, 'urn:')
  })

  test('has no attributes for absent members', () => {
    const names = Object.keys(cloudEvent('ordering.events', plain, null))
    for (const name of ['causationid', 'traceparent', 'tracestate'])
      assert.ok(!names.includes(name), name)
  })

  test('has lower-case attribute names only, and is the same after JSON', () => {
    fc.assert(
      fc.property(envelopes, fc.jsonValue(), fc.date({ noInvalidDate: true }), (some, data, at) => {
        const event = cloudEvent('ordering.events', { ...some, at: at.getTime() }, data)
        for (const name of Object.keys(event)) assert.match(name, /^[a-z0-9]{1,20}$/)
        const again = JSON.parse(JSON.stringify(event)) as unknown
        assert.deepEqual(again, { ...event, data: JSON.parse(JSON.stringify(data)) as unknown })
      }),
    )
  })
})
