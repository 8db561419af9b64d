import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createNotifier } from '../../src/base/time/notifier.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import {
  ORDERS,
  testEvent,
  testRow,
  testTopic,
  testUnit,
} from '../../src/ports/conformance/fixtures.ts'
import { openConnection, ownerMode } from '../../src/backends/embedded/connection/connection.ts'
import { decide } from '../../src/backends/embedded/connection/embedded-store.ts'

test('a decision about a unit writes nothing, whatever it decides; its write does', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const clock = systemClock()
  const connection = openConnection(directory, clock, createNotifier(clock), ownerMode)
  t.after(() => connection.close())
  const { sql, topics, tables } = connection
  topics.declare(testTopic(ORDERS))
  tables.declare({ name: 'shop.stock', indexes: [] })
  const changes = (): unknown => sql.get('SELECT total_changes()')
  const unit = testUnit({ appends: [testEvent('e-1')], rows: [testRow('shop.stock', 'a')] })

  const before = changes()
  const first = decide(unit, connection)
  assert.deepEqual(changes(), before)
  assert.equal(first.write?.(), true)
  assert.equal(first.answer().status, 'done')
  const after = changes()
  assert.notDeepEqual(after, before)

  // By now its id exists, which only the write detects.
  const again = decide(testUnit({ appends: [testEvent('e-1')] }), connection)
  assert.deepEqual(changes(), after)
  assert.equal(again.write?.(), false)
  assert.throws(() => again.answer(), /e-1/)
})
