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
    'timer x.Remind, due in 2 h',
    'timer x.Remind, due 5.0 s ago',
    'timer x.Remind',
    'answer to x.Charge',
    'answer to x.Charge, which pay/money holds',
    'event x.Paid',
    'one of A, B, C, D or 2 others',
    'a message, which pay/money holds',
  ])
})
