// Follows docs/first-steps.md step by step: the tests, the requests, the kill.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { suite, test } from 'node:test'
import type { Exchange } from './documents.ts'
import {
  answered,
  environment,
  filesIn,
  createScratchDirectory,
  read,
  run,
  stepsIn,
} from './documents.ts'

const page = read('docs/first-steps.md')
const soon = (): AbortSignal => AbortSignal.timeout(30_000)

interface Started {
  readonly child: ChildProcess
  readonly gateway: string
}

async function startIn(directory: string): Promise<Started> {
  const child = spawn(process.execPath, ['main.ts'], {
    cwd: directory,
    env: { ...environment, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout, signal: soon() })) {
    const [, gateway] = /^Gateway: (\S+)/.exec(line) ?? []
    if (gateway !== undefined) return { child, gateway }
  }
  throw new Error('the program ended before it printed its address')
}

/** Sends a request; repeats a GET that is answered 404, since a projection may lag behind. */
async function mustAnswer(gateway: string, { command, curl, answer }: Exchange): Promise<void> {
  const signal = soon()
  for (;;) {
    const response = await fetch(gateway + curl.path, { ...curl.init, signal })
    const isEarly = response.status === 404 && curl.init.method === 'GET'
    const seen = await answered(response, isEarly ? { headers: [], body: {} } : answer)
    if (!isEarly) return assert.deepEqual(seen, answer, command)
  }
}

suite('the first steps', { concurrency: 3 }, () => {
  test('lead to a service that survives a kill', async () => {
    using place = createScratchDirectory()
    const files = filesIn(page)
    assert.deepEqual(
      [...files.keys()],
      ['contracts.ts', 'service.ts', 'service.test.ts', 'main.ts'],
    )
    for (const [name, text] of files) writeFileSync(join(place.path, name), text)
    let { child, gateway } = await startIn(place.path)
    let kills = 0
    try {
      for (const step of stepsIn(page))
        if (step.kind === 'exchange') await mustAnswer(gateway, step)
        else if (step.text.startsWith('kill -9 ')) {
          const owner = readFileSync(join(place.path, 'data/owner.json'), 'utf8')
          assert.equal((JSON.parse(owner) as { pid: number }).pid, child.pid)
          const ended = once(child, 'exit')
          child.kill('SIGKILL')
          await ended
          ;({ child, gateway } = await startIn(place.path))
          kills += 1
        }
      assert.equal(kills, 1)
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      assert.deepEqual(await ended, [0, null])
    } finally {
      child.kill('SIGKILL')
    }
  })

  test('pass their own tests', async () => {
    using place = createScratchDirectory()
    for (const [name, text] of filesIn(page)) writeFileSync(join(place.path, name), text)
    const { status, stdout } = await run(place.path, '--test')
    assert.equal(status, 0, stdout)
    assert.match(stdout, /pass 2/)
  })

  test('pass their tests in JavaScript', async () => {
    using place = createScratchDirectory()
    for (const [name, text] of filesIn(page)) {
      const plain = text.replaceAll(/^type .*\n| as Order\b/gm, '')
      const source = plain.replaceAll(/(from '\.\/\w+)\.ts'/g, "$1.js'")
      writeFileSync(join(place.path, name.replace(/\.ts$/, '.js')), source)
    }
    const { status, stdout } = await run(place.path, '--test')
    assert.equal(status, 0, stdout)
    assert.match(stdout, /pass 2/)
  })
})
