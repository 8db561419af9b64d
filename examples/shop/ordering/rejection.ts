// An invoice that the file's door could not take: counted once, with all its complaints.
import { entity, refuse } from 'throughline'
import { Ordering } from '../contracts.ts'

type Rejection = { is: 'absent' } | { is: 'rejected'; reason: string }

const absent = { is: 'absent' } as Rejection

export const rejection = entity(
  'rejection',
  { of: Ordering, id: 'invoiceId', initial: absent, emits: [Ordering.InvoiceRejected] },
  {
    decide: (on) => [
      on(Ordering.RejectInvoice, (invoice, state) =>
        state.is === 'absent' ? Ordering.InvoiceRejected(invoice) : refuse('already-rejected'),
      ),
    ],
    evolve: (on) => [on(Ordering.InvoiceRejected, ({ reason }) => ({ is: 'rejected', reason }))],
  },
)
