// What the store says: which units of a killed process were committed, and the final state.
import { embedded } from 'throughline/embedded'
import type { LogRecord } from '../../../src/ports/event-log.ts'
import type { Backend, Progress } from '../../../src/ports/event-store.ts'
import type { EventStatus } from '../../../src/ports/status.ts'
import { readPartition } from '../support/snapshot.ts'
import type { HistoryLine, WriteHistory } from './order-history.ts'
import { CONSUMERS, TOPICS, entriesIn } from './order-scenario.ts'

/** The state at the end of a run. */
export interface FinalState {
  /** All records of the topics. */
  readonly records: readonly LogRecord[]
  /** The entries of each row, by consumer and key: `story/pages k1`. */
  readonly rows: Readonly<Record<string, readonly string[]>>
  readonly progress: readonly Progress[]
  readonly statuses: readonly EventStatus[]
}

type UnitLine = Extract<HistoryLine, { kind: 'unit' }>
type Store = Pick<Backend['store'], 'get' | 'progress' | 'statuses'>

/** Opens a directory that nobody owns, and closes it again. */
async function withBackend<T>(
  directory: string,
  use: (backend: Backend) => Promise<T>,
): Promise<T> {
  const backend = embedded({ directory })
  await backend.log.open()
  await backend.store.open()
  try {
    return await use(backend)
  } finally {
    await backend.log.close()
    await backend.store.close()
  }
}

/** The units of a history that have no answer. */
export function unansweredIn(lines: readonly HistoryLine[]): readonly UnitLine[] {
  const open = new Map<number, UnitLine>()
  for (const line of lines) {
    if (line.kind === 'unit') open.set(line.unit, line)
    if (line.kind === 'answer') open.delete(line.unit)
  }
  return [...open.values()]
}

/** Adds the answers that a killed process could not write, and a sample while nothing runs. */
export async function resolveUnits(
  directory: string,
  lines: readonly HistoryLine[],
  write: WriteHistory,
): Promise<void> {
  await withBackend(directory, async ({ store }) => {
    for (const unit of unansweredIn(lines)) {
      const votes = [
        ...(await votesOfStatuses(store, unit)),
        ...(await votesOfRows(store, unit)),
        ...(await votesOfProgress(store, unit)),
      ]
      const isCommitted = votes[0] === true
      if (votes.length === 0 || votes.some((vote) => vote !== isCommitted))
        write({ kind: 'wrong', what: `unit ${unit.unit} is committed in part: ${votes.join()}` })
      write({ kind: 'answer', unit: unit.unit, isCommitted })
    }
    const progress = await store.progress(Object.keys(CONSUMERS))
    write({ kind: 'sample', progress, isQuiet: true })
  })
}

async function votesOfStatuses(store: Store, { statuses }: UnitLine): Promise<readonly boolean[]> {
  const votes = statuses.map(async ({ consumer, id, to, attempts, at }) => {
    const [found] = await store.statuses({ consumer, eventId: id, limit: 1 })
    return found?.status === to && found.attempts === attempts && found.updatedAt === at
  })
  return Promise.all(votes)
}

async function votesOfRows(store: Store, { rows }: UnitLine): Promise<readonly boolean[]> {
  const found = await store.get(rows)
  return rows.map(({ version }, at) => (found[at]?.version ?? null) === version)
}

async function votesOfProgress(store: Store, { progress }: UnitLine): Promise<readonly boolean[]> {
  const moved = progress.filter(({ from, next }) => from !== null && next > from)
  const stored = await store.progress(moved.map(({ consumer }) => consumer))
  return moved.map(({ consumer, topic, partition, next }) =>
    stored.some(
      (each) =>
        each.consumer === consumer &&
        each.topic === topic &&
        each.partition === partition &&
        each.next >= next,
    ),
  )
}

export async function takeFinalState(directory: string): Promise<FinalState> {
  return withBackend(directory, readFinalState)
}

const PAGE = 10_000

export async function readFinalState({ log, store }: Backend): Promise<FinalState> {
  const records: LogRecord[] = []
  for (const end of await log.ends([...TOPICS])) {
    const { records: found, damage } = await readPartition(log, end)
    if (damage) throw new Error(`${end.topic}/${end.partition} is damaged`)
    records.push(...found)
  }
  const rows: Record<string, readonly string[]> = {}
  const statuses: EventStatus[] = []
  for (const [consumer, { effect }] of Object.entries(CONSUMERS)) {
    if ('table' in effect)
      for (const { key, body } of await store.scan({ table: effect.table, limit: PAGE }))
        rows[`${consumer} ${key}`] = entriesIn(body)
    for (let after: EventStatus | undefined; ;) {
      const from = after ? { after } : {}
      const page = await store.statuses({ consumer, limit: PAGE, ...from })
      statuses.push(...page)
      after = page.at(-1)
      if (page.length < PAGE) break
    }
  }
  return { records, rows, statuses, progress: await store.progress(Object.keys(CONSUMERS)) }
}
