// `throughline run`, in processes of its own: signals, pipes, a busy port.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { relative } from 'node:path'
import type { TestContext } from 'node:test'
import { after, before, beforeEach, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Asking } from '../control/talking-services.ts'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory, systemFile, sendConversations } from './harness.ts'

const bin = fileURLToPath(new URL('../../src/cli/bin.mjs', import.meta.url))
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

interface Listening {
  readonly event: string
  readonly gateway: string
  readonly page: string
}

let at: TestDirectory
beforeEach(() => (at = createTestDirectory()))

suite('run', () => {
  const running = new Set<ChildProcess>()
  after(() => {
    for (const child of running) child.kill('SIGKILL')
  })

  interface Child {
    readonly child: ChildProcess
    readonly said: { out: string; err: string }
    /** Resolves with the output once it matches. */
    until(pattern: RegExp): Promise<string>
    ended(): Promise<readonly [number | null, NodeJS.Signals | null]>
  }

  function begin(t: TestContext, ...argv: readonly string[]): Child {
    const child = spawn(process.execPath, [bin, ...argv], { cwd: at.root })
    running.add(child)
    const said = { out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
    const closed = once(child, 'close', { signal: soon() }) as Promise<
      [number | null, NodeJS.Signals | null]
    >
    // `ended` reports a rejection; without a call of it, ignore the rejection.
    closed.catch(() => undefined)
    t.after(() => {
      child.kill('SIGKILL')
      running.delete(child)
    })
    return {
      child,
      said,
      async until(pattern) {
        const signal = soon()
        while (!pattern.test(said.out)) {
          if (child.exitCode !== null) throw new Error(`it ended: ${said.err}`)
          await Promise.race([once(child.stdout, 'data', { signal }), once(child, 'close')])
        }
        return said.out
      },
      ended: () => closed,
    }
  }

  const listening = (text: string): Listening =>
    JSON.parse(text.slice(0, text.indexOf('\n'))) as Listening

  test('prints its addresses as one line of JSON, serves, and ends on a signal', async (t) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const child = begin(t, 'run', systemFile('talking'), '--port', '0', '--json')
      const { event, gateway, page } = listening(await child.until(/\n/))
      assert.equal(event, 'listening')
      assert.match(gateway, /^http:\/\/127\.0\.0\.1:\d+$/)
      assert.ok(page.startsWith(`${gateway}/page/#token=`))
      const asked = await fetch(`${gateway}/messages/asking/Ask`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: signal }),
      })
      assert.equal(asked.status, 202)
      // Wait for the operation, so that all records are stored before the stop.
      const operation = new URL(asked.headers.get('location') ?? '', gateway)
      operation.searchParams.set('wait', '30')
      assert.equal((await fetch(operation)).status, 200)
      assert.equal(((await at.runJson('health')) as { status: string }).status, 'well')
      child.child.kill(signal)
      assert.deepEqual(await child.ended(), [0, null])
      assert.equal(child.said.err, '')
      assert.deepEqual(JSON.parse(child.said.out.split('\n')[1] ?? ''), { event: 'stopping' })
      // The owner's lock is released.
      assert.equal(existsSync(`${at.data}/owner.json`), false)
    }
    assert.equal(((await at.runJson('verify')) as { records: number }).records, 8)
    at.remove()
  })

  test('prints its addresses as text', async (t) => {
    const path = relative(at.root, systemFile('talking'))
    const child = begin(t, 'run', path, '--port', '0', '--data', 'else')
    const text = await child.until(/Ctrl-C/)
    assert.match(
      text,
      /^Running asker, teller on else\.\nGateway: http:\S+\nPage: +http:\S+\nStop with/,
    )
    assert.equal(existsSync(`${at.root}/else/throughline.json`), true)
    child.child.kill('SIGINT')
    assert.deepEqual(await child.ended(), [0, null])
    at.remove()
  })

  test('ends at once on a second signal', async (t) => {
    const child = begin(t, 'run', systemFile('stubborn'), '--port', '0', '--json')
    const { gateway } = listening(await child.until(/\n/))
    await fetch(`${gateway}/messages/clinging/Cling`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"id":"a"}',
    })
    await child.until(/clings/)
    child.child.kill('SIGINT')
    await child.until(/stopping/)
    child.child.kill('SIGINT')
    assert.deepEqual(await child.ended(), [130, null])
    at.remove()
  })

  test('ends once the app is stopped, even if the module keeps the process alive', async (t) => {
    const child = begin(t, 'run', systemFile('lingering-contracts'), '--port', '0', '--json')
    await child.until(/listening/)
    child.child.kill('SIGTERM')
    assert.deepEqual(await child.ended(), [0, null])
    assert.match(child.said.out, /stopping/)
    assert.equal(existsSync(`${at.data}/owner.json`), false)
    at.remove()
  })

  test('reports a busy port and how to fix it', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const child = begin(t, 'run', systemFile('talking'), '--port', String(port), '--json')
    assert.deepEqual(await child.ended(), [69, null])
    assert.equal(child.said.out, '')
    const { error } = JSON.parse(child.said.err) as { error: { code: string; message: string } }
    assert.equal(error.code, 'PORT_BUSY')
    assert.ok(error.message.includes(`127.0.0.1:${port}`))
    assert.match(error.message, /0 takes any that is free/)
    assert.equal(existsSync(at.data), false, 'a busy port leaves nothing behind')
    at.remove()
  })

  test('reports the process that owns the data', async (t) => {
    const app = await at.launch()
    const child = begin(t, 'run', systemFile('talking'), '--port', '0')
    assert.deepEqual(await child.ended(), [69, null])
    assert.match(child.said.err, new RegExp(`^DATA_OWNED: .*process ${process.pid}`))
    await app.stop()
    at.remove()
  })

  test('a reader that closes the pipe causes no error', async (t) => {
    const app = await at.launch()
    await sendConversations(app)
    const follower = begin(t, 'log', 'telling.events', '--follow', '--json')
    await follower.until(/\n/)
    follower.child.stdout?.destroy()
    await app.send(Asking.Ask({ id: 'd' }))
    assert.deepEqual(await follower.ended(), [0, null])
    assert.equal(follower.said.err, '')
    for (const argv of [['topics'], ['--help'], ['log', 'asking.events']]) {
      const child = begin(t, ...argv)
      child.child.stdout?.destroy()
      assert.deepEqual(await child.ended(), [0, null])
      assert.equal(child.said.err, '')
    }
    await app.stop()
    at.remove()
  })
})

