// An operation has begun more sagas of one kind than pruning looks at.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { become, command, contract, entity, event, finish, saga, service, start } from 'throughline'
import type { Fault } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { createSimulation } from '../support/simulation.ts'

const HOUR_MS = 3_600_000
const COUNT = 1_100
const Import = z.object({ file: z.string() })
const Line = z.object({ file: z.string(), line: z.string() })
const Files = contract('files', { key: 'file' }, { Import: command(Import), Read: event(Line) })

const files = entity(
  'files',
  { of: Files, id: 'file', initial: 0 },
  {
    decide: (on) => [
      on(Files.Import, ({ file }) =>
        Array.from({ length: COUNT }, (_, at) =>
          Files.Read({ file, line: String(at).padStart(6, '0') }),
        ),
      ),
    ],
    evolve: (on) => [on(Files.Read, (_, n) => n + 1)],
  },
)
const importing = saga('importing', { by: 'line', initial: 'new', sends: [] }, (on) => [
  on(Files.Read, ({ line }) =>
    Number(line) === COUNT - 1 ? become('waiting') : [become('done'), finish()],
  ),
])

test('an operation stays while one of its many sagas is open', async () => {
  const stage = createSimulation(memory, 1)
  const { until } = stage.clock
  const { backend, clock, random } = stage.instance()
  const engine = {
    operationKeptMs: HOUR_MS,
    retentionCheckMs: 60_000,
    idleMs: 60_000,
    leaseMs: 600_000,
  }
  const app = await until(
    start([service('svc', { owns: [Files], runs: [files, importing] })], backend, {
      clock,
      random,
      engine,
    }),
  )
  const state = (): Promise<string> =>
    until(app.operation(Files.Import, 'i1').state()).then(
      ({ status }) => status,
      (cause: unknown) => (cause as Fault).code,
    )
  await until(app.send(Files.Import({ file: 'f' }), { id: 'i1' }))
  await stage.clock.advance(60_000)
  assert.equal(await state(), 'pending')
  await stage.clock.advance(3 * HOUR_MS)
  const after = await state()
  const { items } = await until(app.sagas({}))
  await until(app.stop())
  assert.equal(items.length, 1)
  assert.equal(after, 'pending')
})
