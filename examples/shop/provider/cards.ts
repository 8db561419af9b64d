// The cards that pay the orders of a file. The file has none, so each customer gets one, and one order is
// paid with a number that was mistyped.
import { createHash } from 'node:crypto'
import type { Invoice } from '../intake/invoices.ts'

/** An order whose card number is malformed. */
export interface MistypedCard {
  readonly orderId: string
  readonly customerId: string
  readonly mistyped: string
  readonly correct: string
}

/** The card of a customer or guest. */
export function cardOfCustomer(customerId: string): string {
  const digest = createHash('sha256').update(customerId).digest('hex')
  return `card-${Number.parseInt(digest.slice(0, 10), 16).toString().padStart(13, '0')}`
}

/** Chooses an order near the end of the file, with other orders of its customer behind it. */
export function mistypeOne(invoices: readonly Invoice[]): MistypedCard {
  const isOrder = ({ kind }: Invoice): boolean => kind === 'order'
  const from = Math.floor(invoices.length * 0.8)
  const at = invoices.findIndex(
    (invoice, index) =>
      index >= from &&
      isOrder(invoice) &&
      invoices.some(
        (later, place) =>
          place > index && isOrder(later) && later.customerId === invoice.customerId,
      ),
  )
  const invoice = invoices[at]
  if (!invoice) throw new Error('no customer orders twice near the end of the file')
  const { invoiceId: orderId, customerId } = invoice
  const correct = cardOfCustomer(customerId)
  // A letter in place of the last digit.
  return { orderId, customerId, correct, mistyped: correct.replace(/\d$/, 'O') }
}

/** The card of each order of the file. */
export function cardsOf(
  invoices: readonly Invoice[],
  { orderId: mistypedId, mistyped }: MistypedCard,
): (orderId: string) => string | undefined {
  const cards = new Map(
    invoices.map(({ invoiceId, customerId }) => [
      invoiceId,
      invoiceId === mistypedId ? mistyped : cardOfCustomer(customerId),
    ]),
  )
  return (orderId) => cards.get(orderId)
}
