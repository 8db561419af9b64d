// Reads everything and says what is not as it must be. Through the ports alone: on every backend.
import { breathe } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { decodeEnvelope } from '../contract/envelope.ts'
import { partitionOf } from '../contract/partition.ts'
import { standingsOf } from '../engine/status.ts'
import type { LogEnd, LogRecord, Position, Slice } from '../ports/log.ts'
import type { System } from './system.ts'

/** What a check of everything has found. */
export interface Verified {
  readonly isSound: boolean
  readonly topics: number
  readonly records: number
  readonly consumers: number
  /** At most a hundred; `path` is a topic and partition, or a consumer. */
  readonly complaints: readonly Complaint[]
}

/** How far a long work is. */
export type Tell = (progress: { readonly done: number; readonly total: number }) => void

const COMPLAINTS_MAX = 100
const MAX = { records: 2_000, bytes: 16_777_216 }

/**
 * Every record is there between its partition's ends, in order, in the partition of its key, with a
 * head and data that can be read; every consumer stands inside its topics, and its counters add up.
 * What is written meanwhile is not looked at.
 */
export async function verify(system: System, tell: Tell = () => undefined): Promise<Verified> {
  const { backend, catalog } = system
  const complaints: Complaint[] = []
  const ends = await backend.log.ends(catalog.topics.map(({ name }) => name))
  const total = ends.reduce((sum, { first, next }) => sum + next - first, 0)
  let records = 0
  for (const end of ends) {
    const partitions = catalog.topics.find(({ name }) => name === end.topic)?.partitions ?? 1
    for await (const found of partitionRecords(system, end)) {
      records += found.length
      for (const record of found) complaints.push(...complaintsOf(record, partitions))
      tell({ done: records, total })
      if (complaints.length >= COMPLAINTS_MAX) break
    }
  }
  const consumers = await verifyConsumers(system, complaints)
  return {
    isSound: complaints.length === 0,
    topics: catalog.topics.length,
    records,
    consumers,
    complaints: complaints.slice(0, COMPLAINTS_MAX),
  }
}

/** The records of a partition up to where it ended when the check began. */
async function* partitionRecords(
  { backend: { log }, clock }: System,
  { topic, partition, first, next: end }: LogEnd,
): AsyncGenerator<readonly LogRecord[]> {
  let position: Position = { topic, partition, next: first }
  while (position.next < end) {
    const [slice] = (await log.read([position], MAX, { ms: 0 })) as [Slice]
    yield slice.records.filter(({ offset }) => offset < end)
    if (slice.next <= position.next) return
    await breathe(clock)
    position = { topic, partition, next: slice.next }
  }
}

function complaintsOf(record: LogRecord, partitions: number): readonly Complaint[] {
  const path = `${record.topic}/${record.partition}@${record.offset}`
  const flaws: string[] = []
  try {
    decodeEnvelope(record)
  } catch {
    flaws.push('its head cannot be read')
  }
  try {
    JSON.parse(record.data ?? 'null')
  } catch {
    flaws.push('its data is not JSON')
  }
  if (partitionOf(record.key, partitions) !== record.partition)
    flaws.push('its key belongs into another partition')
  return flaws.map((message) => ({ path, message: `${message} (${record.id})` }))
}

async function verifyConsumers(system: System, complaints: Complaint[]): Promise<number> {
  const standings = await standingsOf(system)
  for (const { consumer, topic, partition, next, end, ...counts } of standings) {
    const path = `${consumer} on ${topic}/${partition}`
    if (next > end)
      complaints.push({ path, message: `stands at ${next}, behind the end at ${end}` })
    const { accepted, completed, pending, expired } = counts
    if (accepted !== completed + pending + expired) {
      const sum = `completed ${completed} + pending ${pending} + expired ${expired}`
      const message = `accepted ${accepted}, but ${sum}`
      complaints.push({ path, message })
    }
  }
  return new Set(standings.map(({ consumer }) => consumer)).size
}
