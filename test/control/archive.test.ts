// How far the records of a topic may be moved out.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import type { App } from 'throughline'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { memory } from 'throughline/testing'
import type { TopicArchiveResult } from '../../src/control/archive.ts'
import type { ReplayPage } from '../../src/control/replay.ts'
import { runVerb } from '../../src/control/verbs.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import { Asking, talking } from './talking-services.ts'

const TOPIC = 'asking.commands'
const NEVER = '2999-01-01'

let root: string
let app: App
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'throughline archive '))
  app = await start(talking, embedded({ directory: join(root, 'data') }))
})
afterEach(async () => {
  await app.stop()
  rmSync(root, { recursive: true })
})

async function ask(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await app.send(Asking.Ask({ id: `q${at}` }))
}

async function archive(wish: object = {}): Promise<TopicArchiveResult> {
  const given = { topic: TOPIC, before: NEVER, to: join(root, 'old'), ...wish }
  return (await runVerb(systemOf(app), 'archive', given)) as TopicArchiveResult
}

const idsIn = async (): Promise<readonly string[]> => {
  const { events } = (await runVerb(systemOf(app), 'replay', { topic: TOPIC })) as ReplayPage
  return events.map(({ id }) => id)
}

suite('an archive of a topic', () => {
  test('holds all partitions up to the offset of the slowest consumer', async () => {
    await ask(30)
    await app.settled()
    const before = await idsIn()
    await app.pause('asker')
    await ask(10)
    const moved = await archive()
    assert.deepEqual([moved.topic, moved.records], [TOPIC, 30])
    const held = moved.partitions.filter(({ heldBy }) => heldBy !== undefined)
    assert.ok(held.length > 0)
    assert.ok(held.every(({ heldBy }) => heldBy === 'asker/question'))
    const all = await idsIn()
    assert.deepEqual(all.slice(0, 30), before)
    assert.equal(all.length, 40)
    await app.resume('asker')
    await app.settled()
    const rest = await archive()
    assert.equal(rest.records, 10)
    assert.ok(rest.partitions.every(({ heldBy }) => heldBy === undefined))
    assert.deepEqual(await idsIn(), all)
  })

  test('ends before an offset or a time', async () => {
    await ask(30)
    await app.settled()
    assert.equal((await archive({ before: '1970-01-02' })).records, 0)
    const moved = await archive({ before: '1' })
    assert.ok(moved.partitions.every(({ to }) => to <= 1))
    assert.equal(moved.records, moved.partitions.filter(({ to }) => to === 1).length)
    assert.equal((await archive({ before: '0' })).records, 0)
  })

  test('without consumers reaches the end of the topic', async () => {
    await app.stop()
    app = await start([talking[1]], embedded({ directory: join(root, 'other') }))
    const given = { topic: 'telling.events', before: NEVER, to: join(root, 'old') }
    const moved = (await runVerb(systemOf(app), 'archive', given)) as TopicArchiveResult
    assert.deepEqual([moved.records, moved.files], [0, []])
    assert.equal(existsSync(given.to), false)
  })

  test('reports progress over all partitions', async () => {
    await ask(30)
    await app.settled()
    const told: (readonly [number, number])[] = []
    const given = { topic: TOPIC, before: NEVER, to: join(root, 'old') }
    await runVerb(systemOf(app), 'archive', given, ({ done, total }) => told.push([done, total]))
    const dones = told.map(([done]) => done)
    assert.deepEqual(
      dones,
      dones.toSorted((one, other) => one - other),
    )
    assert.deepEqual(told.at(-1), [30, 30])
  })

  test('is refused for an unknown topic, an invalid offset and a backend without archives', async () => {
    await assert.rejects(archive({ topic: 'none' }), { code: 'TOPIC_NOT_FOUND' })
    await assert.rejects(archive({ before: 'soon' }), {
      code: 'OPTION_INVALID',
      message: /before: must be an offset, or a time/,
    })
    await assert.rejects(archive({ to: 'here' }), { code: 'OPTION_INVALID' })
    await using other = await start(talking, memory())
    const given = { topic: TOPIC, before: '0', to: root }
    await assert.rejects(runVerb(systemOf(other), 'archive', given), { code: 'BACKEND_CANNOT' })
  })
})
