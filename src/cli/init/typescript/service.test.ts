import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, finish, refuse } from 'throughline'
import { given, simulate } from 'throughline/testing'
import { Lending } from './contracts.ts'
import { book, LOAN_MS, readingRoom, reminder } from './service.ts'

const loan = { loanId: 'l-1', bookId: 'b-1', memberId: 'm-1' }
const later = { loanId: 'l-2', bookId: 'b-1', memberId: 'm-2' }

// Tests of single rules, without an engine.

test('a book is lent to one member at a time', () => {
  given(book).when(Lending.Lend(loan)).then(Lending.BookLent(loan))
  given(book, Lending.BookLent(loan)).when(Lending.Lend(later)).then(refuse('lent-already'))
})

test('a returned book can be lent again', () => {
  const back = [Lending.BookLent(loan), Lending.BookReturned(loan)]
  given(book, Lending.BookLent(loan))
    .when(Lending.Return({ bookId: 'b-1' }))
    .then(Lending.BookReturned(loan))
  given(book, ...back)
    .when(Lending.Return({ bookId: 'b-1' }))
    .then(refuse('not-lent'))
  given(book, ...back)
    .when(Lending.Lend(later))
    .then(Lending.BookLent(later))
})

test('a loan sets a timer, and its return finishes the saga', () => {
  given(reminder)
    .when(Lending.BookLent(loan))
    .then(after(LOAN_MS, Lending.MarkOverdue(loan)))
  given(reminder, Lending.BookLent(loan)).when(Lending.BookReturned(loan)).then(finish())
})

// A test of the whole system in simulated time.

test('a book that is not returned is overdue after two hours, also after a crash', async () => {
  await using world = await simulate([readingRoom], { seed: 1 })
  const loansOf = (memberId: string) => world.ask(Lending.FindLoans({ memberId }))
  const open = { loanId: 'l-1', bookId: 'b-1' }

  const operation = await world.send(Lending.Lend(loan))
  assert.deepEqual(await world.until(operation.accepted()), { status: 'accepted' })
  await world.advance(LOAN_MS / 2)
  assert.deepEqual(await loansOf('m-1'), { loans: [{ ...open, isOverdue: false }] })

  await world.crash('reading-room')
  await world.advance(LOAN_MS)
  assert.deepEqual(await loansOf('m-1'), { loans: [{ ...open, isOverdue: true }] })

  await world.send(Lending.Return({ bookId: 'b-1' }))
  await world.settled()
  assert.deepEqual(await loansOf('m-1'), { loans: [] })
})
