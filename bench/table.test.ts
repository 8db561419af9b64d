import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Metrics } from '../src/bench/metrics.ts'
import { MEASUREMENTS } from './measurements.ts'
import type { MeasurementOutcome, Verdict } from './table.ts'
import { linesOf, tableText } from './table.ts'
import type { Target } from './targets.ts'
import { ROWS } from './targets.ts'

const [one, other] = MEASUREMENTS
assert.ok(one && other)

function outcomesOf(
  ours: readonly Metrics[],
  theirs: readonly Metrics[],
): Map<string, MeasurementOutcome> {
  return new Map([
    [one!.id, { measurement: one!, versions: '', runs: ours }],
    [other!.id, { measurement: other!, versions: 'peer 1.0', runs: theirs }],
  ])
}

const rates = (...values: readonly number[]): readonly Metrics[] =>
  values.map((perSecond) => ({ perSecond, cpuUs: 1, longMs: perSecond }))

function lineOf(target: Target, ours: readonly Metrics[], theirs: readonly Metrics[]) {
  const isTime = target.kind === 'most'
  const row = {
    measurement: other!.id,
    metric: isTime ? 'longMs' : 'perSecond',
    unit: isTime ? ('ms' as const) : ('events/s' as const),
    target,
  }
  const [line] = linesOf([row], outcomesOf(ours, theirs))
  assert.ok(line)
  return line
}

suite('a target is', () => {
  const twice: Target = { kind: 'ratio', of: one.id, min: 2 }
  const cases: readonly (readonly [string, Target, number[], number[], Verdict])[] = [
    ['met at its bound', twice, [200], [100], 'met'],
    ['missed just below it', twice, [199], [100], 'missed'],
    ['judged by medians, not by the best', twice, [150, 900, 160], [100, 100, 100], 'missed'],
    ['not measured without the peer', twice, [200], [], 'not measured'],
    ['not measured without the engine', twice, [], [100], 'not measured'],
    ['none if only the ratio is shown', { kind: 'ratio', of: one.id }, [200], [100], ''],
    ['met by a time that is short enough', { kind: 'most', max: 12 }, [], [12], 'met'],
    ['missed by a time that is too long', { kind: 'most', max: 12 }, [], [12.1], 'missed'],
    ['none if a time is only shown', { kind: 'most' }, [], [99], ''],
  ]
  for (const [name, target, ours, theirs, verdict] of cases)
    test(name, () => {
      assert.equal(lineOf(target, rates(...ours), rates(...theirs)).verdict, verdict)
    })
})

test('a ratio is the value of the engine divided by that of the peer', () => {
  assert.equal(lineOf({ kind: 'ratio', of: one.id }, rates(300), rates(100)).ratio, 3)
})

test('the table shows every metric, its range, and why one is missing', () => {
  const outcomes = outcomesOf(rates(90_000, 120_000, 100_000), [])
  const failed = { ...outcomes.get(other.id)!, failure: 'no such server' }
  const text = tableText(linesOf(ROWS, outcomes.set(other.id, failed)))
  assert.match(text, /throughline +fsync before ack +100,000\/s +90,000 – 120,000/)
  assert.match(text, /bare node:sqlite loop.* – .*≥ 0\.6 × +not measured\n +no such server/)
})

test('every row has a measurement, and every measurement a row', () => {
  const rows = new Set(ROWS.map(({ measurement }) => measurement))
  assert.deepEqual([...rows].toSorted(), MEASUREMENTS.map(({ id }) => id).toSorted())
  for (const { target } of ROWS) if (target.kind === 'ratio') assert.ok(rows.has(target.of))
})
