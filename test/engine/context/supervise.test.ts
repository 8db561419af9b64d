// Supervised loops, and leases on work that one member does for all.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTaskLease } from '../../../src/engine/context/heartbeat.ts'
import { supervise } from '../../../src/engine/context/supervise.ts'
import { memory } from '../../../src/backends/memory/index.ts'
import type { ManualClock } from '../../../src/testing/manual-clock.ts'
import { createManualClock } from '../../../src/testing/manual-clock.ts'

function stage() {
  const clock = createManualClock()
  const events: string[] = []
  const watch = {
    failed: (name: string, cause: unknown) => void events.push(`${name}: ${String(cause)}`),
    recovered: (name: string) => void events.push(`${name} recovered`),
  }
  const beganAt = clock.elapsed()
  const note = (what: string): void => void events.push(`${clock.elapsed() - beganAt} ${what}`)
  return { tools: { clock, monitor: watch as never }, clock, events, note }
}

const ending = new AbortController().signal

describe('a supervised loop', () => {
  test('reports a failure, pauses, and reports the recovery after a successful run', async () => {
    const { tools, clock, events, note } = stage()
    let runs = 0
    const supervised = { name: 'task', signal: ending, pauseMs: 50 }
    const ended = supervise(tools, supervised, async () => {
      note('run')
      runs += 1
      if (runs < 3) throw new Error(`no ${runs}`)
      return runs === 4 ? 'done' : undefined
    })
    const { hasFailed } = await clock.until(ended)
    assert.equal(hasFailed, false)
    const reported = ['0 run', 'task: Error: no 1', '50 run', 'task: Error: no 2', '100 run']
    assert.deepEqual(events, [...reported, 'task recovered', '100 run'])
  })

  test('calls recover before it runs again', async () => {
    const { tools, clock, events, note } = stage()
    let recoveries = 0
    const supervised = {
      name: 'task',
      signal: ending,
      pauseMs: 50,
      async recover(): Promise<void> {
        recoveries += 1
        if (recoveries === 1) throw new Error('not yet')
        note('recover')
      },
      onFailure: () => note('failed'),
    }
    let runs = 0
    const ended = supervise(tools, supervised, async () => {
      note('run')
      runs += 1
      if (runs === 1) throw new Error('no')
      return 'done'
    })
    await clock.until(ended)
    const first = ['0 run', 'task: Error: no', '0 failed', 'task: Error: not yet', '50 failed']
    assert.deepEqual(events, [...first, '100 recover', 'task recovered', '100 run'])
  })

  test('pauses between runs, and returns whether the last run failed', async () => {
    const { tools, clock, events, note } = stage()
    const stopping = new AbortController()
    const supervised = { name: 'task', signal: stopping.signal, pauseMs: 5, intervalMs: 20 }
    let runs = 0
    const ended = supervise(tools, supervised, async () => {
      note('run')
      runs += 1
      if (runs < 3) return
      stopping.abort()
      throw new Error('no')
    })
    const { hasFailed } = await clock.until(ended)
    assert.ok(hasFailed)
    assert.deepEqual(events, ['0 run', '20 run', '40 run', 'task: Error: no'])
  })
})

describe('a lease on work that one member does for all', () => {
  const LEASE_MS = 300
  function members() {
    const clock: ManualClock = createManualClock()
    const { store } = memory({ clock })
    let beats = 0
    const counted: Parameters<typeof createTaskLease>[1]['store'] = {
      beat(...asked) {
        beats += 1
        return store.beat(...asked)
      },
    }
    const lease = (member: string) =>
      createTaskLease('work', { store: counted, clock }, member, LEASE_MS)
    return { clock, beats: () => beats, one: lease('one'), other: lease('other') }
  }

  test('is held by one member, and renewed after a third of the lease time', async () => {
    const { clock, beats, one, other } = members()
    assert.equal((await one.hold())?.resource, 'work')
    assert.equal(await other.hold(), undefined)
    assert.equal(beats(), 2)
    await one.hold()
    assert.equal(beats(), 2)
    for (let passed = 0; passed < 3 * LEASE_MS; passed += LEASE_MS / 3) {
      await clock.advance(LEASE_MS / 3)
      assert.ok(await one.hold())
    }
    assert.equal(await other.hold(), undefined)
  })

  test('goes to another member once it is released or has expired', async () => {
    const { clock, one, other } = members()
    await one.hold()
    await one.release()
    assert.ok(await other.hold())
    assert.equal(await one.hold(), undefined)
    await clock.advance(LEASE_MS + 1)
    assert.ok(await one.hold())
  })

  test('is not released if it was never asked for', async () => {
    const { beats, one } = members()
    await one.release()
    assert.equal(beats(), 0)
  })
})