suite('run refuses an invalid module', () => {
  const say = (name: string): ReturnType<TestDirectory['run']> =>
    at.run(['run', systemFile(name), '--port', '0'], { signal: AbortSignal.abort() })

  test('with all issues at once', async () => {
    const { code, err } = await say('lacking')
    assert.equal(code, 2)
    const issues = err.split('\n').filter((line) => line.startsWith('  - '))
    assert.deepEqual(
      issues.map((line) => /^ {2}- (\w+):/.exec(line)?.[1]),
      ['services', 'tools', 'routes', 'boards'],
    )
    assert.match(issues[0] ?? '', /is not exported \(only boards, routes, service, tools\)/)
    assert.equal(existsSync(at.data), false)
    at.remove()
  })

  test('whose contracts come from another copy of the package', async () => {
    const { code, err } = await say('strange')
    assert.equal(code, 2)
    assert.match(err, /services\[0\]\.owns: .*installed twice/)
    assert.match(err, /services\[1\]: is not a service/)
    at.remove()
  })

  test('that does not exist', async () => {
    const { code, err } = await say('nowhere')
    assert.equal(code, 2)
    assert.match(err, /nowhere\.ts: does not exist/)
    at.remove()
  })

  test('without the tools that its handlers need', async () => {
    const { code, err } = await say('toolless')
    assert.equal(code, 1)
    assert.match(err, /^START_REFUSED: [^]*bell/)
    at.remove()
  })

  test('with unknown engine options', async () => {
    const { code, err } = await say('misfit')
    assert.equal(code, 2)
    assert.match(err, /unitRecordMax: .*did you mean "unitRecordsMax"\?/)
    at.remove()
  })

  test('and rethrows what the module itself throws', async () => {
    const { code, err } = await say('broken')
    assert.equal(code, 1)
    assert.match(err, /the module itself is broken\n +at .*broken\.ts:/)
    const asJson = await at.run(['run', systemFile('broken'), '--json'])
    const { error } = JSON.parse(asJson.err) as { error: object }
    assert.deepEqual(error, {
      code: 'INTERNAL',
      message: 'the module itself is broken',
      issues: [],
      ids: {},
    })
    at.remove()
  })

  test('and a host other than loopback without a token', async () => {
    const argv = ['run', systemFile('talking'), '--port', '0', '--host', '0.0.0.0']
    const { code, err } = await at.run(argv, { signal: AbortSignal.abort() })
    assert.equal(code, 2)
    assert.match(err, /host: 0\.0\.0\.0 is reachable from other machines: set a token/)
    assert.equal(existsSync(at.data), false)
    at.remove()
  })
})

suite('a module that exports everything', () => {
  const stop = new AbortController()
  let own: TestDirectory
  let ended: ReturnType<TestDirectory['run']>
  let where: Listening
  before(async () => {
    own = createTestDirectory()
    where = await new Promise((resolve) => {
      const argv = ['run', systemFile('equipped'), '--port', '0', '--token', 'secret', '--json']
      ended = own.run(argv, {
        signal: stop.signal,
        onOutput: (text) => {
          if (text.includes('listening')) resolve(JSON.parse(text) as Listening)
        },
      })
    })
  })
  after(async () => {
    stop.abort()
    assert.equal((await ended).code, 0)
    own.remove()
  })

  const headers = { authorization: 'Bearer secret', 'content-type': 'application/json' }

  test('serves its routes, and no others', async () => {
    const body = '{"id":"a"}'
    const rung = await fetch(`${where.gateway}/rings`, { method: 'POST', headers, body })
    assert.equal(rung.status, 202)
    const open = `${where.gateway}/messages/ringing/Ring`
    assert.equal((await fetch(open, { method: 'POST', headers, body })).status, 404)
  })

  test('shows its boards, which read the app, and uses its tools', async () => {
    const signal = soon()
    for (;;) {
      signal.throwIfAborted()
      const answer = await fetch(`${where.gateway}/admin/overview`, { headers })
      const { boards } = (await answer.json()) as {
        boards: readonly { title: string; states: readonly { name: string; count: number }[] }[]
      }
      const [board] = boards
      assert.equal(board?.title, 'Bells')
      assert.deepEqual(board.states[1], { name: 'services', count: 1 })
      if (board.states[0]?.count === 1) break
    }
  })

  test('requires the token', async () => {
    assert.equal((await fetch(`${where.gateway}/admin/overview`)).status, 401)
    assert.ok(where.page.endsWith('#token=secret'))
  })
})
