// Delivery schedules a drop for each order, where the shop delivers.
import { entity, queryHandler, refuse, service } from 'throughline'
import { Delivery } from './contracts.ts'

type Drop = { is: 'absent' } | { is: 'scheduled' } | { is: 'rolled-back' }

const absent = { is: 'absent' } as Drop

/** Places that no van finds. */
const notServed: ReadonlySet<string> = new Set(['Unspecified', 'European Community'])

export const drop = entity(
  'drop',
  { of: Delivery, id: 'orderId', initial: absent },
  {
    decide: (on) => [
      on(Delivery.ScheduleDelivery, (asked, state) => {
        if (state.is === 'scheduled') return refuse('already-scheduled')
        if (notServed.has(asked.country)) return refuse('not-served')
        return Delivery.DeliveryScheduled(asked)
      }),
      on(Delivery.RollBackDelivery, (asked, state) =>
        state.is === 'scheduled' ? Delivery.DeliveryRolledBack(asked) : refuse('not-scheduled'),
      ),
    ],
    evolve: (on) => [
      on(Delivery.DeliveryScheduled, () => ({ is: 'scheduled' })),
      on(Delivery.DeliveryRolledBack, () => ({ is: 'rolled-back' })),
    ],
  },
)

export const tracking = queryHandler('tracking', { of: Delivery, reads: [drop] }, (on) => [
  on(Delivery.FindDelivery, async ({ orderId }, read) => {
    const state = await read(drop).get(orderId)
    return state && state.is !== 'absent' ? { orderId, is: state.is } : null
  }),
])

export const delivery = service('delivery', { owns: [Delivery], runs: [drop, tracking] })
