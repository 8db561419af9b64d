// A model of consumers with retries, dead letters and redrives, in a few lines and without a store. Makes
// a history and a final state that are correct, so that tests can plant one defect at a time.
import { partitionOf } from '../../../src/contract/partition.ts'
import type { LogRecord } from '../../../src/ports/event-log.ts'
import type { Progress } from '../../../src/ports/event-store.ts'
import { NO_COUNTS } from '../../../src/ports/progress.ts'
import type { EventStatus, Status } from '../../../src/ports/status.ts'
import { outcomeOf, planOf } from './failure-plan.ts'
import type { OrderSize } from './order-batches.ts'
import { batchesOf } from './order-batches.ts'
import type { HistoryLine, UnitProgress } from './order-history.ts'
import type { OrderConsumer } from './order-scenario.ts'
import { ATTEMPTS_MAX, CONSUMERS, PARTITIONS } from './order-scenario.ts'
import type { FinalState } from './order-store.ts'

/** What the checker is given. */
export interface ModelRun {
  readonly size: OrderSize
  readonly lines: HistoryLine[]
  readonly state: FinalState
}

interface Item {
  readonly record: LogRecord
  readonly entry: string
  status: Status
  isRecorded: boolean
  attempts: number
  redrives: number
}

interface ModelConsumer extends OrderConsumer {
  readonly id: string
  /** Records that were read, by position. */
  read: number
  /** Held events, oldest first, by key or, in a queue, by id. */
  readonly held: Map<string, Item[]>
  readonly progress: Map<string, Progress>
}

interface Model {
  readonly size: OrderSize
  readonly lines: HistoryLine[]
  readonly records: LogRecord[]
  readonly rows: Record<string, string[]>
  readonly statuses: Map<string, EventStatus>
  readonly consumers: readonly ModelConsumer[]
  units: number
}

export function createModelRun(size: OrderSize): ModelRun {
  const consumers = Object.entries(CONSUMERS).map(([id, consumer]): ModelConsumer => {
    return { ...consumer, id, read: 0, held: new Map(), progress: new Map() }
  })
  const lines: HistoryLine[] = [{ kind: 'start', instance: 0 }]
  const statuses = new Map<string, EventStatus>()
  const model: Model = { size, lines, records: [], rows: {}, statuses, consumers, units: 0 }
  for (const [batch, events] of batchesOf(size).entries()) {
    lines.push({ kind: 'produce', batch })
    for (const { id, type, key, number } of events) append(model, id, type, { key, number })
    lines.push({ kind: 'ack', batch })
    for (const consumer of consumers) step(model, consumer)
    sample(model, false)
  }
  while (consumers.some((each) => each.held.size > 0 || each.read < model.records.length))
    for (const consumer of consumers) step(model, consumer)
  sample(model, true)
  lines.push({ kind: 'settled' })
  const { records, rows } = model
  const progress = consumers.flatMap((each) => [...each.progress.values()])
  return { size, lines, state: { records, rows, progress, statuses: [...statuses.values()] } }
}

function append(
  { records }: Model,
  id: string,
  type: string,
  { key, number }: { readonly key: string; readonly number: number },
): void {
  const [contract = ''] = type.split('.')
  const topic = type === 'story.Write' ? 'story.commands' : `${contract}.events`
  const partition = partitionOf(key, PARTITIONS)
  const offset = records.filter(
    (each) => each.topic === topic && each.partition === partition,
  ).length
  const data = JSON.stringify({ key, number })
  const place = { topic, partition, offset, position: records.length + 1, storedAt: 0 }
  records.push({ ...place, id, key, type, at: 0, head: '{}', data })
}

function sample({ lines, consumers }: Model, isQuiet: boolean): void {
  const progress = consumers.flatMap((each) => [...each.progress.values()])
  lines.push({ kind: 'sample', progress: structuredClone(progress), isQuiet })
}

/** Reads what is new in one unit, then takes one step of every hold, each in a unit of its own. */
function step(model: Model, consumer: ModelConsumer): void {
  const unit = beginUnit(model, consumer)
  for (const record of model.records.slice(consumer.read)) {
    const prefix = consumer.reads[record.type]
    if (prefix === undefined) continue
    const { number } = JSON.parse(record.data ?? '{}') as { number: number }
    const fresh = { status: 'UNPROCESSED', isRecorded: false, attempts: 0, redrives: 0 } as const
    const item: Item = { record, entry: `${prefix}${number}`, ...fresh }
    const scope = consumer.isOrdered ? record.key : record.id
    const waiting = consumer.held.get(scope)
    unit.pass(record)
    if (waiting) waiting.push(item)
    if (waiting || !attempt(model, consumer, unit, item)) unit.count(record, { pending: 1 })
    else unit.count(record, { completed: 1 })
    if (!waiting && item.isRecorded) consumer.held.set(scope, [item])
  }
  consumer.read = model.records.length
  unit.commit()
  for (const [scope, items] of consumer.held) moveOn(model, consumer, scope, items)
}

