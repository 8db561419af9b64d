// The key of a consumer of two topics has pages, and an event of the other topic is completed before.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { contract, event, handler, service, start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'

const Data = z.object({ k: z.string(), n: z.int() })
const Left = contract('left', { key: 'k', partitions: 1 }, { Done: event(Data) })
const Right = contract('right', { key: 'k', partitions: 1 }, { Done: event(Data) })
const COUNT = 2_000
const FAILS_AT = 1_000

test('an event that is completed does not read as unprocessed once pages of its key exist', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const handled: string[] = []
  const rule = handler('rule', { retry: { attempts: 1 } }, (on) => [
    on(Left.Done, ({ n }) => {
      if (n === FAILS_AT) throw new Error('no')
      handled.push(`left ${n}`)
    }),
    on(Right.Done, ({ n }) => void handled.push(`right ${n}`)),
  ])
  const hooks = { onRuleError: () => undefined, engine: { unitRecordsMax: 100, idleMs: 20 } }
  const numbers = Array.from({ length: COUNT }, (_, n) => n)
  const writer = await start(
    [service('svc', { owns: [Left, Right], runs: [] })],
    embedded({ directory }),
    hooks,
  )
  for (let from = 0; from < COUNT; from += 500)
    await writer.append(numbers.slice(from, from + 500).map((n) => Left.Done({ k: 'a', n })))
  await writer.append([Right.Done({ k: 'a', n: 0 })], { ids: ['right 0'] })
  await writer.stop()
  const backend = embedded({ directory })
  const app = await start([service('svc', { owns: [Left, Right], runs: [rule] })], backend, hooks)
  t.after(() => app.stop())
  for (;;) {
    const [status] = await app.status()
    if (status?.lag === 0 && status.dead === 1) break
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(handled.includes('right 0'), 'it is handled')
  assert.equal(handled.length, FAILS_AT + 1)
  const { rows } = (await backend.store.ledger?.({ eventId: 'right 0', limit: 10 })) ?? { rows: [] }
  assert.deepEqual(
    rows.map(({ STATUS }) => STATUS),
    ['COMPLETED'],
  )
})
