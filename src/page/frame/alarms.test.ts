import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alarm, Overview } from '../../admin/wire.ts'
import { alarmsOf } from './alarms.ts'

test('degrading alarms come first, whatever their kind', () => {
  const alarm = (kind: Alarm['kind'], isDegrading: boolean): Alarm => {
    return { kind, isDegrading, message: kind, count: 1, examples: [], threshold: {} }
  }
  const alarms = [alarm('lag', false), alarm('slow-rule', true), alarm('clock-step', false)]
  const lists = { services: [], topics: [], links: [], boards: [] }
  const health = { status: 'failing', detail: 'the disk is full', alarms } as const
  const overview: Overview = { at: 0, ack: 'disk', health, ...lists }
  assert.deepEqual(
    alarmsOf(overview).map(({ kind }) => kind),
    ['slow-rule', 'lag', 'clock-step'],
  )
})
