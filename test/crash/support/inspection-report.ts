// Inspects a directory that may be damaged; the report is plain data that can be compared.
import { createHash } from 'node:crypto'
import { Fault } from 'throughline'
import type { EmbeddedOptions } from 'throughline/embedded'
import { embedded, repair, salvage } from 'throughline/embedded'
import { systemClock } from '../../../src/base/time/clock.ts'
import { damageText } from '../../../src/ports/damage.ts'
import type { LogAppendResult, EventLog, LogEnd, LogRecord } from '../../../src/ports/event-log.ts'
import type { Backend } from '../../../src/ports/event-store.ts'
import { eventOfRecord, keyInPartition } from '../../../src/ports/conformance/fixtures.ts'
import { eventOf } from './batches.ts'
import { readPartition } from './snapshot.ts'
import { CONSUMERS, PARTITIONS, TABLES, TOPICS } from './scenario.ts'

/** An error instead of an answer. */
export interface ReportedError {
  readonly code?: string
  readonly text: string
}

/** One partition as it was read. */
export interface PartitionFound {
  readonly name: string
  readonly first: number
  readonly next: number
  /** Offset and checksum of each record. */
  readonly records: readonly (readonly [offset: number, sum: string])[]
  /** Why it could not be read to its end. */
  readonly error?: ReportedError
  /** The results of appending the last record again, and of a new event. */
  readonly again?: string
  readonly fresh?: string
}

/** The result of inspecting a directory. */
export interface InspectionReport {
  /** Why it could not be opened by an owner. */
  readonly refused?: ReportedError
  /** The same for a read-only open; only tried where the owner was refused. */
  readonly reading?: ReportedError | 'opened'
  readonly partitions: readonly PartitionFound[]
  /** The rows of each table as one checksum, and the progress of all consumers. */
  readonly states: Readonly<Record<string, string | ReportedError>>
  /** The health detail, where it is not well. */
  readonly failure?: string
  /** The salvaged records, where the owner was refused. */
  readonly salvaged?: ReportedError | readonly (readonly [place: string, sum: string])[]
  /** The partitions once more, after an operator has accepted the damage. */
  readonly repaired?: ReportedError | readonly PartitionFound[]
}

const checksum = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

/** The checksum of everything that a reader gets of a record. */
function recordChecksum(record: LogRecord): string {
  return checksum([eventOfRecord(record), record.offset, record.position, record.storedAt])
}

export function toReportedError(cause: unknown): ReportedError {
  if (cause instanceof Fault) return { code: cause.code, text: cause.message }
  return { text: cause instanceof Error ? firstLines(cause.stack ?? cause.message) : String(cause) }
}

/** The first lines of a stack. */
const firstLines = (stack: string): string => stack.split('\n', 3).join(' ').replaceAll(/\s+/g, ' ')

/** Inspects a directory, and tries to append to it. */
export async function inspectDirectory(directory: string): Promise<InspectionReport> {
  const owned = await look({ directory }, true)
  if (owned.refused) {
    const alone = await look({ directory, isReadOnly: true }, false)
    const { refused: reading = 'opened' as const, ...rest } = alone
    return { ...rest, refused: owned.refused, reading, salvaged: salvageFrom(directory) }
  }
  const isStopped = owned.partitions.some(({ error }) => error !== undefined)
  return isStopped ? { ...owned, repaired: await repairIn(directory) } : owned
}

function salvageFrom(directory: string): NonNullable<InspectionReport['salvaged']> {
  try {
    return [...salvage(directory)]
      .filter((each) => each.kind === 'record')
      .map(({ record }) => {
        return [`${record.topic}/${record.partition}@${record.offset}`, recordChecksum(record)]
      })
  } catch (cause) {
    return toReportedError(cause)
  }
}

async function repairIn(directory: string): Promise<NonNullable<InspectionReport['repaired']>> {
  try {
    await repair(directory, systemClock(), { accept: ['all'] })
  } catch (cause) {
    return toReportedError(cause)
  }
  const { refused, partitions } = await look({ directory }, true)
  return refused ?? partitions
}

