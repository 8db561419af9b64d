// The admin socket of a data directory, and data that nobody owns.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { App } from 'throughline'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { systemClock } from '../../src/base/time/clock.ts'
import { openOfflineSystem } from '../../src/control/offline-system.ts'
import { findOwner } from '../../src/control/control-socket.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { VerifyResult } from '../../src/control/verify.ts'
import type { Overview } from '../../src/control/views.ts'
import { Asking, talking } from './talking-services.ts'

let root: string
let directory: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'throughline control '))
  directory = join(root, 'data')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const launch = (): Promise<App> => start(talking, embedded({ directory }))

/** What the socket says to a line, until it hangs up. */
function say(path: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = ''
    const socket = createConnection(path, () => socket.write(text))
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => (heard += part))
    socket.on('close', () => resolve(heard))
    // Hung up on while it was still talking.
    socket.on('error', () => resolve(heard))
  })
}

describe('the owner of a directory', () => {
  test('answers other processes, reports progress, and is unreachable once stopped', async () => {
    const app = await launch()
    await app.send(Asking.Ask({ id: 'a' }))
    await app.settled()
    const owner = await findOwner(directory)
    assert.ok(owner)
    const { services } = (await owner.run('overview', {})) as Overview
    assert.deepEqual(
      services.map(({ name, completed }) => [name, completed]),
      [
        ['asker', 3],
        ['teller', 1],
      ],
    )
    const told: number[] = []
    const verified = await owner.run('verify', {}, ({ done }) => void told.push(done))
    assert.equal((verified as VerifyResult).isSound, true)
    assert.ok(told.length > 0)
    await owner.run('pause', { service: 'teller' })
    assert.equal((await app.health()).status, 'paused')
    await app.stop()
    assert.equal(await findOwner(directory), undefined)
  })

  test('passes on the faults of the owner unchanged', async () => {
    await using _ = await launch()
    const owner = await findOwner(directory)
    assert.ok(owner)
    await assert.rejects(owner.run('chain', { event: 'nobody' }), {
      code: 'MESSAGE_NOT_FOUND',
      ids: { message: 'nobody' },
    })
    await assert.rejects(owner.run('log', { topic: 1, x: 2 }), (cause: { issues?: object[] }) => {
      assert.equal(cause.issues?.length, 2)
      return true
    })
  })

  test('restricts token and socket to its user, and keeps the token across restarts', async () => {
    const mode = (name: string): number => statSync(join(directory, name)).mode & 0o777
    const first = await launch()
    assert.deepEqual([mode('token'), mode('admin.json')], [0o600, 0o600])
    const owner = await findOwner(directory)
    await first.stop()
    await using _ = await launch()
    assert.ok(owner)
    assert.equal(((await owner.run('health', {})) as { status: string }).status, 'well')
  })

  test('refuses calls without a token, and survives invalid input', async () => {
    await using app = await launch()
    const path = join(directory, 'admin.sock')
    for (const call of ['{"verb":"health"}', '{"token":"x","verb":"health"}', '{"token":["x"]}'])
      assert.match(await say(path, `${call}\n`), /^\{"problem":\{"code":"TOKEN_REFUSED"/)
    for (const call of ['null', '', '{', '[]', '7', '"health"'])
      assert.match(await say(path, `${call}\n`), /^\{"problem":/)
    assert.equal(await say(path, 'x'.repeat(3_000_000)), '')
    assert.equal((await app.health()).status, 'well')
  })

  test('replaces the socket of a killed owner', async () => {
    const first = await launch()
    await first.stop()
    writeFileSync(join(directory, 'admin.sock'), '')
    writeFileSync(join(directory, 'admin.json'), '{"protocol":1,"path":"/nowhere"}')
    assert.equal(await findOwner(directory), undefined)
    await using _ = await launch()
    assert.ok(await findOwner(directory))
  })

  test('is reached in a directory whose path is too long for a socket', async () => {
    directory = join(root, ...Array.from({ length: 6 }, () => 'a rather long name of a folder'))
    await using _ = await launch()
    assert.equal(existsSync(join(directory, 'admin.sock')), false)
    const owner = await findOwner(directory)
    assert.ok(owner)
    assert.equal(((await owner.run('health', {})) as { status: string }).status, 'well')
  })
})

describe('data without an owner', () => {
  const open = () => openOfflineSystem(embedded({ directory, isReadOnly: true }), systemClock())

  test('can be inspected like a running system, but not changed', async () => {
    const app = await launch()
    await app.send(Asking.Ask({ id: 'a' }), { id: 'ask-a' })
    await app.settled()
    const { services, topics } = (await findOwner(directory).then((owner) =>
      owner?.run('overview', {}),
    )) as Overview
    await app.stop()
    const system = await open()
    const seen = (await runVerb(system, 'overview', {})) as Overview
    assert.deepEqual(seen.services, services)
    assert.deepEqual(
      seen.topics.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      topics.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    )
    assert.equal(((await runVerb(system, 'verify', {})) as VerifyResult).isSound, true)
    await assert.rejects(runVerb(system, 'pause', { service: 'asker' }), { code: 'DATA_READ_ONLY' })
    await system.close()
  })

  test('can be paused by a process that owns it meanwhile', async () => {
    await (await launch()).stop()
    const system = await openOfflineSystem(embedded({ directory }), systemClock())
    await runVerb(system, 'pause', { service: 'asker' })
    await system.close()
    await using app = await launch()
    assert.deepEqual((await app.health()).paused, ['asker'])
  })

  test('that does not exist is refused, and nothing is created', async () => {
    await assert.rejects(open(), { code: 'DATA_MISSING' })
    assert.equal(existsSync(directory), false)
    writeFileSync(join(root, 'something'), '')
    directory = root
    await assert.rejects(open(), { code: 'DATA_MISSING' })
  })

  test('is read beside a running owner, too', async () => {
    await using app = await launch()
    await app.send(Asking.Ask({ id: 'a' }))
    await app.settled()
    const system = await open()
    assert.equal(((await runVerb(system, 'verify', {})) as VerifyResult).records, 4)
    await system.close()
  })
})
