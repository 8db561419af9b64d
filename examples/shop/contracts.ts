// The messages of the five services. The customer is the key of every message, so that each customer's
// messages stay in order in every topic. The key of a guest's order is the order itself.
import { command, contract, event, query } from 'throughline'
import { z } from 'zod'
import { names } from './wire-names.ts'

const Id = z.string().min(1).max(64)
const Key = z.string().min(1).max(80)
const Cents = z.int().min(0)
const Pieces = z.int().min(1)
/** The number by which the payment provider knows a card; the provider checks it. */
const Card = z.string().min(1).max(64)

/** One line of an order. */
const OrderLine = z.object({ sku: Id, quantity: Pieces, unitPriceCents: z.int().min(1) })
/** Pieces of one product. */
const Goods = z.object({ sku: Id, quantity: Pieces })
/** Pieces that are returned, with the order that they were bought in and the price that was paid. */
const ReturnedLine = OrderLine.extend({ orderId: Id })
/** The amount that is refunded for one order. */
const Refund = z.object({ orderId: Id, amountCents: Cents })
const Complaint = z.object({ line: z.int(), reason: z.string(), message: z.string() })

/** An order or a return, as a query answers it. */
const AnInvoice = z.object({
  orderId: z.string(),
  customerId: z.string(),
  kind: z.enum(['order', 'return']),
  status: z.string(),
  reason: z.string().nullable(),
  standingCents: z.int(),
})

const anOrder = { orderId: Id, customerId: Key }
const aReturn = { returnId: Id, customerId: Key }

export type OrderLine = z.infer<typeof OrderLine>
export type Goods = z.infer<typeof Goods>
export type Refund = z.infer<typeof Refund>
export type ReturnedLine = z.infer<typeof ReturnedLine>

export const Ordering = contract(
  'ordering',
  { key: 'customerId' },
  {
    ConfirmOrder: command(
      z.object({
        ...anOrder,
        country: z.string().max(64),
        lines: z.array(OrderLine).min(1),
        card: Card.optional(),
      }),
      { ...names.ConfirmOrder, refuses: ['already-confirmed'] },
    ),
    OrderConfirmed: event(
      z.object({
        ...anOrder,
        country: z.string(),
        lines: z.array(OrderLine),
        totalCents: Cents,
        card: Card.optional(),
      }),
      names.OrderConfirmed,
    ),
    CompleteOrder: command(z.object(anOrder), { ...names.CompleteOrder, refuses: ['not-open'] }),
    OrderCompleted: event(z.object(anOrder), names.OrderCompleted),
    RollBackOrder: command(z.object({ ...anOrder, reason: z.string() }), {
      ...names.RollBackOrder,
      refuses: ['not-open'],
    }),
    OrderRolledBack: event(z.object({ ...anOrder, reason: z.string() }), names.OrderRolledBack),

    RejectInvoice: command(
      z.object({
        invoiceId: Id,
        customerId: Key,
        reason: z.string(),
        complaints: z.array(Complaint),
      }),
      { ...names.RejectInvoice, refuses: ['already-rejected'] },
    ),
    InvoiceRejected: event(
      z.object({
        invoiceId: Id,
        customerId: Key,
        reason: z.string(),
        complaints: z.array(Complaint),
      }),
      names.InvoiceRejected,
    ),

    ReturnGoods: command(z.object({ ...aReturn, lines: z.array(Goods).min(1) }), {
      ...names.ReturnGoods,
      refuses: ['no-customer', 'nothing-to-return', 'already-returned'],
    }),
    ReturnParked: event(z.object({ ...aReturn, lines: z.array(Goods) }), names.ReturnParked),
    ReturnAccepted: event(
      z.object({ ...aReturn, lines: z.array(ReturnedLine), refundCents: Cents }),
      names.ReturnAccepted,
    ),
    ReturnDeclined: event(z.object({ ...aReturn, reason: z.string() }), names.ReturnDeclined),
    CompleteReturn: command(z.object(aReturn), { ...names.CompleteReturn, refuses: ['not-open'] }),
    ReturnCompleted: event(z.object(aReturn), names.ReturnCompleted),

    FindOrder: query(z.object({ orderId: Id }), { answers: AnInvoice.nullable() }),
    ListOrders: query(z.object({ customerId: Key }), {
      answers: z.object({ customerId: z.string(), orders: z.array(AnInvoice) }),
    }),
    ListInvoices: query(z.object({ after: Id.optional() }), {
      answers: z.object({ invoiceIds: z.array(z.string()), after: z.string().optional() }),
    }),
    CountInvoices: query(z.object({}), {
      answers: z.object({
        accepted: z.int(),
        refused: z.record(z.string(), z.int()),
        completed: z.int(),
        rolledBack: z.record(z.string(), z.int()),
        returned: z.int(),
        standingCents: z.int(),
      }),
    }),
  },
)

