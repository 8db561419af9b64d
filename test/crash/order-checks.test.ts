import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { HistoryLine, UnitStatus } from './order/order-history.ts'
import { findOrderViolations, ORDER_CHECKS } from './order/order-checks.ts'
import type { ModelRun } from './order/model-run.ts'
import { createModelRun } from './order/model-run.ts'
import { SAMPLES_MAX } from './order/waiting-checks.ts'

const SIZE = { seed: 3, keys: 6, events: 400 } as const
const flawless = createModelRun(SIZE)

type UnitLine = Extract<HistoryLine, { kind: 'unit' }>
type CallLine = Extract<HistoryLine, { kind: 'call' }>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const ordered = 'story/pages'

const unitsOf = ({ lines }: ModelRun): UnitLine[] =>
  lines.filter((line): line is UnitLine => line.kind === 'unit')

function found<T>(value: T | undefined, what: string): T {
  assert.ok(value !== undefined, `the flawless run has no ${what}`)
  return value
}

/** The first unit with a status change like this, and the change. */
function unitWith(
  run: ModelRun,
  isWanted: (status: UnitStatus) => boolean,
): { unit: UnitLine; status: Mutable<UnitStatus> } {
  const unit = found(
    unitsOf(run).find(({ statuses }) => statuses.some(isWanted)),
    'such a status',
  )
  return { unit, status: found(unit.statuses.find(isWanted), 'such a status') }
}

/** Puts lines right after the answer of a unit. */
function insertAfter(run: ModelRun, unit: UnitLine, added: readonly HistoryLine[]): void {
  run.lines.splice(run.lines.indexOf(unit) + 2, 0, ...added)
}

const isDead = ({ consumer, to, isDiscarded }: UnitStatus): boolean =>
  consumer === ordered && to === 'FAILED' && !isDiscarded
const isDiscard = ({ isDiscarded }: UnitStatus): boolean => isDiscarded

/** The first call of an event. */
function callOf({ lines }: ModelRun, consumer: string, id: string): CallLine {
  const isSame = (line: HistoryLine): line is CallLine =>
    line.kind === 'call' && line.consumer === consumer && line.id === id
  return found(lines.find(isSame), 'such a call')
}

/** The first call of the event that follows another one in its key at a consumer. */
function callAfter(run: ModelRun, { consumer, id }: UnitStatus): CallLine {
  const { lines } = run
  const first = callOf(run, consumer, id)
  const done = new Set<string>()
  for (const line of lines) {
    if (line.kind !== 'call' || line.consumer !== consumer || line.key !== first.key) continue
    if (done.has(id) && line.id !== id) return line
    done.add(line.id)
  }
  return assert.fail('the flawless run has no later event of the key')
}

const sampleLines = (count: number): HistoryLine[] =>
  Array.from({ length: count }, () => ({ kind: 'sample', progress: [], isQuiet: false }) as const)

type Writable = UnitLine['effects'][number] & { entries: string[] }

/** A unit whose effects of one key have two entries, and the effect. */
function twoEntries(run: ModelRun) {
  for (const unit of unitsOf(run))
    for (const effect of unit.effects)
      if (effect.consumer === ordered && effect.entries.length > 1)
        return { unit, effect: effect as Writable }
  return assert.fail('the flawless run has no such unit')
}

interface Defect {
  readonly what: string
  /** The check that must find it. */
  readonly check: string
  plant(run: ModelRun): void
}

