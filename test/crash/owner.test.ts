import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { embedded } from '../../src/backends/embedded/index.ts'
import { Fault } from '../../src/base/errors/fault.ts'
import type { EventLog } from '../../src/ports/event-log.ts'
import {
  ORDERS,
  testEvents,
  readAll,
  appendStored,
  testTopic,
} from '../../src/ports/conformance/fixtures.ts'
import type { Child } from './support/child-process.ts'
import { tempDirectory, startChild } from './support/child-process.ts'

type Opener = Child<{ readonly status: string }>

async function opener(t: TestContext): Promise<Opener> {
  const child: Opener = startChild(t, 'open-close.child.ts', [])
  assert.deepEqual(await child.next(), { status: 'up' })
  return child
}

async function ask(child: Opener, line: string): Promise<string | undefined> {
  child.send(line)
  return (await child.next())?.status
}

function logIn(t: TestContext, directory: string): EventLog {
  const { log } = embedded({ directory })
  t.after(() => log.close())
  return log
}

/** Opening is refused, and the owner is named. */
async function isOwnedBy(log: EventLog, pid: number): Promise<void> {
  await assert.rejects(log.open(), (fault) => {
    assert.ok(fault instanceof Fault)
    assert.equal(fault.code, 'DATA_OWNED')
    assert.equal(fault.retryable, true)
    assert.deepEqual(fault.ids, { pid: String(pid) })
    assert.match(fault.message, new RegExp(`process ${pid}, up since \\d{4}-\\d\\d-\\d\\dT`))
    return true
  })
}

suite('a directory has one owner', () => {
  test('LOG-27 a second process is refused, with pid and start, until the first has closed', async (t) => {
    const directory = await tempDirectory(t)
    const owner = await opener(t)
    assert.equal(await ask(owner, directory), 'opened')
    const log = logIn(t, directory)
    await isOwnedBy(log, owner.pid)
    await isOwnedBy(log, owner.pid)
    assert.equal(await ask(owner, 'close'), 'closed')
    await log.open()
    assert.equal(await ask(owner, directory), 'DATA_OWNED')
    await log.close()
    assert.equal(await ask(owner, directory), 'opened')
  })

  test('LOG-28 stale lock: a second process opens at once when the first was killed', async (t) => {
    const directory = await tempDirectory(t)
    const [first, second] = await Promise.all([opener(t), opener(t)])
    assert.equal(await ask(first, directory), 'opened')
    assert.equal(await ask(second, directory), 'DATA_OWNED')
    first.kill()
    assert.equal(await first.ended, 'SIGKILL')
    assert.equal(await ask(second, directory), 'opened')
    await isOwnedBy(logIn(t, directory), second.pid)
  })

  test('LOG-28 stale owner file: that of a killed owner does not name another process', async (t) => {
    const directory = await tempDirectory(t)
    const owner = await opener(t)
    assert.equal(await ask(owner, directory), 'opened')
    owner.kill()
    await owner.ended
    assert.match(readFileSync(join(directory, 'owner.json'), 'utf8'), new RegExp(`${owner.pid}`))
    await logIn(t, directory).open()
    await isOwnedBy(logIn(t, directory), process.pid)
  })

  test('LOG-28 reused pid: an owner file with the pid of a live process locks nobody out', async (t) => {
    const directory = await tempDirectory(t)
    const owner = await opener(t)
    assert.equal(await ask(owner, directory), 'opened')
    owner.kill()
    await owner.ended
    const other = await opener(t)
    const note = { pid: other.pid, startedAt: '2020-01-01T00:00:00.000Z' }
    writeFileSync(join(directory, 'owner.json'), JSON.stringify(note))
    await logIn(t, directory).open()
    assert.equal(await ask(other, directory), 'DATA_OWNED')
  })

  test('LOG-29 stopped owner: no takeover by time, and at once when it is killed', async (t) => {
    const directory = await tempDirectory(t)
    const [owner, other] = await Promise.all([opener(t), opener(t)])
    assert.equal(await ask(owner, directory), 'opened')
    owner.kill('SIGSTOP')
    assert.equal(await ask(other, directory), 'DATA_OWNED')
    await isOwnedBy(logIn(t, directory), owner.pid)
    owner.kill('SIGCONT')
    assert.equal(await ask(owner, 'close'), 'closed')
    assert.equal(await ask(owner, directory), 'opened')
    owner.kill('SIGSTOP')
    assert.equal(await ask(other, directory), 'DATA_OWNED')
    owner.kill()
    const began = performance.now()
    await owner.ended
    assert.equal(await ask(other, directory), 'opened')
    assert.ok(performance.now() - began < 2_000)
  })

  test('a second backend in the same process is refused, and does not drop the lock', async (t) => {
    const directory = await tempDirectory(t)
    const [log, second] = [logIn(t, directory), logIn(t, directory)]
    await log.open()
    await log.declare([testTopic(ORDERS)])
    await isOwnedBy(second, process.pid)
    await second.close()
    const other = await opener(t)
    assert.equal(await ask(other, directory), 'DATA_OWNED')
    await appendStored(log, testEvents('a', 5))
    await log.close()
    await second.open()
    assert.equal((await readAll(second)).length, 5)
    assert.equal(await ask(other, directory), 'DATA_OWNED')
    await second.close()
    assert.equal(await ask(other, directory), 'opened')
  })

  test('of processes that create a directory concurrently, one is its owner', async (t) => {
    const parent = await tempDirectory(t)
    const openers = await Promise.all([opener(t), opener(t), opener(t), opener(t)])
    for (let round = 0; round < 15; round += 1) {
      const directory = join(parent, String(round))
      const answers = await Promise.all(openers.map((each) => ask(each, directory)))
      assert.deepEqual(
        answers.map(String).toSorted(),
        ['DATA_OWNED', 'DATA_OWNED', 'DATA_OWNED', 'opened'],
        `round ${round}`,
      )
      const marker = readFileSync(join(directory, 'throughline.json'), 'utf8')
      assert.equal((JSON.parse(marker) as { is: string }).is, 'ready', `round ${round}`)
      await Promise.all(openers.map((each) => ask(each, 'close')))
    }
  })
})