/** Calls the rule. Returns whether it took effect. */
function attempt(
  { lines, size }: Model,
  { id: consumer, effect }: ModelConsumer,
  unit: ModelUnit,
  item: Item,
): boolean {
  const { record, entry } = item
  const { id, key } = record
  const outcome = outcomeOf(planOf(size.seed, consumer, key, entry), item)
  if ('type' in effect && consumer !== 'story/scribe')
    lines.push({ kind: 'begin', consumer, id, effectKey: `${consumer}:${id}` })
  const times = { beganAt: 0, endedAt: 0, attempt: item.attempts + 1 }
  lines.push({ kind: 'call', consumer, id, key, entry, outcome, ...times })
  if (outcome !== 'ok') {
    item.attempts += 1
    unit.status(item, 'ERROR')
    return false
  }
  if (item.isRecorded) unit.status(item, 'COMPLETED')
  unit.effect(item)
  return true
}

/** Takes one step with the first event of a hold. */
function moveOn(model: Model, consumer: ModelConsumer, scope: string, items: Item[]): void {
  const [item] = items
  if (!item) return
  const unit = beginUnit(model, consumer)
  const { record, entry, attempts, redrives } = item
  const plan = planOf(model.size.seed, consumer.id, record.key, entry)
  const release = (): void => {
    items.shift()
    if (items.length === 0) consumer.held.delete(scope)
  }
  if (item.status === 'ERROR') {
    const outcome = outcomeOf(plan, { attempts: attempts - 1, redrives })
    const isDead = outcome === 'final' || attempts >= ATTEMPTS_MAX
    unit.status(item, isDead ? 'FAILED' : 'RETRY')
    if (isDead) unit.count(record, { pending: -1, dead: 1 })
  } else if (item.status !== 'FAILED') {
    if (attempt(model, consumer, unit, item)) {
      unit.count(record, { pending: -1, completed: 1 })
      release()
    }
  } else if (plan.kind === 'hopeless') {
    unit.status(item, 'FAILED', true)
    unit.count(record, { dead: -1, discarded: 1 })
    release()
  } else {
    Object.assign(item, { attempts: 0, redrives: redrives + 1 })
    unit.status(item, 'UNPROCESSED')
    unit.count(record, { dead: -1, pending: 1 })
  }
  unit.commit()
}

type ModelUnit = ReturnType<typeof beginUnit>
type UnitLine = Extract<HistoryLine, { kind: 'unit' }>

function beginUnit(model: Model, { id: consumer, effect, progress }: ModelConsumer) {
  const advances = new Map<string, UnitProgress>()
  const effects = new Map<string, string[]>()
  const statuses: UnitLine['statuses'][number][] = []
  const published: (() => void)[] = []
  const advanceOf = ({ topic, partition }: LogRecord): UnitProgress => {
    const name = `${topic}/${partition}`
    const { next } = progress.get(name) ?? { next: 0 }
    const fresh = { consumer, topic, partition, from: next, next, ...NO_COUNTS }
    return advances.get(name) ?? fresh
  }
  const put = (advance: UnitProgress): void =>
    void advances.set(`${advance.topic}/${advance.partition}`, advance)
  return {
    pass(record: LogRecord): void {
      const advance = advanceOf(record)
      put({ ...advance, next: record.offset + 1, accepted: advance.accepted + 1 })
    },
    count(record: LogRecord, added: Partial<Record<keyof typeof NO_COUNTS, number>>): void {
      const advance = { ...advanceOf(record) }
      for (const name of Object.keys(added) as (keyof typeof NO_COUNTS)[])
        Object.assign(advance, { [name]: advance[name] + (added[name] ?? 0) })
      put(advance)
    },
    status(item: Item, to: Status, isDiscarded = false): void {
      const { record, attempts } = item
      const { id } = record
      statuses.push({ consumer, id, from: item.status, to, attempts, isDiscarded, at: 0 })
      Object.assign(item, { status: to, isRecorded: true })
      const stored = { consumer, eventId: id, status: to, attempts } as EventStatus
      model.statuses.set(`${consumer} ${id}`, stored)
    },
    effect({ record: { key, id }, entry }: Item): void {
      effects.set(key, [...(effects.get(key) ?? []), entry])
      const number = Number(entry.slice(1))
      const echo = 'type' in effect ? effect.type : undefined
      published.push(() => {
        if (echo !== undefined) append(model, `${echo} ${id}`, echo, { key, number })
        else (model.rows[`${consumer} ${key}`] ??= []).push(entry)
      })
    },
    commit(): void {
      if (advances.size + statuses.length === 0) return
      model.units += 1
      const unit = model.units
      const listed = [...effects].map(([key, entries]) => ({ consumer, key, entries }))
      const moved = { progress: [...advances.values()], statuses, effects: listed, rows: [] }
      model.lines.push({ kind: 'unit', unit, ...moved })
      model.lines.push({ kind: 'answer', unit, isCommitted: true })
      for (const publish of published) publish()
      for (const [name, advance] of advances) addTo(progress, name, advance)
    },
  }
}

function addTo(progress: Map<string, Progress>, name: string, advance: UnitProgress): void {
  const { from: _, ...moved } = advance
  const before = progress.get(name) ?? { ...moved, ...NO_COUNTS }
  const counted = Object.keys(NO_COUNTS) as (keyof typeof NO_COUNTS)[]
  const sums = counted.map((each) => [each, before[each] + advance[each]])
  progress.set(name, { ...moved, ...Object.fromEntries(sums) } as Progress)
}
