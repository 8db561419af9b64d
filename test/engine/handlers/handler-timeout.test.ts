// A handler that does not end in time: its signal aborts, and the attempt has failed.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { contract, event, handler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { RuleError } from '../../../src/engine/failure/rule-error.ts'
import { createSimulation } from '../support/simulation.ts'

const Mail = contract('mail', { key: 'to' }, { Due: event(z.object({ to: z.string() })) })
const TIMEOUT_MS = 1_000

for (const consume of ['stream', 'queue'] as const)
  suite(`a handler that does not end (${consume})`, () => {
    test('fails after its time, and holds up nobody but its key', async () => {
      const { clock, instance } = createSimulation(memory, 1)
      const errors: RuleError[] = []
      const sent: string[] = []
      const aborted: unknown[] = []
      const retry = { attempts: 3, delayMs: 10 }
      const options = { consume, timeoutMs: TIMEOUT_MS, retry }
      const post = handler('post', options, (on) => [
        on(Mail.Due, async ({ to }, _tools, { signal }) => {
          if (to === 'ann')
            await new Promise((resolve) =>
              signal.addEventListener('abort', () => resolve(aborted.push(signal.reason))),
            )
          sent.push(to)
        }),
      ])
      const { backend, clock: own, random } = instance()
      const shop = service('shop', { owns: [Mail], runs: [post] })
      const app = await clock.until(
        start([shop], backend, {
          clock: own,
          random,
          onRuleError: (error) => void errors.push(error),
        }),
      )
      await clock.until(app.append([Mail.Due({ to: 'ann' }), Mail.Due({ to: 'bob' })]))
      await clock.advance(TIMEOUT_MS * 5)
      assert.deepEqual(
        errors.map(({ code, status, attempts }) => [code, status, attempts]),
        [
          ['HANDLER_TIMEOUT', 'RETRY', 1],
          ['HANDLER_TIMEOUT', 'RETRY', 2],
          ['HANDLER_TIMEOUT', 'FAILED', 3],
        ],
      )
      assert.deepEqual(
        new Set(aborted.map((each) => (each as RuleError).code)),
        new Set(['HANDLER_TIMEOUT']),
      )
      assert.equal(sent.filter((to) => to === 'bob').length, 1)
      const [status] = await clock.until(app.status())
      assert.deepEqual([status?.completed, status?.dead, status?.pending], [1, 1, 0])
      await clock.until(app.stop())
    })
  })
