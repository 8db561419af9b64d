// The messages inside: what the three services say to each other. The id of UPSTREAM_A1's event is the
// key of all of them, so everything about one event stays in order.
import { command, contract, event, query } from 'throughline'
import { z } from 'zod'

const Id = z.string().min(1).max(128)
const Named = z.object({ eventId: Id })
const WithReason = z.object({ eventId: Id, reason: z.string() })

/** The answers of both external systems, too. */
export const Status = z.enum(['ACCEPTED', 'REJECTED'])
export type Status = z.infer<typeof Status>

export const ServiceA = contract(
  'service-a',
  { key: 'eventId' },
  {
    Init: command(Named, { wire: 'RQ_A_INIT', refuses: ['already-accepted'] }),
    Accepted: event(Named, { wire: 'A_INIT_ACCEPTED' }),
    Reject: command(WithReason, { wire: 'RQ_A_REJECT', refuses: ['not-accepted'] }),
    Rejected: event(WithReason, { wire: 'A_INIT_REJECTED' }),
  },
)

export const ServiceB = contract(
  'service-b',
  { key: 'eventId' },
  {
    Process: command(Named, { wire: 'RQ_B_STP', refuses: ['already-asked'] }),
    Asked: event(Named, { wire: 'B_STP_ASKED' }),
    TakeAnswer: command(z.object({ eventId: Id, answerId: Id, status: Status }), {
      wire: 'RS_B_STP',
      refuses: ['not-waiting'],
    }),
    GiveUp: command(Named, { wire: 'RQ_B_GIVE_UP', refuses: ['not-waiting'] }),
    Confirmed: event(Named, { wire: 'B_STP_CONFIRMED' }),
    Declined: event(WithReason, { wire: 'B_STP_DECLINED' }),
  },
)

export const ServiceC = contract(
  'service-c',
  { key: 'eventId' },
  {
    Post: command(Named, { wire: 'RQ_C_POST', refuses: ['already-posted'] }),
    Posted: event(Named, { wire: 'C_POSTED' }),
    CountPostings: query(z.object({}), { answers: z.int() }),
  },
)
