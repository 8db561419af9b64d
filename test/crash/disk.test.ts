import assert from 'node:assert/strict'
import { test } from 'node:test'
import { embedded } from '../../src/backends/embedded/index.ts'
import { eventsOf, idsOf, readAll } from '../../src/ports/conformance/sample.ts'
import { place, start } from './child.ts'

interface Found {
  readonly before: readonly string[]
  readonly failed: readonly string[]
  readonly after: readonly string[]
  readonly units: readonly string[]
  readonly health: readonly string[]
  readonly detail: string
  readonly heads: readonly (readonly number[])[]
}

/** Node.js ignores the signal of a file that grows too large, so that the write itself fails. */
const LIMITED = ['/bin/sh', '-c', 'ulimit -f 2048 && exec "$0" "$@"', process.execPath]

const isPosix = process.platform !== 'win32'

test('a write that fails harms nothing, and the process goes on', { skip: !isPosix }, async (t) => {
  const directory = await place(t)
  const child = start<Found>(t, 'filler.ts', [directory], { command: LIMITED })
  const found = await child.next()
  assert.equal(await child.ended, 0)
  assert.ok(found)
  assert.deepEqual(found.before, Array(10).fill('stored'))
  assert.deepEqual([...new Set(found.failed)], ['unknown'])
  assert.deepEqual(found.after, [...Array<string>(10).fill('stored'), 'repeat'])
  assert.deepEqual(found.units, ['unknown', 'done'])
  assert.deepEqual(found.health, ['failing', 'well'], found.detail)
  assert.match(found.detail, /disk I\/O error/)
  assert.deepEqual(found.heads[1], found.heads[0])
  const { log, store } = embedded({ directory })
  await log.open()
  await store.open()
  t.after(async () => {
    await log.close()
    await store.close()
  })
  const expected = [...eventsOf('before', 10), ...eventsOf('after', 10)]
  assert.deepEqual(idsOf(await readAll(log)).toSorted(), idsOf(expected).toSorted())
  assert.equal((await store.get([{ table: 'shop.orders', key: 'a' }]))[0]?.version, 1)
})
