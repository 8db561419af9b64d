// A trace context is passed on to everything that follows from a command.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, command, contract, entity, event, finish, refuse, saga, send } from 'throughline'
import { service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { decodeEnvelope } from '../../../src/contract/envelope.ts'
import { createSimulation } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Bell = contract(
  'bell',
  { key: 'id' },
  {
    Ring: command(Id),
    Rang: event(Id),
    Mute: command(Id, { refuses: ['broken'] }),
    Late: command(Id),
    Faded: event(Id),
  },
)
const bell = entity(
  'bell',
  { of: Bell, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Bell.Ring, (asked) => Bell.Rang(asked)),
      on(Bell.Mute, () => refuse('broken')),
      on(Bell.Late, (asked) => Bell.Faded(asked)),
    ],
    evolve: (on) => [on(Bell.Rang, () => 1), on(Bell.Faded, () => 2)],
  },
)
const quiet = saga('quiet', { by: 'id', initial: 0, sends: [Bell.Mute, Bell.Late] }, (on) => [
  on(Bell.Rang, (rang) => [send(Bell.Mute(rang))]),
  on.refused(Bell.Mute, ({ command: asked }) => [after(5_000, Bell.Late(asked))]),
  on(Bell.Faded, () => finish()),
])

test('a trace context is passed on by rules, replies, sagas and timers', async () => {
  const stage = createSimulation(memory, 1)
  const { backend, clock, random } = stage.instance()
  const bells = service('bells', { owns: [Bell], runs: [bell, quiet] })
  const app = await stage.clock.until(start([bells], backend, { clock, random }))
  const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'a=1,b=2' }
  const sent = await stage.clock.until(app.send(Bell.Ring({ id: 'x' }), trace))
  await stage.clock.advance(10_000)
  await stage.clock.until(sent.settled())
  const seen: string[] = []
  for (const topic of ['bell.commands', 'bell.events', 'bells.replies'])
    for (let partition = 0; partition < 8; partition += 1) {
      const { log } = stage.backend
      const read = log.read(
        [{ topic, partition, next: 0 }],
        { records: 9, bytes: 99_999 },
        { ms: 0 },
      )
      const [slice] = await stage.clock.until(read)
      for (const record of slice?.records ?? []) {
        const { type, traceparent, tracestate } = decodeEnvelope(record)
        assert.deepEqual({ traceparent, tracestate }, trace, type)
        seen.push(type)
      }
    }
  assert.deepEqual(seen.toSorted(), [
    'bell.Faded',
    'bell.Late',
    'bell.Mute',
    'bell.MuteRefused',
    'bell.Rang',
    'bell.Ring',
    'throughline.refused',
  ])
  await stage.clock.until(app.stop())
})
