// One backend value that is handed to start twice, while the first app still runs.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { command, contract, entity, event, service, start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { intercept } from '../../src/ports/intercept.ts'

const Id = z.object({ id: z.string() })
const Bell = contract('bell', { key: 'id' }, { Ring: command(Id), Rang: event(Id) })
const bell = entity(
  'bell',
  { of: Bell, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Bell.Ring, (asked) => Bell.Rang(asked))],
    evolve: (on) => [on(Bell.Rang, (_, count) => count + 1)],
  },
)
const tower = service('tower', { owns: [Bell], runs: [bell] })

test('one embedded() that is started twice is refused, and the first app keeps running', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-twice-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const backend = embedded({ directory })
  const first = await start([tower], backend)
  await assert.rejects(start([tower], backend), {
    code: 'DATA_OWNED',
    message: /in use by another app of this process, which was started with the same backend value/,
  })
  assert.deepEqual(await (await first.send(Bell.Ring({ id: 'a' }))).settled(), {
    status: 'completed',
  })
  await first.stop()
  const again = await start([tower], backend)
  assert.deepEqual(await (await again.send(Bell.Ring({ id: 'a' }))).settled(), {
    status: 'completed',
  })
  await again.stop()
})

test('one memory() that is started twice is closed when its last app has stopped', async () => {
  const calls: string[] = []
  const { log, store } = memory()
  const close = (what: string, end: () => Promise<void>) => async () => {
    calls.push(what)
    await end()
  }
  const backend = {
    log: { ...log, close: close('log', log.close) },
    store: { ...store, close: close('store', store.close) },
  }
  const engine = { leaseMs: 300, idleMs: 10 }
  const [first, second] = await Promise.all([
    start([tower], backend, { engine }),
    start([tower], backend, { engine }),
  ])
  await first.stop()
  await first.stop()
  assert.deepEqual(calls, [])
  await (await second.send(Bell.Ring({ id: 'b' }))).settled()
  await second.stop()
  assert.deepEqual(calls, ['store', 'log'])
})

test('a failed start closes the backend that it opened, and only that', async () => {
  const calls: string[] = []
  const backend = intercept(memory(), (method, call) => {
    if (method === 'store.declare') throw new Error('the store is out of order')
    return call()
  })
  const { log, store } = backend
  const closing = { ...log, close: async () => void calls.push('log') }
  await assert.rejects(start([tower], { log: closing, store }), /out of order/)
  assert.deepEqual(calls, ['log'])
})