async function look(options: EmbeddedOptions, mayWrite: boolean): Promise<InspectionReport> {
  const backend = embedded(options)
  const { log, store } = backend
  try {
    await log.open()
    await store.open()
  } catch (refused) {
    await log.close()
    return { refused: toReportedError(refused), partitions: [], states: {} }
  }
  try {
    const partitions = await partitionsOf(log, mayWrite)
    const states = await statesOf(backend)
    const health = await log.health()
    const ill = health.status === 'well' ? {} : { failure: health.detail }
    return { partitions, states, ...ill }
  } finally {
    await log.close()
    await store.close()
  }
}

async function partitionsOf(log: EventLog, mayWrite: boolean): Promise<readonly PartitionFound[]> {
  const found: PartitionFound[] = []
  for (const topic of Object.values(TOPICS))
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      found.push(await partitionOf(log, topic, partition, mayWrite))
  return found
}

async function partitionOf(
  log: EventLog,
  topic: string,
  partition: number,
  mayWrite: boolean,
): Promise<PartitionFound> {
  const name = `${topic}/${partition}`
  let end: LogEnd = { topic, partition, first: 0, next: 0 }
  let records: readonly LogRecord[] = []
  let said: ReportedError | undefined
  try {
    end = (await log.ends([topic]))[partition] ?? end
    const read = await readPartition(log, end)
    records = read.records
    if (read.damage !== undefined) said = { code: 'LOG_DAMAGED', text: damageText(read.damage) }
  } catch (cause) {
    said = toReportedError(cause)
  }
  const { first, next } = end
  const sums = records.map((record) => [record.offset, recordChecksum(record)] as const)
  const found = { name, first, next, records: sums, ...(said ? { error: said } : {}) }
  return mayWrite ? { ...found, ...(await tryAppends(log, topic, partition, records)) } : found
}

/** Appends the last record again, and a new event. */
async function tryAppends(
  log: EventLog,
  topic: string,
  partition: number,
  records: readonly LogRecord[],
): Promise<Pick<PartitionFound, 'again' | 'fresh'>> {
  const last = records.at(-1)
  const again = last && (await append(log, eventOfRecord(last)))
  const key = keyInPartition(partition, PARTITIONS)
  const fresh = await append(log, eventOf(topic, `after ${topic}/${partition}`, key, {}))
  return { fresh, ...(again === undefined ? {} : { again }) }
}

async function append(log: EventLog, event: Parameters<EventLog['append']>[0][0]): Promise<string> {
  try {
    const [answer] = (await log.append([event])) as [LogAppendResult]
    if (answer.status === 'refused') return answer.code
    if (answer.status === 'unknown') return `unknown: ${toReportedError(answer.cause).text}`
    return answer.isDuplicate ? 'repeat' : 'stored'
  } catch (cause) {
    const { code, text } = toReportedError(cause)
    return code ?? `threw: ${text}`
  }
}

async function statesOf({
  store,
}: Backend): Promise<Readonly<Record<string, string | ReportedError>>> {
  const states: Record<string, string | ReportedError> = {}
  const ask = async (name: string, read: () => Promise<unknown>): Promise<void> => {
    states[name] = await read().then(checksum, toReportedError)
  }
  await ask('progress', async () => {
    const progress = await store.progress(Object.keys(CONSUMERS))
    return progress.map((each) => JSON.stringify(each)).toSorted()
  })
  for (const table of Object.values(TABLES))
    await ask(table, () => store.scan({ table, limit: 10_000 }))
  await ask('streams', async () => {
    const rows = await store.scan({ table: TABLES.accounts, limit: 10_000 })
    const streams: unknown[] = []
    for (const { table, key } of rows)
      streams.push((await store.stream({ table, key }, 1, 1_000_000)).map(({ id }) => id))
    return streams
  })
  return states
}
