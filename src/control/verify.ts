// Reads all data and reports what is damaged or inconsistent. Uses only the ports, so works on every backend.
import { breathe } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { FAULTS } from '../base/fault.ts'
import { thrownText } from '../base/thrown.ts'
import { decodeEnvelope } from '../contract/envelope.ts'
import { partitionOf } from '../contract/partition.ts'
import { standingsOf } from '../engine/status.ts'
import type { DamagedRange } from '../ports/damage.ts'
import { DAMAGE, isOfArchive } from '../ports/damage.ts'
import type { Tell } from '../ports/keeping.ts'
import type { EventLog, LogEnd, LogRecord, Position, Slice } from '../ports/log.ts'
import type { EventStore } from '../ports/store.ts'
import type { System } from './system.ts'
import { verifyState } from './verify-state.ts'

/** The result of `verify`. */
export interface Verified {
  readonly isSound: boolean
  readonly topics: number
  readonly records: number
  /** Rows that were checked, if the store supports it. */
  readonly rows: number
  readonly consumers: number
  /** At most 100; `path` is a topic with partition and offsets, a table, or a consumer. */
  readonly complaints: readonly Complaint[]
  /** The damaged ranges of the issues that concern records. */
  readonly damage: readonly DamagedPlace[]
}

/** A damaged range, and its partition. */
export interface DamagedPlace extends DamagedRange {
  readonly topic: string
  readonly partition: number
}

const COMPLAINTS_MAX = 100
const RECORDS_PER_STEP = 2_000
const BYTES_PER_STEP = 16_777_216
const ROWS_PER_STEP = 1_000

/**
 * Checks that every record between the ends of its partition is readable, in order and in the partition of
 * its key; that the offset of every consumer lies within its topics and its counters add up; that
 * records, chains, archives and rows match their checksums, if the backend keeps them; and that rows
 * are consistent with each other (see `verifyState`). Data that is written meanwhile is not checked.
 */
export async function verify(system: System, tell: Tell = () => undefined): Promise<Verified> {
  const { backend, catalog } = system
  const complaints: Complaint[] = []
  const damage: DamagedPlace[] = []
  const ends = await backend.log.ends(catalog.topics.map(({ name }) => name))
  const total = ends.reduce((sum, { first, next }) => sum + next - first, 0)
  let records = 0
  let passed = 0
  for (const end of ends) {
    const partitions = catalog.topics.find(({ name }) => name === end.topic)?.partitions ?? 1
    for await (const step of partitionSteps(system, end)) {
      records += step.records.length
      for (const flaw of step.flaws) {
        complaints.push(flawComplaint(end, flaw))
        damage.push({ topic: end.topic, partition: end.partition, ...flaw })
      }
      for (const record of step.records) complaints.push(...complaintsOf(record, partitions))
      tell({ done: passed + step.next - end.first, total })
      if (complaints.length >= COMPLAINTS_MAX) break
    }
    passed += end.next - end.first
  }
  const rows = await verifyRows(system, complaints)
  const consumers = await verifyConsumers(system, complaints)
  for await (const complaint of verifyState(system)) {
    if (complaints.length >= COMPLAINTS_MAX) break
    complaints.push(complaint)
  }
  const { is, detail } = await backend.log.health()
  // Asked last, so that it includes damage found above; skipped if that is listed already.
  if (is === 'failing' && complaints.length === 0)
    complaints.push({ path: 'health', message: detail })
  return {
    isSound: complaints.length === 0,
    topics: catalog.topics.length,
    records,
    rows,
    consumers,
    complaints: complaints.slice(0, COMPLAINTS_MAX),
    damage: damage.slice(0, COMPLAINTS_MAX),
  }
}

type Flaw = DamagedRange

/** The result of checking a part of a partition, up to `next`. */
interface Step {
  readonly records: readonly LogRecord[]
  readonly flaws: readonly Flaw[]
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
    const flaws = (found?.flaws ?? []).filter(({ from }) => from < to)
    const read = await recordsIn(log, { topic, partition, next: at }, to, flaws)
    const unseen = found ? [] : read.flaws
    yield { records: read.records, flaws: merged([...flaws, ...unseen]), next: to }
    await breathe(clock)
    at = Math.max(to, at + 1)
  }
  const behind = await log.inspect?.(topic, partition, Number.MAX_SAFE_INTEGER, 1)
  if (behind && behind.flaws.length > 0) yield { records: [], flaws: behind.flaws, next: end.next }
}

