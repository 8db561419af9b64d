// Hooks of `start` that throw: the engine continues, and the process warns.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { command, contract, entity, event, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { intercept } from '../../../src/ports/intercept.ts'

const Id = z.object({ id: z.string() })
const Work = contract('work', { key: 'id' }, { Do: command(Id), Done: event(Id) })
const doing = entity(
  'doing',
  { of: Work, id: 'id', initial: 0, emits: [Work.Done] },
  {
    decide: (on) => [
      on(Work.Do, (asked) => {
        if (asked.id === 'bad') throw new Error('out of ink')
        return Work.Done(asked)
      }),
    ],
    evolve: (on) => [on(Work.Done, () => 1)],
  },
)
const worker = service('worker', { owns: [Work], runs: [doing] })
const logger = (how: 'throws' | 'rejects') => (): unknown => {
  const error = new Error('the logger broke')
  if (how === 'rejects') return Promise.reject(error)
  throw error
}

/** Every fourth read of the log fails, so that failures are reported again and again. */
function unsteady(): ReturnType<typeof memory> {
  let reads = 0
  return intercept(memory(), async (method, call) => {
    if (method === 'log.read' && reads++ % 4 === 1) throw new Error('the disk failed once')
    return call()
  })
}

for (const how of ['throws', 'rejects'] as const)
  test(`a hook that ${how} stops no service, and stop() resolves`, async () => {
    const warnings: string[] = []
    const listener = ({ message }: Error): void => void warnings.push(message)
    process.on('warning', listener)
    const hook = logger(how) as () => void
    const app = await start([worker], unsteady(), {
      onRuleError: hook,
      onBackendError: hook,
      onSlowRule: hook,
      onExpired: hook,
      engine: { idleMs: 5, retryDelayMs: 5, ruleBudgetMs: 1 },
    })
    await app.send(Work.Do({ id: 'bad' }))
    for (const id of ['a', 'b', 'c']) await (await app.send(Work.Do({ id }))).settled()
    const [status] = await app.status()
    await app.stop()
    process.off('warning', listener)
    assert.deepEqual([status?.completed, status?.pending, status?.lag], [3, 1, 0])
    for (const name of ['onBackendError', 'onRuleError'])
      assert.ok(
        warnings.some((text) => text === `the hook ${name} of start threw: the logger broke`),
        `no warning names ${name}: ${warnings.join('; ')}`,
      )
  })
