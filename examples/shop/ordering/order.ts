// An order from its confirmation to its end.
import { entity, refuse } from 'throughline'

import { Ordering } from '../contracts.ts'
import { valueOf } from './drawing.ts'

export type Order =
  | { is: 'absent' }
  | { is: 'confirmed'; totalCents: number }
  | { is: 'completed'; totalCents: number }
  | { is: 'rolled-back'; reason: string }

const absent = { is: 'absent' } as Order

export const order = entity(
  'order',
  {
    of: Ordering,
    id: 'orderId',
    initial: absent,
    emits: [Ordering.OrderConfirmed],
    hears: [Ordering.OrderCompleted, Ordering.OrderRolledBack],
  },
  {
    decide: (on) => [
      on(Ordering.ConfirmOrder, (asked, state) =>
        state.is === 'absent'
          ? Ordering.OrderConfirmed({ ...asked, totalCents: valueOf(asked.lines) })
          : refuse('already-confirmed'),
      ),
    ],
    evolve: (on) => [
      on(Ordering.OrderConfirmed, ({ totalCents }) => ({ is: 'confirmed', totalCents })),
      on(Ordering.OrderCompleted, (_, state) =>
        state.is === 'confirmed' ? { ...state, is: 'completed' } : state,
      ),
      on(Ordering.OrderRolledBack, ({ reason }) => ({ is: 'rolled-back', reason })),
    ],
  },
)
