// Rewinding a handler to another offset of its topics.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { command, contract, entity, event, handler } from 'throughline'
import { projection, service, start, tool } from 'throughline'
import type { HandlerContext } from 'throughline'
import { memory } from 'throughline/testing'
import { runVerb } from '../../../src/control/verbs.ts'
import { systemOf } from '../../../src/runtime/running-system.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import type { Simulation } from '../support/simulation.ts'
import { anySchema, caughtUp, createSimulation } from '../support/simulation.ts'

interface Note {
  readonly to: string
  readonly number: number
}
const Note = anySchema<Note>()
const Notes = contract(
  'notes',
  { key: 'to', partitions: 2 },
  { Write: command(Note), Written: event(Note) },
)
const notes = entity(
  'notes',
  { of: Notes, id: 'to', initial: 0 },
  {
    decide: (on) => [on(Notes.Write, (note) => Notes.Written(note))],
    evolve: (on) => [on(Notes.Written, (_, count) => count + 1)],
  },
)
const board = projection('board', { by: 'to', row: tool<number>() }, (on) => [
  on(Notes.Written, ({ number }) => number),
])

interface Outside {
  tell(note: Note, handling: HandlerContext): Promise<void> | void
}

async function launch(stage: Simulation, outside: Outside, order: 'stream' | 'queue' = 'stream') {
  const mail = handler('mail', { uses: { outside: tool<Outside>() }, consume: order }, (on) => [
    on(Notes.Written, async (note, tools, handling) => {
      await tools.outside.tell(note, handling)
    }),
  ])
  const { backend, clock, random } = stage.instance()
  const office = service('office', { owns: [Notes], runs: [notes, board, mail] })
  const engine = {
    leaseMs: 3_000,
    idleMs: 1_000,
    retryDelayMs: 100,
    retryDelayMsMax: 500,
    retryAttemptsMax: 1_000_000,
  }
  const options = { clock, random, engine, tools: { outside }, onRuleError: () => undefined }
  return stage.clock.until(start([office], backend, options))
}

type App = Awaited<ReturnType<typeof launch>>

async function write(
  stage: Simulation,
  app: App,
  people: readonly string[],
  count: readonly number[],
) {
  for (const number of count)
    await stage.clock.until(
      Promise.all(
        people.map((to) => app.send(Notes.Write({ to, number }), { id: `${to}${number}` })),
      ),
    )
  await stage.clock.until(caughtUp(stage.clock, app))
}

async function mailOf(stage: Simulation, app: App) {
  const status = await stage.clock.until(app.status())
  return status.find(({ consumer }) => consumer === 'office/mail')
}

const PEOPLE = ['a', 'b', 'c']

for (const order of ['stream', 'queue'] as const)
  describe(`a rewind, with order ${order}`, () => {
    test('to the earliest offset handles everything again, under the same effect keys', async () => {
      const stage = createSimulation(memory, 1)
      const keys: string[] = []
      const tell = (_: Note, { effectKey }: HandlerContext): void => void keys.push(effectKey)
      const app = await launch(stage, { tell }, order)
      await write(stage, app, PEOPLE, numbersUpTo(4))
      assert.equal(keys.length, 12)
      // Nobody has anything to do, and all members hear of it.
      await stage.clock.advance(10_000)
      const rewound = await stage.clock.until(app.rewind('office/mail', 'earliest'))
      assert.deepEqual(
        rewound.map(({ topic, partition, next }) => [topic, partition, next]),
        [
          ['notes.events', 0, 0],
          ['notes.events', 1, 0],
        ],
      )
      await stage.clock.advance(2_500)
      await stage.clock.until(caughtUp(stage.clock, app))
      assert.deepEqual(keys.slice(12).toSorted(), keys.slice(0, 12).toSorted())
      const { accepted, completed, pending } = (await mailOf(stage, app)) ?? {}
      assert.deepEqual([accepted, completed, pending], [24, 24, 0])
      const status = await stage.clock.until(app.status())
      for (const { consumer, completed: done } of status)
        if (consumer !== 'office/mail') assert.equal(done, 12, consumer)
      await stage.clock.until(app.stop())
    })

    test('while events are held repeats completed events, and handles held ones once', async () => {
      const stage = createSimulation(memory, 2)
      let isBroken = true
      const told: string[] = []
      const tell = ({ to, number }: Note): void => {
        if (isBroken && to === 'b' && number === 1) throw new Error('moved')
        told.push(`${to}${number}`)
      }
      const app = await launch(stage, { tell }, order)
      for (const number of numbersUpTo(3))
        await stage.clock.until(
          Promise.all(PEOPLE.map((to) => app.send(Notes.Write({ to, number })))),
        )
      await stage.clock.advance(3_000)
      await stage.clock.until(app.rewind('office/mail', 'earliest'))
      await stage.clock.advance(5_000)
      isBroken = false
      await stage.clock.until(caughtUp(stage.clock, app))
      const times = (name: string): number => told.filter((each) => each === name).length
      assert.equal(times('a0'), 2)
      assert.equal(times('c2'), 2)
      assert.equal(
        times('b1'),
        order === 'stream' ? 2 : 1,
        'held, and with an order read again behind',
      )
      await stage.clock.until(app.stop())
    })

    test('fences units in progress', async () => {
      const stage = createSimulation(memory, 3)
      const gates: (() => void)[] = []
      let isSlow = true
      const outside = {
        tell: () => (isSlow ? new Promise<void>((go) => void gates.push(go)) : undefined),
      }
      const app = await launch(stage, outside, order)
      await stage.clock.until(app.send(Notes.Write({ to: 'a', number: 0 })))
      await stage.clock.advance(100)
      assert.equal(gates.length, 1)
      await stage.clock.until(app.rewind('office/mail', 'latest'))
      isSlow = false
      for (const go of gates) go()
      await stage.clock.advance(5_000)
      const { accepted, completed, lag } = (await mailOf(stage, app)) ?? {}
      assert.deepEqual([accepted, completed, lag], [0, 0, 0], 'what was passed over is no work')
      await write(stage, app, ['b'], [7])
      assert.equal((await mailOf(stage, app))?.completed, 1)
      await stage.clock.until(app.stop())
    })
  })

