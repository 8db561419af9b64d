// Data of format 3 is read, and gone on with, as if that had never ended.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { embedded } from 'throughline/embedded'
import { EMPTY_UNIT } from '../../src/ports/empty-unit.ts'
import type { StatusChange } from '../../src/ports/status.ts'
import { fastTempDirectory } from '../crash/support/child-process.ts'
import { FORMAT_3, expectedOf, thaw } from './frozen.ts'
import { close, open, stoppedAt } from './make.ts'
import type { Content } from './read.ts'
import { contentOf } from './read.ts'

const expected = expectedOf(FORMAT_3)
const clock = stoppedAt(expected.at)

async function thawed(t: TestContext): Promise<string> {
  const root = await fastTempDirectory(t)
  thaw(FORMAT_3, root)
  return join(root, 'data')
}

suite('data of format 3', () => {
  test('is migrated by its owner, and says what it said to the version that wrote it', async (t) => {
    const data = await thawed(t)
    const backend = embedded({ directory: data, clock })
    await open(backend)
    await close(backend)
    const read = await contentOf(embedded({ directory: data, isReadOnly: true, clock }), clock)
    const content = JSON.parse(JSON.stringify(read)) as Content
    for (const [about, said] of Object.entries(expected.content))
      assert.deepEqual(content[about], said, about)
    assert.match(readFileSync(join(data, 'throughline.json'), 'utf8'), /"format":4/)
  })

  test('lets a settled status begin again once it is migrated', async (t) => {
    const backend = embedded({ directory: await thawed(t), clock })
    await open(backend)
    const { store } = backend
    const change: StatusChange = {
      consumer: 'sales/post',
      topic: 'orders.events',
      partition: 0,
      offset: 1,
      eventId: 'again',
      key: 'k',
      type: 'orders.Placed',
      from: 'UNPROCESSED',
      status: 'COMPLETED',
      attempts: 0,
      dueAt: null,
      code: null,
      error: null,
      cause: null,
      resolution: null,
      detail: null,
      updatedBy: 'sales',
      updatedAt: 1,
    }
    for (const status of ['COMPLETED', 'ERROR', 'RETRY'] as const) {
      const from = status === 'RETRY' ? 'ERROR' : 'UNPROCESSED'
      const unit = { ...EMPTY_UNIT, statuses: [{ ...change, from, status } as const] }
      assert.equal((await store.commit(unit)).status, 'done', status)
    }
    await close(backend)
  })
})
