// `throughline consumers rewind`: with the owner running, and without an owner.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { command, contract, entity, event, handler, service, start } from 'throughline'
import type { App } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory } from './harness.ts'

const Bell = z.object({ house: z.string() })
const Bells = contract(
  'bells',
  { key: 'house', partitions: 1 },
  { Ring: command(Bell), Rung: event(Bell) },
)
const bell = entity(
  'bell',
  { of: Bells, id: 'house', initial: 0 },
  {
    decide: (on) => [on(Bells.Ring, (data) => Bells.Rung(data))],
    evolve: (on) => [on(Bells.Rung, (_, times) => times + 1)],
  },
)

/** Starts a service whose handler records what it handles. */
async function launch(at: TestDirectory, heard: string[]): Promise<App> {
  const dog = handler('dog', { consume: 'queue' }, (on) => [
    on(Bells.Rung, ({ house }) => void heard.push(house)),
  ])
  const home = service('home', { owns: [Bells], runs: [bell, dog] })
  const engine = { idleMs: 20 }
  return start([home], embedded({ directory: at.data }), { engine })
}

suite('consumers rewind', () => {
  const heard: string[] = []
  let at: TestDirectory
  let app: App
  before(async () => {
    at = createTestDirectory()
    app = await launch(at, heard)
    for (const house of ['a', 'b', 'c']) await app.send(Bells.Ring({ house }))
    await app.settled()
  })
  after(async () => {
    await app.stop()
    at.remove()
  })

  test('moves a running handler back to the earliest record', async () => {
    const { code, out } = await at.run(['consumers', 'rewind', 'home/dog', '--to', 'earliest'])
    assert.equal(code, 0)
    assert.match(out, /^topic +partition +from +next$/m)
    assert.match(out, /^bells\.events +0 +3 +0$/m)
    await app.settled()
    assert.deepEqual(heard.toSorted(), ['a', 'a', 'b', 'b', 'c', 'c'])
    const views = (await at.runJson('consumers')) as { rule: string; accepted: number }[]
    const dog = views.find(({ rule }) => rule === 'dog')
    assert.equal(dog?.accepted, 6)
  })

  test('reports missing arguments, and refuses what cannot be rewound', async () => {
    const said = async (...argv: readonly string[]): Promise<string> => {
      const { code, out, err } = await at.run(['consumers', ...argv])
      assert.deepEqual([code === 0, out], [false, ''])
      return err
    }
    assert.match(await said('rewind', 'home/dog'), /^OPTION_INVALID[^]*to: is missing/)
    assert.match(await said('rewind'), /^OPTION_INVALID[^]*consumer: is missing/)
    assert.match(await said('rewind', 'home/bell', '--to', 'earliest'), /^REWIND_REFUSED/)
    assert.match(await said('rewind', 'home/cat', '--to', 'latest'), /^RULE_NOT_FOUND.*home\/dog/)
    assert.match(await said('forward', 'home/dog'), /^OPTION_INVALID[^]*only one is rewind/)
  })

  test('refuses a time without a time zone, and invalid times', async () => {
    const to = async (time: string): Promise<string> =>
      (await at.run(['consumers', 'rewind', 'home/dog', '--to', time])).err
    assert.match(
      await to('2026-11-01T01:30:00'),
      /to: must be earliest, latest, an offset, or a time/,
    )
    assert.match(await to('2026-11-01T01:30:00'), /"2026-11-01T01:30:00" has no time zone: add Z/)
    assert.match(await to('2026-02-30'), /"2026-02-30" is a date or time that does not exist/)
    assert.match(
      await to('2026-02-01 12:00'),
      /"2026-02-01 12:00" is not a date or RFC 3339 timestamp/,
    )
  })

  test('changes data without an owner only with --offline', async () => {
    await app.stop()
    const argv = ['consumers', 'rewind', 'home/dog', '--to', '1', '--topic', 'bells.events']
    const rewind = [...argv, '--partition', '0']
    const { code, err } = await at.run(rewind)
    assert.deepEqual([code, err.startsWith('DATA_READ_ONLY')], [1, true])
    assert.deepEqual(await at.runJson(...rewind, '--offline'), [
      { topic: 'bells.events', partition: 0, from: 3, next: 1 },
    ])
    heard.length = 0
    app = await launch(at, heard)
    await app.settled()
    assert.equal(heard.length, 2)
  })
})
