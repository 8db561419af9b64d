// The totals of the shop after a run. Each figure but `read` comes from the service that owns it.
import type { App } from 'throughline'
import { Inventory, Ordering, Payment } from '../contracts.ts'

export interface Summary {
  readonly orders: {
    readonly read: number
    readonly accepted: number
    readonly refused: Readonly<Record<string, number>>
    readonly completed: number
    readonly rolledBack: Readonly<Record<string, number>>
    readonly returned: number
  }
  readonly money: {
    readonly chargedCents: number
    readonly refundedCents: number
    readonly standingCents: number
  }
  readonly stock: {
    readonly start: number
    readonly shipped: number
    readonly returned: number
    readonly onHand: number
  }
  readonly events: { readonly accepted: number; readonly handled: number }
  readonly malformedRows: number
  readonly elapsedMs: number
  readonly eventsPerSecond: number
  readonly peakMemoryBytes: number
}

export interface Measured {
  /** Invoices of the file and of the gateway. */
  readonly read: number
  readonly malformedRows: number
  /** Events that earlier runs have handled. */
  readonly handledBefore: number
  readonly elapsedMs: number
  readonly peakMemoryBytes: number
}

/** Events handled by all consumers, in this run and earlier ones. */
export async function handledBy(app: App): Promise<number> {
  return (await app.status()).reduce((sum, { completed }) => sum + completed, 0)
}

/** The number of invoices that are not in the file: they came through the gateway. */
export async function placedBeside(app: App, inFile: ReadonlySet<string>): Promise<number> {
  let placed = 0
  let after: string | undefined
  do {
    const page = await app.ask(Ordering.ListInvoices({ after }))
    placed += page.invoiceIds.filter((invoiceId) => !inFile.has(invoiceId)).length
    after = page.after
  } while (after !== undefined)
  return placed
}

export async function sumUp(app: App, measured: Measured): Promise<Summary> {
  const { read, malformedRows, handledBefore, elapsedMs, peakMemoryBytes } = measured
  const { standingCents, ...counted } = await app.ask(Ordering.CountInvoices({}))
  const money = await app.ask(Payment.SumPayments({}))
  const stock = await app.ask(Inventory.CountStock({}))
  let [accepted, handled] = [0, 0]
  for (const consumer of await app.status()) {
    accepted += consumer.accepted
    handled += consumer.completed
  }
  return {
    orders: { read, ...counted },
    money: { ...money, standingCents },
    stock,
    events: { accepted, handled },
    malformedRows,
    elapsedMs,
    eventsPerSecond: Math.round((handled - handledBefore) / Math.max(0.001, elapsedMs / 1_000)),
    peakMemoryBytes,
  }
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** The equations that the totals must satisfy; returns the violated ones as sentences. */
export function imbalances({ orders, money, stock, events }: Summary): string[] {
  const broken: string[] = []
  const must = (sentence: string, left: number, right: number): void => {
    if (left !== right) broken.push(`${sentence}: ${left} is not ${right}`)
  }
  const { read, accepted, refused, completed, rolledBack, returned } = orders
  must('read = accepted + refused', read, accepted + sumOf(refused))
  must(
    'accepted = completed + rolled back + returned',
    accepted,
    completed + sumOf(rolledBack) + returned,
  )
  const { chargedCents, refundedCents, standingCents } = money
  must('charged - refunded = standing', chargedCents - refundedCents, standingCents)
  must(
    'start - shipped + returned = on hand',
    stock.start - stock.shipped + stock.returned,
    stock.onHand,
  )
  must('events accepted = handled', events.accepted, events.handled)
  return broken
}

const pounds = new Intl.NumberFormat('en-GB', { style: 'currency', currency: 'GBP' })
const whole = new Intl.NumberFormat('en-GB')

/** The totals as a table of text. */
export function table(summary: Summary): string {
  const { orders, money, stock, events } = summary
  const reasons = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([reason, count]) => `${reason} ${whole.format(count)}`)
      .join(', ')
  const rows: [string, string, string][] = [
    ['Invoices read', whole.format(orders.read), ''],
    ['  accepted', whole.format(orders.accepted), ''],
    ['    orders completed', whole.format(orders.completed), ''],
    ['    orders rolled back', whole.format(sumOf(orders.rolledBack)), reasons(orders.rolledBack)],
    ['    returns taken back', whole.format(orders.returned), ''],
    ['  refused', whole.format(sumOf(orders.refused)), reasons(orders.refused)],
    ['Malformed rows', whole.format(summary.malformedRows), ''],
    ['Charged', pounds.format(money.chargedCents / 100), ''],
    ['  refunded', pounds.format(money.refundedCents / 100), ''],
    ['  standing', pounds.format(money.standingCents / 100), ''],
    ['Stock at the start', whole.format(stock.start), ''],
    ['  shipped', whole.format(stock.shipped), ''],
    ['  returned', whole.format(stock.returned), ''],
    ['  on hand', whole.format(stock.onHand), ''],
    [
      'Events handled',
      whole.format(events.handled),
      `of ${whole.format(events.accepted)} accepted`,
    ],
    [
      'Time',
      `${(summary.elapsedMs / 1_000).toFixed(1)} s`,
      `${whole.format(summary.eventsPerSecond)} events/s`,
    ],
    ['Peak memory', `${whole.format(Math.round(summary.peakMemoryBytes / 2 ** 20))} MiB`, ''],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const figure = Math.max(...rows.map(([, value]) => value.length))
  return rows
    .map(([name, value, note]) =>
      `${name.padEnd(width)}  ${value.padStart(figure)}  ${note}`.trimEnd(),
    )
    .join('\n')
}
