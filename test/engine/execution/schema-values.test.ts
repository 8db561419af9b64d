// A schema may transform its value, and then runs once on every path of a message.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  after,
  command,
  compensate,
  contract,
  entity,
  event,
  handler,
  query,
  queryHandler,
} from 'throughline'
import { saga, send, service, start } from 'throughline'
import { given, memory } from 'throughline/testing'
import { z } from 'zod'
import { createSimulation } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
/** Converts euros to cents: run twice, it would be wrong by a factor of 100. */
const Cents = z.object({
  id: z.string(),
  cents: z.number().transform((euro) => Math.round(euro * 100)),
})
const cents = 2.55

const Pay = contract(
  'pay',
  { key: 'id' },
  {
    Charge: command(Cents),
    Charged: event(z.object({ id: z.string(), cents: z.number() })),
    Go: command(Id),
    Gone: event(Id),
    Told: event(Cents),
    Counted: query(Cents, { answers: Cents }),
  },
)
const pay = entity(
  'pay',
  { of: Pay, id: 'id', initial: 0, emits: [Pay.Charged, Pay.Gone] },
  {
    decide: (on) => [
      on(Pay.Charge, (charge) => Pay.Charged(charge)),
      on(Pay.Go, (asked) => Pay.Gone(asked)),
    ],
    evolve: (on) => [on(Pay.Charged, (charged) => charged.cents), on(Pay.Gone, (_, sum) => sum)],
  },
)
const asking = saga(
  'asking',
  { by: 'id', initial: 0, sends: [Pay.Charge], emits: [Pay.Told] },
  (on) => [
    on(Pay.Gone, () => [
      send(Pay.Charge({ id: 'saga', cents })),
      compensate(Pay.Charge({ id: 'compensation', cents }), { undoes: Pay.Charge }),
      after(5_000, Pay.Charge({ id: 'timer', cents })),
      after(5_000, Pay.Told({ id: 'timer-event', cents })),
    ]),
  ],
)
const telling = handler('telling', { emits: [Pay.Told], sends: [Pay.Charge] }, (on) => [
  on(Pay.Gone, () => [
    send(Pay.Charge({ id: 'handler', cents })),
    Pay.Told({ id: 'handler-event', cents }),
  ]),
])
const counting = queryHandler('counting', { of: Pay, reads: [] }, (on) => [
  on(Pay.Counted, async (asked) => ({ id: String(asked.cents), cents })),
])

test('a schema that transforms its value runs once on every path of a message', async () => {
  const heard = new Map<string, number>()
  const hear = handler('hear', {}, (on) => [
    on(Pay.Charged, (charged) => void heard.set(charged.id, charged.cents)),
    on(Pay.Told, (told) => void heard.set(told.id, told.cents)),
  ])
  const stage = createSimulation(memory, 3)
  const { backend, clock, random } = stage.instance()
  const paying = service('paying', { owns: [Pay], runs: [pay, asking, telling, counting, hear] })
  const app = await stage.clock.until(start([paying], backend, { clock, random }))
  await stage.clock.until(app.send(Pay.Charge({ id: 'send', cents })))
  await stage.clock.until(app.append([Pay.Charge({ id: 'append', cents })]))
  await stage.clock.until(app.send(Pay.Go({ id: 'go' })))
  await stage.clock.advance(20_000)
  assert.deepEqual(Object.fromEntries(heard), {
    append: 255,
    compensation: 255,
    handler: 255,
    'handler-event': 255,
    saga: 255,
    send: 255,
    timer: 255,
    'timer-event': 255,
  })
  const answer = await stage.clock.until(app.ask(Pay.Counted({ id: 'q', cents })))
  assert.deepEqual(answer, { id: '255', cents: 255 })
  await stage.clock.until(app.stop())
})

test('given runs the schema once, as a running system does', async () => {
  const charge = Pay.Charge({ id: 'a', cents })
  given(pay)
    .when(charge)
    .then(Pay.Charged({ id: 'a', cents: 255 }))
  await given(counting)
    .when(Pay.Counted({ id: 'q', cents }))
    .then({ id: '255', cents })
  const wrong = Pay.Charge({ id: 'a', cents: 'much' as never })
  assert.throws(() => given(pay).when(wrong).then(), /pay got pay\.Charge with invalid data: cents/)
})
