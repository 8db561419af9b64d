// How output comes: as it happens, in colours, and as wide as the terminal.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { EventView } from '../../src/control/views.ts'
import { Asking } from '../control/world.ts'
import type { Place } from './stage.ts'
import { place, talk } from './stage.ts'

suite('log --follow', () => {
  test('prints what comes, until it is told to stop', { timeout: 20_000 }, async () => {
    const at = place()
    await using app = await at.launch()
    await talk(app)
    const stop = new AbortController()
    let heard = ''
    const said = at.say(['log', 'telling.events', '--follow', '--json'], {
      signal: stop.signal,
      heard(text) {
        heard += text
        // What was there already was shown: now something new comes.
        if (heard.split('\n').length === 4 && !heard.includes('"late"'))
          void app.send(Asking.Ask({ id: 'late' }), { id: 'ask-late' })
        if (heard.includes('"late"') && !heard.includes('"later"'))
          void app.send(Asking.Ask({ id: 'later' }), { id: 'ask-later' })
        if (heard.includes('"later"')) stop.abort()
      },
    })
    const { code, out, err } = await said
    assert.deepEqual([code, err], [0, ''])
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as EventView)
    assert.deepEqual(
      events.map(({ key }) => key),
      ['a', 'b', 'c', 'late', 'later'],
    )
    await app.stop()
    at.remove()
  })

  test('waits for an owner where there is none', { timeout: 20_000 }, async () => {
    const at = place()
    const first = await at.launch()
    await talk(first)
    await first.stop()
    const stop = new AbortController()
    const following = at.say(['log', 'telling.events', '--follow'], {
      signal: stop.signal,
      heard(text) {
        if (text.includes('late')) stop.abort()
      },
    })
    await using app = await at.launch()
    await app.send(Asking.Ask({ id: 'late' }))
    const { code, out } = await following
    assert.equal(code, 0)
    assert.equal(out.trimEnd().split('\n').length, 5)
    await app.stop()
    at.remove()
  })
})

suite('colours', () => {
  let at: Place
  before(async () => {
    at = place()
    await (await at.launch()).stop()
  })
  after(() => at.remove())

  const cases: readonly (readonly [string, boolean, Readonly<Record<string, string>>, boolean])[] =
    [
      ['are there on a terminal', true, {}, true],
      ['are not in a pipe', false, {}, false],
      ['are not where NO_COLOR is set', true, { NO_COLOR: '1' }, false],
      ['are there where NO_COLOR is empty', true, { NO_COLOR: '' }, true],
    ]
  for (const [name, isTTY, env, isColoured] of cases)
    test(name, async () => {
      const { out } = await at.say(['topics'], { isTTY, env })
      assert.equal(out.includes('\u001b['), isColoured)
    })
})

test('lines are cut where a terminal ends', async () => {
  const at = place()
  const app = await at.launch()
  await talk(app)
  await app.stop()
  const widest = async (columns: number): Promise<number> => {
    const around = { isTTY: true, columns, env: { NO_COLOR: '1' } }
    const { out } = await at.say(['log', 'asking.events'], around)
    return Math.max(...out.split('\n').map((line) => line.length))
  }
  assert.equal(await widest(60), 60)
  // A terminal that does not know how wide it is.
  const whole = await widest(0)
  assert.ok(whole > 60)
  assert.equal(await widest(whole), whole)
  at.remove()
})
