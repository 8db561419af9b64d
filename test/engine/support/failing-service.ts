// A service whose rules fail for some keys, in simulated time, for tests about what waits.
import { z } from 'zod'
import type { App } from 'throughline'
import { after, command, contract, entity, event, finish, handler, hours } from 'throughline'
import { refuse, saga, send, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import type { RuleError } from '../../../src/engine/failure/rule-error.ts'
import type { EngineOptions } from '../../../src/engine/context/engine-options.ts'
import { createSimulation } from './simulation.ts'

const Data = z.object({ id: z.string(), n: z.int() })
/** Retries that never end, and come soon. */
export const RETRIES = { retryDelayFactor: 2, retryDelayMsMax: 60_000, retryAttemptsMax: 1_000_000 }

export const Work = contract(
  'work',
  { key: 'id' },
  {
    Do: command(Data, { refuses: ['no'] }),
    Done: event(Data),
    Note: command(Data),
    Noted: event(Data),
  },
)

/** Rules throw at every message of these keys. */
export interface FailingKeys {
  readonly keys: Set<string>
}

export const thing = ({ keys }: FailingKeys) =>
  entity(
    'thing',
    { of: Work, id: 'id', initial: 0 },
    {
      decide: (on) => [
        on(Work.Do, (data) => (data.n < 0 ? refuse('no', ['n is negative']) : Work.Done(data))),
        on(Work.Note, (data) => {
          if (keys.has(data.id)) throw new Error('no pencil')
          return Work.Noted(data)
        }),
      ],
      evolve: (on) => [on(Work.Done, (_, count) => count + 1), on(Work.Noted, (_, count) => count)],
    },
  )
export const outside = ({ keys }: FailingKeys) =>
  handler('outside', {}, (on) => [
    on(Work.Done, ({ id }) => {
      if (!keys.has(id)) return
      throw Object.assign(new Error(`the bank said no for ${id}`), { code: 'ECONNREFUSED' })
    }),
  ])
const reminding = saga('reminding', { by: 'id', initial: {}, sends: [Work.Note] }, (on) => [
  on(Work.Done, (data) => {
    if (data.id.startsWith('timed')) return after(hours(5), Work.Note(data))
    if (data.id.startsWith('note')) return send(Work.Note(data))
    return finish()
  }),
  on(Work.Noted, ({ id }) => (id === 'note-twice' ? [] : finish({ status: 'noted', reason: id }))),
])

export interface FailingWorld {
  readonly app: App
  readonly faults: readonly RuleError[]
  readonly broken: FailingKeys
  /** Sends a command for each key. */
  doing(...ids: readonly string[]): Promise<void>
  pass(ms: number): Promise<void>
  /** Steps the wall clock forward. */
  step(byMs: number): void
  now(): number
  until<T>(promise: Promise<T>): Promise<T>
}

export interface Given {
  readonly engine?: Partial<EngineOptions>
  readonly broken?: readonly string[]
}

export async function withFailingService(
  given: Given,
  use: (world: FailingWorld) => Promise<void>,
): Promise<void> {
  const stage = createSimulation(memory, 7)
  const { backend, clock, random } = stage.instance()
  const { until } = stage.clock
  const faults: RuleError[] = []
  const broken = { keys: new Set(given.broken) }
  const worker = service('worker', {
    owns: [Work],
    runs: [thing(broken), outside(broken), reminding],
  })
  const options = {
    clock,
    random,
    engine: { ...RETRIES, ...given.engine },
    onRuleError: (fault: RuleError): void => void faults.push(fault),
  }
  const app = await until(start([worker], backend, options))
  let count = 0
  await use({
    app,
    faults,
    broken,
    async doing(...ids) {
      for (const id of ids) {
        count += 1
        await until(app.send(Work.Do({ id, n: 1 }), { id: `${count}-${id}` }))
      }
    },
    pass: (ms) => stage.clock.advance(ms),
    step: (byMs) => stage.clock.stepWallClock(byMs),
    now: () => clock.now(),
    until,
  })
  await until(app.stop())
}
