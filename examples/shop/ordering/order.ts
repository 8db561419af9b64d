// An order, from its confirmation to its completion or rollback.
import { entity, refuse } from 'throughline'
import { Ordering } from '../contracts.ts'
import { valueOf } from './return-lines.ts'

export type Order =
  | { status: 'absent' }
  | { status: 'confirmed'; totalCents: number }
  | { status: 'completed'; totalCents: number }
  | { status: 'rolled-back'; reason: string }

const absent = { status: 'absent' } as Order

export const order = entity(
  'order',
  {
    of: Ordering,
    id: 'orderId',
    initial: absent,
    emits: [Ordering.OrderConfirmed],
    receives: [Ordering.OrderCompleted, Ordering.OrderRolledBack],
  },
  {
    decide: (on) => [
      on(Ordering.ConfirmOrder, (asked, state) =>
        state.status === 'absent'
          ? Ordering.OrderConfirmed({ ...asked, totalCents: valueOf(asked.lines) })
          : refuse('already-confirmed'),
      ),
    ],
    evolve: (on) => [
      on(Ordering.OrderConfirmed, ({ totalCents }) => ({ status: 'confirmed', totalCents })),
      on(Ordering.OrderCompleted, (_, state) =>
        state.status === 'confirmed' ? { ...state, status: 'completed' } : state,
      ),
      on(Ordering.OrderRolledBack, ({ reason }) => ({ status: 'rolled-back', reason })),
    ],
  },
)
