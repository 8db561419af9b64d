// A refusal is stored with the command's unit, and sent to the saga that sent the command and to
// the operation.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { become, command, compensate, contract, entity, event, finish } from 'throughline'
import { projection, refuse, saga, send, service, tool } from 'throughline'
import type { SimulatedMessage, Simulation } from 'throughline/testing'
import { simulate } from 'throughline/testing'
import { z } from 'zod'
import { upcastRecord } from '../../../src/engine/execution/inbound-message.ts'
import type { LogRecord } from '../../../src/ports/event-log.ts'

const Trip = z.object({ tripId: z.string(), cents: z.int() })
const Travel = contract(
  'travel',
  { key: 'tripId' },
  { Plan: command(Trip), Planned: event(Trip), Cancel: command(Trip), Cancelled: event(Trip) },
)
const Bank = contract(
  'bank',
  { key: 'tripId' },
  {
    Charge: command(Trip, { refuses: ['limit', 'unknown'], refusal: { wire: 'CHARGE_ERROR' } }),
    Refund: command(Trip, { refuses: ['not-charged'] }),
    Charged: event(Trip),
    Refunded: event(Trip),
  },
)

const trip = entity(
  'trip',
  { of: Travel, id: 'tripId', initial: 'new' },
  {
    decide: (on) => [
      on(Travel.Plan, (data) => Travel.Planned(data)),
      on(Travel.Cancel, (data) => Travel.Cancelled(data)),
    ],
    evolve: (on) => [on(Travel.Planned, () => 'planned'), on(Travel.Cancelled, () => 'cancelled')],
  },
)
const booking = saga(
  'booking',
  {
    by: 'tripId',
    initial: { is: 'new' } as { is: string; code?: string },
    sends: [Bank.Charge, Bank.Refund, Travel.Cancel],
  },
  (on) => [
    on(Travel.Planned, (data) => [become({ is: 'charging' }), send(Bank.Charge(data))]),
    on(Bank.Charged, (data) =>
      data.cents === 13
        ? [compensate(Bank.Refund(data), { undoes: Bank.Charge }), become({ is: 'undoing' })]
        : finish(),
    ),
    on(Bank.Refunded, () => finish({ status: 'rolled-back', reason: 'unlucky' })),
    on.refused(Bank.Charge, ({ code, issues, command: data }) => [
      send(Travel.Cancel(data)),
      finish({
        status: 'rolled-back',
        reason: `${code}: ${issues.map(({ message }) => message).join()}`,
      }),
    ]),
    on.failed(Bank.Charge, () => finish({ status: 'charge-failed' })),
  ],
)
const account = entity(
  'account',
  { of: Bank, id: 'tripId', initial: 0 },
  {
    decide: (on) => [
      on(Bank.Charge, (data) =>
        data.cents > 100
          ? refuse('limit', [{ path: 'cents', message: 'at most 100' }, 'try less'])
          : Bank.Charged(data),
      ),
      on(Bank.Refund, (data, cents) => (cents > 0 ? Bank.Refunded(data) : refuse('not-charged'))),
    ],
    evolve: (on) => [on(Bank.Charged, (_, cents) => cents + 1), on(Bank.Refunded, () => 0)],
  },
)
const refusals = projection('refusals', { by: 'tripId', row: tool<{ code: string }>() }, (on) => [
  on(Bank.Charge.refused, ({ code }) => ({ code })),
])
const travel = service('travel', { owns: [Travel], runs: [trip, booking] })
const bank = service('bank', { owns: [Bank], runs: [account, refusals] })

async function seenIn(world: Simulation, topic: string): Promise<readonly SimulatedMessage[]> {
  return (await world.messages()).filter((message) => message.topic === topic)
}

test('a refusal is stored, and decides the outcome of the saga that sent the command', async () => {
  await using world = await simulate([travel, bank], { seed: 1 })
  const operation = await world.send(Travel.Plan({ tripId: 't', cents: 101 }), { id: 'plan' })
  assert.deepEqual(await world.until(operation.settled()), {
    status: 'rolled-back',
    reason: 'limit: at most 100,try less',
  })
  await world.settled()
  const [stored, ...rest] = await seenIn(world, 'bank.events')
  assert.deepEqual(rest, [])
  assert.equal(stored?.type, 'CHARGE_ERROR')
  assert.equal(stored?.key, 't')
  assert.equal(stored?.correlation, 'plan')
  assert.deepEqual(stored?.data, {
    code: 'limit',
    complaints: [
      { path: 'cents', message: 'at most 100' },
      { path: '', message: 'try less' },
    ],
    command: { tripId: 't', cents: 101 },
  })
  assert.equal((await seenIn(world, 'travel.replies')).length, 1)
  const types = (await seenIn(world, 'travel.events')).map((message) => message.type)
  assert.deepEqual(types, ['travel.Planned', 'travel.Cancelled'])
})

test('a refusal of a command from outside reaches its sender, and no saga', async () => {
  await using world = await simulate([travel, bank], { seed: 2 })
  const refused = await world.send(Bank.Charge({ tripId: 't', cents: 101 }))
  const answer = {
    status: 'refused',
    code: 'limit',
    issues: [
      { path: 'cents', message: 'at most 100' },
      { path: '', message: 'try less' },
    ],
  }
  assert.deepEqual(await world.until(refused.accepted()), answer)
  assert.deepEqual(await world.until(refused.settled()), answer)
  const accepted = await world.send(Bank.Charge({ tripId: 't', cents: 100 }))
  assert.deepEqual(await world.until(accepted.accepted()), { status: 'accepted' })
  assert.deepEqual(await seenIn(world, 'travel.replies'), [])
})

