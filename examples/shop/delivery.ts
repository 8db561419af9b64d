// Delivery schedules a drop for each order, unless the shop does not deliver to its country.
import { entity, queryHandler, refuse, service } from 'throughline'
import { Delivery } from './contracts.ts'

type Drop = { status: 'absent' } | { status: 'scheduled' } | { status: 'rolled-back' }

const absent = { status: 'absent' } as Drop

/** Countries of the data set that are no places. */
const notServed: ReadonlySet<string> = new Set(['Unspecified', 'European Community'])

export const drop = entity(
  'drop',
  { of: Delivery, id: 'orderId', initial: absent },
  {
    decide: (on) => [
      on(Delivery.ScheduleDelivery, (asked, state) => {
        if (state.status === 'scheduled') return refuse('already-scheduled')
        if (notServed.has(asked.country)) return refuse('not-served')
        return Delivery.DeliveryScheduled(asked)
      }),
      on(Delivery.RollBackDelivery, (asked, state) =>
        state.status === 'scheduled' ? Delivery.DeliveryRolledBack(asked) : refuse('not-scheduled'),
      ),
    ],
    evolve: (on) => [
      on(Delivery.DeliveryScheduled, () => ({ status: 'scheduled' })),
      on(Delivery.DeliveryRolledBack, () => ({ status: 'rolled-back' })),
    ],
  },
)

export const deliveryQueries = queryHandler(
  'delivery-queries',
  { of: Delivery, reads: [drop] },
  (on) => [
    on(Delivery.FindDelivery, async ({ orderId }, read) => {
      const state = await read(drop).get(orderId)
      return state && state.status !== 'absent' ? { orderId, status: state.status } : null
    }),
  ],
)

export const delivery = service('delivery', { owns: [Delivery], runs: [drop, deliveryQueries] })
