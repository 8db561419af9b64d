// Reads back everything that a data directory holds, through the ports.
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { DamagedRange } from '../../../src/ports/damage.ts'
import { damageText } from '../../../src/ports/damage.ts'
import type { EventLog, LogEnd, LogRecord, Slice } from '../../../src/ports/event-log.ts'
import type { Backend, Progress, Row } from '../../../src/ports/event-store.ts'
import { CONSUMERS, TABLES, TOPICS } from './scenario.ts'

/** The content of a data directory, as plain data. */
export interface Snapshot {
  readonly ends: readonly LogEnd[]
  readonly records: readonly LogRecord[]
  readonly progress: readonly Progress[]
  readonly rows: readonly Row[]
  /** The event ids of each account's stream, in version order. */
  readonly streams: Readonly<Record<string, readonly string[]>>
}

const PAGE = { records: 5_000, bytes: 50_000_000 }

/** The readable records of a partition, and why the rest cannot be read. */
export interface PartitionRead {
  readonly records: readonly LogRecord[]
  readonly damage?: DamagedRange
}

/** Reads a partition up to its end, or up to damage. */
export async function readPartition(
  log: EventLog,
  { topic, partition, first }: LogEnd,
): Promise<PartitionRead> {
  const records: LogRecord[] = []
  for (let next = first; ;) {
    const [slice] = await log.read([{ topic, partition, next }], PAGE, { ms: 0 })
    const { damage, ...rest } = slice as Slice
    records.push(...rest.records)
    if (damage !== undefined) return { records, damage }
    if (rest.next >= rest.end) return { records }
    if (rest.next <= next)
      throw new Error(`reads of ${topic}/${partition} make no progress at ${next}`)
    next = rest.next
  }
}

/** Opens the directory as its owner, reads everything and closes it. */
export async function takeSnapshot(
  directory: string,
  topics: readonly string[],
  hasRows: boolean,
): Promise<Snapshot> {
  const backend = embedded({ directory })
  await backend.log.open()
  await backend.store.open()
  try {
    return await readSnapshot(backend, topics, hasRows)
  } finally {
    await backend.log.close()
    await backend.store.close()
  }
}

async function readSnapshot(
  { log, store }: Backend,
  topics: readonly string[],
  hasRows: boolean,
): Promise<Snapshot> {
  const ends = await log.ends([...new Set([...Object.values(TOPICS), ...topics])])
  const records: LogRecord[] = []
  for (const end of ends) {
    const read = await readPartition(log, end)
    if (read.damage !== undefined) throw new Error(damageText(read.damage))
    records.push(...read.records)
  }
  const progress = await store.progress(Object.keys(CONSUMERS))
  if (!hasRows) return { ends, records, progress, rows: [], streams: {} }
  const rows: Row[] = []
  for (const table of Object.values(TABLES))
    rows.push(...(await store.scan({ table, limit: 10_000 })))
  const streams: Record<string, readonly string[]> = {}
  for (const { table, key } of rows)
    if (table === TABLES.accounts) {
      const found = await store.stream({ table, key }, 1, 1_000_000)
      streams[key] = found.map(({ id }) => id)
    }
  return { ends, records, progress, rows, streams }
}
