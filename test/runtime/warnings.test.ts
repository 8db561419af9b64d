// Faults that nobody asked to be told: the process warns, once a text.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { command, contract, entity, event, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { createWarnOnce } from '../../src/base/errors/warn-once.ts'

const Id = z.object({ id: z.string() })
const Work = contract('work', { key: 'id' }, { Do: command(Id), Done: event(Id) })
const broken = entity(
  'broken',
  { of: Work, id: 'id', initial: 0, emits: [Work.Done] },
  {
    decide: (on) => [
      on(Work.Do, (data) => {
        if (data.id === 'a') throw new Error('out of ink')
        return Work.Done(data)
      }),
    ],
    evolve: (on) => [on(Work.Done, () => 1)],
  },
)

test('an error of a rule is a process warning without a hook', async () => {
  const app = await start([service('printer', { owns: [Work], runs: [broken] })], memory())
  const warned = once(process, 'warning')
  await app.send(Work.Do({ id: 'a' }))
  const [warning] = (await warned) as [Error]
  assert.equal(warning.name, 'Throughline')
  const [what = '', where = '', when = '', ...stack] = warning.message.split('\n')
  assert.match(what, /^printer\/broken holds a: .*out of ink/)
  assert.match(where, /^ {2}on work\.Do \S+ \(work\.commands\/\d@0\) at \d{4}-.+Z$/)
  assert.match(when, /^ {2}attempt 1 failed; next attempt at \d{4}-.+Z$/)
  assert.match(stack.join('\n'), /Error: out of ink\n.*warnings\.test\.ts/)
  await app.stop()
})

test('a warning has its control characters escaped and keeps the lines of a stack', async () => {
  const warned = once(process, 'warning')
  createWarnOnce()(
    'work/rule holds \u001b]0;owned\u0007\u202e: no\r\n    at one\n\tat other\u009b2J',
  )
  const [{ message }] = (await warned) as [Error]
  assert.equal(
    message,
    'work/rule holds \\u001b]0;owned\\u0007\\u202e: no\\u000d\n    at one\n\tat other\\u009b2J',
  )
})

test('texts with the same first line are emitted once', async () => {
  const told: string[] = []
  const listener = ({ message }: Error): void => void told.push(message)
  process.on('warning', listener)
  const warn = createWarnOnce()
  for (const time of ['10:00', '10:01']) warn(`it broke\n  at ${time}`)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listener)
  assert.deepEqual(told, ['it broke\n  at 10:00'])
})

test('a text is emitted once, and at most 100 texts are emitted', async () => {
  const told: string[] = []
  const listener = ({ message }: Error): void => void told.push(message)
  process.on('warning', listener)
  const warn = createWarnOnce()
  for (let at = 0; at < 300; at += 1) warn(`text ${at % 150}`)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listener)
  assert.deepEqual(
    told,
    Array.from({ length: 100 }, (_, at) => `text ${at}`),
  )
})
