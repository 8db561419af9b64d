// Each misuse below is a type error; a directive that is not needed is itself an error.
import { z } from 'zod'
import { client, reject, route } from 'throughline/gateway'
import type * as contracts from './contracts.ts'
import { Ordering } from './contracts.ts'

// What is right stays right.
route.command('POST', '/a/:orderId/b/:customerId', Ordering.CloseOrder, {
  map: ({ params: { orderId, customerId } }) => ({ orderId, customerId }),
})
route.command('POST', '/a', Ordering.CloseOrder, { map: () => reject([]) })
route.command('POST', '/a', Ordering.CloseOrder, {
  body: z.object({ id: z.string() }),
  map: ({ body, id }) => ({ orderId: body.id, customerId: id }),
  example: { id: 'o-1' },
})
route.query('GET', '/a', Ordering.FindOrder, {
  map: ({ query }) => ({ orderId: query.get('id') ?? '' }),
})

route.command('POST', '/a', Ordering.CloseOrder, {
  // @ts-expect-error Data that is not the message's.
  map: () => ({ orderId: 1, customerId: '' }),
})

route.command('POST', '/a/:orderId', Ordering.CloseOrder, {
  // @ts-expect-error A parameter that the path does not have.
  map: ({ params }) => ({ orderId: params.order, customerId: '' }),
})

route.command('POST', '/a', Ordering.CloseOrder, {
  body: z.object({ id: z.string() }),
  // @ts-expect-error A member that the body's schema does not have.
  map: ({ body }) => ({ orderId: body.orderId, customerId: '' }),
})

route.command('POST', '/a', Ordering.CloseOrder, {
  body: z.object({ id: z.string() }),
  map: ({ body }) => ({ orderId: body.id, customerId: '' }),
  // @ts-expect-error An example that does not match the body's schema.
  example: { id: 1 },
})

route.command('POST', '/a', Ordering.CloseOrder, {
  // @ts-expect-error The body is unknown without a schema.
  map: ({ body }) => ({ orderId: body.id, customerId: '' }),
})

// @ts-expect-error A query is not a command.
route.command('POST', '/a', Ordering.FindOrder)

// @ts-expect-error A command is not a query.
route.query('GET', '/a', Ordering.CloseOrder)

// @ts-expect-error An event is neither.
route.command('POST', '/a', Ordering.OrderPlaced)

// @ts-expect-error GET has no effect, so it cannot send a command.
route.command('GET', '/a', Ordering.CloseOrder)

const { ordering } = client<typeof contracts>('http://127.0.0.1:4500')

export async function calls(): Promise<unknown> {
  const operation = await ordering.placeOrder({
    orderId: '',
    customerId: '',
    lines: [],
    isGift: true,
  })
  const settled = await operation.settled()
  if (settled.status === 'refused' && 'code' in settled) {
    const code: 'already-placed' | 'too-many' = settled.code
    return code
  }
  const found = await ordering.findOrder({ orderId: '' })
  const quantity: number | undefined = found?.quantity

  // @ts-expect-error Data that is not the message's.
  await ordering.closeOrder({ orderId: '' })

  // @ts-expect-error A message that the contract does not have.
  await ordering.openOrder({})

  // @ts-expect-error An event cannot be called.
  await ordering.orderPlaced({})

  // @ts-expect-error The answer may be null.
  const is: string = found.is

  // @ts-expect-error A contract that the module does not export.
  const none: unknown = client<typeof contracts>('http://127.0.0.1:4500').delivery

  return [quantity, is, none]
}
