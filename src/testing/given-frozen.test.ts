import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import type { Message } from '../contract/message.ts'
import { command, event } from '../contract/message.ts'
import { become } from '../rules/effect.ts'
import { entity } from '../rules/entity.ts'
import { projection } from '../rules/projection.ts'
import { tool } from '../rules/rule.ts'
import { saga } from '../rules/saga.ts'
import { given } from './given.ts'

const Data = z.object({ orderId: z.string(), customerId: z.string() })
const Skus = z.object({ customerId: z.string(), skus: z.array(z.string()) })
const Ordering = contract(
  'ordering',
  { key: 'customerId' },
  {
    Place: command(Data),
    Placed: event(Data),
    Reserve: command(Skus),
    Reserved: event(Skus),
  },
)
const o1 = { orderId: 'o-1', customerId: 'c-1' }

describe('a rule that changes its input fails its test:', () => {
  type Lines = { readonly skus: string[] }
  const list = (initial: Lines) =>
    entity(
      'list',
      { of: Ordering, id: 'customerId', initial },
      {
        decide: (on) => [
          on(Ordering.Reserve, (reserve, state) => {
            state.skus.push('changed')
            return Ordering.Reserved(reserve)
          }),
          on(Ordering.Place, (place) =>
            Ordering.Placed(Object.assign(place, { orderId: 'changed' })),
          ),
        ],
        evolve: (on) => [
          on(Ordering.Reserved, ({ skus }, state) => {
            state.skus.push(...skus)
            return state
          }),
          on(Ordering.Placed, () => ({ skus: [] })),
        ],
      },
    )
  const reserve = { customerId: 'c-1', skus: ['a'] }
  const when = (history: Message[], message: Message, initial: Lines = { skus: [] }) => {
    given(list(initial), ...history)
      .when(message)
      .then(Ordering.Reserved(reserve))
  }

  test('the data of its message', () => {
    assert.throws(() => when([], Ordering.Place({ ...o1 })), TypeError)
  })

  test('message data that is frozen only shallowly', () => {
    const data = Object.freeze({ customerId: 'c-1', skus: ['a'] })
    const popping = projection('popping', { by: 'customerId', row: tool<number>() }, (on) => [
      on(Ordering.Reserved, ({ skus }) => skus.push('changed')),
    ])
    const reserved = given(popping).when(Ordering.Reserved(data))
    assert.throws(() => reserved.then({ 'c-1': 2 }), TypeError)
  })

  test('the state after its history', () => {
    assert.throws(() => when([Ordering.Placed(o1)], Ordering.Reserve(reserve)), TypeError)
  })

  test('the initial state, in a decision', () => {
    assert.throws(() => when([], Ordering.Reserve(reserve)), TypeError)
  })

  test('the initial state, in a fold', () => {
    const initial: Lines = { skus: [] }
    assert.throws(() => when([Ordering.Reserved(reserve)], Ordering.Place(o1), initial), TypeError)
    assert.deepEqual(initial, { skus: [] })
  })

  test('the row of a projection', () => {
    const growing = projection('growing', { by: 'customerId', row: tool<Lines>() }, (on) => [
      on(Ordering.Reserved, ({ skus }, row = { skus: [] }) => {
        row.skus.push(...skus)
        return row
      }),
    ])
    const reserved = Ordering.Reserved(reserve)
    given(growing)
      .when(reserved)
      .then({ 'c-1': { skus: ['a'] } })
    assert.throws(() => given(growing, reserved).when(reserved).then({}), TypeError)
  })

  test('the state of a saga', () => {
    const changing = saga(
      'changing',
      { by: 'orderId', initial: { seen: [] as string[] }, sends: [] },
      (on) => [
        on(Ordering.Placed, ({ orderId }, state) => {
          state.seen.push(orderId)
          return become(state)
        }),
      ],
    )
    assert.throws(() => given(changing).when(Ordering.Placed(o1)).then(), TypeError)
  })
})
