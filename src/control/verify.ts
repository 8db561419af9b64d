// Reads all data and reports what is damaged or inconsistent. Uses only the ports, so works on every backend.
import { yieldToEventLoop } from '../base/time/clock.ts'
import type { Issue } from '../base/errors/fault.ts'
import { FAULTS } from '../base/errors/fault.ts'
import { thrownMessage } from '../base/errors/thrown-error.ts'
import { decodeEnvelope } from '../contract/envelope.ts'
import { partitionOf } from '../contract/partition.ts'
import { readPositions } from '../engine/operations/index.ts'
import type { DamagedRange } from '../ports/damage.ts'
import { DAMAGE, isOfArchive } from '../ports/damage.ts'
import type { ReportProgress } from '../ports/backup-and-archive.ts'
import type { EventLog, LogEnd, LogRecord, Position, Slice } from '../ports/event-log.ts'
import type { EventStore } from '../ports/event-store.ts'
import type { System } from './system.ts'
import { verifyState } from './verify-state.ts'

/** The result of `verify`. */
export interface VerifyResult {
  readonly isSound: boolean
  readonly topics: number
  readonly records: number
  /** Rows that were checked, if the store supports it. */
  readonly rows: number
  readonly consumers: number
  /** At most 100; `path` is a topic with partition and offsets, a table, or a consumer. */
  readonly issues: readonly Issue[]
  /** The damaged ranges of the issues that concern records. */
  readonly damage: readonly DamagedPlace[]
}

/** A damaged range, and its partition. */
export interface DamagedPlace extends DamagedRange {
  readonly topic: string
  readonly partition: number
}

const ISSUES_MAX = 100
const RECORDS_PER_STEP = 2_000
const BYTES_PER_STEP = 16_777_216
const ROWS_PER_STEP = 1_000

/**
 * Checks that every record between the ends of its partition is readable, in order and in the partition of
 * its key; that the offset of every consumer lies within its topics and its counters add up; that
 * records, chains, archives and rows match their checksums, if the backend keeps them; and that rows
 * are consistent with each other (see `verifyState`). Data that is written meanwhile is not checked.
 */
export async function verify(
  system: System,
  onProgress: ReportProgress = () => undefined,
): Promise<VerifyResult> {
  const { backend, catalog } = system
  const issues: Issue[] = []
  const damage: DamagedPlace[] = []
  const ends = await backend.log.ends(catalog.topics.map(({ name }) => name))
  const total = ends.reduce((sum, { first, next }) => sum + next - first, 0)
  let records = 0
  let passed = 0
  for (const end of ends) {
    const partitions = catalog.topics.find(({ name }) => name === end.topic)?.partitions ?? 1
    for await (const step of partitionSteps(system, end)) {
      records += step.records.length
      for (const range of step.damaged) {
        issues.push(damageIssue(end, range))
        damage.push({ topic: end.topic, partition: end.partition, ...range })
      }
      for (const record of step.records) issues.push(...recordIssues(record, partitions))
      onProgress({ done: passed + step.next - end.first, total })
      if (issues.length >= ISSUES_MAX) break
    }
    passed += end.next - end.first
  }
  const rows = await verifyRows(system, issues)
  const consumers = await verifyConsumers(system, issues)
  for await (const issue of verifyState(system)) {
    if (issues.length >= ISSUES_MAX) break
    issues.push(issue)
  }
  const { status, detail } = await backend.log.health()
  // Asked last, so that it includes damage found above; skipped if that is listed already.
  if (status === 'failing' && issues.length === 0) issues.push({ path: 'health', message: detail })
  return {
    isSound: issues.length === 0,
    topics: catalog.topics.length,
    records,
    rows,
    consumers,
    issues: issues.slice(0, ISSUES_MAX),
    damage: damage.slice(0, ISSUES_MAX),
  }
}

/** The result of checking a part of a partition, up to `next`. */
interface Step {
  readonly records: readonly LogRecord[]
  readonly damaged: readonly DamagedRange[]
  readonly next: number
}

/** Checks a partition up to its end at the start of the check; records missing at its end come last. */
async function* partitionSteps(
  { backend: { log }, clock }: System,
  end: LogEnd,
): AsyncGenerator<Step> {
  const { topic, partition } = end
  for (let at = end.first; at < end.next;) {
    const found = await log.inspect?.(topic, partition, at, RECORDS_PER_STEP)
    const to = Math.min(end.next, found?.next ?? at + RECORDS_PER_STEP)
    const damaged = (found?.damaged ?? []).filter(({ from }) => from < to)
    const read = await recordsIn(log, { topic, partition, next: at }, to, damaged)
    const unseen = found ? [] : read.damaged
    yield { records: read.records, damaged: mergeAdjacent([...damaged, ...unseen]), next: to }
    await yieldToEventLoop(clock)
    at = Math.max(to, at + 1)
  }
  const behind = await log.inspect?.(topic, partition, Number.MAX_SAFE_INTEGER, 1)
  if (behind && behind.damaged.length > 0)
    yield { records: [], damaged: behind.damaged, next: end.next }
}

