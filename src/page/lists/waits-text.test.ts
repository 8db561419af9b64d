import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitsText } from './waits-text.ts'

test('what is waited for is said by name, and when it is due', () => {
  const types = ['A', 'B', 'C', 'D', 'E', 'F']
  const said = [
    waitsText({ kind: 'timer', type: 'x.Remind', dueAt: 7_200_000 }, 0),
    waitsText({ kind: 'timer', type: 'x.Remind', dueAt: 0 }, 5_000),
    waitsText({ kind: 'timer', type: 'x.Remind' }, 0),
    waitsText({ kind: 'answer', command: 'x.Charge', id: 'c1' }, 0),
    waitsText({ kind: 'answer', command: 'x.Charge', id: 'c1', heldBy: 'pay/money' }, 0),
    waitsText({ kind: 'event', types: ['x.Paid'] }, 0),
    waitsText({ kind: 'event', types }, 0),
    waitsText({ kind: 'event', types: [], heldBy: 'pay/money' }, 0),
  ]
  assert.deepEqual(said, [
    'waits for the timer x.Remind, due in 2 h',
    'waits for the timer x.Remind, due 5.0 s ago',
    'waits for the timer x.Remind',
    'waits for the answer to x.Charge',
    'waits for the answer to x.Charge, which pay/money holds',
    'waits for the event x.Paid',
    'waits for one of A, B, C, D or 2 others',
    'waits for a message, which pay/money holds',
  ])
})
