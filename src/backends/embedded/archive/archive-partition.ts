import { createHash } from 'node:crypto'
import { mkdirSync, promises, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../../../base/time/clock.ts'
import { yieldToEventLoop } from '../../../base/time/clock.ts'
import type {
  ArchiveRequest,
  ArchiveResult,
  ReportProgress,
} from '../../../ports/backup-and-archive.ts'
import type { EventLog, Slice } from '../../../ports/event-log.ts'
import { BLOCK_BYTES, blockHash, encodeLine, compressBlock } from './archive-block.ts'
import type { ArchiveIndex, ArchiveEntry } from './archive-index.ts'
import { hashFile, syncDirectory } from '../files/index.ts'
import type { GroupCommit } from '../commit/index.ts'
import { commitOrThrow } from '../commit/index.ts'
import { damagedRecordFault } from '../sql/index.ts'
import type { Topics } from '../log/index.ts'

const RECORDS_PER_BLOCK = 1_000

/** Records whose payloads one commit removes, so that no other commit waits long. */
const RECORDS_PER_COMMIT = 250

/** Compressed bytes after which a new file begins, which limits the work a kill can lose. */
const FILE_BYTES = 268_435_456

/** The parts of an open data directory that archiving uses. */
export interface ArchiveSource {
  readonly topics: Topics
  readonly archive: ArchiveIndex
  readonly commits: GroupCommit
  readonly database: { readonly highWater: { readonly epoch: string } }
}

export interface ArchiveContext {
  /** Asked at each step, since the directory may be closed between two of them. */
  readonly use: { connection(): ArchiveSource }
  readonly log: EventLog
  readonly clock: Clock
}

/** A complete archive file and its index entries. */
interface ArchiveFile {
  readonly path: string
  readonly rows: readonly ArchiveEntry[]
  readonly from: number
  readonly to: number
  readonly records: number
  readonly bytes: number
}

/**
 * Moves the records below an offset out of a partition. Files are named after their content and never
 * changed, so that data and its copies may share an archive directory. The order is: write and sync
 * the file, verify and rename it, add it to the index, remove the payloads from the log. After a kill
 * in between, a record is in the log or in both.
 *
 * @throws Fault `LOG_DAMAGED`
 */
export async function archivePartition(
  parts: ArchiveContext,
  request: ArchiveRequest,
  onProgress: ReportProgress = () => undefined,
): Promise<ArchiveResult> {
  const { topic, partition } = request
  const to = resolve(request.to)
  await finishStripping(parts, request)
  const { topics, archive } = parts.use.connection()
  const head = topics.heads.head(topic, partition)
  const begin = Math.max(head.first, archive.end(head.topic, partition) ?? 0)
  const end = Math.max(begin, Math.min(request.before, head.next))
  const files: ArchiveFile[] = []
  let at = begin
  const report: ReportProgress = ({ done }) =>
    onProgress({ done: done - begin, total: end - begin })
  while (at < end) {
    makeDirectory(to)
    const file = await writeFile(parts, { ...request, to }, at, end, report)
    if (!file) break
    await indexFile(parts, request, file)
    await strip(parts, request, file.rows)
    files.push(file)
    at = file.to
  }
  const sum = (of: (file: ArchiveFile) => number): number =>
    files.reduce((total, file) => total + of(file), 0)
  return {
    topic,
    partition,
    from: begin,
    to: at,
    records: sum(({ records }) => records),
    bytes: sum(({ bytes }) => bytes),
    files: files.map(({ path }) => path),
  }
}

/** Removes payloads that a killed run had indexed and not yet removed. */
async function finishStripping(parts: ArchiveContext, request: ArchiveRequest): Promise<void> {
  const { topics, archive } = parts.use.connection()
  const { topic } = topics.heads.head(request.topic, request.partition)
  for (let below = Number.MAX_SAFE_INTEGER; ;) {
    const [row] = archive.last(topic, request.partition, 1, below)
    if (!row || (await stripOne(parts, request, row)) === 0) return
    below = row.from
  }
}

async function strip(
  parts: ArchiveContext,
  request: ArchiveRequest,
  rows: readonly ArchiveEntry[],
): Promise<void> {
  for (const row of rows) await stripOne(parts, request, row)
}

async function stripOne(
  { use, clock }: ArchiveContext,
  { topic, partition }: ArchiveRequest,
  { from, to }: ArchiveEntry,
): Promise<number> {
  let count = 0
  for (let at = from; at < to; at += RECORDS_PER_COMMIT) {
    const { topics, commits } = use.connection()
    const end = Math.min(to, at + RECORDS_PER_COMMIT)
    count += await commitOrThrow(commits, () =>
      topics.payloads.strip(topics.heads.head(topic, partition), topic, at, end),
    )
    await yieldToEventLoop(clock)
  }
  return count
}

async function indexFile(
  { use }: ArchiveContext,
  { topic, partition }: ArchiveRequest,
  { from, rows }: ArchiveFile,
): Promise<void> {
  const { topics, archive, commits } = use.connection()
  await commitOrThrow(commits, () => {
    const head = topics.heads.head(topic, partition)
    const end = archive.end(head.topic, partition)
    if (end !== undefined && end > from)
      throw new Error(`${topic}/${partition} was already archived up to offset ${end}`)
    archive.add(
      head.topic,
      partition,
      rows.filter((row) => row.to > head.first),
    )
  })
}

function makeDirectory(directory: string): void {
  if (mkdirSync(directory, { recursive: true, mode: 0o700 }) === undefined) return
  syncDirectory(dirname(directory))
}

/** The state of a file that is being written. */
interface FileInProgress {
  readonly rows: Omit<ArchiveEntry, 'file'>[]
  readonly hash: ReturnType<typeof createHash>
  bytes: number
  records: number
  at: number
}

/** Writes one archive file; returns nothing where there is no record left. */
async function writeFile(
  parts: ArchiveContext,
  request: ArchiveRequest,
  from: number,
  end: number,
  onProgress: ReportProgress,
): Promise<ArchiveFile | undefined> {
  const { topic, partition, to } = request
  const { epoch } = parts.use.connection().database.highWater
  const name = `${topic.replaceAll(/[^\w.-]/g, encodeURIComponent)}.${partition}`
  const part = join(to, `${name}.${epoch}.part`)
  const growing: FileInProgress = {
    rows: [],
    hash: createHash('sha256'),
    bytes: 0,
    records: 0,
    at: from,
  }
  try {
    const target = await promises.open(part, 'w', 0o600)
    try {
      while (growing.at < end && growing.bytes < FILE_BYTES) {
        await writeBlock(parts, request, growing, end, target)
        onProgress({ done: growing.at, total: end })
      }
      await target.sync()
    } finally {
      await target.close()
    }
    if (growing.records === 0) {
      rmSync(part)
      return undefined
    }
    const hash = growing.hash.digest('hex')
    const range = [from, growing.at - 1].map((offset) => String(offset).padStart(15, '0'))
    const path = join(to, `${name}.${range.join('-')}.${hash.slice(0, 12)}.ndjson.gz`)
    if ((await hashFile(part)) !== hash)
      throw new Error(`${part} does not read back as it was written`)
    await promises.rename(part, path)
    syncDirectory(to)
    const { rows, bytes, records, at } = growing
    return { path, from, to: at, rows: rows.map((row) => ({ ...row, file: path })), bytes, records }
  } catch (cause) {
    rmSync(part, { force: true })
    throw cause
  }
}

/** Writes the next records as one block. Holes between two blocks belong to the first one. */
async function writeBlock(
  { log, clock }: ArchiveContext,
  { topic, partition }: ArchiveRequest,
  growing: FileInProgress,
  end: number,
  target: promises.FileHandle,
): Promise<void> {
  const from = growing.at
  const max = { records: RECORDS_PER_BLOCK, bytes: BLOCK_BYTES }
  const [slice] = (await log.read([{ topic, partition, next: from }], max, { ms: 0 })) as [Slice]
  const records = slice.records.filter(({ offset }) => offset < end)
  if (records.length === 0 && slice.damage !== undefined)
    throw damagedRecordFault(topic, partition, slice.damage)
  growing.at = Math.min(end, Math.max(slice.next, from + 1))
  if (records.length === 0) return
  const packed = await compressBlock(records.map(encodeLine).join(''))
  await target.appendFile(packed)
  growing.hash.update(packed)
  const start = growing.bytes
  const place = { from, to: growing.at, start, bytes: packed.length }
  growing.rows.push({ ...place, hash: blockHash(packed), records: records.length })
  growing.bytes += packed.length
  growing.records += records.length
  await yieldToEventLoop(clock)
}
