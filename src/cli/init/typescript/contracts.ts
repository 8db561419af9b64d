// The messages of the reading room. The book is the key, so that the messages of a book keep their order.
import { command, contract, event, query } from 'throughline'
import { z } from 'zod'

const Id = z.string().min(1).max(64)
const Loan = z.object({ loanId: Id, bookId: Id, memberId: Id })

export const Lending = contract(
  'lending',
  { key: 'bookId' },
  {
    Lend: command(Loan, { refuses: ['lent-already'] }),
    BookLent: event(Loan),
    Return: command(z.object({ bookId: Id }), { refuses: ['not-lent'] }),
    BookReturned: event(Loan),
    MarkOverdue: command(Loan, { refuses: ['not-lent'] }),
    BookOverdue: event(Loan),

    FindLoans: query(z.object({ memberId: Id }), {
      answers: z.object({
        loans: z.array(z.object({ loanId: Id, bookId: Id, isOverdue: z.boolean() })),
      }),
    }),
  },
)