/** Reads the readable records of a range, and the damage where reads stopped; skips damaged ranges. */
async function recordsIn(
  log: EventLog,
  from: Position,
  to: number,
  known: readonly DamagedRange[],
): Promise<{ readonly records: readonly LogRecord[]; readonly damaged: readonly DamagedRange[] }> {
  const { topic, partition } = from
  const records: LogRecord[] = []
  const stops: DamagedRange[] = []
  for (let next = from.next; next < to;) {
    const max = { records: to - next, bytes: BYTES_PER_STEP }
    const [slice] = (await log.read([{ topic, partition, next }], max, { ms: 0 })) as [Slice]
    records.push(...slice.records.filter(({ offset }) => offset < to))
    if (slice.next > next) {
      next = slice.next
      continue
    }
    const range = known.find((each) => each.from <= next && next < each.to)
    if (slice.damage !== undefined) stops.push({ ...slice.damage, from: next, to: range?.to ?? to })
    next = range?.to ?? to
  }
  return { records, damaged: stops }
}

/** Merges adjacent ranges with the same message. */
function mergeAdjacent(ranges: readonly DamagedRange[]): readonly DamagedRange[] {
  const whole: DamagedRange[] = []
  for (const range of ranges) {
    const last = whole.at(-1)
    if (last && last.to === range.from && isSameDamage(last, range))
      whole[whole.length - 1] = { ...last, to: range.to }
    else whole.push(range)
  }
  return whole
}

const isSameDamage = (one: DamagedRange, other: DamagedRange): boolean =>
  one.code === other.code && one.file === other.file && one.detail === other.detail

function damageIssue({ topic, partition }: LogEnd, damage: DamagedRange): Issue {
  const { code, from, to, file, detail } = damage
  const range = to - from > 1 ? `${from}-${to - 1}` : `${from}`
  const rest = [file, detail].filter((each) => each !== undefined).join(': ')
  const meaning = isOfArchive(code) ? `${code}: ${FAULTS[code].meaning}` : DAMAGE[code]
  const message = rest === '' ? meaning : `${meaning}: ${rest}`
  return { path: `${topic}/${partition}@${range}`, message }
}

/** Checks every row of every table that the store can inspect; returns their number. */
async function verifyRows({ backend: { store }, clock }: System, issues: Issue[]): Promise<number> {
  let rows = 0
  for (const table of (await store.tables?.()) ?? []) {
    let after: string | undefined
    do {
      const found = await inspectRows(store, table, after)
      rows += found.rows
      for (const { key, message } of found.damaged)
        issues.push({ path: key === undefined ? table : `${table} ${key}`, message })
      after = found.after
      await yieldToEventLoop(clock)
    } while (after !== undefined && issues.length < ISSUES_MAX)
  }
  return rows
}

/** Inspects a page of rows; a table that cannot be read any further is reported, too. */
async function inspectRows(
  store: EventStore,
  table: string,
  after: string | undefined,
): Promise<{
  readonly rows: number
  readonly after?: string
  readonly damaged: readonly { readonly key?: string; readonly message: string }[]
}> {
  try {
    const found = await store.inspect?.(table, after, ROWS_PER_STEP)
    return found ?? { rows: 0, damaged: [] }
  } catch (cause) {
    const why = thrownMessage(cause)
    const where = after === undefined ? '' : ` behind ${after}`
    return { rows: 0, damaged: [{ message: `cannot be read${where}: ${why}` }] }
  }
}

function recordIssues(record: LogRecord, partitions: number): readonly Issue[] {
  const path = `${record.topic}/${record.partition}@${record.offset}`
  const problems: string[] = []
  try {
    decodeEnvelope(record)
  } catch {
    problems.push('its head is not valid')
  }
  try {
    JSON.parse(record.data ?? 'null')
  } catch {
    problems.push('its data is not JSON')
  }
  if (partitionOf(record.key, partitions) !== record.partition)
    problems.push('its key belongs to another partition')
  return problems.map((message) => ({ path, message: `${message} (${record.id})` }))
}

async function verifyConsumers(system: System, issues: Issue[]): Promise<number> {
  const positions = await readPositions(system)
  for (const { consumer, topic, partition, next, end, ...counts } of positions) {
    const path = `${consumer} on ${topic}/${partition}`
    if (next > end)
      issues.push({
        path,
        message: `its offset ${next} is behind the end of the partition at ${end}`,
      })
    const { accepted, completed, dead, discarded, expired, pending } = counts
    if (accepted !== completed + dead + discarded + expired + pending) {
      const parts = Object.entries({ completed, dead, discarded, expired, pending })
      const sum = parts.map(([name, count]) => `${name} ${count}`).join(' + ')
      const message = `accepted ${accepted}, but ${sum}`
      issues.push({ path, message })
    }
  }
  return new Set(positions.map(({ consumer }) => consumer)).size
}
