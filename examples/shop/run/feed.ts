// Sends the invoices of a file to ordering, each customer's in their order.
import type { App } from 'throughline'
import { Fault } from 'throughline'
import { Ordering } from '../contracts.ts'
import type { Invoice } from '../intake/invoices.ts'

/** How far feeding has come. */
export interface Fed {
  sent: number
  /** Invoices that the log had already, from an earlier run. */
  repeated: number
}

export interface FeedOptions {
  /** What is left to send; taken from its front, so that what was sent can be forgotten. */
  readonly invoices: Invoice[]
  /** Invoices per second; as fast as the log takes them when absent. */
  readonly ratePerSecond?: number
  readonly pause: (delayMs: number) => Promise<void>
  readonly elapsed: () => number
  readonly fed: Fed
}

/** Commands that wait for their ack at the same time. */
const inFlightMax = 512
const againMs = 100

/** The command for an invoice. Its id derives from the invoice number: sent twice, it counts once. */
export function commandFor(invoice: Invoice) {
  const { invoiceId, customerId } = invoice
  switch (invoice.kind) {
    case 'order': {
      const { country, lines } = invoice
      const order = { orderId: invoiceId, customerId, country, lines: [...lines] }
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
 * Sends everything; nothing of a customer is sent past a command that is not resolved yet. Ends
 * early when the app stops or a command is refused for good; what it throws is the first cause.
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
      // Kept, since nobody waits for this one alone; nothing of the customer goes on after it.
      (cause: unknown) => void broken.push(cause),
    )
    inFlight.add(done)
    last.set(customerId, done)
  }
  await Promise.all(inFlight)
  if (broken.length > 0) throw broken[0]
}

/** Sends one command until it is stored; the same id again is always safe. */
async function sendSurely(app: App, invoice: Invoice, { pause }: FeedOptions): Promise<boolean> {
  const { id, command } = commandFor(invoice)
  for (;;) {
    try {
      const { isRepeat } = await app.send(command, { id })
      return isRepeat
    } catch (cause) {
      const isWorthAnotherTry = cause instanceof Fault && cause.retryable
      if (!isWorthAnotherTry || cause.code === 'APP_STOPPING') throw cause
      await pause(againMs)
    }
  }
}
