import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import {
  ORDERS,
  appendStored,
  idsOf,
  testEvent,
  testTopic,
} from '../../src/ports/conformance/fixtures.ts'
import type { LogEvent } from '../../src/ports/event-log.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { close, opened, place, tamper } from './support/data-directory.ts'

const COUNT = 1_700

/** Every tenth message belongs to the conversation `one`. */
const events: readonly LogEvent[] = Array.from({ length: COUNT }, (_, at) => {
  const correlation = at % 10 === 0 ? 'one' : `other-${at}`
  const head = JSON.stringify({ source: 'shop', correlation, hops: 1 })
  return testEvent(`m-${at}`, { head, partition: 0 })
})
const ONE = idsOf(events).filter((_, at) => at % 10 === 0)

async function filled(t: TestContext): Promise<string> {
  const directory = place(t)
  const backend = await opened(t, directory)
  await backend.log.declare([testTopic(ORDERS, 1)])
  for (let at = 0; at < COUNT; at += 170)
    await appendStored(backend.log, events.slice(at, at + 170))
  await close(backend)
  return directory
}

const found = async ({ log }: Backend, name = 'one'): Promise<readonly string[]> =>
  idsOf((await log.conversation?.(name, 1_000)) ?? [])

suite('the blocks of conversations', () => {
  test('have a row for 500 records', async (t) => {
    const directory = await filled(t)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    const rows = db.prepare('SELECT from_pos, length(hashes) AS n FROM conversation').all()
    db.close()
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      [1, 501, 1_001].map((from_pos) => ({ from_pos, n: 2_000 })),
    )
    assert.deepEqual(await found(await opened(t, directory)), ONE)
  })

  for (const [what, sql] of Object.entries({
    'a lost block': 'DELETE FROM conversation WHERE from_pos = 501',
    'the first block, lost': 'DELETE FROM conversation WHERE from_pos = 1',
    'all blocks, lost': 'DELETE FROM conversation',
    'a changed block': 'UPDATE conversation SET hashes = zeroblob(2000) WHERE from_pos = 501',
    'a block at another place': 'UPDATE conversation SET from_pos = 700 WHERE from_pos = 501',
  }))
    test(`are not needed: ${what}, hides no message`, async (t) => {
      const directory = await filled(t)
      tamper(directory, sql)
      const backend = await opened(t, directory)
      assert.deepEqual(await found(backend), ONE)
      const next = testEvent('next', { partition: 0, head: '{"correlation":"one"}' })
      await appendStored(backend.log, [next])
      assert.deepEqual(await found(backend), [...ONE, 'next'])
    })

  test('go with the records that are trimmed', async (t) => {
    const directory = await filled(t)
    const backend = await opened(t, directory)
    await backend.log.trim(ORDERS, 0, 1_200)
    assert.deepEqual(await found(backend), ONE.slice(120))
    await close(backend)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    assert.equal(db.prepare('SELECT count(*) AS n FROM conversation').get()?.['n'], 1)
    db.close()
    assert.deepEqual(await found(await opened(t, directory)), ONE.slice(120))
  })

  test('find archived messages', async (t) => {
    const directory = await filled(t)
    const backend = await opened(t, directory)
    const to = join(directory, 'archive')
    mkdirSync(to)
    await backend.archive?.({ topic: ORDERS, partition: 0, before: 1_100, to })
    assert.deepEqual(await found(backend), ONE)
    tamper(directory, 'DELETE FROM conversation')
    assert.deepEqual(await found(backend), ONE)
  })

  test('serve a reader beside the owner, also for what was appended since', async (t) => {
    const directory = await filled(t)
    const owner = await opened(t, directory)
    const reader = await opened(t, directory, true)
    await appendStored(owner.log, [
      testEvent('next', { partition: 0, head: '{"correlation":"one"}' }),
    ])
    assert.deepEqual(await found(reader), [...ONE, 'next'])
  })

  test('are unchanged by a batch that was refused in part', async (t) => {
    const backend = await opened(t, await filled(t))
    const known = events[7] as LogEvent
    const fresh = Array.from({ length: 400 }, (_, at) =>
      testEvent(`n-${at}`, { partition: 0, head: `{"correlation":"${at % 2 ? 'new' : 'old'}"}` }),
    )
    const answers = await backend.log.append([...fresh, known])
    assert.deepEqual(answers.at(-1)?.status, 'stored')
    assert.equal((await found(backend, 'new')).length, 200)
    assert.deepEqual(await found(backend), ONE)
  })
})
