// Timers that cannot be sent, in the same units as failures that are decided.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { App, Service } from 'throughline'
import { after, command, contract, entity, event, projection, saga } from 'throughline'
import { service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { createSimulation, findImbalances } from '../support/simulation.ts'

const Data = z.object({ id: z.string() })
const Work = contract(
  'work',
  { key: 'id', partitions: 2 },
  { Begin: command(Data), Begun: event(Data), Remind: command(Data), Reminded: event(Data) },
)
const KEYS = Array.from({ length: 40 }, (_, at) => `k${at}`)

const job = entity(
  'job',
  { of: Work, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Work.Begin, (data) => Work.Begun(data)),
      on(Work.Remind, (data) => Work.Reminded(data)),
    ],
    evolve: (on) => [on(Work.Begun, () => 1), on(Work.Reminded, () => 2)],
  },
)
const reminding = saga('reminding', { by: 'id', initial: 0, sends: [Work.Remind] }, (on) => [
  on(Work.Begun, (data) => after(2_000, Work.Remind(data))),
])
/** Another one, so that timers are sent at all. */
const noting = saga('noting', { by: 'id', initial: 0, sends: [], startFrom: 'now' }, (on) => [
  on(Work.Reminded, () => []),
])
const list = projection('list', { by: 'id', row: tool<number>() }, (on) => [
  on(Work.Begun, () => {
    throw new Error('no list')
  }),
])

test('a timer that cannot be sent takes back nothing of its unit', async () => {
  const stage = createSimulation(memory, 3)
  const { until } = stage.clock
  const faults: string[] = []
  const launch = (work: Service): Promise<App> => {
    const { backend, clock, random } = stage.instance()
    const engine = { retryDelayMs: 50, retryDelayMsMax: 200, retryAttemptsMax: 40, idleMs: 200 }
    const onBackendError = (_: string, cause: unknown): void => void faults.push(String(cause))
    const hooks = { onRuleError: () => undefined, onBackendError }
    return until(start([work], backend, { clock, random, engine, ...hooks }))
  }
  const first = await launch(service('work', { owns: [Work], runs: [job, reminding] }))
  for (const id of KEYS) await until(first.send(Work.Begin({ id })))
  await stage.clock.advance(500)
  await until(first.stop())
  // The saga is gone, its timers are not.
  const second = await launch(service('work', { owns: [Work], runs: [job, noting, list] }))
  await stage.clock.advance(60_000)
  const status = await until(second.status())
  assert.deepEqual(findImbalances(status), [])
  const own = status.find(({ consumer }) => consumer === 'work/list')
  assert.deepEqual([own?.dead, own?.pending], [KEYS.length, 0])
  assert.deepEqual(faults, [])
  await until(second.stop())
})
