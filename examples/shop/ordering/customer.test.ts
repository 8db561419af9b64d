import { describe, test } from 'node:test'
import { refuse } from 'throughline'
import { given } from 'throughline/testing'
import type { Goods, OrderLine, ReturnedLine } from '../contracts.ts'
import { Ordering } from '../contracts.ts'
import { customer } from './customer.ts'
import { valueOf } from './return-lines.ts'

type Line = [sku: string, quantity: number, unitPriceCents: number]

const customerId = 'c:17850'
const bought = (lines: readonly Line[]): OrderLine[] =>
  lines.map(([sku, quantity, unitPriceCents]) => ({ sku, quantity, unitPriceCents }))
const goods = (...lines: [sku: string, quantity: number][]): Goods[] =>
  lines.map(([sku, quantity]) => ({ sku, quantity }))

const confirmed = (orderId: string, ...lines: Line[]) => {
  const order = { orderId, customerId, country: 'EIRE', lines: bought(lines) }
  return Ordering.OrderConfirmed({ ...order, totalCents: valueOf(order.lines) })
}
const complete = (orderId: string) => Ordering.CompleteOrder({ orderId, customerId })
const completed = (orderId: string) => Ordering.OrderCompleted({ orderId, customerId })
const rollBack = (orderId: string, reason = 'out-of-stock') =>
  Ordering.RollBackOrder({ orderId, customerId, reason })
const rolledBack = (orderId: string, reason = 'out-of-stock') =>
  Ordering.OrderRolledBack({ orderId, customerId, reason })
const giveBack = (returnId: string, lines: Goods[]) =>
  Ordering.ReturnGoods({ returnId, customerId, lines })
const parked = (returnId: string, lines: Goods[]) =>
  Ordering.ReturnParked({ returnId, customerId, lines })
const accepted = (returnId: string, ...drawn: [orderId: string, ...Line][]) => {
  const lines = drawn.map(([orderId, sku, quantity, unitPriceCents]): ReturnedLine => {
    return { orderId, sku, quantity, unitPriceCents }
  })
  return Ordering.ReturnAccepted({ returnId, customerId, lines, refundCents: valueOf(lines) })
}
const declined = (returnId: string) =>
  Ordering.ReturnDeclined({ returnId, customerId, reason: 'nothing-to-return' })
const returned = (returnId: string) => Ordering.ReturnCompleted({ returnId, customerId })

describe('an order of a customer', () => {
  test('settles once, by completion or rollback', () => {
    given(customer, confirmed('1', ['A', 1, 100]))
      .when(complete('1'))
      .then(completed('1'))
    given(customer, confirmed('1', ['A', 1, 100]))
      .when(rollBack('1'))
      .then(rolledBack('1'))
    for (const end of [completed('1'), rolledBack('1')]) {
      const history = [confirmed('1', ['A', 1, 100]), end]
      given(customer, ...history)
        .when(complete('1'))
        .then(refuse('not-open'))
      given(customer, ...history)
        .when(rollBack('1'))
        .then(refuse('not-open'))
    }
  })

  test('must have been confirmed', () => {
    given(customer).when(complete('1')).then(refuse('not-open'))
    given(customer).when(rollBack('1')).then(refuse('not-open'))
  })

  test('is rolled back with the given reason', () => {
    for (const reason of ['payment-limit', 'not-served', 'out-of-stock'])
      given(customer, confirmed('1', ['A', 1, 100]))
        .when(rollBack('1', reason))
        .then(rolledBack('1', reason))
  })
})

