// What waits can be asked for: keys that are held, sagas that are open, operations that are pending,
// timers; and health does not say that all is well meanwhile.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import type { App, HeldKey, OpenSaga } from 'throughline'
import { after, command, contract, entity, event, handler, hours, projection } from 'throughline'
import { finish, query, refuse, saga, send, service, start, type } from 'throughline'
import { memory } from 'throughline/testing'
import type { Faulted } from '../../src/engine/faulted.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import { stageOf } from './stage.ts'

const Data = z.object({ id: z.string(), n: z.int() })
const Work = contract(
  'work',
  { key: 'id' },
  {
    Do: command(Data, { refuses: ['no'] }),
    Done: event(Data),
    Note: command(Data),
    Noted: event(Data),
  },
)

const thing = entity(
  'thing',
  { of: Work, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Work.Do, (data) => (data.n < 0 ? refuse('no', ['n is negative']) : Work.Done(data))),
      on(Work.Note, (data) => {
        if (data.id.startsWith('unnoted')) throw new Error('no pencil')
        return Work.Noted(data)
      }),
    ],
    evolve: (on) => [on(Work.Done, (_, count) => count + 1), on(Work.Noted, (_, count) => count)],
  },
)
/** Throws for every key that begins with `bad`, until it is mended. */
const outside = (mended: { is: boolean }) =>
  handler('outside', {}, (on) => [
    on(Work.Done, ({ id }) => {
      if (id.startsWith('bad') && !mended.is)
        throw Object.assign(new Error(`the bank said no for ${id}`), { code: 'ECONNREFUSED' })
    }),
  ])
const reminding = saga('reminding', { by: 'id', initial: {}, sends: [Work.Note] }, (on) => [
  on(Work.Done, (data) => {
    if (data.id.startsWith('timed')) return after(hours(5), Work.Note(data))
    if (data.id.startsWith('unnoted')) return send(Work.Note(data))
    return finish()
  }),
  on(Work.Noted, () => finish()),
])

const STEP_MS = 10

interface World {
  readonly app: App
  readonly faults: Faulted[]
  readonly mended: { is: boolean }
  /** Sends a command for each key. */
  doing(...ids: readonly string[]): Promise<void>
  pass(ms: number): Promise<void>
  now(): number
  until<T>(promise: Promise<T>): Promise<T>
}

async function inWorld(
  use: (world: World) => Promise<void>,
  engine: Partial<EngineOptions> = {},
): Promise<void> {
  const stage = stageOf(memory, 7)
  const { backend, clock, random } = stage.instance()
  const { until } = stage.clock
  const faults: Faulted[] = []
  const mended = { is: false }
  const worker = service('worker', { owns: [Work], runs: [thing, outside(mended), reminding] })
  const faulted = (fault: Faulted): void => void faults.push(fault)
  const app = await until(start([worker], backend, { clock, random, engine, faulted }))
  await use({
    app,
    faults,
    mended,
    async doing(...ids) {
      for (const id of ids) await until(app.send(Work.Do({ id, n: 1 }), { id: `do-${id}` }))
    },
    pass: (ms) => stage.clock.advance(ms),
    now: () => stage.clock.now(),
    until,
  })
  await until(app.stop())
}

test('a held key says since when, behind which event, with which error, and when it is tried again', () =>
  inWorld(async ({ app, doing, pass, until, now, faults }) => {
    const begun = now()
    await doing('bad-1', 'good', 'bad-1', 'bad-2')
    await pass(1_000)
    const { items, next } = await until(app.held())
    assert.equal(next, undefined)
    assert.deepEqual(
      items.map(({ consumer, key, count }) => [consumer, key, count]),
      [
        ['worker/outside', 'bad-1', 1],
        ['worker/outside', 'bad-2', 1],
      ],
    )
    const [held] = items as [HeldKey]
    assert.ok(held.since >= begun && held.since < begun + 500)
    assert.deepEqual([held.event.type, held.event.topic], ['work.Done', 'work.events'])
    assert.ok(held.attempts >= 3)
    assert.ok(held.nextAttemptAt > now())
    assert.equal(held.error?.message, 'the bank said no for bad-1')
    assert.equal(held.error?.code, 'ECONNREFUSED')
    assert.match(held.error?.stack ?? '', /held\.test\.ts/)
    assert.ok((held.error?.firstAt ?? 0) < (held.error?.lastAt ?? 0))
    const last = faults.findLast(({ key }) => key === 'bad-1')
    assert.ok(last)
    assert.equal(last.messageId, held.event.id)
    assert.deepEqual(
      [last.type, last.topic, last.partition, last.offset, last.attempts, last.nextAttemptAt],
      [
        held.event.type,
        held.event.topic,
        held.event.partition,
        held.event.offset,
        held.attempts,
        held.nextAttemptAt,
      ],
    )
    assert.match(last.stack ?? '', /held\.test\.ts/)
    assert.ok(last.at >= begun)
  }))
