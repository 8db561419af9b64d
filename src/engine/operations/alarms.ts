import { thrownMessage } from '../../base/errors/thrown-error.ts'
import type { SagaInstanceRow } from '../execution/index.ts'
import { OPEN_SINCE_UNKNOWN } from '../execution/index.ts'
import type {
  SlowRule,
  SlowUnits,
  EngineOptions,
  EngineContext,
  EngineMonitor,
} from '../context/index.ts'
import { slowRuleText, slowUnitsText } from '../context/index.ts'
import { consumerName, changedSourceText, serviceTables } from '../plan/index.ts'
import type { ChangedSource } from '../plan/index.ts'
import type { HoldSummary } from '../failure/index.ts'
import type { Alarm } from '../listing/index.ts'
import { isSaga, findRules } from '../listing/index.ts'
import type { ConsumerPosition } from './consumer-status.ts'
import { readPositions, readWaitedMs } from './consumer-status.ts'

/** Rows counted per table. A count of this many means "this many or more". */
const COUNTED_MAX = 100
/** Keys, instances or ids that an alarm names as examples. */
const EXAMPLES_MAX = 3

type InMemoryContext = Pick<EngineContext, 'budget' | 'catalog' | 'delays' | 'options' | 'monitor'>

/** Alarms from state in memory, without a call to the backend. */
export function alarmsInMemory(engine: InMemoryContext): readonly Alarm[] {
  const { budget, catalog, delays, options, monitor } = engine
  return [
    ...createHeldKeyAlarms(monitor.holdsByGroup(), options, delays.now(), (id) =>
      consumerName(catalog, id),
    ),
    ...createDeadLetterAlarms(monitor.holdsByGroup(), delays.now(), (id) =>
      consumerName(catalog, id),
    ),
    ...budget.slowRules().map(slowAlarm),
    ...budget.slowUnits().map(slowUnitsAlarm),
    ...lossAlarms(monitor, options),
    ...[...monitor.rebuildFailures()].map(rebuildAlarm),
    ...monitor.changedSources().map(sourceAlarm),
    ...delays.alarms().map(clockAlarm),
  ]
}

/** Alarms that need reads from the backend: lag, timers, sagas and operations. */
export async function alarmsInStore(engine: EngineContext): Promise<readonly Alarm[]> {
  const { lagAlarmMs, operationAlarmMs, sagaAlarmMs, timerAlarmMs } = engine.options
  const waiting = lagAlarmMs > 0 || operationAlarmMs > 0 ? await readBacklogs(engine) : []
  return [
    ...(lagAlarmMs > 0 ? lagAlarms(waiting, lagAlarmMs) : []),
    ...(timerAlarmMs > 0 ? await timerAlarms(engine) : []),
    ...(sagaAlarmMs > 0 ? await sagaAlarms(engine) : []),
    ...(operationAlarmMs > 0 ? await operationAlarms(engine, waiting) : []),
  ]
}

/** Running totals of one alarm. */
interface Tally {
  count: number
  ageMs: number
  readonly examples: string[]
}

const emptyTally = (): Tally => ({ count: 0, ageMs: 0, examples: [] })

function add(tally: Tally, example: string, ageMs: number, count = 1): void {
  tally.count += count
  tally.ageMs = Math.max(tally.ageMs, ageMs)
  if (tally.examples.length < EXAMPLES_MAX) tally.examples.push(example)
}

/** What alarms need of a hold. */
type AlarmingHold = Pick<
  HoldSummary,
  'consumer' | 'key' | 'status' | 'attempts' | 'due' | 'since' | 'count'
>

type HeldThresholds = Pick<EngineOptions, 'heldAlarmMs' | 'heldAlarmAttempts'>

/** One alarm per consumer whose keys have been held for too long, or have failed too often. */
export function createHeldKeyAlarms(
  groups: Iterable<Iterable<AlarmingHold>>,
  { heldAlarmMs, heldAlarmAttempts }: HeldThresholds,
  now: number,
  nameOf: (consumerId: string) => string = (id) => id,
): readonly Alarm[] {
  const tallies = new Map<string, Tally & { attempts: number }>()
  const addHold = (hold: AlarmingHold): void => {
    const { consumer, key, status, attempts, due, since = now } = hold
    // Dead letters have an alarm of their own.
    if (status === 'FAILED') return
    // A key without a rule for its message is never retried, so it counts as stuck. A key that only
    // waits for its delay has no failed attempts, and does not.
    const isStuck = due === Infinity || attempts > 0
    const isOld = heldAlarmMs > 0 && now - since >= heldAlarmMs
    const isOften = heldAlarmAttempts > 0 && attempts >= heldAlarmAttempts
    if (!isStuck || !(isOld || isOften)) return
    const tally = tallies.get(consumer) ?? { ...emptyTally(), attempts: 0 }
    tallies.set(consumer, tally)
    add(tally, key, now - since)
    tally.attempts = Math.max(tally.attempts, attempts)
  }
  for (const holds of groups) for (const hold of holds) addHold(hold)
  return [...tallies].map(([id, { attempts, ...tally }]) => {
    const consumer = nameOf(id)
    const message =
      `${consumer} holds ${countText(tally, 'key')}, for up to ${ageText(tally.ageMs)} and up to ` +
      `${attempts} failed attempts`
    const threshold = { heldAlarmMs, heldAlarmAttempts }
    return { kind: 'held-keys', isDegrading: true, message, consumer, ...tally, threshold }
  })
}

