// Undeclared results of JavaScript rules are found when the rule runs. They have failed at
// once, and the text says what to change.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { command, contract, entity, event, handler, saga, send, service, start } from 'throughline'
import { after, refuse } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { RuleError } from '../../../src/engine/failure/rule-error.ts'
import { createSimulation } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Bell = contract(
  'bell',
  { key: 'id' },
  {
    Ring: command(Id, { refuses: ['worn'] }),
    Rang: event(Id),
    Mend: command(Id),
    Mended: event(Id),
  },
)
const Other = contract('other', { key: 'id' }, { Do: command(Id), Done: event(Id) })

/** Runs a service with these rules, and returns what was reported within that time. */
async function toldOf(does: { decide?: unknown; handle?: unknown; step?: unknown }, forMs: number) {
  const stage = createSimulation(memory, 5)
  const answer = (what: unknown, data: unknown): never => {
    if (what instanceof Error) throw what
    return (typeof what === 'function' ? what(data) : what) as never
  }
  const bell = entity(
    'bell',
    { of: Bell, id: 'id', initial: 0 },
    {
      decide: (on) => [
        on(Bell.Ring, (data) => ('decide' in does ? answer(does.decide, data) : Bell.Rang(data))),
        on(Bell.Mend, (data) => Bell.Mended(data)),
      ],
      evolve: (on) => [
        on(Bell.Rang, (_, count) => count + 1),
        on(Bell.Mended, (_, count) => count),
      ],
    },
  )
  const listen = handler('listen', {}, (on) => [on(Bell.Rang, (data) => answer(does.handle, data))])
  const flow = saga('flow', { by: 'id', initial: {}, sends: [] }, (on) => [
    on(Bell.Rang, (data) => answer(does.step ?? [], data)),
  ])
  const faults: RuleError[] = []
  const { backend, clock, random } = stage.instance()
  const tower = service('tower', { owns: [Bell], runs: [bell, listen, flow] })
  const faulted = (fault: RuleError): void => void faults.push(fault)
  // Hours of idle polls are not what this is about.
  const engine = { idleMs: 60_000 }
  const options = { clock, random, engine, onRuleError: faulted, remote: [Other] }
  const app = await stage.clock.until(start([tower], backend, options))
  await stage.clock.until(app.send(Bell.Ring({ id: 'a' })))
  await stage.clock.advance(forMs)
  await stage.clock.until(app.stop())
  return faults
}

type Data = z.infer<typeof Id>
const CASES: Readonly<Record<string, readonly [Parameters<typeof toldOf>[0], RegExp]>> = {
  'an event of another contract': [
    { decide: (data: Data) => Other.Done(data) },
    /may not publish other\.Done: add it to its emits if it is an event of its own contract/,
  ],
  'a refusal code that the contract lacks': [
    { decide: () => refuse('tired') },
    /cannot be refused with tired: add the code to refuses of its contract/,
  ],
  'a command that a handler does not declare': [
    { handle: (data: Data) => send(Bell.Mend(data)) },
    /handler listen returned bell\.Mend without declaring it: add it to its sends/,
  ],
  'a command that a saga does not declare': [
    { step: (data: Data) => send(Bell.Mend(data)) },
    /saga flow sent bell\.Mend without declaring it: add it to its sends/,
  ],
  'a timer that a saga does not declare': [
    { step: (data: Data) => after(1_000, Bell.Mend(data)) },
    /saga flow sent bell\.Mend without declaring it: add it to its sends/,
  ],
}

describe('a rule with an invalid result fails at once, with a fix', () => {
  for (const [name, [does, text]] of Object.entries(CASES))
    test(name, async () => {
      const faults = await toldOf(does, 45_000)
      assert.equal(faults.length, 1)
      assert.match(faults[0]?.error ?? '', text)
      assert.equal(faults[0]?.status, 'FAILED')
      assert.equal((await toldOf(does, 7_200_000)).length, 1)
    })

  test('a rule that may recover is retried at once', async () => {
    const faults = await toldOf({ handle: new Error('closed') }, 300_000)
    assert.ok(faults.length > 5, String(faults.length))
  })
})
