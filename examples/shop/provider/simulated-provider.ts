// A payment provider with bad days, simulated. A table says how it behaves, one phase after another.
import type { Random } from 'throughline'
import type { CallOptions, Charge, Notification, PaymentProvider, Refund } from './charging.ts'
import { CardRefused } from './charging.ts'

/**
 * How the provider behaves. `well`: it answers. `down`: each call fails. `answers-twice`: it also sends a
 * notification of each charge, and some of these twice. `slow`: it moves the money at once, and answers
 * half of the calls too late.
 */
export type Behaviour = 'well' | 'down' | 'answers-twice' | 'slow'

/** A phase ends with the first call after so many calls and so much time. The last one has no end. */
export interface Phase {
  readonly behaviour: Behaviour
  readonly calls: number
  readonly lastsMs: number
}

/** Money that the provider has moved. */
export interface Movement {
  readonly kind: 'charge' | 'refund'
  readonly key: string
  readonly paymentId: string
  readonly orderId: string
  readonly amountCents: number
}

/**
 * How a call ended: `down` and `refused` are errors; a `late` answer comes after the caller has stopped
 * waiting; `repeated` means that the money had been moved by an earlier call with the same key.
 */
export type CallOutcome = 'done' | 'repeated' | 'late' | 'down' | 'refused'

export interface SimulatedProvider extends PaymentProvider {
  behaviour(): Behaviour
  /** Its own list, oldest first. */
  movements(): readonly Movement[]
  calls(): readonly { readonly orderId: string; readonly outcome: CallOutcome }[]
  /** Notifications sent, those that were sent twice included. */
  notified(): readonly Notification[]
}

export interface SimulationOptions {
  readonly phases: readonly Phase[]
  /** How long a late answer takes. */
  readonly slowMs: number
  readonly random: Random
  readonly elapsed: () => number
  /** Rejects once the signal aborts. */
  readonly pause: (delayMs: number, signal: AbortSignal) => Promise<unknown>
  /** Delivers a notification to the shop. */
  readonly notify: (notification: Notification) => Promise<void>
  readonly onPhase?: (behaviour: Behaviour) => void
}

const isCard = (card: string): boolean => /^card-\d{13}$/.test(card)

/** Returns the behaviour for the next call. */
function followPhases({ phases, elapsed, onPhase }: SimulationOptions) {
  let at = 0
  let calls = 0
  let began = elapsed()
  const current = (): Behaviour => phases[at]?.behaviour ?? 'well'
  const next = (): Behaviour => {
    const phase = phases[at]
    if (phase && calls >= phase.calls && elapsed() - began >= phase.lastsMs && phases[at + 1]) {
      at += 1
      calls = 0
      began = elapsed()
      onPhase?.(current())
    }
    calls += 1
    return current()
  }
  return { current, next }
}

export function simulateProvider(options: SimulationOptions): SimulatedProvider {
  const { random, slowMs, pause, notify } = options
  const { current, next } = followPhases(options)
  const moved = new Map<string, Movement>()
  const calls: { orderId: string; outcome: CallOutcome }[] = []
  const notified: Notification[] = []

  async function notifyOf({ paymentId, orderId, amountCents }: Movement, customerId: string) {
    const notification: Notification = {
      notification_id: `n-${paymentId}`,
      payment_id: paymentId,
      order_id: orderId,
      customer_id: customerId,
      amount_cents: amountCents,
    }
    for (let left = random() < 0.5 ? 2 : 1; left > 0; left -= 1) {
      notified.push(notification)
      await notify(notification)
    }
  }

  async function move(
    kind: Movement['kind'],
    { orderId, customerId, amountCents, ...rest }: Charge | Refund,
    { key, signal }: CallOptions,
  ): Promise<Movement> {
    const behaviour = next()
    const note = (outcome: CallOutcome): void => void calls.push({ orderId, outcome })
    if (behaviour === 'down') {
      note('down')
      throw new Error('the payment provider is not available')
    }
    if ('card' in rest && !isCard(rest.card)) {
      note('refused')
      throw new CardRefused(`the card number ${JSON.stringify(rest.card)} is malformed`)
    }
    const before = moved.get(key)
    const paymentId = `p-${moved.size + 1}`
    const movement = before ?? { kind, key, paymentId, orderId, amountCents }
    moved.set(key, movement)
    const isLate = behaviour === 'slow' && random() < 0.5
    note(isLate ? 'late' : before ? 'repeated' : 'done')
    if (behaviour === 'answers-twice' && kind === 'charge' && !before)
      await notifyOf(movement, customerId)
    if (isLate) await pause(slowMs, signal)
    return movement
  }

  return {
    charge: (charge, call) => move('charge', charge, call),
    refund: async (refund, call) => void (await move('refund', refund, call)),
    behaviour: current,
    movements: () => [...moved.values()],
    calls: () => calls,
    notified: () => notified,
  }
}
