// A model of a backend: its state as plain data, and the operations on it. The log chooses offsets and
// positions: the model takes them from the first result that has them.
import type {
  LogEvent,
  LogRefusalCode,
  TopicSpec,
  TopicState,
  Progress,
  Row,
  RowCheck,
  RowKey,
  RowWrite,
  Scan,
  ScannedRow,
  TableSpec,
  Unit,
} from '../../../src/ports/index.ts'
import type { ModelStatuses } from './status-plans.ts'
import { applyChanges, isAnyRefused, isAnyStale } from './status-plans.ts'

/** An event that was stored at any time. */
export interface ModelRecord extends LogEvent {
  /** -1 until a result has it. */
  offset: number
  /** -1 until a read has it. */
  position: number
  readonly storedAt: number
  /** How many events were stored before this one, over all topics. */
  readonly order: number
  /** Compacted: its id stays known. */
  isRemoved: boolean
}

export interface ModelPartition {
  /** Everything below was trimmed. */
  first: number
  /** The next offset is this or a higher one. */
  next: number
  /** All that was ever stored, in order. */
  readonly records: ModelRecord[]
}

export interface ModelTopic {
  readonly spec: TopicSpec
  readonly partitions: readonly ModelPartition[]
  /** The events that the log knows by id. */
  readonly ids: Map<string, ModelRecord>
}

type IndexValues = Readonly<Record<string, string | number | null | undefined>>

export interface ModelTable {
  readonly indexes: Set<string>
  readonly rows: Map<string, Row & { readonly index: IndexValues }>
}

export interface ModelLease {
  readonly member: string
  readonly generation: number
  readonly untilMs: number
}

export interface Model {
  nowMs: number
  stored: number
  readonly topics: Map<string, ModelTopic>
  readonly tables: Map<string, ModelTable>
  readonly streams: Map<string, { readonly version: number; readonly record: ModelRecord }[]>
  readonly progress: Map<string, Progress>
  readonly statuses: ModelStatuses
  readonly leases: Map<string, ModelLease>
  readonly memberships: Map<string, { readonly wants: readonly string[]; readonly untilMs: number }>
}

export function emptyModel(nowMs: number): Model {
  return {
    nowMs,
    stored: 0,
    topics: new Map(),
    tables: new Map(),
    streams: new Map(),
    progress: new Map(),
    statuses: new Map(),
    leases: new Map(),
    memberships: new Map(),
  }
}

export function declareTopic({ topics }: Model, spec: TopicSpec): Omit<TopicState, 'differences'> {
  const known = topics.get(spec.name)
  if (known) return { ...known.spec, isNew: false }
  const partitions = Array.from({ length: spec.partitions }, () => {
    return { first: 0, next: 0, records: [] }
  })
  topics.set(spec.name, { spec, partitions, ids: new Map() })
  return { ...spec, isNew: true }
}

export function declareTable({ tables }: Model, { name, indexes }: TableSpec): void {
  const table = tables.get(name) ?? { indexes: new Set<string>(), rows: new Map() }
  tables.set(name, table)
  for (const index of indexes) {
    if (table.indexes.has(index)) continue
    table.indexes.add(index)
    for (const [key, row] of table.rows) {
      const member = (JSON.parse(row.body) as Record<string, unknown> | null)?.[index]
      const value = typeof member === 'string' || typeof member === 'number' ? member : null
      table.rows.set(key, { ...row, index: { ...row.index, [index]: value } })
    }
  }
}

export type ExpectedAppend =
  | { readonly status: 'stored'; readonly record: ModelRecord; readonly isDuplicate: boolean }
  | { readonly status: 'refused'; readonly code: LogRefusalCode }

/** Appends events one by one; with `isAtomic` undoes all where one was refused. */
export function append(
  model: Model,
  events: readonly LogEvent[],
  isAtomic: boolean,
): readonly ExpectedAppend[] {
  const stuck = new Set<string>()
  const expected = events.map((event): ExpectedAppend => {
    const order = JSON.stringify([event.topic, event.key])
    const one = appendOne(model, event, stuck.has(order))
    if (one.status === 'refused') stuck.add(order)
    return one
  })
  if (!isAtomic || !expected.some(({ status }) => status === 'refused')) return expected
  undoAppends(model, expected)
  return expected.map((one) => {
    return one.status === 'refused' ? one : { status: 'refused', code: 'BATCH_REFUSED' }
  })
}