describe('a rewind', () => {
  test('goes to an offset of one partition, or to a time', async () => {
    const stage = createSimulation(memory, 4)
    const told: string[] = []
    const tell = ({ to, number }: Note): void => void told.push(`${to}${number}`)
    const app = await launch(stage, { tell })
    await write(stage, app, PEOPLE, [0, 1])
    await stage.clock.advance(10_000)
    const atMs = stage.clock.now()
    await stage.clock.advance(10_000)
    await write(stage, app, PEOPLE, [2])
    told.length = 0
    await stage.clock.until(app.rewind('office/mail', { atMs }))
    await stage.clock.advance(3_000)
    assert.deepEqual(told.toSorted(), ['a2', 'b2', 'c2'])
    told.length = 0
    const ends = await stage.clock.until(stage.backend.log.ends(['notes.events']))
    const { partition, next } = ends.find((end) => end.next > 3) ?? { partition: -1, next: 0 }
    const at = { topic: 'notes.events', partition }
    await stage.clock.until(app.rewind('office/mail', { offset: next - 2 }, at))
    await stage.clock.advance(3_000)
    assert.equal(told.length, 2)
    await stage.clock.until(app.stop())
  })

  test('refuses invalid requests, and says what is possible', async () => {
    const stage = createSimulation(memory, 5)
    const app = await launch(stage, { tell: () => undefined })
    await write(stage, app, ['a'], [0])
    const refused = (...given: Parameters<typeof app.rewind>) =>
      stage.clock.until(app.rewind(...given).then(() => 'done', String))
    assert.match(await refused('office/board', 'earliest'), /REWIND_REFUSED.*projection[^]*rebuild/)
    assert.match(await refused('office/notes', 'earliest'), /REWIND_REFUSED.*entity/)
    assert.match(await refused('office/male', 'earliest'), /RULE_NOT_FOUND.*office\/mail/)
    assert.match(await refused('office/mail', { offset: 0 }), /OPTION_INVALID[^]*needs a topic/)
    const at = { topic: 'notes.events', partition: 0 }
    assert.match(await refused('office/mail', { offset: 99 }, at), /OPTION_INVALID[^]*from 0 to/)
    assert.match(
      await refused('office/mail', 'latest', { topic: 'notes.commands' }),
      /OPTION_INVALID[^]*is not read by office\/mail/,
    )
    const nowhere = { topic: 'notes.events', partition: 9 }
    assert.match(
      await refused('office/mail', 'latest', nowhere),
      /OPTION_INVALID[^]*does not exist: 9/,
    )
    await stage.clock.until(app.stop())
  })

  test('is an operator verb', async () => {
    const stage = createSimulation(memory, 6)
    let calls = 0
    const app = await launch(stage, { tell: () => void (calls += 1) })
    await write(stage, app, PEOPLE, [0])
    const say = (given: object) =>
      stage.clock.until(runVerb(systemOf(app), 'rewind', { consumer: 'office/mail', ...given }))
    await say({ to: '2019-01-01' })
    await stage.clock.advance(3_000)
    assert.equal(calls, 6)
    await say({ to: '0', topic: 'notes.events', partition: 0 })
    await say({ to: '0', topic: 'notes.events', partition: 1 })
    await stage.clock.advance(3_000)
    assert.equal(calls, 9)
    await assert.rejects(say({ to: 'yesterday' }), /OPTION_INVALID[^]*must be earliest, latest/)
    await stage.clock.until(app.stop())
  })
})
