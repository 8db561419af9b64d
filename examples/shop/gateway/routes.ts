// The HTTP routes of the shop.
import type { Route } from 'throughline/gateway'
import { route } from 'throughline/gateway'
import { Account, Delivery, Inventory, Ordering } from '../contracts.ts'
import { OrderBody, ReturnBody, orderOf, returnOf } from './bodies.ts'

/** Accepts `17850` and `c:17850` for a customer, and the key of a guest. */
const customerOf = ({ params }: { params: { customerId: string } }): { customerId: string } => {
  const { customerId } = params
  return { customerId: /^[cg]:/.test(customerId) ? customerId : `c:${customerId}` }
}

export const routes: readonly Route[] = [
  route.command('POST', '/orders', Ordering.ConfirmOrder, {
    summary: 'Place an order',
    body: OrderBody,
    map: orderOf,
    example: {
      customerId: '17850',
      country: 'United Kingdom',
      lines: [{ sku: '85123A', quantity: 6, unitPrice: 2.55 }],
    },
  }),
  route.command('POST', '/returns', Ordering.ReturnGoods, {
    summary: 'Send goods back',
    body: ReturnBody,
    map: returnOf,
    example: { customerId: '17850', lines: [{ sku: '85123A', quantity: 2 }] },
  }),
  route.query('GET', '/orders/:orderId', Ordering.FindOrder, {
    summary: 'Where an order or a return stands',
  }),
  route.query('GET', '/customers/:customerId/orders', Ordering.ListOrders, {
    summary: "A customer's orders and returns",
    map: customerOf,
  }),
  route.query('GET', '/accounts/:customerId', Account.FindAccount, {
    summary: 'What a customer ordered, paid and got back',
    map: customerOf,
  }),
  route.query('GET', '/stock/:sku', Inventory.FindStock, { summary: 'Pieces of one product' }),
  route.query('GET', '/deliveries/:orderId', Delivery.FindDelivery, {
    summary: 'The drop of an order',
  }),
]
