import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Overview, ServiceView } from '../../admin/wire.ts'
import type { Live } from '../live/connection.ts'
import { NO_HISTORY } from '../live/history.ts'
import { headlineOf } from './headline.ts'

const service = (name: string, isPaused: boolean): ServiceView => ({
  name,
  isPaused,
  lag: 0,
  ageMs: 0,
  pending: 0,
  dead: 0,
  discarded: 0,
  completed: 0,
  rules: [],
})

function live(status: Overview['health']['status'], paused: readonly string[] = []): Live {
  const services = ['ordering', 'payment', 'delivery'].map((name) =>
    service(name, paused.includes(name)),
  )
  const lists = { services, topics: [], links: [], boards: [] }
  const health = { status, detail: 'So it is.', alarms: [] }
  const overview: Overview = { at: 0, ack: 'disk', health, ...lists }
  return { link: 'live', overview, history: NO_HISTORY, newest: [], silentSeconds: 0 }
}

test('the headline shows the health in a word or two', () => {
  assert.equal(headlineOf(live('well')).title, 'Healthy')
  assert.deepEqual(headlineOf(live('degraded')), {
    status: 'degraded',
    title: 'Degraded',
    detail: 'So it is.',
  })
  assert.deepEqual(headlineOf(live('failing')), {
    status: 'failing',
    title: 'Failing',
    detail: 'So it is.',
  })
})

test('up to two paused services are named, more are counted', () => {
  assert.equal(headlineOf(live('paused', ['payment'])).title, 'payment paused')
  assert.equal(
    headlineOf(live('paused', ['payment', 'delivery'])).title,
    'payment and delivery paused',
  )
  assert.equal(
    headlineOf(live('paused', ['payment', 'delivery', 'ordering'])).title,
    '3 services paused',
  )
})

test('a lost connection replaces the last known health', () => {
  const lost = headlineOf({ ...live('well'), link: 'lost', silentSeconds: 12 })
  assert.equal(lost.status, 'lost')
  assert.match(lost.detail, /Last update 12 s ago/)
})

test('before the first update the page is connecting', () => {
  const { overview: _, ...rest } = live('well')
  assert.equal(headlineOf({ ...rest, link: 'connecting' }).status, 'waiting')
})

test('the headline is never healthy while events are held', () => {
  const said = (is: Overview['health']['status'], alarms: Overview['health']['alarms']): string => {
    const { overview, ...rest } = live(is)
    assert.ok(overview)
    const services = overview.services.map((each) => ({ ...each, pending: 2 }))
    const health = { ...overview.health, alarms }
    const { status: state, title } = headlineOf({
      ...rest,
      overview: { ...overview, services, health },
    })
    return `${state}: ${title}`
  }
  const alarm = {
    isDegrading: true,
    message: 'payment/money holds 4 keys',
    examples: [],
    threshold: {},
  }
  assert.equal(said('well', []), 'degraded: 6 events held')
  assert.equal(said('paused', []), 'degraded: 6 events held')
  assert.equal(
    said('degraded', [{ ...alarm, kind: 'held-keys', count: 4 }]),
    'degraded: 4 keys held',
  )
  const keys = [{ ...alarm, kind: 'held-keys', count: 4 }] as const
  assert.equal(said('failing', []), 'failing: Failing, 6 events held')
  assert.equal(said('failing', keys), 'failing: Failing, 4 keys held')
})
