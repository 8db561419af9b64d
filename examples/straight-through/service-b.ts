// SERVICE_B asks DOWNSTREAM_B about a request, and lets SERVICE_C post what it has confirmed. Without an
// answer in time, the request is declined.
import { after, entity, finish, refuse, saga, seconds, send, service } from 'throughline'
import { edge } from 'throughline/edges'
import { z } from 'zod'
import { ServiceB, ServiceC, Status } from './contracts.ts'

/** The body of an answer on the wire. */
const Answer = z.object({ event_id: z.string(), status: Status })

export const downstream = edge(
  'downstream-b',
  { system: 'DOWNSTREAM_B', service: 'SERVICE_B' },
  {
    sends: (on) => [
      on(
        ServiceB.Asked,
        { topic: 'REQUEST_TOPIC_B', id: ({ eventId }) => eventId },
        ({ eventId }) => ({ event_id: eventId, message_type: 'RQ_B_STP' }),
      ),
    ],
    receives: (on) => [
      // An answer has an id of its own. Which request it answers is in its header, as a broker has it; a
      // system without headers repeats the id of the request.
      on(
        ServiceB.TakeAnswer,
        { topic: 'RESPONSE_TOPIC_B', body: Answer, id: ({ event_id }) => event_id },
        ({ event_id, status }, { headers }) => {
          return { eventId: headers?.['correlation-id'] ?? event_id, answerId: event_id, status }
        },
      ),
    ],
  },
)

type State = 'absent' | 'waiting' | 'confirmed' | 'declined'

export const instruction = entity(
  'instruction',
  { of: ServiceB, id: 'eventId', initial: 'absent' as State },
  {
    decide: (on) => [
      on(ServiceB.Process, (request, state) =>
        state === 'absent' ? ServiceB.Asked(request) : refuse('already-asked'),
      ),
      on(ServiceB.TakeAnswer, ({ eventId, status }, state) => {
        if (state !== 'waiting') return refuse('not-waiting')
        return status === 'ACCEPTED'
          ? ServiceB.Confirmed({ eventId })
          : ServiceB.Declined({ eventId, reason: 'refused-by-downstream' })
      }),
      on(ServiceB.GiveUp, ({ eventId }, state) =>
        state === 'waiting'
          ? ServiceB.Declined({ eventId, reason: 'no-answer' })
          : refuse('not-waiting'),
      ),
    ],
    evolve: (on) => [
      on(ServiceB.Asked, () => 'waiting' as const),
      on(ServiceB.Confirmed, () => 'confirmed' as const),
      on(ServiceB.Declined, () => 'declined' as const),
    ],
  },
)

/** How long DOWNSTREAM_B may take to answer. */
export const answerWithinMs = seconds(30)

export const processing = (withinMs = answerWithinMs) =>
  saga(
    'processing',
    { by: 'eventId', initial: {}, sends: [ServiceB.GiveUp, ServiceC.Post] },
    (on) => [
      // The timer ends with the saga.
      on(ServiceB.Asked, (asked) => after(withinMs, ServiceB.GiveUp(asked))),
      on(ServiceB.Confirmed, (confirmed) => [send(ServiceC.Post(confirmed)), finish()]),
      on(ServiceB.Declined, () => finish()),
    ],
  )

export const serviceB = (withinMs?: number) =>
  service('service-b', {
    owns: [ServiceB],
    runs: [instruction, processing(withinMs)],
    edges: [downstream],
  })
