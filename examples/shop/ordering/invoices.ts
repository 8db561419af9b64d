// A read model of all invoices and their status, from which the shop's totals are computed.
import { projection, queryHandler, tool } from 'throughline'
import { Ordering } from '../contracts.ts'

export interface InvoiceRow {
  customerId: string
  kind: 'order' | 'return'
  status: 'open' | 'completed' | 'rolled-back' | 'returned' | 'refused'
  reason: string | null
  /** The value of an order without returned pieces, at the price paid. */
  standingCents: number
}

const orderOf = ({ orderId }: { orderId: string }): string[] => [orderId]
const returnOf = ({ returnId }: { returnId: string }): string[] => [returnId]

const opened = (customerId: string, kind: InvoiceRow['kind']): InvoiceRow => {
  return { customerId, kind, status: 'open', reason: null, standingCents: 0 }
}

const refused = (customerId: string, kind: InvoiceRow['kind'], reason: string): InvoiceRow => {
  return { customerId, kind, status: 'refused', reason, standingCents: 0 }
}

export const invoices = projection(
  'invoices',
  { by: 'invoiceId', row: tool<InvoiceRow>(), indexes: ['customerId', 'status'], version: 2 },
  (on) => [
    on(Ordering.OrderConfirmed, { ids: orderOf }, ({ customerId, totalCents }) => ({
      ...opened(customerId, 'order'),
      standingCents: totalCents,
    })),
    on(
      Ordering.OrderCompleted,
      { ids: orderOf },
      (_, row) => row && { ...row, status: 'completed' },
    ),
    on(
      Ordering.OrderRolledBack,
      { ids: orderOf },
      ({ reason }, row) => row && { ...row, status: 'rolled-back', reason, standingCents: 0 },
    ),
    on(Ordering.InvoiceRejected, ({ customerId, invoiceId, reason }) =>
      refused(customerId, invoiceId.startsWith('C') ? 'return' : 'order', reason),
    ),
    on(Ordering.ReturnParked, { ids: returnOf }, ({ customerId }) => opened(customerId, 'return')),
    on(
      Ordering.ReturnAccepted,
      { ids: ({ returnId, lines }) => [returnId, ...lines.map(({ orderId }) => orderId)] },
      ({ returnId, customerId, lines }, row, id) => {
        if (id === returnId) return { ...opened(customerId, 'return'), status: 'returned' }
        const drawnCents = lines
          .filter(({ orderId }) => orderId === id)
          .reduce((sumCents, line) => sumCents + line.quantity * line.unitPriceCents, 0)
        return row && { ...row, standingCents: row.standingCents - drawnCents }
      },
    ),
    on(Ordering.ReturnDeclined, { ids: returnOf }, ({ customerId, reason }) =>
      refused(customerId, 'return', reason),
    ),
    on(
      Ordering.ReturnGoods.refused,
      { ids: ({ command }) => [command.returnId] },
      ({ code, command }, row) =>
        code === 'already-returned' ? row : refused(command.customerId, 'return', code),
    ),
  ],
)

/** Invoice ids in one answer. */
const invoicesPerPage = 1_000

/** Orders of one customer in one answer. */
const ordersMax = 10_000

export const invoiceQueries = queryHandler(
  'invoice-queries',
  { of: Ordering, reads: [invoices] },
  (on) => [
    on(Ordering.FindOrder, async ({ orderId }, read) => {
      const row = await read(invoices).get(orderId)
      return row ? { orderId, ...row } : null
    }),
    on(Ordering.ListInvoices, async ({ after }, read) => {
      const page = await read(invoices).find({}, { after, limit: invoicesPerPage })
      return { invoiceIds: page.rows.map(({ id }) => id), after: page.next }
    }),
    on(Ordering.ListOrders, async ({ customerId }, read) => {
      const { rows } = await read(invoices).find({ customerId }, { limit: ordersMax })
      return { customerId, orders: rows.map(({ id: orderId, row }) => ({ orderId, ...row })) }
    }),
  ],
)

export const invoiceTotals = queryHandler(
  'invoice-totals',
  { of: Ordering, reads: [invoices] },
  (on) => [
    on(Ordering.CountInvoices, async (_, read) => {
      const counted = {
        accepted: 0,
        refused: {} as Record<string, number>,
        completed: 0,
        rolledBack: {} as Record<string, number>,
        returned: 0,
        standingCents: 0,
      }
      const add = (counts: Record<string, number>, reason: string | null): void => {
        counts[reason ?? 'unknown'] = (counts[reason ?? 'unknown'] ?? 0) + 1
      }
      for await (const { row } of read(invoices).all()) {
        if (row.status === 'refused') add(counted.refused, row.reason)
        else counted.accepted += 1
        if (row.status === 'completed') counted.completed += 1
        if (row.status === 'rolled-back') add(counted.rolledBack, row.reason)
        if (row.status === 'returned') counted.returned += 1
        counted.standingCents += row.standingCents
      }
      return counted
    }),
  ],
)
