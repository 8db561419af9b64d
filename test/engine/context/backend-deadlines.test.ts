// A backend that never answers a call: the deadline ends it, and it is reported.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App } from 'throughline'
import { Fault, start } from 'throughline'
import { memory } from 'throughline/testing'
import type { PortCall } from '../../../src/ports/intercept.ts'
import { Ledger, createLedgerService, createOutside } from '../support/ledger-service.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const engine = { deadlineMs: 200, retryDelayMs: 20, leaseMs: 3_000 }

/** An app with one backend call that goes unanswered on request. */
async function launch(stage: Simulation, silent: PortCall) {
  let isSilent = false
  const broke: unknown[] = []
  const { backend, clock, random } = stage.instance((call, run) =>
    isSilent && call === silent ? new Promise<never>(() => undefined) : run(),
  )
  const app: App = await stage.clock.until(
    start([createLedgerService()], backend, {
      clock,
      random,
      engine,
      tools: { outside: createOutside() },
      onBackendError: (_, cause) => void broke.push(cause),
    }),
  )
  return { app, broke, silence: (now: boolean) => void (isSilent = now) }
}

const codesOf = (causes: readonly unknown[]): ReadonlySet<unknown> =>
  new Set(causes.map((cause) => (cause instanceof Fault ? cause.code : cause)))

describe('a backend call that is never answered', () => {
  const calls = [
    ['log.read', 'LOG_UNKNOWN'],
    ['store.get', 'STORE_UNKNOWN'],
    ['store.beat', 'STORE_UNKNOWN'],
    ['store.commit', 'STORE_UNKNOWN'],
  ] as const
  for (const [call, code] of calls)
    test(`${call}: is reported, and work completes once it is answered again`, async () => {
      const stage = createSimulation(memory, 4)
      const { app, broke, silence } = await launch(stage, call)
      silence(true)
      await stage.clock.until(app.send(Ledger.Enter({ account: 'a', number: 1 })))
      await stage.clock.advance(5_000)
      assert.deepEqual(codesOf(broke), new Set([code]))
      silence(false)
      await stage.clock.until(caughtUp(stage.clock, app))
      const { book } = await stage.clock.until(app.ask(Ledger.Read({ account: 'a' })))
      assert.deepEqual(book, [1])
      await stage.clock.until(app.stop())
    })

  test('fails a query with the code of the store', async () => {
    const stage = createSimulation(memory, 5)
    const { app, silence } = await launch(stage, 'store.get')
    silence(true)
    await assert.rejects(stage.clock.until(app.ask(Ledger.Read({ account: 'a' }))), {
      code: 'STORE_UNKNOWN',
    })
    silence(false)
    await stage.clock.until(app.stop())
  })

  test('does not time out while a read waits as long as it asked to', async () => {
    const stage = createSimulation(memory, 6)
    const { app, broke } = await launch(stage, 'log.trim')
    // Nothing happens for longer than the deadline, and nothing is wrong with that.
    await stage.clock.advance(10_000)
    assert.deepEqual(broke, [])
    await stage.clock.until(app.stop())
  })
})
