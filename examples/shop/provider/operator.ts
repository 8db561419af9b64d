// What an operator does about a card that the provider will never charge.
import type { ConsumerStatus, DeadLetterEntry, DeadLetters, Issue } from 'throughline'
import { Fault } from 'throughline'

/** The consumer whose messages the provider refuses. */
export const chargingConsumer = 'payment/charging'

/** Whether nothing is left to do but what waits behind dead letters. */
export function isOnlyDeadLeft(
  status: readonly ConsumerStatus[],
  letters: readonly DeadLetterEntry[],
): boolean {
  const behind = new Map<string, number>()
  for (const { consumer, heldBehind } of letters)
    behind.set(consumer, (behind.get(consumer) ?? 0) + heldBehind)
  return status.every(
    ({ consumer, lag, pending }) => lag === 0 && pending === (behind.get(consumer) ?? 0),
  )
}

/** The data of a dead letter with another card. */
export const withCard = ({ data }: DeadLetterEntry, card: string): object => {
  return { ...(JSON.parse(data ?? '{}') as object), card }
}

export interface Correction {
  /** Why an edit without a card number was refused. */
  readonly refusedIssues: readonly Issue[]
  readonly redriven: number
}

/** Corrects the card of a dead letter and redrives it. An edit that does not fit the schema comes first. */
export async function correct(
  letters: DeadLetters,
  letter: DeadLetterEntry,
  card: string,
): Promise<Correction> {
  const { consumer, event } = letter
  const who = { by: 'operator', reason: 'the customer mistyped the card number' }
  const edit = (newCard: string) =>
    letters.edit({ consumer, id: event.id, data: withCard(letter, newCard), ...who })
  const refusedIssues = await edit('').then(
    () => [],
    (cause: unknown) => {
      if (cause instanceof Fault && cause.code === 'MESSAGE_INVALID') return cause.issues
      throw cause
    },
  )
  await edit(card)
  const { done } = await letters.redrive({ consumer, id: event.id, ...who })
  return { refusedIssues, redriven: done }
}
