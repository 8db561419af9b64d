/**
 * The names of the shop's messages on the wire. Two vocabularies were in use for the same outcomes:
 * `wire` is written, the aliases are still read. `_SUCCESS` and `_ROLLBACK` are events; `_ERROR` is
 * the stored refusal of a command and is declared with the command.
 */
interface Names {
  readonly wire: string
  readonly aliases?: readonly string[]
}

interface CommandNames extends Names {
  readonly refusal: Names
}

const commands = {
  ConfirmOrder: {
    wire: 'CONFIRM_ORDER',
    refusal: { wire: 'ORDER_CONFIRMATION_ERROR', aliases: ['ORDER_PLACED_ERROR'] },
  },
  CompleteOrder: { wire: 'COMPLETE_ORDER', refusal: { wire: 'ORDER_COMPLETION_ERROR' } },
  RollBackOrder: { wire: 'ROLL_BACK_ORDER', refusal: { wire: 'ORDER_ROLLBACK_ERROR' } },
  RejectInvoice: { wire: 'REJECT_INVOICE', refusal: { wire: 'INVOICE_REJECTION_ERROR' } },
  ReturnGoods: { wire: 'RETURN_GOODS', refusal: { wire: 'RETURN_GOODS_ERROR' } },
  CompleteReturn: { wire: 'COMPLETE_RETURN', refusal: { wire: 'RETURN_COMPLETION_ERROR' } },
  ChargePayment: {
    wire: 'CHARGE_PAYMENT',
    refusal: { wire: 'PAYMENT_CHARGE_ERROR', aliases: ['PAYMENT_PROCESSED_ERROR'] },
  },
  ConfirmPayment: {
    wire: 'CONFIRM_PAYMENT',
    refusal: { wire: 'PAYMENT_CONFIRMATION_ERROR' },
  },
  RollBackPayment: { wire: 'ROLL_BACK_PAYMENT', refusal: { wire: 'PAYMENT_ROLLBACK_ERROR' } },
  RefundPayment: { wire: 'REFUND_PAYMENT', refusal: { wire: 'PAYMENT_REFUND_ERROR' } },
  UpdateInventory: {
    wire: 'UPDATE_INVENTORY',
    refusal: { wire: 'INVENTORY_UPDATE_ERROR', aliases: ['INVENTORY_UPDATED_ERROR'] },
  },
  RollBackInventory: { wire: 'ROLL_BACK_INVENTORY', refusal: { wire: 'INVENTORY_ROLLBACK_ERROR' } },
  RestockInventory: { wire: 'RESTOCK_INVENTORY', refusal: { wire: 'INVENTORY_RESTOCK_ERROR' } },
  ScheduleDelivery: {
    wire: 'SCHEDULE_DELIVERY',
    refusal: { wire: 'DELIVERY_SCHEDULED_ERROR', aliases: ['DELIVERY_SCHEDULE_ERROR'] },
  },
  RollBackDelivery: { wire: 'ROLL_BACK_DELIVERY', refusal: { wire: 'DELIVERY_ROLLBACK_ERROR' } },
} as const satisfies Record<string, CommandNames>

const outcomes = {
  OrderConfirmed: { wire: 'ORDER_CONFIRMATION_SUCCESS', aliases: ['ORDER_PLACED_SUCCESS'] },
  OrderCompleted: { wire: 'ORDER_COMPLETION_SUCCESS' },
  OrderRolledBack: { wire: 'ORDER_CONFIRMATION_ROLLBACK', aliases: ['ORDER_PLACED_ROLLBACK'] },
  InvoiceRejected: { wire: 'INVOICE_REJECTION_SUCCESS' },
  ReturnParked: { wire: 'RETURN_GOODS_PARKED' },
  ReturnAccepted: { wire: 'RETURN_GOODS_SUCCESS' },
  ReturnDeclined: { wire: 'RETURN_GOODS_DECLINED' },
  ReturnCompleted: { wire: 'RETURN_COMPLETION_SUCCESS' },
  PaymentRequested: { wire: 'PAYMENT_CHARGE_REQUESTED' },
  PaymentCharged: { wire: 'PAYMENT_CHARGE_SUCCESS', aliases: ['PAYMENT_PROCESSED_SUCCESS'] },
  PaymentRolledBack: { wire: 'PAYMENT_CHARGE_ROLLBACK', aliases: ['PAYMENT_PROCESSED_ROLLBACK'] },
  PaymentRefunded: { wire: 'PAYMENT_REFUND_SUCCESS' },
  InventoryUpdated: { wire: 'INVENTORY_UPDATE_SUCCESS', aliases: ['INVENTORY_UPDATED_SUCCESS'] },
  InventoryRolledBack: {
    wire: 'INVENTORY_UPDATE_ROLLBACK',
    aliases: ['INVENTORY_UPDATED_ROLLBACK'],
  },
  InventoryRestocked: { wire: 'INVENTORY_RESTOCK_SUCCESS' },
  DeliveryScheduled: { wire: 'DELIVERY_SCHEDULED_SUCCESS', aliases: ['DELIVERY_SCHEDULE_SUCCESS'] },
  DeliveryRolledBack: {
    wire: 'DELIVERY_SCHEDULED_ROLLBACK',
    aliases: ['DELIVERY_SCHEDULE_ROLLBACK'],
  },
} as const satisfies Record<string, Names>

export const names = { ...commands, ...outcomes }