function appendOne(model: Model, event: LogEvent, isStuck: boolean): ExpectedAppend {
  const topic = model.topics.get(event.topic)
  if (!topic) return { status: 'refused', code: 'TOPIC_NOT_FOUND' }
  const partition = topic.partitions[event.partition]
  if (!partition) return { status: 'refused', code: 'PARTITION_NOT_FOUND' }
  const known = topic.ids.get(event.id)
  if (known) {
    const isSame = known.key === event.key && known.type === event.type && known.data === event.data
    if (!isSame) return { status: 'refused', code: 'ID_CONFLICT' }
    return { status: 'stored', record: known, isDuplicate: true }
  }
  if (isStuck) return { status: 'refused', code: 'EARLIER_NOT_STORED' }
  const [storedAt, order] = [model.nowMs, model.stored]
  const record = { ...event, offset: -1, position: -1, storedAt, order, isRemoved: false }
  model.stored += 1
  partition.records.push(record)
  topic.ids.set(event.id, record)
  return { status: 'stored', record, isDuplicate: false }
}

function undoAppends({ topics }: Model, expected: readonly ExpectedAppend[]): void {
  for (const one of expected) {
    if (one.status === 'refused' || one.isDuplicate) continue
    const topic = topics.get(one.record.topic)
    topic?.ids.delete(one.record.id)
    topic?.partitions[one.record.partition]?.records.pop()
  }
}

/** The readable records from an offset on. */
export function retained({ records, first }: ModelPartition, from: number): readonly ModelRecord[] {
  return records.filter(({ offset, isRemoved }) => !isRemoved && offset >= Math.max(first, from))
}

export function isReadable(
  { topics }: Model,
  { topic, partition, offset, isRemoved }: ModelRecord,
): boolean {
  return !isRemoved && offset >= (topics.get(topic)?.partitions[partition]?.first ?? 0)
}

export function trim(topic: ModelTopic, partition: number, before: number): void {
  const trimmed = topic.partitions[partition] as ModelPartition
  trimmed.first = Math.max(trimmed.first, Math.min(before, trimmed.next))
  for (const record of trimmed.records)
    if (record.offset < trimmed.first && topic.ids.get(record.id) === record)
      topic.ids.delete(record.id)
}

/** Returns the number of removed records. */
export function compact(
  partition: ModelPartition,
  before: number,
  tombstonesBeforeMs: number,
): number {
  const removed = retained(partition, 0).filter(({ offset, key, data, storedAt }) => {
    const isSuperseded = partition.records.some((other) => {
      return other.key === key && other.offset > offset
    })
    return offset < before && (isSuperseded || (data === null && storedAt < tombstonesBeforeMs))
  })
  for (const record of removed) record.isRemoved = true
  return removed.length
}

export type ExpectedCommit =
  | { readonly status: 'done'; readonly records: readonly ModelRecord[] }
  | { readonly status: 'fenced'; readonly resources: readonly string[] }
  | { readonly status: 'conflict'; readonly rows: readonly RowKey[] }
  | { readonly status: 'rejected' }