/** One alarm per consumer that has dead letters. */
export function createDeadLetterAlarms(
  groups: Iterable<Iterable<AlarmingHold>>,
  now: number,
  nameOf: (consumerId: string) => string = (id) => id,
): readonly Alarm[] {
  const tallies = new Map<string, Tally & { waiting: number }>()
  for (const holds of groups)
    for (const { consumer, key, status, since = now, count } of holds) {
      if (status !== 'FAILED') continue
      const tally = tallies.get(consumer) ?? { ...emptyTally(), waiting: 0 }
      tallies.set(consumer, tally)
      add(tally, key, now - since)
      tally.waiting += count - 1
    }
  return [...tallies].map(([id, { waiting, ...tally }]) => {
    const consumer = nameOf(id)
    const verb = tally.count === 1 ? 'holds' : 'hold'
    const held =
      waiting > 0
        ? `, which ${verb} back ${waiting} more ${waiting === 1 ? 'event' : 'events'}`
        : ''
    const message = `${consumer} has ${countText(tally, 'dead letter')}${held}`
    return { kind: 'dead-letters', isDegrading: true, message, consumer, ...tally, threshold: {} }
  })
}

function slowAlarm(rule: SlowRule): Alarm {
  const { consumer, count, budgetMs, worst } = rule
  const threshold = { ruleBudgetMs: budgetMs }
  const examples = [worst.messageId]
  return {
    kind: 'slow-rule',
    isDegrading: false,
    message: slowRuleText(rule),
    consumer,
    count,
    examples,
    threshold,
  }
}

function slowUnitsAlarm(units: SlowUnits): Alarm {
  const { group, count, limitMs } = units
  const threshold = { unitComputeMsMax: limitMs }
  return {
    kind: 'slow-units',
    isDegrading: false,
    message: slowUnitsText(units),
    count,
    examples: [group],
    threshold,
  }
}

function lossAlarms(
  { losses }: Pick<EngineMonitor, 'losses'>,
  { retentionLagEventsMax }: Pick<EngineOptions, 'retentionLagEventsMax'>,
): readonly Alarm[] {
  return [...losses()].map(([consumer, count]) => ({
    kind: 'lost-records',
    isDegrading: false,
    message: `retention deleted ${count} records before ${consumer} read them`,
    consumer,
    count,
    examples: [],
    threshold: { retentionLagEventsMax },
  }))
}

function rebuildAlarm([projection, failure]: readonly [string, unknown]): Alarm {
  const message = `the rebuild of ${projection} failed: ${thrownMessage(failure).split('\n')[0]}`
  const consumer = projection
  return {
    kind: 'failed-rebuild',
    isDegrading: true,
    message,
    consumer,
    count: 1,
    examples: [],
    threshold: {},
  }
}

function sourceAlarm(changed: ChangedSource): Alarm {
  return {
    kind: 'changed-projection',
    isDegrading: false,
    message: changedSourceText(changed),
    consumer: changed.projection,
    count: 1,
    examples: [],
    threshold: {},
  }
}

function clockAlarm(message: string): Alarm {
  return {
    kind: 'clock-step',
    isDegrading: false,
    message,
    count: 1,
    examples: [],
    threshold: {},
  }
}

/** A consumer with unread records in a partition, and the age of the first of them. */
interface Backlog {
  readonly position: ConsumerPosition
  readonly location: string
  readonly ageMs: number
}

/**
 * Consumers with unread records. Paused services are left out, since an operator stopped them on
 * purpose.
 */
async function readBacklogs(engine: EngineContext): Promise<readonly Backlog[]> {
  // Rules of one service are mostly at the same offset: read that record once.
  const { backend, delays } = engine
  const ages = new Map<string, number>()
  const waiting: Backlog[] = []
  for (const position of await readPositions(engine)) {
    const { topic, partition, next, service, lag } = position
    if (lag === 0 || engine.pauses.isPaused(service)) continue
    const place = `${topic}/${partition}@${next}`
    const ageMs =
      ages.get(place) ?? (await readWaitedMs(backend.log, position, delays.wallTimeNotAhead()))
    ages.set(place, ageMs)
    waiting.push({ position, location: place, ageMs })
  }
  return waiting
}