describe('a return without earlier open invoices is decided immediately', () => {
  const history = [
    confirmed('1', ['A', 5, 100], ['B', 1, 10]),
    confirmed('2', ['A', 2, 90], ['POST', 1, 1_800], ['A', 3, 80]),
    completed('2'),
    completed('1'),
  ]

  test('newest order first, last line first, at the price paid, whichever settled first', () => {
    given(customer, ...history)
      .when(giveBack('C3', goods(['A', 6])))
      .then(accepted('C3', ['2', 'A', 3, 80], ['2', 'A', 2, 90], ['1', 'A', 1, 100]))
  })

  test('charges are returned like goods', () => {
    given(customer, ...history)
      .when(giveBack('C3', goods(['POST', 1])))
      .then(accepted('C3', ['2', 'POST', 1, 1_800]))
  })

  test('all of it or nothing', () => {
    const no = refuse('nothing-to-return')
    given(customer, ...history)
      .when(giveBack('C3', goods(['A', 11])))
      .then(no)
    given(customer, ...history)
      .when(giveBack('C3', goods(['A', 1], ['B', 2])))
      .then(no)
    given(customer, ...history)
      .when(giveBack('C3', goods(['B', 1], ['D', 1])))
      .then(no)
    given(customer)
      .when(giveBack('C3', goods(['A', 1])))
      .then(no)
  })

  test('repeated lines of a product add up', () => {
    given(customer, ...history)
      .when(giveBack('C3', goods(['A', 1], ['B', 1], ['A', 1])))
      .then(accepted('C3', ['2', 'A', 2, 80], ['1', 'B', 1, 10]))
    given(customer, ...history)
      .when(giveBack('C3', goods(['A', 10], ['A', 1])))
      .then(refuse('nothing-to-return'))
  })

  test('codes that differ only by case are different products', () => {
    const before = [confirmed('1', ['85123A', 1, 255], ['85123a', 1, 295]), completed('1')]
    given(customer, ...before)
      .when(giveBack('C2', goods(['85123a', 1])))
      .then(accepted('C2', ['1', '85123a', 1, 295]))
    given(customer, ...before)
      .when(giveBack('C2', goods(['85123a', 2])))
      .then(refuse('nothing-to-return'))
  })

  test('no piece is returned twice', () => {
    const taken = [accepted('C3', ['2', 'A', 3, 80], ['2', 'A', 1, 90]), returned('C3')]
    given(customer, ...history, ...taken)
      .when(giveBack('C4', goods(['A', 2])))
      .then(accepted('C4', ['2', 'A', 1, 90], ['1', 'A', 1, 100]))
    given(customer, ...history, ...taken)
      .when(giveBack('C4', goods(['A', 7])))
      .then(refuse('nothing-to-return'))
  })

  test('an order that was rolled back has nothing to return', () => {
    given(customer, confirmed('1', ['A', 5, 100]), rolledBack('1'))
      .when(giveBack('C2', goods(['A', 1])))
      .then(refuse('nothing-to-return'))
  })

  test('a return is accepted once', () => {
    const again = giveBack('C3', goods(['A', 1]))
    const no = refuse('already-returned')
    const taken = accepted('C3', ['2', 'A', 1, 80])
    given(customer, ...history, taken)
      .when(again)
      .then(no)
    given(customer, ...history, taken, returned('C3'))
      .when(again)
      .then(no)
    const waiting = [confirmed('1', ['A', 5, 100]), parked('C3', goods(['A', 1]))]
    given(customer, ...waiting)
      .when(again)
      .then(no)
    given(customer, ...waiting, rolledBack('1'), declined('C3'))
      .when(again)
      .then(no)
  })

  test('a return without a customer is refused', () => {
    given(customer)
      .when(Ordering.ReturnGoods({ returnId: 'C3', customerId: 'g:C3', lines: goods(['A', 1]) }))
      .then(refuse('no-customer'))
  })

  test('a customer whose number looks like a guest key is not a guest', () => {
    const odd = 'c:g:1'
    const lines = bought([['A', 1, 100]])
    const order = { orderId: '1', customerId: odd }
    given(
      customer,
      Ordering.OrderConfirmed({ ...order, country: 'EIRE', lines, totalCents: 100 }),
      Ordering.OrderCompleted(order),
    )
      .when(Ordering.ReturnGoods({ returnId: 'C3', customerId: odd, lines: goods(['A', 1]) }))
      .then(
        Ordering.ReturnAccepted({
          returnId: 'C3',
          customerId: odd,
          lines: lines.map((line) => ({ ...line, orderId: '1' })),
          refundCents: 100,
        }),
      )
  })
})

