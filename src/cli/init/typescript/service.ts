// The rules of the reading room: pure functions of a message and the current state.
import {
  after,
  entity,
  finish,
  hours,
  projection,
  queryHandler,
  refuse,
  saga,
  service,
  tool,
} from 'throughline'
import { Lending } from './contracts.ts'

export const LOAN_MS = hours(2)

type Book = { status: 'in' } | { status: 'out'; loanId: string; memberId: string }

/** Decides who gets a book. */
export const book = entity(
  'book',
  { of: Lending, id: 'bookId', initial: { status: 'in' } as Book },
  {
    decide: (on) => [
      on(Lending.Lend, (loan, book) =>
        book.status === 'in' ? Lending.BookLent(loan) : refuse('lent-already'),
      ),
      on(Lending.Return, ({ bookId }, book) => {
        if (book.status === 'in') return refuse('not-lent')
        const { loanId, memberId } = book
        return Lending.BookReturned({ loanId, bookId, memberId })
      }),
      on(Lending.MarkOverdue, (loan, book) =>
        book.status === 'out' && book.loanId === loan.loanId
          ? Lending.BookOverdue(loan)
          : refuse('not-lent'),
      ),
    ],
    evolve: (on) => [
      on(Lending.BookLent, ({ loanId, memberId }) => ({ status: 'out', loanId, memberId })),
      on(Lending.BookReturned, () => ({ status: 'in' })),
      on(Lending.BookOverdue, (_, book) => book),
    ],
  },
)

/** Marks a loan as overdue after two hours. The timer survives restarts and is cancelled at the return. */
export const reminder = saga(
  'reminder',
  { by: 'loanId', initial: {}, sends: [Lending.MarkOverdue] },
  (on) => [
    on(Lending.BookLent, (loan) => after(LOAN_MS, Lending.MarkOverdue(loan))),
    on(Lending.BookReturned, () => finish()),
  ],
)

interface OpenLoan {
  readonly bookId: string
  readonly memberId: string
  readonly isOverdue: boolean
}

/** The open loans, one row each, indexed by member; `undefined` deletes a row. */
export const openLoans = projection(
  'open-loans',
  { by: 'loanId', row: tool<OpenLoan>(), indexes: ['memberId'] },
  (on) => [
    on(Lending.BookLent, ({ bookId, memberId }) => ({ bookId, memberId, isOverdue: false })),
    on(Lending.BookOverdue, ({ bookId, memberId }) => ({ bookId, memberId, isOverdue: true })),
    on(Lending.BookReturned, () => undefined),
  ],
)

export const loansOfMember = queryHandler(
  'loans-of-member',
  { of: Lending, reads: [openLoans] },
  (on) => [
    on(Lending.FindLoans, async ({ memberId }, read) => {
      const { rows } = await read(openLoans).find({ memberId })
      const loans = rows.map(({ id: loanId, row }) => {
        const { bookId, isOverdue } = row
        return { loanId, bookId, isOverdue }
      })
      return { loans }
    }),
  ],
)

export const readingRoom = service('reading-room', {
  owns: [Lending],
  runs: [book, reminder, openLoans, loansOfMember],
})

/** The services: for `main.ts`, and for commands such as `throughline run service.ts`. */
export const services = [readingRoom]
