// The replay command.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type { OutputStream } from '../../src/cli/terminal/environment.ts'
import { main } from '../../src/cli/main.ts'
import { createTerminal } from '../../src/cli/terminal/terminal.ts'
import type { ReplayedEvent } from '../../src/control/replay.ts'
import { withAndWithoutOwner } from './harness.ts'

const linesOf = (out: string): readonly ReplayedEvent[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ReplayedEvent)

withAndWithoutOwner('replay', (at) => {
  test('prints one CloudEvent per line, in order', async () => {
    for (const json of [[], ['--json']]) {
      const { code, out, err } = await at.run(['replay', 'asking.commands', ...json])
      assert.deepEqual([code, err], [0, ''])
      const events = linesOf(out)
      assert.deepEqual(
        events.map(({ id }) => id),
        ['ask-a', 'ask-b', 'ask-c'],
      )
      assert.ok(events.every(({ specversion }) => specversion === '1.0'))
    }
  })

  test('prints a range of offsets or times', async () => {
    const { out } = await at.run(['replay', 'asking.commands'])
    const [first] = linesOf(out)
    assert.ok(first)
    const partition = ['--partition', String(first.partition)]
    const one = await at.run(['replay', 'asking.commands', ...partition, '--to', '1'])
    assert.deepEqual(linesOf(one.out)[0], first)
    const none = await at.run(['replay', 'asking.commands', '--from', '2999-01-01'])
    assert.deepEqual([none.code, none.out], [0, ''])
  })

  test('refuses an unknown topic and an invalid position', async () => {
    const topic = await at.run(['replay', 'asking.comands'])
    assert.equal(topic.code, 1)
    assert.match(topic.err, /^TOPIC_NOT_FOUND: .*did you mean "asking\.commands"\?/)
    const from = await at.run(['replay', 'asking.commands', '--from', 'noon'])
    assert.equal(from.code, 2)
    assert.match(
      from.err,
      /from: must be an offset, or a time: "noon" is not a date or RFC 3339 timestamp, such as /,
    )
  })

  test('reports two invalid positions at once', async () => {
    const argv = ['replay', 'asking.commands', '--from', '2026-11-01T01:30:00', '--to']
    const { code, out, err } = await at.run([...argv, '2026-02-30'])
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /from: .*"2026-11-01T01:30:00" has no time zone: add Z/)
    assert.match(err, /to: .*"2026-02-30" is a date or time that does not exist/)
  })

  test('waits for a slow reader', async () => {
    const hears = new EventEmitter()
    let written = 0
    let waits = 0
    const slow: OutputStream = {
      write() {
        written += 1
        waits += 1
        setImmediate(() => hears.emit('drain'))
        return false
      },
      on: (event, hear) => hears.on(event, hear),
      once: (event, hear) => hears.once(event, hear),
    }
    const io = { stdout: slow, stderr: slow, cwd: at.root, env: {} }
    assert.equal(await main(['replay', 'asking.commands'], io), 0)
    assert.deepEqual([written, waits], [3, 3])
    assert.equal(hears.listenerCount('drain'), 0)
  })
})

test('drained resolves when the buffer is empty, or when the output is closed', async () => {
  for (const event of ['drain', 'error'] as const) {
    const hears = new EventEmitter()
    const full: OutputStream = {
      write: () => false,
      on: (event, hear) => hears.on(event, hear),
      once: (event, hear) => hears.once(event, hear),
    }
    const terminal = createTerminal({ stdout: full, stderr: full, cwd: '/', env: {} })
    await terminal.drained()
    terminal.print('x')
    let isDrained = false
    const drained = terminal.drained().then(() => (isDrained = true))
    await new Promise(setImmediate)
    assert.equal(isDrained, false)
    hears.emit(event, Object.assign(new Error('gone'), { code: 'EPIPE' }))
    await drained
  }
})
