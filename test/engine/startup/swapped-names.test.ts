// Two names are swapped over the same data: each keeps its own.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App } from 'throughline'
import {
  contract,
  event,
  handler,
  projection,
  query,
  queryHandler,
  service,
  start,
  tool,
} from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { testClock, findImbalances, sharedBackend } from '../support/simulation.ts'

const Data = z.object({ k: z.string() })
const Work = contract(
  'work',
  { key: 'k', partitions: 1 },
  { Done: event(Data), Look: query(Data, { answers: z.unknown() }) },
)

interface Called {
  readonly name: string
  readonly renamedFrom?: string
}

/** The names of the rules: two handlers, the first of which fails at times, and two projections. */
type Names = readonly [letters: Called, texts: Called, ones: Called, twos: Called]

const FIRST: Names = [{ name: 'mail' }, { name: 'sms' }, { name: 'rows' }, { name: 'lines' }]
const SWAPPED: Names = [
  { name: 'sms', renamedFrom: 'mail' },
  { name: 'mail', renamedFrom: 'sms' },
  { name: 'lines', renamedFrom: 'rows' },
  { name: 'rows', renamedFrom: 'lines' },
]
const LATER = SWAPPED.map(({ name }) => ({ name })) as unknown as Names

function world() {
  const clock = testClock()
  const backend = sharedBackend(memory({ clock }), (_, call) => call())
  const mood = { isBad: true }
  const handled: string[] = []
  const launch = ([letters, texts, ones, twos]: Names): Promise<App> => {
    const handlerOf = ({ name, ...rest }: Called, code: string) =>
      handler(name, rest, (on) => [
        on(Work.Done, ({ k }, _, { effectKey }) => {
          if (code === 'letters' && mood.isBad) throw new Error('planted')
          handled.push(`${code} ${k} ${effectKey.split(':')[0]}`)
        }),
      ])
    const projectionOf = ({ name, ...rest }: Called, step: number) =>
      projection(name, { by: 'k', row: tool<{ n: number }>(), ...rest }, (on) => [
        on(Work.Done, (_, row) => ({ n: (row?.n ?? 0) + step })),
      ])
    const [one, two] = [projectionOf(ones, 1), projectionOf(twos, 2)]
    const look = queryHandler('look', { of: Work, reads: [one, two] }, (on) => [
      on(Work.Look, async ({ k }, read) => [
        (await read(one).get(k))?.n,
        (await read(two).get(k))?.n,
      ]),
    ])
    const runs = [handlerOf(letters, 'letters'), handlerOf(texts, 'texts'), one, two, look]
    return clock.until(
      start([service('shop', { owns: [Work], runs })], backend, {
        clock,
        engine: { retryDelayMs: 100, retryDelayMsMax: 100, retryAttemptsMax: 1_000_000 },
        onRuleError: () => undefined,
      }),
    )
  }
  return { clock, mood, handled, launch, until: clock.until }
}

suite('two rules that swap their names', () => {
  test('each continue with their own progress, rows and held keys', async () => {
    const { clock, mood, handled, launch, until } = world()
    let app = await launch(FIRST)
    await until(app.append([Work.Done({ k: 'a' }), Work.Done({ k: 'b' })]))
    await clock.advance(2_000)
    await until(app.stop())
    assert.deepEqual(handled.splice(0), ['texts a shop/sms', 'texts b shop/sms'])

    app = await launch(SWAPPED)
    const { items } = await until(app.heldKeys())
    assert.deepEqual(
      items.map(({ consumer, key }) => `${consumer} ${key}`),
      ['shop/sms a', 'shop/sms b'],
    )
    mood.isBad = false
    await clock.advance(1_000)
    await until(app.settled())
    assert.deepEqual(handled.splice(0).toSorted(), ['letters a shop/mail', 'letters b shop/mail'])
    await until(app.stop())

    // Once more, and without a word.
    for (const [names, count] of [
      [SWAPPED, 2],
      [LATER, 3],
    ] as const) {
      app = await launch(names)
      await until(app.append([Work.Done({ k: 'a' })]))
      await until(app.settled())
      assert.deepEqual(handled.splice(0).toSorted(), ['letters a shop/mail', 'texts a shop/sms'])
      assert.deepEqual(await until(app.ask(Work.Look({ k: 'a' }))), [count, 2 * count])
      assert.deepEqual(findImbalances(await until(app.status())), [])
      await until(app.stop())
    }
  })
})
