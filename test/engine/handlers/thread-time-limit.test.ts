// A call that waits until one of few threads is free does not use up its own time.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import type { Clock } from '../../../src/base/time/clock.ts'
import { systemClock } from '../../../src/base/time/clock.ts'
import { HANDLER_TIMEOUT_MS } from '../../../src/rules/handler.ts'
import { Quarry, heap } from './threaded/quarry.ts'

const place = mkdtempSync(join(tmpdir(), 'throughline limit '))
after(() => rmSync(place, { recursive: true }))

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turnOfLoop()
}

test('the time limit of a handler begins when it gets its thread', async () => {
  const system = systemClock()
  let limits = 0
  const clock: Clock = {
    ...system,
    after(ms, run) {
      if (ms === HANDLER_TIMEOUT_MS.default) limits += 1
      return system.after(ms, run)
    },
  }
  const engine = { threadsMax: 1, idleMs: 20, queueAckMs: 10 }
  const app = await start([heap], memory(), { clock, engine })
  const [busy = '', waiting = ''] = ['busy', 'waiting'].map((name) => join(place, name))
  await app.send(Quarry.Break({ key: 'a', number: 0, to: 'await-sign', sign: busy }))
  await until(() => existsSync(`${busy}.begun`))
  await app.send(Quarry.Break({ key: 'b', number: 1, to: 'await-sign', sign: waiting }))
  const isCalled = async (): Promise<boolean> => {
    const status = await app.status()
    return status.some(({ consumer, pending }) => consumer === 'quarry/free-mason' && pending === 2)
  }
  while (!(await isCalled())) await turnOfLoop()
  assert.equal(limits, 1)
  writeFileSync(busy, '')
  await until(() => existsSync(`${waiting}.begun`))
  assert.equal(limits, 2)
  writeFileSync(waiting, '')
  await app.settled()
  await app.stop()
})