describe('a return waits for every earlier invoice', () => {
  const two = [confirmed('1', ['A', 5, 100]), confirmed('2', ['A', 2, 90])]
  const one = goods(['A', 1])
  const waiting = [...two, parked('C3', goods(['A', 3]))]
  const drawn = accepted('C3', ['2', 'A', 2, 90], ['1', 'A', 1, 100])

  test('and is parked until then', () => {
    given(customer, ...two)
      .when(giveBack('C3', one))
      .then(parked('C3', one))
    given(customer, ...two, completed('1'))
      .when(giveBack('C3', one))
      .then(parked('C3', one))
    given(customer, ...two, completed('2'))
      .when(giveBack('C3', one))
      .then(parked('C3', one))
  })

  test('also if it can never be covered', () => {
    const lines = goods(['D', 1])
    given(customer, ...two)
      .when(giveBack('C3', lines))
      .then(parked('C3', lines))
  })

  test('the command that settles the last of them decides it, in either order', () => {
    given(customer, ...waiting)
      .when(complete('1'))
      .then(completed('1'))
    given(customer, ...waiting)
      .when(complete('2'))
      .then(completed('2'))
    given(customer, ...waiting, completed('1'))
      .when(complete('2'))
      .then(completed('2'), drawn)
    given(customer, ...waiting, completed('2'))
      .when(complete('1'))
      .then(completed('1'), drawn)
  })

  test('a rollback decides it, too, from the orders that have settled', () => {
    given(customer, ...waiting, completed('1'))
      .when(rollBack('2'))
      .then(rolledBack('2'), accepted('C3', ['1', 'A', 3, 100]))
    given(customer, ...waiting, completed('2'))
      .when(rollBack('1'))
      .then(rolledBack('1'), declined('C3'))
  })

  test('it neither waits for later orders nor takes from them', () => {
    const later = [...waiting, confirmed('4', ['A', 9, 70])]
    given(customer, ...later, completed('2'))
      .when(complete('1'))
      .then(completed('1'), drawn)
    const first = [...later, completed('4'), completed('2')]
    given(customer, ...first)
      .when(complete('1'))
      .then(completed('1'), drawn)
    given(customer, ...first)
      .when(rollBack('1'))
      .then(rolledBack('1'), declined('C3'))
  })

  test('a later order settles without deciding it', () => {
    const later = [...waiting, confirmed('4', ['A', 9, 70])]
    given(customer, ...later)
      .when(complete('4'))
      .then(completed('4'))
    given(customer, ...later)
      .when(rollBack('4'))
      .then(rolledBack('4'))
  })

  test('a return waits for an earlier return, too, until that is completed', () => {
    const settled = [...waiting, completed('1'), completed('2'), drawn]
    const lines = goods(['A', 4])
    given(customer, ...settled)
      .when(giveBack('C5', lines))
      .then(parked('C5', lines))
    given(customer, ...settled, parked('C5', lines))
      .when(Ordering.CompleteReturn({ returnId: 'C3', customerId }))
      .then(returned('C3'), accepted('C5', ['1', 'A', 4, 100]))
  })

  test('of several parked returns, all are declined up to the first that is accepted', () => {
    const parkedReturns = [
      parked('C3', goods(['A', 8])),
      parked('C4', goods(['D', 1])),
      parked('C5', goods(['A', 7])),
      parked('C6', goods(['A', 1])),
    ]
    const history = [...two, ...parkedReturns, completed('1')]
    const whole = accepted('C5', ['2', 'A', 2, 90], ['1', 'A', 5, 100])
    given(customer, ...history)
      .when(complete('2'))
      .then(completed('2'), declined('C3'), declined('C4'), whole)
    given(customer, ...history, completed('2'), declined('C3'), declined('C4'), whole)
      .when(Ordering.CompleteReturn({ returnId: 'C5', customerId }))
      .then(returned('C5'), declined('C6'))
  })

  test('a parked return delays a later one, although the order of that has settled', () => {
    const history = [...two, completed('2'), parked('C3', goods(['A', 1]))]
    given(customer, ...history)
      .when(giveBack('C4', one))
      .then(parked('C4', one))
  })

  test('a return is completed once, and only if it was accepted', () => {
    const complete = Ordering.CompleteReturn({ returnId: 'C3', customerId })
    const settled = [...waiting, completed('1'), completed('2'), drawn]
    given(customer, ...settled)
      .when(complete)
      .then(returned('C3'))
    given(customer, ...settled, returned('C3'))
      .when(complete)
      .then(refuse('not-open'))
    given(customer, ...waiting)
      .when(complete)
      .then(refuse('not-open'))
    given(customer).when(complete).then(refuse('not-open'))
  })
})