function lagAlarms(waiting: readonly Backlog[], lagAlarmMs: number): readonly Alarm[] {
  const tallies = new Map<string, Tally>()
  for (const { position, location, ageMs } of waiting) {
    if (ageMs < lagAlarmMs) continue
    const tally = tallies.get(position.consumer) ?? emptyTally()
    tallies.set(position.consumer, tally)
    add(tally, location, ageMs, position.lag)
  }
  return [...tallies].map(([consumer, tally]) => ({
    kind: 'lag',
    isDegrading: true,
    message:
      `${consumer} lags by ${tally.count} records; the oldest has waited for ` +
      ageText(tally.ageMs),
    consumer,
    ...tally,
    threshold: { lagAlarmMs },
  }))
}

async function timerAlarms(engine: EngineContext): Promise<readonly Alarm[]> {
  const { delays, options, pauses, plan } = engine
  const { timerAlarmMs } = options
  const now = delays.now()
  const where = { index: 'due', upTo: now - timerAlarmMs }
  const tally = emptyTally()
  for (const { id, name } of plan.services) {
    if (pauses.isPaused(name)) continue
    const table = serviceTables(id).timers
    const rows = await engine.backend.store.scan({ table, where, limit: COUNTED_MAX })
    for (const { key, value } of rows) add(tally, `${name} ${key}`, now - Number(value))
  }
  const message = `${countText(tally, 'timer')} overdue by up to ${ageText(tally.ageMs)}`
  return nonEmptyAlarm({
    kind: 'overdue-timers',
    isDegrading: true,
    message,
    ...tally,
    threshold: { timerAlarmMs },
  })
}

async function sagaAlarms(engine: EngineContext): Promise<readonly Alarm[]> {
  const { sagaAlarmMs } = engine.options
  const tally = emptyTally()
  for (const { saga, instance, ageMs } of await openInstances(engine, sagaAlarmMs))
    add(tally, `${saga} ${instance}`, ageMs)
  const message = `${countText(tally, 'saga instance')} open for up to ${ageText(tally.ageMs)}`
  return nonEmptyAlarm({
    kind: 'old-sagas',
    isDegrading: true,
    message,
    ...tally,
    threshold: { sagaAlarmMs },
  })
}

/**
 * Operations that are pending for too long: their command is unread or held, or a saga of theirs is
 * still open.
 */
async function operationAlarms(
  engine: EngineContext,
  waiting: readonly Backlog[],
): Promise<readonly Alarm[]> {
  const { delays, options, monitor } = engine
  const { operationAlarmMs } = options
  const now = delays.now()
  const entities = new Set(findRules(engine, ({ is }) => is === 'entity').map(({ name }) => name))
  const tally = emptyTally()
  for (const { position, location, ageMs } of waiting)
    if (entities.has(position.consumer) && ageMs >= operationAlarmMs)
      add(tally, location, ageMs, position.lag)
  for (const holds of monitor.holdsByGroup())
    for (const { consumer: id, key, since = now } of holds) {
      const consumer = consumerName(engine.catalog, id)
      if (entities.has(consumer) && now - since >= operationAlarmMs)
        add(tally, `${consumer} ${key}`, now - since)
    }
  for (const { operation, ageMs } of await openInstances(engine, operationAlarmMs))
    add(tally, operation, ageMs)
  const message = `${countText(tally, 'operation')} pending for up to ${ageText(tally.ageMs)}`
  return nonEmptyAlarm({
    kind: 'pending-operations',
    isDegrading: true,
    message,
    ...tally,
    threshold: { operationAlarmMs },
  })
}

/** Saga instances that have been open for at least this long, the oldest first. */
async function openInstances(
  engine: EngineContext,
  ageMsMin: number,
): Promise<readonly { saga: string; instance: string; operation: string; ageMs: number }[]> {
  const now = engine.delays.now()
  const where = { index: 'open', upTo: now - ageMsMin }
  const found = []
  for (const { name: saga, table } of findRules(engine, isSaga)) {
    const rows = await engine.backend.store.scan({ table, where, limit: COUNTED_MAX })
    for (const { key: instance, value, body } of rows) {
      const { operation } = JSON.parse(body) as SagaInstanceRow
      // Instances of earlier versions have no start time. Report the least age they can have.
      const ageMs = value === OPEN_SINCE_UNKNOWN ? ageMsMin : now - Number(value)
      found.push({ saga, instance, operation, ageMs })
    }
  }
  return found
}

const nonEmptyAlarm = (alarm: Alarm): readonly Alarm[] => (alarm.count > 0 ? [alarm] : [])

/** `1 key (a)`, `5 keys (a, b, c and more)`. */
function countText({ count, examples }: Tally, one: string): string {
  const named = examples.join(', ')
  const more = count > examples.length ? ' and more' : ''
  return `${count} ${one}${count === 1 ? '' : 's'} (${named}${more})`
}

const UNITS = [
  ['s', 1_000, 120],
  ['min', 60_000, 120],
  ['h', 3_600_000, 48],
  ['days', 86_400_000, Infinity],
] as const

function ageText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, each, max]) => ms / each < max) ?? UNITS[3]
  return `${Math.round(ms / unitMs)} ${unit}`
}
