// SERVICE_A takes requests of UPSTREAM_A1 and answers them: ACCEPTED at once, and REJECTED later if
// SERVICE_B could not process the request.
import { entity, finish, refuse, saga, send, service } from 'throughline'
import { edge } from 'throughline/edges'
import { z } from 'zod'
import type { Status } from './contracts.ts'
import { ServiceA, ServiceB, ServiceC } from './contracts.ts'

/** The body of a request on the wire. */
const Request = z.object({ event_id: z.string(), message_type: z.literal('RQ_A_INIT') })
const answer = (event_id: string, status: Status) => ({ event_id, status })

export const upstream = edge(
  'upstream-a1',
  { system: 'UPSTREAM_A1', service: 'SERVICE_A' },
  {
    receives: (on) => [
      on(
        ServiceA.Init,
        { topic: 'REQUEST_TOPIC_A1', body: Request, id: ({ event_id }) => event_id },
        ({ event_id }) => ({ eventId: event_id }),
      ),
    ],
    sends: (on) => [
      on(
        ServiceA.Accepted,
        { topic: 'RESPONSE_TOPIC_A1', id: ({ eventId }) => eventId },
        ({ eventId }) => answer(eventId, 'ACCEPTED'),
      ),
      on(
        ServiceA.Rejected,
        { topic: 'RESPONSE_TOPIC_A1', id: ({ eventId }) => eventId },
        ({ eventId }) => answer(eventId, 'REJECTED'),
      ),
    ],
  },
)

type State = 'absent' | 'accepted' | 'rejected'

export const request = entity(
  'request',
  { of: ServiceA, id: 'eventId', initial: 'absent' as State },
  {
    decide: (on) => [
      on(ServiceA.Init, (init, state) =>
        state === 'absent' ? ServiceA.Accepted(init) : refuse('already-accepted'),
      ),
      on(ServiceA.Reject, (rejection, state) =>
        state === 'accepted' ? ServiceA.Rejected(rejection) : refuse('not-accepted'),
      ),
    ],
    evolve: (on) => [
      on(ServiceA.Accepted, () => 'accepted' as const),
      on(ServiceA.Rejected, () => 'rejected' as const),
    ],
  },
)

/** Hands the request on, and waits until it is posted or declined. */
export const handOver = saga(
  'hand-over',
  { by: 'eventId', initial: {}, sends: [ServiceB.Process, ServiceA.Reject] },
  (on) => [
    on(ServiceA.Accepted, (accepted) => send(ServiceB.Process(accepted))),
    on.refused(ServiceB.Process, ({ code, command: { eventId } }) =>
      send(ServiceA.Reject({ eventId, reason: code })),
    ),
    on(ServiceB.Declined, (declined) => send(ServiceA.Reject(declined))),
    on(ServiceA.Rejected, ({ reason }) => finish({ status: 'rejected', reason })),
    on(ServiceC.Posted, () => finish()),
  ],
)

export const serviceA = service('service-a', {
  owns: [ServiceA],
  runs: [request, handOver],
  edges: [upstream],
})
