import { Fault } from '../base/fault.ts'
import { standingsOf } from '../engine/status.ts'
import type { Archived, Tell } from '../ports/keeping.ts'
import type { LogEnd } from '../ports/log.ts'
import { mustBeAbsolute } from './backup.ts'
import { mustBeTopic } from './browse.ts'
import { momentsOf, offsetOf } from './moment.ts'
import type { System } from './system.ts'

/** Which records to archive, and where. */
export interface TopicArchiveWish {
  readonly topic: string
  /** An offset in each partition or a time of storing: earlier records are archived. */
  readonly before: string
  /** The absolute path of the directory for the files. */
  readonly to: string
}

/** The result of archiving a topic. */
export interface ArchivedTopic {
  readonly topic: string
  readonly records: number
  readonly bytes: number
  readonly files: readonly string[]
  readonly partitions: readonly (Pick<Archived, 'partition' | 'from' | 'to' | 'records'> & {
    /** The consumer whose unread records kept the range from reaching the requested offset. */
    readonly heldBy?: string
  })[]
}

/** A partition and the offset before which records may be archived. */
interface Part {
  readonly partition: number
  readonly first: number
  readonly before: number
  readonly heldBy?: string
}

/**
 * Moves old records of a topic into files, up to the offset that every consumer has passed.
 *
 * @throws Fault `BACKEND_CANNOT`, `TOPIC_NOT_FOUND`, `OPTION_INVALID`, `DATA_READ_ONLY`,
 * `LOG_DAMAGED`
 */
export async function archive(
  system: System,
  wish: TopicArchiveWish,
  tell: Tell,
): Promise<ArchivedTopic> {
  const { backend } = system
  const { topic, to } = wish
  if (!backend.archive) throw new Fault('BACKEND_CANNOT', { detail: 'archiving' })
  mustBeTopic(system, topic)
  mustBeAbsolute('to', to)
  const parts = await partsOf(system, wish)
  const total = parts.reduce((sum, { first, before }) => sum + before - first, 0)
  const moved: Archived[] = []
  let passed = 0
  for (const { partition, first, before } of parts) {
    const own = before - first
    const told: Tell = (progress) => tell({ done: passed + own - restOf(progress), total })
    moved.push(await backend.archive({ topic, partition, before, to }, told))
    passed += own
    tell({ done: passed, total })
  }
  return {
    topic,
    records: moved.reduce((sum, { records }) => sum + records, 0),
    bytes: moved.reduce((sum, { bytes }) => sum + bytes, 0),
    files: moved.flatMap(({ files }) => files),
    partitions: moved.map(({ partition, from, to, records }, at) => {
      const { heldBy } = parts[at] as Part
      return { partition, from, to, records, ...(heldBy === undefined ? {} : { heldBy }) }
    }),
  }
}

/** Records that are still to be moved. */
const restOf = ({ done, total }: Parameters<Tell>[0]): number => total - done

async function partsOf(system: System, wish: TopicArchiveWish): Promise<readonly Part[]> {
  const { log } = system.backend
  const { before } = momentsOf('archive', { before: wish.before })
  const standings = await standingsOf(system)
  const parts: Part[] = []
  for (const end of await log.ends([wish.topic])) {
    const wanted = await offsetOf(log, end, before, end.first)
    parts.push(partOf(end, wanted, standings))
  }
  return parts
}

function partOf(
  { topic, partition, first }: LogEnd,
  wanted: number,
  standings: Awaited<ReturnType<typeof standingsOf>>,
): Part {
  const slowest = standings
    .filter((each) => each.topic === topic && each.partition === partition)
    .toSorted((one, other) => one.next - other.next)[0]
  if (!slowest || slowest.next >= wanted) return { partition, first, before: wanted }
  const before = Math.max(first, slowest.next)
  return { partition, first, before, heldBy: slowest.consumer }
}
