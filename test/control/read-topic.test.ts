// What operators look up in the log: what sort of message each is, and what became of a command.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { App } from 'throughline'
import {
  become,
  command,
  compensate,
  contract,
  entity,
  event,
  finish,
  refuse,
  saga,
  send,
  service,
  start,
} from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { systemClock } from '../../src/base/time/clock.ts'
import type { System } from '../../src/control/system.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { ChainView, ListPage, OperationEntry } from '../../src/control/views.ts'
import { intercept } from '../../src/ports/intercept.ts'
import { systemOf } from '../../src/runtime/running-system.ts'

const Seat = z.object({ id: z.string() })

/** Names that say the contrary of what they are. */
const Seats = contract(
  'seats',
  { key: 'id' },
  {
    Book: command(Seat, { refuses: ['taken'], refusal: { wire: 'BOOKING_COMPLETED' } }),
    Booked: event(Seat, { wire: 'BOOKING_FAILED' }),
    Free: command(Seat),
    Freed: event(Seat),
  },
)
const seat = entity(
  'seat',
  { of: Seats, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Seats.Book, (data) =>
        data.id === 'taken' ? refuse('taken', ['by you']) : Seats.Booked(data),
      ),
      on(Seats.Free, (data) => Seats.Freed(data)),
    ],
    evolve: (on) => [on(Seats.Booked, () => 1), on(Seats.Freed, () => 0)],
  },
)
const Trip = contract('trip', { key: 'id' }, { Plan: command(Seat), Planned: event(Seat) })
const trip = entity(
  'trip',
  { of: Trip, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Trip.Plan, (data) => Trip.Planned(data))],
    evolve: (on) => [on(Trip.Planned, () => 1)],
  },
)
const travel = saga('travel', { by: 'id', initial: 0, sends: [Seats.Book, Seats.Free] }, (on) => [
  on(Trip.Planned, (data) => [become(1), send(Seats.Book(data))]),
  on.refused(Seats.Book, () => finish({ status: 'refused-politely', reason: 'no seat' })),
  on(Seats.Booked, (data) =>
    data.id === 'cancelled'
      ? compensate(Seats.Free(data), { undoes: Seats.Book })
      : finish({ status: 'failed-over' }),
  ),
  on(Seats.Freed, () => finish()),
])
const booking = [
  service('seats', { owns: [Seats], runs: [seat] }),
  service('trip', { owns: [Trip], runs: [trip, travel] }),
] as const

let app: App
let system: System
before(async () => {
  app = await start(booking, memory())
  system = systemOf(app)
  for (const id of ['free', 'taken', 'cancelled'])
    await app.send(Trip.Plan({ id }), { id: `plan-${id}` })
  await app.send(Seats.Book({ id: 'taken' }), { id: 'book-taken' })
  await app.settled()
})
after(() => app.stop())

const chain = async (id: string): Promise<ChainView> =>
  (await runVerb(system, 'chain', { event: id })) as ChainView

test('a conversation is found although a clock that is behind gave later messages earlier times', async () => {
  const clock = systemClock()
  let offMs = 0
  const behind = { ...clock, now: () => clock.now() + offMs, wall: () => clock.wall() + offMs }
  const backend = memory()
  const { log, store } = intercept(backend, (_, run) => run())
  const close = async (): Promise<void> => undefined
  const shared = { log: { ...log, close }, store: { ...store, close } }
  const launch = () => start(booking, shared, { clock: behind })
  const first = await launch()
  await first.send(Seats.Book({ id: 'one' }), { id: 'book-one' })
  await first.settled()
  await first.stop()
  offMs = -3_600_000
  await using second = await launch()
  for (const name of ['two', 'three', 'four', 'five'])
    await second.send(Seats.Free({ id: 'one' }), { id: name })
  await second.settled()
  const chain = await runVerb(systemOf(second), 'chain', { event: 'book-one' })
  assert.deepEqual(
    (chain as ChainView).events.map(({ type }) => type),
    ['seats.Book', 'BOOKING_FAILED'],
  )
})

describe('the kind of a message and an outcome does not depend on its name', () => {
  test('a refusal that is named as a success, and a success that is named as a failure', async () => {
    const kinds = async (id: string): Promise<readonly string[]> =>
      (await chain(id)).events.map(({ type, kind }) => `${type} ${kind}`)
    assert.deepEqual(await kinds('plan-taken'), [
      'trip.Plan command',
      'trip.Planned event',
      'seats.Book command',
      'BOOKING_COMPLETED refusal',
      'throughline.refused refusal',
    ])
    assert.deepEqual(await kinds('plan-cancelled'), [
      'trip.Plan command',
      'trip.Planned event',
      'seats.Book command',
      'BOOKING_FAILED event',
      'seats.Free compensation',
      'seats.Freed event',
    ])
  })

  test('an outcome is completed, refused, or finished with a status of a saga', async () => {
    const outcomes = await Promise.all(
      ['plan-free', 'plan-taken', 'plan-cancelled', 'book-taken'].map(
        async (id) => (await chain(id)).operation,
      ),
    )
    assert.deepEqual(outcomes, [
      { status: 'failed-over', kind: 'finished' },
      { status: 'refused-politely', kind: 'finished', reason: 'no seat' },
      { status: 'completed', kind: 'completed' },
      {
        status: 'refused',
        kind: 'refused',
        reason: 'taken',
        issues: [{ path: '', message: 'by you' }],
      },
    ])
  })
  test('operations can be filtered by kind', async () => {
    const list = async (state: string): Promise<readonly string[]> => {
      const { items } = (await runVerb(system, 'operations', { state })) as ListPage<OperationEntry>
      return items.map(({ id }) => id).toSorted()
    }
    assert.deepEqual(await list('finished'), ['plan-free', 'plan-taken'])
    assert.deepEqual(await list('failed-over'), ['plan-free'])
    assert.deepEqual(await list('completed'), ['plan-cancelled'])
    assert.deepEqual(await list('refused'), ['book-taken'])
  })
})