/** The readable records of a range; continues behind each damaged range. */
async function recordsIn(
  log: EventLog,
  from: Position,
  to: number,
  flaws: readonly Flaw[],
): Promise<{ readonly records: readonly LogRecord[]; readonly flaws: readonly Flaw[] }> {
  const { topic, partition } = from
  const records: LogRecord[] = []
  const stops: Flaw[] = []
  for (let next = from.next; next < to;) {
    const max = { records: to - next, bytes: BYTES_PER_STEP }
    const [slice] = (await log.read([{ topic, partition, next }], max, { ms: 0 })) as [Slice]
    records.push(...slice.records.filter(({ offset }) => offset < to))
    if (slice.next > next) {
      next = slice.next
      continue
    }
    const flaw = flaws.find((each) => each.from <= next && next < each.to)
    if (slice.damage !== undefined) stops.push({ ...slice.damage, from: next, to: flaw?.to ?? to })
    next = flaw?.to ?? to
  }
  return { records, flaws: stops }
}

/** Merges adjacent ranges with the same message. */
function merged(flaws: readonly Flaw[]): readonly Flaw[] {
  const whole: Flaw[] = []
  for (const flaw of flaws) {
    const last = whole.at(-1)
    if (last && last.to === flaw.from && isSameDamage(last, flaw))
      whole[whole.length - 1] = { ...last, to: flaw.to }
    else whole.push(flaw)
  }
  return whole
}

const isSameDamage = (one: Flaw, other: Flaw): boolean =>
  one.code === other.code && one.file === other.file && one.detail === other.detail

function flawComplaint({ topic, partition }: LogEnd, flaw: Flaw): Complaint {
  const { code, from, to, file, detail } = flaw
  const range = to - from > 1 ? `${from}-${to - 1}` : `${from}`
  const rest = [file, detail].filter((each) => each !== undefined).join(': ')
  const said = isOfArchive(code) ? `${code}: ${FAULTS[code].meaning}` : DAMAGE[code]
  const message = rest === '' ? said : `${said}: ${rest}`
  return { path: `${topic}/${partition}@${range}`, message }
}

/** Checks every row of every table that the store can inspect; returns their number. */
async function verifyRows(
  { backend: { store }, clock }: System,
  complaints: Complaint[],
): Promise<number> {
  let rows = 0
  for (const table of (await store.tables?.()) ?? []) {
    let after: string | undefined
    do {
      const found = await inspectRows(store, table, after)
      rows += found.rows
      for (const { key, message } of found.flaws)
        complaints.push({ path: key === undefined ? table : `${table} ${key}`, message })
      after = found.after
      await breathe(clock)
    } while (after !== undefined && complaints.length < COMPLAINTS_MAX)
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
  readonly flaws: readonly { readonly key?: string; readonly message: string }[]
}> {
  try {
    const found = await store.inspect?.(table, after, ROWS_PER_STEP)
    return found ?? { rows: 0, flaws: [] }
  } catch (cause) {
    const why = thrownText(cause)
    const where = after === undefined ? '' : ` behind ${after}`
    return { rows: 0, flaws: [{ message: `cannot be read${where}: ${why}` }] }
  }
}

function complaintsOf(record: LogRecord, partitions: number): readonly Complaint[] {
  const path = `${record.topic}/${record.partition}@${record.offset}`
  const flaws: string[] = []
  try {
    decodeEnvelope(record)
  } catch {
    flaws.push('its head is not valid')
  }
  try {
    JSON.parse(record.data ?? 'null')
  } catch {
    flaws.push('its data is not JSON')
  }
  if (partitionOf(record.key, partitions) !== record.partition)
    flaws.push('its key belongs to another partition')
  return flaws.map((message) => ({ path, message: `${message} (${record.id})` }))
}

async function verifyConsumers(system: System, complaints: Complaint[]): Promise<number> {
  const standings = await standingsOf(system)
  for (const { consumer, topic, partition, next, end, ...counts } of standings) {
    const path = `${consumer} on ${topic}/${partition}`
    if (next > end)
      complaints.push({
        path,
        message: `its offset ${next} is behind the end of the partition at ${end}`,
      })
    const { accepted, completed, pending, expired } = counts
    if (accepted !== completed + pending + expired) {
      const sum = `completed ${completed} + pending ${pending} + expired ${expired}`
      const message = `accepted ${accepted}, but ${sum}`
      complaints.push({ path, message })
    }
  }
  return new Set(standings.map(({ consumer }) => consumer)).size
}
