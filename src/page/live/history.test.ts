import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Overview, SampleView } from '../../admin/wire.ts'
import type { History } from './history.ts'
import {
  addOverview,
  HISTORY_MS,
  lagOf,
  NO_HISTORY,
  oldestOf,
  SERVER_HISTORY_MS,
  readKey,
  samplesOver,
  withServerSamples,
} from './history.ts'

function overview(at: number, count: number, lag = 0): Overview {
  const rule = { name: 'charge', kind: 'entity', accepted: count, completed: count } as const
  return {
    at,
    ack: 'disk',
    health: { status: 'well', detail: '', alarms: [] },
    services: [
      {
        name: 'payment',
        isPaused: false,
        lag,
        ageMs: lag * 10,
        pending: 0,
        dead: 0,
        discarded: 0,
        completed: count,
        rules: [{ ...rule, pending: 0, dead: 0, discarded: 0, expired: 0, lag }],
      },
    ],
    topics: [
      {
        name: 'payment.commands',
        carries: 'commands',
        partitions: 8,
        appended: count,
        retained: count,
      },
      {
        name: 'payment.events',
        carries: 'events',
        partitions: 8,
        appended: 2 * count,
        retained: 1,
      },
    ],
    links: [
      {
        kind: 'reads',
        service: 'payment',
        topic: 'payment.commands',
        lag,
        ageMs: 0,
        consumed: count,
      },
      { kind: 'writes', service: 'payment', topic: 'payment.events' },
    ],
    boards: [],
  }
}

const after = (...overviews: readonly Overview[]): History =>
  overviews.reduce(addOverview, NO_HISTORY)

test('one overview gives no rate and no sample', () => {
  const { rates, samples } = after(overview(1_000, 50))
  assert.equal(rates.total, 0)
  assert.deepEqual(samples, [])
})

test('rates are differences of counters over the elapsed time', () => {
  const { rates, samples } = after(overview(1_000, 50), overview(3_000, 150, 7))
  assert.equal(rates.topics.get('payment.commands'), 50)
  assert.equal(rates.topics.get('payment.events'), 100)
  assert.equal(rates.services.get('payment'), 50)
  assert.equal(rates.reads.get(readKey('payment', 'payment.commands')), 50)
  assert.equal(rates.total, 150)
  assert.equal(samples.length, 1)
  assert.deepEqual(samples[0]?.services['payment'], { perSecond: 50, lag: 7 })
})

test('rates ignore overviews that are older than their window', () => {
  const slow = [0, 1, 2, 3, 4].map((second) => overview(second * 1_000, second))
  const fast = [5, 6, 7, 8, 9].map((second) => overview(second * 1_000, (second - 4) * 100))
  assert.equal(after(...slow, ...fast).rates.topics.get('payment.commands'), 100)
})

test('the same overview twice changes nothing', () => {
  const once = after(overview(1_000, 1), overview(2_000, 2))
  assert.equal(addOverview(once, overview(2_000, 2)), once)
})

test('a restarted system starts a new history, without negative rates', () => {
  const { rates, samples } = after(overview(1_000, 50), overview(2_000, 60), overview(3_000, 4))
  assert.equal(rates.total, 0)
  assert.deepEqual(samples, [])
})

test('a clock that goes back starts a new history', () => {
  assert.deepEqual(after(overview(5_000, 1), overview(6_000, 2), overview(1_000, 3)).samples, [])
})

test('samples are bounded by the history length, however long the page is open', () => {
  const all = Array.from({ length: 400 }, (_, index) => overview(index * 1_000, index))
  const { samples, recent } = after(...all)
  assert.equal(samples.length, HISTORY_MS / 1_000 + 1)
  assert.equal(samples[0]?.at, 399_000 - HISTORY_MS)
  assert.ok(recent.length <= 5)
})

test('the lag is the sum, and the age is that of the oldest record', () => {
  assert.equal(lagOf(overview(0, 0, 3)), 3)
  assert.equal(oldestOf(overview(0, 0, 3)), 30)
  assert.equal(oldestOf({ ...overview(0, 0), services: [] }), 0)
})

const past = (...times: readonly number[]): readonly SampleView[] =>
  times.map((at) => ({ at, perSecond: 1, lag: 0, services: {} }))

test('charts start before the page was opened, with the samples of the server', () => {
  const opened = after(overview(100_000, 1), overview(101_000, 2), overview(102_000, 3))
  const history = withServerSamples(opened, past(1_000, 90_000, 95_000, 100_000, 105_000))
  const times = (spanMs: number): readonly number[] =>
    samplesOver(history, spanMs).map(({ at }) => at)
  assert.deepEqual(times(10_000), [95_000, 100_000, 101_000, 102_000])
  assert.deepEqual(times(HISTORY_MS), [1_000, 90_000, 95_000, 100_000, 101_000, 102_000])
  assert.deepEqual(times(SERVER_HISTORY_MS), [1_000, 90_000, 95_000, 100_000, 102_000])
})

test('the samples of the server survive a restart of the system', () => {
  const history = withServerSamples(after(overview(1_000, 50), overview(2_000, 60)), past(500))
  assert.deepEqual(addOverview(history, overview(3_000, 4)).serverSamples, past(500))
})