test('an entity that does not exist decides from its initial state', async () => {
  await using world = await simulate([travel, bank], { seed: 3 })
  const refund = await world.send(Bank.Refund({ tripId: 'never', cents: 1 }))
  assert.deepEqual(await world.until(refund.accepted()), {
    status: 'refused',
    code: 'not-charged',
    issues: [],
  })
})

test('a compensation names the command that it undoes', async () => {
  await using world = await simulate([travel, bank], { seed: 4 })
  const operation = await world.send(Travel.Plan({ tripId: 't', cents: 13 }))
  assert.deepEqual(await world.until(operation.settled()), {
    status: 'rolled-back',
    reason: 'unlucky',
  })
  const [charge, refund] = await seenIn(world, 'bank.commands')
  assert.equal(refund?.type, 'bank.Refund')
  assert.equal(refund?.undoes, charge?.id)
  assert.equal(charge?.undoes, undefined)
})

test('a reply reaches its saga instance once, through crashes of both services', async () => {
  await using world = await simulate([travel, bank], { seed: 5 })
  for (const at of [0, 1, 2, 3]) {
    await world.send(Travel.Plan({ tripId: `t-${at}`, cents: 101 }))
    await world.advance(at * 3)
    await world.crash(at % 2 === 0 ? 'bank' : 'travel')
  }
  await world.settled()
  const cancels = (await seenIn(world, 'travel.commands')).filter(
    ({ type }) => type === 'travel.Cancel',
  )
  assert.deepEqual(cancels.map(({ key }) => key).toSorted(), ['t-0', 't-1', 't-2', 't-3'])
})

test('a refusal that is not in the contract fails, and nothing is stored', async () => {
  const odd = entity(
    'account',
    { of: Bank, id: 'tripId', initial: 0 },
    {
      decide: (on) => [
        on(Bank.Charge, (() => refuse('made-up')) as never),
        on(Bank.Refund, () => []),
      ],
      evolve: (on) => [on(Bank.Charged, () => 1), on(Bank.Refunded, () => 0)] as never,
    },
  )
  await using world = await simulate([service('bank', { owns: [Bank], runs: [odd] })], { seed: 6 })
  await world.send(Bank.Charge({ tripId: 't', cents: 1 }))
  await world.advance(100)
  assert.match(world.faults()[0]?.error ?? '', /bank.Charge cannot be refused with made-up/)
  assert.deepEqual(await seenIn(world, 'bank.events'), [])
})

test('a reply reaches only the saga that sent the command', async () => {
  const asking = <const N extends string>(name: N, isAsking: boolean) =>
    saga(name, { by: 'tripId', initial: 0, sends: [Bank.Charge, Travel.Cancel] }, (on) => [
      on(Travel.Planned, (data) => (isAsking ? send(Bank.Charge(data)) : become(1))),
      on.refused(Bank.Charge, ({ command: data }) => [send(Travel.Cancel(data)), finish()]),
    ])
  const runs = [trip, asking('asks', true), asking('listens', false)] as const
  const both = service('travel', { owns: [Travel], runs })
  await using world = await simulate([both, bank], { seed: 7 })
  await world.send(Travel.Plan({ tripId: 't', cents: 101 }))
  await world.advance(5_000)
  const cancels = (await seenIn(world, 'travel.commands')).filter(
    ({ type }) => type === 'travel.Cancel',
  )
  assert.deepEqual(
    cancels.map(({ sender }) => sender?.rule),
    ['asks'],
  )
})

test('messages after the end of a saga do not start it again', async () => {
  await using world = await simulate([travel, bank], { seed: 8 })
  for (const _ of [1, 2, 3]) {
    const operation = await world.send(Travel.Plan({ tripId: 't', cents: 100 }))
    assert.deepEqual(await world.until(operation.settled()), { status: 'completed' })
  }
  await world.settled()
  const types = (await seenIn(world, 'travel.events')).map((message) => message.type)
  assert.deepEqual(types, ['travel.Planned', 'travel.Planned', 'travel.Planned'])
  assert.equal((await seenIn(world, 'bank.commands')).length, 1)
})

test('a refusal that an earlier version has stored with texts alone is heard in the form of today', () => {
  const command = { tripId: 't', cents: 101 }
  const record = (data: object): LogRecord => ({
    topic: 'bank.events',
    partition: 0,
    offset: 0,
    id: 'r',
    key: 't',
    at: 0,
    storedAt: 0,
    type: 'CHARGE_ERROR',
    head: '{"source":"bank","correlation":"c","hops":1}',
    data: JSON.stringify(data),
  })
  const stored = record({ code: 'limit', complaints: ['at most 100'], command })
  const issues = [{ path: '', message: 'at most 100' }]
  const refusal = { code: 'limit', issues, command }
  assert.deepEqual(upcastRecord(stored, Bank.Charge.refused), refusal)
  const today = record({ code: 'limit', complaints: issues, command })
  assert.deepEqual(upcastRecord(today, Bank.Charge.refused), refusal)
})
