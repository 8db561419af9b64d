// The output of the command line: --follow, colours, width, and escaping.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { EventView } from '../../src/control/views.ts'
import { Asking } from '../control/talking-services.ts'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory, sendConversations } from './harness.ts'

suite('log --follow', () => {
  test('prints new messages until it is stopped', { timeout: 20_000 }, async () => {
    const at = createTestDirectory()
    await using app = await at.launch()
    await sendConversations(app)
    const stop = new AbortController()
    let heard = ''
    const said = at.run(['log', 'telling.events', '--follow', '--json'], {
      signal: stop.signal,
      onOutput(text) {
        heard += text
        // The stored messages are printed: now send new ones.
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

  test('waits for an owner if there is none', { timeout: 20_000 }, async () => {
    const at = createTestDirectory()
    const first = await at.launch()
    await sendConversations(first)
    await first.stop()
    const stop = new AbortController()
    const following = at.run(['log', 'telling.events', '--follow'], {
      signal: stop.signal,
      onOutput(text) {
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
  let at: TestDirectory
  before(async () => {
    at = createTestDirectory()
    await (await at.launch()).stop()
  })
  after(() => at.remove())

  const cases: readonly (readonly [string, boolean, Readonly<Record<string, string>>, boolean])[] =
    [
      ['are on for a terminal', true, {}, true],
      ['are off in a pipe', false, {}, false],
      ['are off if NO_COLOR is set', true, { NO_COLOR: '1' }, false],
      ['are on if NO_COLOR is empty', true, { NO_COLOR: '' }, true],
    ]
  for (const [name, isTTY, env, isColoured] of cases)
    test(name, async () => {
      const { out } = await at.run(['topics'], { isTTY, env })
      assert.equal(out.includes('\u001b['), isColoured)
    })
})

test('lines are truncated at the width of the terminal', async () => {
  const at = createTestDirectory()
  const app = await at.launch()
  await sendConversations(app)
  await app.stop()
  const widest = async (columns: number): Promise<number> => {
    const around = { isTTY: true, columns, env: { NO_COLOR: '1' } }
    const { out } = await at.run(['log', 'asking.events'], around)
    return Math.max(...out.split('\n').map((line) => line.length))
  }
  assert.equal(await widest(60), 60)
  // A terminal of unknown width.
  const whole = await widest(0)
  assert.ok(whole > 60)
  assert.equal(await widest(whole), whole)
  at.remove()
})

suite('text from clients', () => {
  // Bidirectional controls and escape sequences, which a terminal would act on.
  const hostile = 'inv\u202egpj.exe\u2066'
  const typed = `${hostile}\u009b2J\u001b[2J`
  const long = 'k'.repeat(200)
  // oxlint-disable-next-line no-control-regex
  const unseen = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/
  let at: TestDirectory
  before(async () => {
    at = createTestDirectory()
    await using app = await at.launch()
    await app.send(Asking.Ask({ id: long }), { id: 'ask-long' })
    await app.send(Asking.Ask({ id: hostile }), { id: 'ask-hostile' })
    await app.settled()
  })
  after(() => at.remove())

  test('is escaped by every command that prints it', async () => {
    for (const argv of [
      ['log', 'asking.commands'],
      ['log', 'asking.commands', '--json'],
      ['chain', 'ask-hostile'],
      ['chain', 'ask-hostile', '--json'],
      ['replay', 'asking.commands'],
      ['chain', typed],
      ['chain', typed, '--json'],
      ['log', typed],
    ]) {
      const { out, err } = await at.run(argv, { isTTY: true, env: { NO_COLOR: '1' } })
      assert.doesNotMatch(out + err, unseen)
      assert.match(out + err, /inv\\u202egpj/)
    }
  })

  test('stays JSON in the last column, even after a long key', async () => {
    const { out } = await at.run(['log', 'asking.commands'])
    const [, ...lines] = out.trimEnd().split('\n')
    const data = lines.map((line) => JSON.parse(line.slice(line.indexOf('{'))) as { id: string })
    assert.deepEqual(
      data.map(({ id }) => id),
      [long, hostile],
    )
    assert.ok((lines[1] ?? '').length < 300, 'the long key widens only its own line')
  })

  test('is truncated on a terminal, so that the columns behind it stay visible', async () => {
    const around = { isTTY: true, columns: 200, env: { NO_COLOR: '1' } }
    const { out } = await at.run(['log', 'asking.commands'], around)
    const [head = '', ...lines] = out.trimEnd().split('\n')
    const at0 = head.indexOf('data')
    for (const line of lines) assert.equal(line[at0], '{')
    assert.match(lines[0] ?? '', /k{39}… {2}outside/)
  })
})