const DEFECTS: readonly Defect[] = [
  {
    what: 'a key goes on before the retry of its first event',
    check: 'the events of a key are completed in the order of the log',
    plant(run) {
      const { status } = unitWith(run, ({ consumer, to }) => consumer === ordered && to === 'RETRY')
      const { key, entry } = callOf(run, ordered, status.id)
      const later = callAfter(run, status).entry
      const row = run.state.rows[`${ordered} ${key}`] as string[]
      const swapped = (name: string): string =>
        name === entry ? later : name === later ? entry : name
      row.splice(0, row.length, ...row.map(swapped))
      for (const { effects } of unitsOf(run))
        for (const each of effects)
          if (each.consumer === ordered && each.key === key)
            (each.entries as string[]).splice(0, Infinity, ...each.entries.map(swapped))
    },
  },
  {
    what: 'the log has two events of a key in another order',
    check: 'the log has every produced event once, in the order of its key',
    plant({ state: { records } }) {
      const [one, other] = records.filter(({ type, key }) => type === 'notes.Noted' && key === 'k1')
      const [a, b] = [found(one, 'note'), found(other, 'note')] as Mutable<
        (typeof records)[number]
      >[]
      if (a && b) [a.data, b.data] = [b.data, a.data]
    },
  },
  {
    what: 'an acked event is lost',
    check: 'the log has every produced event once, in the order of its key',
    plant({ state }) {
      const last = state.records.findLastIndex(({ type }) => type === 'notes.Noted')
      ;(state.records as unknown[]).splice(last, 1)
    },
  },
  {
    what: 'an effect happens twice',
    check: 'every event takes effect once',
    plant(run) {
      const { effect } = twoEntries(run)
      effect.entries.push(effect.entries[0] ?? '')
    },
  },
  {
    what: 'an effect is lost, and counted',
    check: 'every event takes effect once',
    plant(run) {
      const { effect } = twoEntries(run)
      const entry = effect.entries.pop() ?? ''
      const row = run.state.rows[`${ordered} ${effect.key}`] as string[]
      row.splice(row.indexOf(entry), 1)
    },
  },
  {
    what: 'a committed effect is not in the store',
    check: 'the final state has the effects that were committed',
    plant: ({ state }) => void (Object.values(state.rows)[0] as string[]).pop(),
  },
  {
    what: 'an event waits behind a dead letter of another key',
    check: 'an event waits for its own key only',
    plant(run) {
      const units = unitsOf(run)
      const first = units.findIndex(({ statuses }) => statuses.some(({ to }) => to === 'FAILED'))
      const later = units.slice(first + 1)
      const isMoving = ({ progress, effects }: UnitLine): boolean =>
        effects.length > 1 && progress.some(({ from, next }) => from !== null && from < next)
      const passing = found(later.find(isMoving), 'later unit')
      // An effect comes with the next unit.
      const moved = passing.effects as UnitLine['effects'][number][]
      const next = found(later[later.indexOf(passing) + 1], 'last unit')
      ;(next.effects as typeof moved).push(...moved.splice(0, 1))
    },
  },
  {
    what: 'a partition waits',
    check: 'a partition does not stand still while something is unread',
    plant(run) {
      const at = run.lines.findIndex(({ kind }) => kind === 'ack')
      run.lines.splice(at + 1, 0, ...sampleLines(SAMPLES_MAX + 1))
    },
  },
  {
    what: 'a held key is forgotten',
    check: 'a held key goes on once nothing of its own holds it',
    plant: (run) =>
      insertAfter(
        run,
        unitWith(run, ({ to }) => to === 'RETRY').unit,
        sampleLines(SAMPLES_MAX + 1),
      ),
  },
  {
    what: 'a dead letter is retried without a redrive',
    check: 'every status path is legal',
    plant: (run) =>
      void (unitWith(run, ({ from, to }) => from === 'FAILED' && to === 'UNPROCESSED').status.to =
        'RETRY'),
  },
  {
    what: 'an event that had erred is completed without its status',
    check: 'every status path is legal',
    plant(run) {
      const { unit } = unitWith(run, ({ to }) => to === 'COMPLETED')
      ;(unit.statuses as UnitStatus[]).pop()
    },
  },
  {
    what: 'a status is stored that no unit wrote',
    check: 'every status path is legal',
    plant: ({ state }) => void ((state.statuses[0] as { attempts: number }).attempts += 1),
  },
  {
    what: 'an attempt is not counted',
    check: 'the attempts are those of the seed',
    plant: (run) => void (unitWith(run, ({ attempts }) => attempts === 2).status.attempts = 1),
  },
  {
    what: 'an event fails with attempts left',
    check: 'the attempts are those of the seed',
    plant: (run) => void (unitWith(run, ({ to }) => to === 'RETRY').status.to = 'FAILED'),
  },
  {
    what: 'a counter is off by one',
    check: 'accepted = completed + dead + discarded + expired + pending',
    plant({ lines }) {
      const [sample] = lines.filter((line) => line.kind === 'sample').slice(3)
      ;(found(sample?.progress[0], 'sample') as { completed: number }).completed += 1
    },
  },
  {
    what: 'a completion is counted twice, in both counters',
    check: 'the counters count what happened',
    plant({ lines }) {
      const sample = lines.findLast((line) => line.kind === 'sample')
      const progress = found(sample?.progress[0], 'sample')
      Object.assign(progress, {
        completed: progress.completed + 1,
        accepted: progress.accepted + 1,
      })
    },
  },
  {
    what: 'the counts of a unit are lost',
    check: 'the counters of the units add up to those of the store',
    plant(run) {
      const advance = found(unitsOf(run)[3]?.progress[0], 'unit')
      Object.assign(advance, {
        completed: advance.completed - 1,
        accepted: advance.accepted - 1,
      })
    },
  },
  {
    what: 'an event is handled after it was discarded',
    check: 'an event is not handled again after it was completed or discarded',
    plant(run) {
      const { unit, status } = unitWith(run, isDiscard)
      insertAfter(run, unit, [callOf(run, status.consumer, status.id)])
    },
  },
  {
    what: 'an event is handled after it was completed',
    check: 'an event is not handled again after it was completed or discarded',
    plant(run) {
      const { unit, status } = unitWith(run, ({ to }) => to === 'COMPLETED')
      insertAfter(run, unit, [callOf(run, status.consumer, status.id)])
    },
  },
  {
    what: 'a later event is handled while an earlier one is dead',
    check: 'no event is handled while an earlier one of its key is open',
    plant(run) {
      const { unit, status } = unitWith(run, isDead)
      insertAfter(run, unit, [callAfter(run, status)])
    },
  },
  {
    what: 'a retry has another effect key',
    check: 'every attempt at an event has its effect key, and no other event has it',
    plant({ lines }) {
      const begun = lines.filter((line) => line.kind === 'begin')
      const again = begun.find(({ id, consumer }, at) =>
        begun.slice(0, at).some((each) => each.id === id && each.consumer === consumer),
      )
      ;(found(again, 'retry of a handler') as { effectKey: string }).effectKey = 'another'
    },
  },
  {
    what: 'two events have one effect key',
    check: 'every attempt at an event has its effect key, and no other event has it',
    plant({ lines }) {
      const [one, other] = lines.filter((line) => line.kind === 'begin')
      ;(found(one, 'call') as { effectKey: string }).effectKey = other?.effectKey ?? ''
    },
  },
  {
    what: 'a key has two calls at a time',
    check: 'the handler of a key has one call at a time',
    plant({ lines }) {
      const begun = found(
        lines.find((line) => line.kind === 'begin' && line.consumer === 'story/reader'),
        'call',
      )
      lines.splice(lines.indexOf(begun), 0, begun)
    },
  },
  {
    what: 'a rule is called with an event that is not in the log',
    check: 'rules are called with events of the log',
    plant(run) {
      const call = found(
        run.lines.find(({ kind }) => kind === 'call'),
        'call',
      )
      run.lines.push({ ...(call as CallLine), id: 'nobody knows it' })
    },
  },
  {
    what: 'a run ends early',
    check: 'nothing unexpected is recorded',
    plant: ({ lines }) => void lines.pop(),
  },
]

suite('the checks of the randomised run', () => {
  test('find nothing wrong with a flawless run', () => {
    const { size, lines, state } = flawless
    assert.deepEqual(findOrderViolations(size, lines, state), [])
  })

  for (const { what, check, plant } of DEFECTS)
    test(`find that ${what}`, () => {
      const run = structuredClone(flawless)
      plant(run)
      const violations = findOrderViolations(run.size, run.lines, run.state)
      const checks = violations.map((violation) => violation.check)
      assert.ok(checks.includes(check), JSON.stringify(violations, undefined, 1))
    })

  test('each check finds a planted defect', () => {
    const names = ORDER_CHECKS.map(({ name }) => name)
    assert.deepEqual(new Set(DEFECTS.map(({ check }) => check)), new Set(names))
  })
})