export const Payment = contract(
  'payment',
  { key: 'customerId' },
  {
    ChargePayment: command(z.object({ ...anOrder, amountCents: Cents, card: Card.optional() }), {
      ...names.ChargePayment,
      refuses: ['payment-limit', 'already-charged', 'no-card'],
    }),
    PaymentRequested: event(
      z.object({ ...anOrder, amountCents: Cents, card: Card }),
      names.PaymentRequested,
    ),
    ConfirmPayment: command(z.object({ ...anOrder, amountCents: Cents, paymentId: Id }), {
      ...names.ConfirmPayment,
      refuses: ['not-requested', 'already-charged'],
    }),
    PaymentCharged: event(z.object({ ...anOrder, amountCents: Cents }), names.PaymentCharged),
    RollBackPayment: command(z.object(anOrder), {
      ...names.RollBackPayment,
      refuses: ['not-charged'],
    }),
    PaymentRolledBack: event(z.object({ ...anOrder, amountCents: Cents }), names.PaymentRolledBack),
    RefundPayment: command(z.object({ ...aReturn, refunds: z.array(Refund) }), {
      ...names.RefundPayment,
      refuses: ['not-charged'],
    }),
    PaymentRefunded: event(
      z.object({ ...aReturn, refunds: z.array(Refund) }),
      names.PaymentRefunded,
    ),
    SumPayments: query(z.object({}), {
      answers: z.object({ chargedCents: z.int(), refundedCents: z.int() }),
    }),
  },
)

/** Nearly all units of work touch the same products, so that more partitions would only cause conflicts. */
export const Inventory = contract(
  'inventory',
  { key: 'customerId', partitions: 1 },
  {
    UpdateInventory: command(z.object({ ...anOrder, lines: z.array(Goods) }), {
      ...names.UpdateInventory,
      refuses: ['out-of-stock'],
    }),
    InventoryUpdated: event(
      z.object({
        ...anOrder,
        /** `opening` is the initial stock of a product, on the first line that ever names it; else 0. */
        lines: z.array(Goods.extend({ opening: z.int().min(0) })),
      }),
      names.InventoryUpdated,
    ),
    RollBackInventory: command(
      z.object({ ...anOrder, lines: z.array(Goods) }),
      names.RollBackInventory,
    ),
    InventoryRolledBack: event(
      z.object({ ...anOrder, lines: z.array(Goods) }),
      names.InventoryRolledBack,
    ),
    RestockInventory: command(
      z.object({ ...aReturn, lines: z.array(Goods) }),
      names.RestockInventory,
    ),
    InventoryRestocked: event(
      z.object({ ...aReturn, lines: z.array(Goods) }),
      names.InventoryRestocked,
    ),
    FindStock: query(z.object({ sku: Id }), {
      answers: z
        .object({
          sku: z.string(),
          start: z.int(),
          shipped: z.int(),
          returned: z.int(),
          onHand: z.int(),
        })
        .nullable(),
    }),
    CountStock: query(z.object({}), {
      answers: z.object({
        start: z.int(),
        shipped: z.int(),
        returned: z.int(),
        onHand: z.int(),
      }),
    }),
  },
)

export const Delivery = contract(
  'delivery',
  { key: 'customerId' },
  {
    ScheduleDelivery: command(z.object({ ...anOrder, country: z.string() }), {
      ...names.ScheduleDelivery,
      refuses: ['not-served', 'already-scheduled'],
    }),
    DeliveryScheduled: event(
      z.object({ ...anOrder, country: z.string() }),
      names.DeliveryScheduled,
    ),
    RollBackDelivery: command(z.object(anOrder), {
      ...names.RollBackDelivery,
      refuses: ['not-scheduled'],
    }),
    DeliveryRolledBack: event(z.object(anOrder), names.DeliveryRolledBack),
    FindDelivery: query(z.object({ orderId: Id }), {
      answers: z.object({ orderId: z.string(), status: z.string() }).nullable(),
    }),
  },
)

export const Account = contract(
  'account',
  { key: 'customerId' },
  {
    FindAccount: query(z.object({ customerId: Key }), {
      answers: z.object({
        customerId: z.string(),
        orders: z.array(
          z.object({
            orderId: z.string(),
            status: z.string(),
            orderedCents: z.int(),
            paidCents: z.int(),
            refundedCents: z.int(),
          }),
        ),
        orderedCents: z.int(),
        paidCents: z.int(),
        refundedCents: z.int(),
      }),
    }),
  },
)

/** The key of a customer is `c:<customer number>`, that of a guest `g:<invoice number>`. */
export const isGuest = (customerId: string): boolean => customerId.startsWith('g:')
