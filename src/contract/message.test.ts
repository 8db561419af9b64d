import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { contract } from './contract.ts'
import { command, event, query } from './message.ts'

const Data = z.object({ orderId: z.string(), customerId: z.string() })
const Ordering = contract(
  'ordering',
  { key: 'customerId' },
  {
    PlaceOrder: command(Data, { refuses: ['already-placed'], aliases: ['PLACE_ORDER'] }),
    OrderPlaced: event(Data, { wire: 'ORDER_PLACED' }),
    FindOrders: query(z.object({}), { answers: z.array(z.string()) }),
  },
)
const data = { orderId: 'o-1', customerId: 'c-1' }

describe('a message type', () => {
  test('creates messages with contract, name and kind', () => {
    const place = Ordering.PlaceOrder(data)
    assert.deepEqual(place, { contract: 'ordering', name: 'PlaceOrder', kind: 'command', data })
    assert.equal(Ordering.OrderPlaced(data).kind, 'event')
    assert.equal(Ordering.FindOrders({}).kind, 'query')
  })

  test('creates frozen messages', () => {
    const place = Ordering.PlaceOrder(data)
    assert.ok(Object.isFrozen(place))
    assert.throws(() => Object.assign(place, { name: 'CancelOrder' }), TypeError)
  })

  test('has its name, kind, schema and wire name', () => {
    const { name, kind, contract: of, schema, wire, aliases } = Ordering.PlaceOrder
    assert.deepEqual([of, name, kind], ['ordering', 'PlaceOrder', 'command'])
    assert.equal(schema, Data)
    assert.deepEqual([wire, aliases], ['ordering.PlaceOrder', ['PLACE_ORDER']])
    assert.deepEqual(
      [Ordering.OrderPlaced.wire, Ordering.OrderPlaced.aliases],
      ['ORDER_PLACED', []],
    )
  })

  test('of a command has its refusal codes', () => {
    const { refuses, refused } = Ordering.PlaceOrder
    assert.deepEqual(refuses, ['already-placed'])
    assert.deepEqual([refused.name, refused.kind], ['PlaceOrderRefused', 'refusal'])
    assert.equal(refused.wire, 'ordering.PlaceOrderRefused')
    const no = { code: 'already-placed', issues: [], command: data }
    assert.deepEqual(refused(no), {
      contract: 'ordering',
      name: 'PlaceOrderRefused',
      kind: 'refusal',
      data: no,
    })
  })

  test('of a query has the schema of its answer', () => {
    assert.ok('~standard' in Ordering.FindOrders.answers)
  })
})

describe('what a contract declares', () => {
  test('is plain data, whatever else the options hold', () => {
    const sneaky = { kind: 'query', wire: 'W' } as const
    assert.deepEqual(event(Data, sneaky), { kind: 'event', schema: Data, upcasters: [], wire: 'W' })
    assert.equal(command(Data, sneaky).kind, 'command')
    const plain = { kind: 'command', schema: Data, upcasters: [], refuses: [], refusal: {} }
    assert.deepEqual(command(Data), plain)
    const answers = z.string()
    assert.deepEqual(query(Data, { answers }), { kind: 'query', schema: Data, answers })
  })

  test('of a refusal may have a wire name of its own', () => {
    const { Do } = contract(
      'kept',
      { key: 'customerId' },
      {
        Do: command(Data, { refusal: { wire: 'DO_ERROR', aliases: ['DO_NO'] } }),
      },
    )
    assert.deepEqual([Do.refused.wire, Do.refused.aliases], ['DO_ERROR', ['DO_NO']])
  })
})
