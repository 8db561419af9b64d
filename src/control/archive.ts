import { Fault } from '../base/errors/fault.ts'
import { readPositions } from '../engine/operations/index.ts'
import type { ArchiveResult, ReportProgress } from '../ports/backup-and-archive.ts'
import type { LogEnd } from '../ports/event-log.ts'
import { assertAbsolutePath } from './backup.ts'
import { assertTopicExists } from './read-topic.ts'
import { parseOffsetsOrTimes, resolveOffset } from './offset-or-time.ts'
import type { System } from './system.ts'

/** Which records to archive, and where. */
export interface TopicArchiveOptions {
  readonly topic: string
  /** An offset in each partition or a time of storing: earlier records are archived. */
  readonly before: string
  /** The absolute path of the directory for the files. */
  readonly to: string
}

/** The result of archiving a topic. */
export interface TopicArchiveResult {
  readonly topic: string
  readonly records: number
  readonly bytes: number
  readonly files: readonly string[]
  readonly partitions: readonly (Pick<ArchiveResult, 'partition' | 'from' | 'to' | 'records'> & {
    /** The consumer whose unread records kept the range from reaching the requested offset. */
    readonly heldBy?: string
  })[]
}

/** A partition and the offset before which records may be archived. */
interface PartitionRange {
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
export async function archiveTopic(
  system: System,
  options: TopicArchiveOptions,
  onProgress: ReportProgress,
): Promise<TopicArchiveResult> {
  const { backend } = system
  const { topic, to } = options
  if (!backend.archive) throw new Fault('BACKEND_CANNOT', { detail: 'archiving' })
  assertTopicExists(system, topic)
  assertAbsolutePath('to', to)
  const ranges = await archivableRanges(system, options)
  const total = ranges.reduce((sum, { first, before }) => sum + before - first, 0)
  const moved: ArchiveResult[] = []
  let done = 0
  for (const { partition, first, before } of ranges) {
    const own = before - first
    const onPartProgress: ReportProgress = (progress) =>
      onProgress({ done: done + own - remainingOf(progress), total })
    moved.push(await backend.archive({ topic, partition, before, to }, onPartProgress))
    done += own
    onProgress({ done: done, total })
  }
  return {
    topic,
    records: moved.reduce((sum, { records }) => sum + records, 0),
    bytes: moved.reduce((sum, { bytes }) => sum + bytes, 0),
    files: moved.flatMap(({ files }) => files),
    partitions: moved.map(({ partition, from, to, records }, at) => {
      const { heldBy } = ranges[at] as PartitionRange
      return { partition, from, to, records, ...(heldBy === undefined ? {} : { heldBy }) }
    }),
  }
}

/** Records that are still to be moved. */
const remainingOf = ({ done, total }: Parameters<ReportProgress>[0]): number => total - done

async function archivableRanges(
  system: System,
  options: TopicArchiveOptions,
): Promise<readonly PartitionRange[]> {
  const { log } = system.backend
  const { before } = parseOffsetsOrTimes('archive', { before: options.before })
  const positions = await readPositions(system)
  const ranges: PartitionRange[] = []
  for (const end of await log.ends([options.topic])) {
    const wanted = await resolveOffset(log, end, before, end.first)
    ranges.push(archivableRange(end, wanted, positions))
  }
  return ranges
}

function archivableRange(
  { topic, partition, first }: LogEnd,
  wanted: number,
  positions: Awaited<ReturnType<typeof readPositions>>,
): PartitionRange {
  const slowest = positions
    .filter((each) => each.topic === topic && each.partition === partition)
    .toSorted((one, other) => one.next - other.next)[0]
  if (!slowest || slowest.next >= wanted) return { partition, first, before: wanted }
  const before = Math.max(first, slowest.next)
  return { partition, first, before, heldBy: slowest.consumer }
}
