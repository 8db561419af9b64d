import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { bell } from '../../base/bell.ts'
import { systemClock } from '../../base/clock.ts'
import { ORDERS, eventOf, rowOf, topicOf, unitOf } from '../../ports/conformance/sample.ts'
import { connect, owning } from './connection.ts'
import { decide } from './store.ts'

test('a decision about a unit writes nothing, whatever it decides; its write does', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const clock = systemClock()
  const connection = connect(directory, clock, bell(clock), owning)
  t.after(() => connection.close())
  const { sql, topics, tables } = connection
  topics.declare(topicOf(ORDERS))
  tables.declare({ name: 'shop.stock', indexes: [] })
  const changes = (): unknown => sql.get('SELECT total_changes()')
  const unit = unitOf({ appends: [eventOf('e-1')], rows: [rowOf('shop.stock', 'a')] })

  const before = changes()
  const first = decide(unit, connection)
  assert.deepEqual(changes(), before)
  assert.equal(first.write?.(), true)
  assert.equal(first.answer().is, 'done')
  const after = changes()
  assert.notDeepEqual(after, before)

  // By now its id exists, which only the write detects.
  const again = decide(unitOf({ appends: [eventOf('e-1')] }), connection)
  assert.deepEqual(changes(), after)
  assert.equal(again.write?.(), false)
  assert.throws(() => again.answer(), /e-1/)
})
