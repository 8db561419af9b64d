// The rules of the reading room: plain functions from a message, and what is known, to what follows.
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
  type,
} from 'throughline'
import { Lending } from './contracts.ts'

export const LOAN_MS = hours(2)

type Book = { is: 'in' } | { is: 'out'; loanId: string; memberId: string }

/** Decides who gets a book. */
export const book = entity(
  'book',
  { of: Lending, id: 'bookId', initial: { is: 'in' } as Book },
  {
    decide: (on) => [
      on(Lending.Lend, (loan, book) =>
        book.is === 'in' ? Lending.BookLent(loan) : refuse('lent-already'),
      ),
      on(Lending.Return, ({ bookId }, book) => {
        if (book.is === 'in') return refuse('not-lent')
        const { loanId, memberId } = book
        return Lending.BookReturned({ loanId, bookId, memberId })
      }),
      on(Lending.MarkOverdue, (loan, book) =>
        book.is === 'out' && book.loanId === loan.loanId
          ? Lending.BookOverdue(loan)
          : refuse('not-lent'),
      ),
    ],
    evolve: (on) => [
      on(Lending.BookLent, ({ loanId, memberId }) => ({ is: 'out', loanId, memberId })),
      on(Lending.BookReturned, () => ({ is: 'in' })),
      on(Lending.BookOverdue, (_, book) => book),
    ],
  },
)

/** Watches over each loan. Its timer outlives restarts, and ends with the loan. */
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

/** The loans that are open: a row each, found by member; `undefined` takes a row away. */
export const openLoans = projection(
  'open-loans',
  { by: 'loanId', row: type<OpenLoan>(), indexes: ['memberId'] },
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

/** What runs: for `main.ts`, and for commands such as `throughline run service.ts`. */
export const services = [readingRoom]
