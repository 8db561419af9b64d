import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitLines } from '../../admin/wait-lines.ts'
import type { WaitsFor } from '../../admin/wire.ts'
import { waitsText } from './waits-text.ts'

const said = (now: number, ...waitsFor: readonly WaitsFor[]): readonly string[] =>
  waitLines(waitsFor).map((line) => waitsText(line, now))

test('the text names what is waited for, when it is due, and which consumer holds it', () => {
  const types = ['A', 'B', 'C', 'D', 'E', 'F']
  const lines = [
    ...said(0, { kind: 'timer', type: 'x.Remind', dueAt: 7_200_000 }),
    ...said(5_000, { kind: 'timer', type: 'x.Remind', dueAt: 0 }),
    ...said(0, { kind: 'timer', type: 'x.Remind' }),
    ...said(0, { kind: 'answer', command: 'x.Charge', id: 'c1' }),
    ...said(0, { kind: 'answer', command: 'x.Charge', id: 'c1', heldBy: 'pay/money' }),
    ...said(0, { kind: 'event', types: ['x.Paid'] }),
    ...said(0, { kind: 'event', types }),
    ...said(0, { kind: 'event', types: [], heldBy: 'pay/money' }),
  ]
  assert.deepEqual(lines, [
    'waits for the timer x.Remind, due in 2 h',
    'waits for the timer x.Remind, due 5.0 s ago',
    'waits for the timer x.Remind',
    'waits for the reply to x.Charge',
    'waits for the reply to x.Charge, held by pay/money',
    'waits for the event x.Paid',
    'waits for one of A, B, C, D or 2 others',
    'waits for a message, held by pay/money',
  ])
})

test('all timers of an instance share one line', () => {
  const timers = [5, 1, 3, 2, 4].map((hour) => {
    return { kind: 'timer', type: `x.After${hour}`, dueAt: hour * 3_600_000 } as const
  })
  const answer = { kind: 'answer', command: 'x.Charge', id: 'c1' } as const
  const unknown = { kind: 'timer', type: 'x.Unknown' } as const
  assert.deepEqual(said(-4 * 3_600_000, unknown, answer, ...timers), [
    'waits for 6 timers, the next for x.After1 in 5 h',
    'waits for the reply to x.Charge',
  ])
  assert.deepEqual(said(0, unknown, unknown), ['waits for 2 timers, the next for x.Unknown'])
})
