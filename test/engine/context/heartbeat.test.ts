import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from '../../../src/backends/memory/index.ts'
import { createHeartbeat, createTaskLease } from '../../../src/engine/context/heartbeat.ts'
import type { EventStore } from '../../../src/ports/event-store.ts'
import { createManualClock } from '../../../src/testing/manual-clock.ts'

const LEASE_MS = 300

/** A store whose heartbeats can be made to fail. */
function cutStore() {
  const clock = createManualClock()
  const { store } = memory({ clock })
  const cut = { is: false }
  const flaky: Pick<EventStore, 'beat'> = {
    async beat(...given) {
      if (cut.is) throw new Error('the store is gone')
      return store.beat(...given)
    },
  }
  return { clock, store, flaky, cut }
}

test('a task lease that could not be renewed is not held any more', async () => {
  const { clock, store, flaky, cut } = cutStore()
  const one = createTaskLease('task', { store: flaky, clock }, 'one', LEASE_MS)
  const other = createTaskLease('task', { store, clock }, 'other', LEASE_MS)
  assert.ok(await one.hold())
  assert.equal(await other.hold(), undefined)
  cut.is = true
  await clock.advance(LEASE_MS / 2)
  await assert.rejects(one.hold(), /the store is gone/)
  await clock.advance(LEASE_MS / 2 + 1)
  await assert.rejects(one.hold(), /the store is gone/)
  assert.ok(await other.hold(), 'it has expired')
  await assert.rejects(one.hold(), /the store is gone/)
  cut.is = false
  await clock.advance(LEASE_MS)
  await assert.doesNotReject(one.hold())
})

test('leases have expired once no heartbeat was answered for a whole lease time', async () => {
  const { clock, flaky, cut } = cutStore()
  const heartbeat = createHeartbeat({ store: flaky, clock }, 'one', LEASE_MS)
  await clock.advance(LEASE_MS)
  assert.equal(heartbeat.hasExpired(), true)
  await heartbeat.beat(['task'])
  assert.equal(heartbeat.hasExpired(), false)
  cut.is = true
  await clock.advance(LEASE_MS - 1)
  await assert.rejects(heartbeat.beat(['task']))
  assert.equal(heartbeat.hasExpired(), false)
  await clock.advance(1)
  assert.equal(heartbeat.hasExpired(), true)
})
