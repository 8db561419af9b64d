import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventAtConsumer, EventView } from '../../../control/views.ts'
import { statusText, treeOf } from './chain.ts'

const event = (id: string, at: number, cause?: string): EventView => ({
  kind: 'event',
  topic: 't',
  partition: 0,
  offset: at,
  id,
  type: id,
  key: 'k',
  at,
  source: 's',
  correlation: 'a',
  ...(cause === undefined ? {} : { cause }),
})

const drawn = (...events: readonly EventView[]): readonly string[] =>
  treeOf(events).map(({ branch, event: { id }, afterMs }) => `${branch}${id} ${afterMs}`)

test('messages are listed below their causes, in order of time', () => {
  const events = [
    event('a', 10),
    event('b', 11, 'a'),
    event('c', 12, 'a'),
    event('d', 13, 'b'),
    event('e', 14, 'c'),
    event('f', 15, 'b'),
  ]
  assert.deepEqual(drawn(...events), [
    'a 0',
    '├─ b 1',
    '│  ├─ d 3',
    '│  └─ f 5',
    '└─ c 2',
    '   └─ e 4',
  ])
})

test('a message without a known cause is a root', () => {
  assert.deepEqual(drawn(event('b', 5, 'gone'), event('c', 6, 'b'), event('x', 7)), [
    'b 0',
    '└─ c 1',
    'x 2',
  ])
})

test('no messages give no tree', () => {
  assert.deepEqual(drawn(), [])
})

test('consumers with the same status are named together', () => {
  const at = (consumer: string, rest: Partial<EventAtConsumer> = {}): EventAtConsumer => {
    return { consumer, status: 'COMPLETED', attempts: 0, ...rest }
  }
  const consumers = [
    at('a/b'),
    at('a/c', { status: 'RETRY', attempts: 3, dueAt: 5_000 }),
    at('d/e'),
    at('d/f', { status: 'FAILED', attempts: 1, resolution: 'DISCARDED' }),
  ]
  const failed = 'FAILED (DISCARDED, 1 failed attempt) at d/f'
  assert.equal(
    statusText(consumers, 1_000, true),
    `COMPLETED at a/b, d/e; RETRY (3 failed attempts, next in 4.0 s) at a/c; ${failed}`,
  )
  assert.match(statusText(consumers, 1_000, false), /next after start/)
  assert.equal(statusText([], 1_000, true), '')
})
