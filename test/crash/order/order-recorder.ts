// Records what the rules do and what the store commits.
import type { Clock } from '../../../src/base/time/clock.ts'
import { sleep, yieldToEventLoop } from '../../../src/base/time/clock.ts'
import type { Random } from '../../../src/base/random.ts'
import type { Backend, Unit } from '../../../src/ports/event-store.ts'
import type { StatusChange } from '../../../src/ports/status.ts'
import { final } from '../../../src/rules/failure-policy.ts'
import type { Attempted, Outcome } from './failure-plan.ts'
import { outcomeOf, planOf } from './failure-plan.ts'
import type { HistoryLine, UnitEffects, UnitStatus, WriteHistory } from './order-history.ts'
import type { CallObserver, Line, RuleCall } from './order-scenario.ts'
import { CONSUMERS, entriesIn } from './order-scenario.ts'

/** What the rules have to know of the units that were committed before. */
export interface Committed {
  readonly attempted: Map<string, Attempted>
  /** How many entries a row has, by table and key. */
  readonly lengths: Map<string, number>
  /** The number of the next unit. */
  nextUnit: number
}

export const createCommitted = (): Committed => {
  return { attempted: new Map(), lengths: new Map(), nextUnit: 1 }
}

type UnitLine = Extract<HistoryLine, { kind: 'unit' }>

const UNTRIED: Attempted = { attempts: 0, redrives: 0 }

/** Applies a committed unit. */
export function applyUnit(committed: Committed, { statuses, effects }: UnitLine): void {
  for (const { consumer, id, from, to, attempts } of statuses) {
    const { redrives } = committed.attempted.get(`${consumer} ${id}`) ?? UNTRIED
    const isRedrive = from === 'FAILED' && to === 'UNPROCESSED'
    committed.attempted.set(`${consumer} ${id}`, {
      attempts,
      redrives: redrives + (isRedrive ? 1 : 0),
    })
  }
  for (const { consumer, key, entries } of effects) {
    const name = `${consumer} ${key}`
    committed.lengths.set(name, (committed.lengths.get(name) ?? 0) + entries.length)
  }
}

/** What a history says is committed. */
export function committedIn(lines: readonly HistoryLine[]): Committed {
  const committed = createCommitted()
  const units = new Map<number, UnitLine>()
  for (const line of lines) {
    if (line.kind === 'unit') {
      units.set(line.unit, line)
      committed.nextUnit = line.unit + 1
    }
    const unit = line.kind === 'answer' && line.isCommitted ? units.get(line.unit) : undefined
    if (unit) applyUnit(committed, unit)
  }
  return committed
}

export interface RecorderParts {
  readonly seed: number
  readonly clock: Clock
  readonly random: Random
  readonly committed: Committed
  readonly write: WriteHistory
}

/** A handler takes this long now and then: longer than a queue waits with its unit. */
const LONG_CALL_MS = 30
const LONG_CALLS = 0.01

export function createCallObserver(parts: RecorderParts): CallObserver {
  const { seed, clock, random, committed, write } = parts
  const decide = ({ consumer, messageId, key, entry }: RuleCall): [Outcome, number] => {
    const attempted = committed.attempted.get(`${consumer} ${messageId}`) ?? UNTRIED
    return [outcomeOf(planOf(seed, consumer, key, entry), attempted), attempted.attempts + 1]
  }
  const record = (call: RuleCall, beganAt: number): void => {
    const { consumer, messageId: id, key, entry } = call
    const [outcome, attempt] = decide(call)
    const endedAt = clock.elapsed()
    write({ kind: 'call', consumer, id, key, entry, attempt, beganAt, endedAt, outcome })
    if (outcome === 'error') throw new Error(`the ${REASONS[call.number % 3]} of ${id} is missing`)
    if (outcome === 'final') throw final(`no ${REASONS[call.number % 3]} will ever fit ${id}`)
  }
  return {
    run: (call) => record(call, clock.elapsed()),
    async runLong(call) {
      const beganAt = clock.elapsed()
      const { consumer, messageId: id, effectKey = '' } = call
      write({ kind: 'begin', consumer, id, effectKey })
      if (random() < LONG_CALLS) await sleep(clock, LONG_CALL_MS * random())
      else await yieldToEventLoop(clock)
      record(call, beganAt)
    },
  }
}

/** Failures with the same reason have the same cause. */
const REASONS = ['pen', 'paper', 'ink'] as const

/** A backend whose units are recorded, before and after their commit. */
export function recordUnits(
  inner: Backend,
  { committed, write }: Pick<RecorderParts, 'committed' | 'write'>,
): Backend {
  const commit: Backend['store']['commit'] = async (unit) => {
    if (unit.progress.length + unit.statuses.length === 0) return inner.store.commit(unit)
    const line = unitLine(unit, committed)
    committed.nextUnit += 1
    write(line)
    const answer = await inner.store.commit(unit)
    if (answer.status === 'unknown') write({ kind: 'wrong', what: `unit ${line.unit} is unknown` })
    const isCommitted = answer.status === 'done'
    if (isCommitted) applyUnit(committed, line)
    write({ kind: 'answer', unit: line.unit, isCommitted })
    return answer
  }
  const store = new Proxy(inner.store, {
    get(target, name) {
      if (name === 'commit') return commit
      const found: unknown = Reflect.get(target, name)
      return typeof found === 'function' ? (found.bind(target) as unknown) : found
    },
  })
  return { ...inner, log: inner.log, store }
}

/** Rows that are kept to see later whether a unit was committed. */
const ROWS_KEPT = 4

function unitLine(unit: Unit, committed: Committed): UnitLine {
  const progress = unit.progress.map((advance) => {
    const { range: _, ...each } = advance
    return each
  })
  // A row that is removed and written again in one unit may keep its version, and tells nothing.
  const telling = unit.rows.filter(({ expected, version, body }) =>
    body === null ? expected > 0 : version !== expected,
  )
  const rows = telling.slice(0, ROWS_KEPT).map(({ table, key, version, body }) => {
    return { table, key, version: body === null ? null : version }
  })
  return {
    kind: 'unit',
    unit: committed.nextUnit,
    progress,
    statuses: unit.statuses.map(unitStatus),
    effects: Object.keys(CONSUMERS).flatMap((consumer) => effectsOf(unit, consumer, committed)),
    rows,
  }
}

export function unitStatus(change: StatusChange): UnitStatus {
  const { consumer, eventId: id, from, status: to, attempts, resolution, updatedAt: at } = change
  return { consumer, id, from, to, attempts, isDiscarded: resolution === 'DISCARDED', at }
}

function effectsOf(unit: Unit, consumer: string, { lengths }: Committed): UnitEffects[] {
  const { effect, reads } = CONSUMERS[consumer] ?? { effect: { type: '' }, reads: {} }
  if ('table' in effect)
    return unit.rows
      .filter(({ table, body }) => table === effect.table && body !== null)
      .map(({ key, body }) => {
        const entries = entriesIn(body ?? '[]').slice(lengths.get(`${consumer} ${key}`) ?? 0)
        return { consumer, key, entries }
      })
  const [prefix = ''] = Object.values(reads)
  const byKey = new Map<string, string[]>()
  for (const { type, data } of unit.appends) {
    if (type !== effect.type) continue
    const { key, number } = JSON.parse(data ?? '{}') as Line
    const entries = byKey.get(key)
    if (entries) entries.push(`${prefix}${number}`)
    else byKey.set(key, [`${prefix}${number}`])
  }
  return [...byKey].map(([key, entries]) => ({ consumer, key, entries }))
}
