// What went wrong between the shop and its payment provider, and how it was settled.
import type { EdgeStatus } from 'throughline'
import type { MistypedCard } from './cards.ts'
import type { CallOutcome, Movement, SimulatedProvider } from './simulated-provider.ts'

/** The shop's own totals. */
export interface OwnTotals {
  readonly chargedCents: number
  readonly refundedCents: number
}

const sumOf = (movements: readonly Movement[], kind: Movement['kind']): number =>
  movements.reduce((sum, each) => sum + (each.kind === kind ? each.amountCents : 0), 0)

/** How the provider's list differs from the shop's books, one sentence each. */
export function providerDifferences(movements: readonly Movement[], own: OwnTotals): string[] {
  const differences: string[] = []
  const charged = new Set<string>()
  for (const { kind, orderId } of movements) {
    if (kind === 'charge' && charged.has(orderId))
      differences.push(`the provider has charged order ${orderId} more than once`)
    if (kind === 'charge') charged.add(orderId)
  }
  const compare = (what: string, provider: number, books: number): void => {
    if (provider !== books)
      differences.push(`the provider has ${what} ${provider} cents, the books say ${books}`)
  }
  compare('charged', sumOf(movements, 'charge'), own.chargedCents)
  compare('refunded', sumOf(movements, 'refund'), own.refundedCents)
  return differences
}

/** What was seen of one run. */
export interface Seen {
  readonly provider: Pick<SimulatedProvider, 'calls' | 'movements' | 'notified'>
  readonly edges: readonly EdgeStatus[]
  /** Attempts of the handler that took too long. */
  readonly timedOut: number
  readonly card: MistypedCard
  /** Messages that waited behind the dead letter. */
  readonly heldBehind: number
}

/** Two lines for each thing that went wrong. */
export function incidents({ provider, edges, timedOut, card, heldBehind }: Seen): string[] {
  const calls = provider.calls()
  const ended = (outcome: CallOutcome) => calls.filter((call) => call.outcome === outcome)
  const ordersOf = (outcome: CallOutcome) => new Set(ended(outcome).map(({ orderId }) => orderId))
  const sent = provider.notified()
  const repeated = edges.reduce((sum, each) => sum + each.repeated, 0)
  const charges = provider.movements().filter(({ kind }) => kind === 'charge')
  const refused = calls.filter(
    (call) => call.orderId === card.orderId && call.outcome === 'refused',
  )
  const isPaid = charges.some(({ orderId }) => orderId === card.orderId)
  return [
    `${ended('down').length} calls failed while the provider was down.`,
    `  Tried again until it answered: the payments of ${ordersOf('down').size} orders waited.`,
    `${new Set(sent.map((each) => each.notification_id)).size} payments were answered a second time, by a notification.`,
    `  Whichever came second was refused or had a known id (${repeated} came twice): no effect.`,
    `${ended('late').length} answers came too late, and the shop had stopped waiting for ${timedOut}.`,
    `  Called again with the same key: ${ended('repeated').length} calls found that their payment had been made.`,
    `The card of order ${card.orderId} (${card.mistyped}) was refused for good. Calls: ${refused.length}.`,
    `  A dead letter, until it was ${isPaid ? 'corrected and redriven' : 'given up'}. Messages of ${card.customerId} behind it: ${heldBehind}.`,
    `The provider's list: ${charges.length} charges of ${new Set(charges.map((each) => each.orderId)).size} orders.`,
  ]
}
