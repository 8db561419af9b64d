// The two external systems, simulated. They know topics and bodies, and nothing of Throughline.
import type { InProcessBroker } from 'throughline/edges'
import type { Status } from './contracts.ts'

/** How DOWNSTREAM_B behaves. */
export type Behaviour = 'accepts' | 'refuses' | 'silent'

/** Sends a request as UPSTREAM_A1 does. */
export const request = (broker: InProcessBroker, eventId: string): Promise<void> =>
  broker.publish(
    'REQUEST_TOPIC_A1',
    JSON.stringify({ event_id: eventId, message_type: 'RQ_A_INIT' }),
  )

/** What UPSTREAM_A1 has been answered, oldest first. */
export const answers = (broker: InProcessBroker): readonly string[] =>
  broker.messages('RESPONSE_TOPIC_A1').map(({ text }) => text)

/** DOWNSTREAM_B gives its answers ids of their own: `a4e83689-…` to `a3e83689-…`. */
export const answerIdOf = (eventId: string): string =>
  /^[0-9a-f]{8}-/.test(eventId) ? `a4${eventId.slice(2)}` : `a4-${eventId}`

/** Sends an answer as DOWNSTREAM_B does. */
export function answer(broker: InProcessBroker, eventId: string, status: Status): Promise<void> {
  const body = JSON.stringify({ event_id: answerIdOf(eventId), status })
  return broker.publish('RESPONSE_TOPIC_B', {
    body: new TextEncoder().encode(body),
    headers: { 'correlation-id': eventId },
  })
}

/**
 * Runs DOWNSTREAM_B. It answers a repeated request again, as a system without memory does.
 *
 * @param think how long it takes
 */
export function runDownstream(
  broker: InProcessBroker,
  behaviour: Behaviour,
  think: () => Promise<unknown> = async () => undefined,
): () => void {
  return broker.subscribe('REQUEST_TOPIC_B', ({ text }) => {
    if (behaviour === 'silent') return
    const { event_id } = JSON.parse(text) as { event_id: string }
    const status = behaviour === 'accepts' ? 'ACCEPTED' : 'REJECTED'
    void think().then(() => answer(broker, event_id, status))
  })
}
