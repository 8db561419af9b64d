// An invoice that failed validation: recorded once, with all its complaints.
import { entity, refuse } from 'throughline'
import { Ordering } from '../contracts.ts'

type Rejection = { status: 'absent' } | { status: 'rejected'; reason: string }

const absent = { status: 'absent' } as Rejection

export const rejection = entity(
  'rejection',
  { of: Ordering, id: 'invoiceId', initial: absent, emits: [Ordering.InvoiceRejected] },
  {
    decide: (on) => [
      on(Ordering.RejectInvoice, (invoice, state) =>
        state.status === 'absent' ? Ordering.InvoiceRejected(invoice) : refuse('already-rejected'),
      ),
    ],
    evolve: (on) => [
      on(Ordering.InvoiceRejected, ({ reason }) => ({ status: 'rejected', reason })),
    ],
  },
)
