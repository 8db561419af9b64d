// The saga of a return: once the return is accepted, refund the payment and restock the goods in
// parallel. A parked return starts an instance, too, so that its operation settles with the return.
import { become, finish, saga, send } from 'throughline'
import type { ReturnedLine } from '../contracts.ts'
import { Inventory, Ordering, Payment } from '../contracts.ts'
import { goodsOf } from './fulfilment.ts'
import { valueOf } from './return-lines.ts'

type Returning =
  | { status: 'new' }
  | { status: 'parked' }
  | { status: 'taking-back'; answers: number }

interface AReturn {
  readonly returnId: string
  readonly customerId: string
}

/** The amount to refund for each order. */
function refundsOf(lines: readonly ReturnedLine[]): { orderId: string; amountCents: number }[] {
  const orders = new Set(lines.map(({ orderId }) => orderId))
  return [...orders].map((orderId) => {
    const amountCents = valueOf(lines.filter((line) => line.orderId === orderId))
    return { orderId, amountCents }
  })
}

const both = 2

function answered({ returnId, customerId }: AReturn, state: Returning) {
  if (state.status !== 'taking-back') return []
  const answers = state.answers + 1
  const next = become({ status: 'taking-back' as const, answers })
  return answers === both ? [next, send(Ordering.CompleteReturn({ returnId, customerId }))] : next
}

export const returning = saga(
  'returning',
  {
    by: 'returnId',
    initial: { status: 'new' } as Returning,
    sends: [Payment.RefundPayment, Inventory.RestockInventory, Ordering.CompleteReturn],
  },
  (on) => [
    on(Ordering.ReturnParked, () => become({ status: 'parked' })),
    on(Ordering.ReturnAccepted, ({ returnId, customerId, lines }) => [
      become({ status: 'taking-back', answers: 0 }),
      send(Payment.RefundPayment({ returnId, customerId, refunds: refundsOf(lines) })),
      send(Inventory.RestockInventory({ returnId, customerId, lines: goodsOf(lines) })),
    ]),
    on(Payment.PaymentRefunded, answered),
    on(Inventory.InventoryRestocked, answered),
    on(Ordering.ReturnCompleted, () => finish({ status: 'returned' })),
    on(Ordering.ReturnDeclined, ({ reason }) => finish({ status: 'declined', reason })),
  ],
)
