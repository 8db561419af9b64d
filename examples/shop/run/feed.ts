// Sends the invoices of a file to ordering, those of each customer in order.
import type { App } from 'throughline'
import { Fault } from 'throughline'
import { Ordering } from '../contracts.ts'
import type { Invoice } from '../intake/invoices.ts'

/** The progress of sending. */
export interface Fed {
  sent: number
  /** Invoices that an earlier run had stored already. */
  repeated: number
}

export interface FeedOptions {
  /** The invoices to send; removed from the front as they are sent, to free memory. */
  readonly invoices: Invoice[]
  /** Invoices per second. Default: as fast as the log accepts them. */
  readonly ratePerSecond?: number
  readonly pause: (delayMs: number) => Promise<void>
  readonly elapsed: () => number
  readonly fed: Fed
  /** The card that pays an order. Default: none, since the shop needs one only for a payment provider. */
  readonly cardOf?: (orderId: string) => string | undefined
}

/** Commands that may wait for their ack concurrently. */
const inFlightMax = 512
const againMs = 100

/** The command for an invoice. Its id is derived from the invoice number, so that a repeat has no effect. */
export function commandFor(invoice: Invoice, card?: string) {
  const { invoiceId, customerId } = invoice
  switch (invoice.kind) {
    case 'order': {
      const { country, lines } = invoice
      const order = { orderId: invoiceId, customerId, country, lines: [...lines], card }
      return { id: `confirm:${invoiceId}`, command: Ordering.ConfirmOrder(order) }
    }
    case 'return': {
      const lines = [...invoice.lines]
      const command = Ordering.ReturnGoods({ returnId: invoiceId, customerId, lines })
      return { id: `return:${invoiceId}`, command }
    }
    case 'rejected': {
      const { reason, complaints } = invoice
      const rejected = { invoiceId, customerId, reason, complaints: [...complaints] }
      return { id: `reject:${invoiceId}`, command: Ordering.RejectInvoice(rejected) }
    }
  }
}

/**
 * Sends all invoices; a command of a customer is sent after the one before it is stored. Throws the
 * first error that is not retryable, or `APP_STOPPING`, and sends nothing more.
 */
export async function feed(app: App, options: FeedOptions): Promise<void> {
  const { invoices, ratePerSecond, pause, elapsed, fed } = options
  const last = new Map<string, Promise<void>>()
  const inFlight = new Set<Promise<void>>()
  const began = elapsed()
  const broken: unknown[] = []
  invoices.reverse()
  for (let at = 0; broken.length === 0; at += 1) {
    const invoice = invoices.pop()
    if (!invoice) break
    if (ratePerSecond) {
      const dueMs = began + (at / ratePerSecond) * 1_000 - elapsed()
      if (dueMs > 0) await pause(dueMs)
    }
    if (inFlight.size >= inFlightMax) await Promise.race(inFlight)
    const { customerId } = invoice
    const before = last.get(customerId)
    const sent = (before ?? Promise.resolve()).then(() => {
      if (broken.length > 0) throw broken[0]
      return sendSurely(app, invoice, options)
    })
    const done: Promise<void> = sent.then(
      (isRepeat) => {
        fed.sent += 1
        if (isRepeat) fed.repeated += 1
        inFlight.delete(done)
        if (last.get(customerId) === done) last.delete(customerId)
      },
      // Thrown by `feed` at its end; later commands of the customer are not sent.
      (cause: unknown) => void broken.push(cause),
    )
    inFlight.add(done)
    last.set(customerId, done)
  }
  await Promise.all(inFlight)
  if (broken.length > 0) throw broken[0]
}

/** Sends one command until it is stored; sending the same id again is safe. */
async function sendSurely(
  app: App,
  invoice: Invoice,
  { pause, cardOf }: FeedOptions,
): Promise<boolean> {
  const { id, command } = commandFor(invoice, cardOf?.(invoice.invoiceId))
  for (;;) {
    try {
      const { isDuplicate } = await app.send(command, { id })
      return isDuplicate
    } catch (cause) {
      const isWorthAnotherTry = cause instanceof Fault && cause.retryable
      if (!isWorthAnotherTry || cause.code === 'APP_STOPPING') throw cause
      await pause(againMs)
    }
  }
}
