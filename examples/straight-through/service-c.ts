// SERVICE_C posts what SERVICE_B has confirmed.
import { entity, queryHandler, refuse, service } from 'throughline'
import { ServiceC } from './contracts.ts'

export const posting = entity(
  'posting',
  { of: ServiceC, id: 'eventId', initial: { postings: 0 } },
  {
    decide: (on) => [
      on(ServiceC.Post, (post, { postings }) =>
        postings === 0 ? ServiceC.Posted(post) : refuse('already-posted'),
      ),
    ],
    evolve: (on) => [on(ServiceC.Posted, (_, { postings }) => ({ postings: postings + 1 }))],
  },
)

export const postings = queryHandler('postings', { of: ServiceC, reads: [posting] }, (on) => [
  on(ServiceC.CountPostings, async (_, read) => {
    let count = 0
    for await (const { row } of read(posting).all()) count += row.postings
    return count
  }),
])

export const serviceC = service('service-c', { owns: [ServiceC], runs: [posting, postings] })