export function commit(model: Model, unit: Unit): ExpectedCommit {
  const { leases, progress, tables, streams } = model
  const lost = unit.fences.filter((fence) => {
    return leases.get(fence.resource)?.generation !== fence.generation
  })
  const moved = unit.progress.filter(({ from, ...at }) => {
    return (progress.get(placeOf(at))?.next ?? 0) !== from
  })
  if (lost.length + moved.length > 0)
    return { status: 'fenced', resources: lost.map(({ resource }) => resource) }
  const looked = [...unit.rows, ...unit.checks]
  const other = looked.filter((row) => isStale(model, row))
  const behind = looked.filter((row) => !other.includes(row) && isBehindStream(model, row, unit))
  const stale = [...other, ...behind]
  if (stale.length > 0 || isAnyStale(model.statuses, unit.statuses))
    return { status: 'conflict', rows: stale.map(({ table, key }) => ({ table, key })) }
  if (isAnyRefused(unit.statuses)) return { status: 'rejected' }
  const expected = append(model, unit.appends, false)
  const records = expected.flatMap((one) => {
    return one.status === 'stored' && !one.isDuplicate ? [one.record] : []
  })
  if (records.length < expected.length) {
    undoAppends(model, expected)
    return { status: 'rejected' }
  }
  for (const { table, key, version, body, index = {} } of unit.rows) {
    const rows = tables.get(table)?.rows
    if (body === null) rows?.delete(key)
    else rows?.set(key, { table, key, version, body, index })
  }
  for (const { from: _, ...step } of unit.progress) {
    const before = progress.get(placeOf(step))
    progress.set(placeOf(step), {
      ...step,
      accepted: step.accepted + (before?.accepted ?? 0),
      completed: step.completed + (before?.completed ?? 0),
      pending: step.pending + (before?.pending ?? 0),
      dead: step.dead + (before?.dead ?? 0),
      discarded: step.discarded + (before?.discarded ?? 0),
      expired: step.expired + (before?.expired ?? 0),
    })
  }
  for (const { version, append: at, ...row } of unit.streams) {
    const stream = streams.get(rowOf(row)) ?? []
    streams.set(rowOf(row), [...stream, { version, record: records[at] as ModelRecord }])
  }
  applyChanges(model.statuses, unit.statuses)
  return { status: 'done', records }
}

function isStale({ tables }: Model, { table, key, expected }: RowCheck): boolean {
  return (tables.get(table)?.rows.get(key)?.version ?? 0) !== expected
}

/** Whether the stream of a row is ahead of its version after the unit, which adds no entry. */
function isBehindStream({ streams }: Model, row: RowCheck | RowWrite, unit: Unit): boolean {
  const isWritten = 'body' in row
  if (isWritten && unit.streams.some((entry) => rowOf(entry) === rowOf(row))) return false
  const version = !isWritten ? row.expected : row.body === null ? 0 : row.version
  return (streams.get(rowOf(row))?.length ?? 0) > version
}

export function placeOf(at: Pick<Progress, 'consumer' | 'topic' | 'partition'>): string {
  return JSON.stringify([at.consumer, at.topic, at.partition])
}

export function rowOf({ table, key }: RowKey): string {
  return JSON.stringify([table, key])
}

export function get({ tables }: Model, { table, key }: RowKey): Row | undefined {
  const row = tables.get(table)?.rows.get(key)
  return row && { table, key, version: row.version, body: row.body }
}

export function scan({ tables }: Model, { table, where, after, limit }: Scan): ScannedRow[] {
  const found: ScannedRow[] = []
  for (const { index, ...row } of tables.get(table)?.rows.values() ?? []) {
    const value = where && index[where.index]
    if (!where) found.push(row)
    else if (value !== null && value !== undefined) found.push({ ...row, value })
  }
  return found
    .filter(({ value }) => where?.equals === undefined || value === where.equals)
    .filter(({ value }) => where?.upTo === undefined || byValue(value, where.upTo) <= 0)
    .filter((row) => !after || byValue(row.value, after.value) > 0 || isBehind(row, after))
    .sort((a, b) => byValue(a.value, b.value) || byText(a.key, b.key))
    .slice(0, limit)
}

function isBehind(row: ScannedRow, after: NonNullable<Scan['after']>): boolean {
  return byValue(row.value, after.value) === 0 && byText(row.key, after.key) > 0
}

const byText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** Numbers sort before text, and text by its bytes. */
function byValue(a?: string | number, b?: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return byText(a, b)
  return (typeof a === 'string' ? 1 : 0) - (typeof b === 'string' ? 1 : 0)
}

/** With a new owner all leases expire; generations stay. */
export function endMemberships({ leases, memberships }: Model): void {
  for (const [resource, lease] of leases) leases.set(resource, { ...lease, untilMs: 0 })
  memberships.clear()
}
