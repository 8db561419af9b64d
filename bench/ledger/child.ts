// One step of the ledger bench, in a process of its own. The engine is that of any checkout of the
// repository, so its modules are imported by path.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Backend, LogRecord, Slice, StatusChange, Unit } from 'throughline/backend'
import { NO_COUNTS } from 'throughline/backend'
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { EMPTY_UNIT } from '../empty-unit.ts'

interface Checkout {
  /** The root of the checkout. */
  readonly root: string
  readonly directory: string
  readonly events: number
}

type Index = typeof import('throughline')
type Embedded = typeof import('throughline/embedded')
type System = typeof import('../../src/bench/system.ts')

async function modulesOf(root: string): Promise<Index & Embedded & System> {
  const load = async (path: string): Promise<object> =>
    (await import(pathToFileURL(join(root, path)).href)) as object
  return {
    ...(await load('src/index.ts')),
    ...(await load('src/backends/embedded/index.ts')),
    ...(await load('src/bench/system.ts')),
  } as Index & Embedded & System
}

const BATCH = 1_000
const ENGINE = { lagEventsMax: 1_000_000_000 }

/** Stores readings that no rule reads yet. */
async function fill({ root, directory, events }: Checkout): Promise<Metrics> {
  const { start, embedded, systemOf, readingOf } = await modulesOf(root)
  const { services, message } = systemOf('nothing', () => undefined)
  const app = await start(services, embedded({ directory }), { engine: ENGINE })
  for (let from = 0; from < events; from += BATCH)
    await app.append(Array.from({ length: BATCH }, (_, at) => message(readingOf(from + at))))
  await app.stop()
  return { events }
}

/**
 * The rate after a tenth of the events, once compilation and caches are warm: by the clock, and by the
 * CPU time of this process, which depends less on what else the machine does.
 */
function createRate(events: number) {
  let [count, warmAt, warmCount] = [0, 0, 0]
  let warmCpu = process.cpuUsage()
  let finish: (rates: Metrics) => void = () => undefined
  const finished = new Promise<Metrics>((resolve) => (finish = resolve))
  return {
    finished,
    add(more: number): void {
      count += more
      if (warmAt === 0 && count >= events / 10) {
        ;[warmAt, warmCount] = [performance.now(), count]
        warmCpu = process.cpuUsage()
      }
      if (count < events) return
      const { user, system } = process.cpuUsage(warmCpu)
      const measured = count - warmCount
      const perSecond = (measured / (performance.now() - warmAt)) * 1_000
      finish({ perSecond, perCpuSecond: (measured / (user + system)) * 1e6 })
    },
  }
}

interface ProcessOptions extends Checkout {
  /** The name of a service that is new to the directory: it reads everything from the beginning. */
  readonly name: string
  /** Whether each unit has a status row for each of its events, too. */
  readonly hasStatusRows: boolean
}

/** The rate at which a new projection processes everything. */
async function project(options: ProcessOptions): Promise<Metrics> {
  const { root, directory, events, name, hasStatusRows } = options
  const { start, embedded, service, systemOf, totalsOf } = await modulesOf(root)
  const { services } = systemOf('nothing', () => undefined)
  const rate = createRate(events)
  const inner = embedded({ directory }) as Backend
  const read = createReadRecords()
  const commit: Backend['store']['commit'] = async (unit) => {
    const isOurs = unit.progress.length > 0
    const statuses = isOurs && hasStatusRows ? statusRowsOf(unit, read) : unit.statuses
    const answer = await inner.store.commit({ ...unit, statuses })
    if (answer.status === 'done')
      rate.add(unit.progress.reduce((sum, { completed }) => sum + completed, 0))
    return answer
  }
  const reading: Backend['log']['read'] = async (...args) => {
    const slices = await inner.log.read(...args)
    if (hasStatusRows) read.add(slices)
    return slices
  }
  const backend = {
    ...inner,
    log: { ...inner.log, read: reading },
    store: { ...inner.store, commit },
  }
  const runs = [totalsOf('totals', () => undefined)]
  const app = await start([...services, service(name, { runs })], backend, { engine: ENGINE })
  const rates = await rate.finished
  await app.stop()
  return rates
}

/** The records that were read, by topic and partition. */
function createReadRecords() {
  const byPlace = new Map<string, Map<number, LogRecord>>()
  const placeOf = ({ topic, partition }: Pick<Slice, 'topic' | 'partition'>) =>
    `${topic}/${partition}`
  return {
    add(slices: readonly Slice[]): void {
      for (const slice of slices) {
        const records = byPlace.get(placeOf(slice)) ?? new Map<number, LogRecord>()
        byPlace.set(placeOf(slice), records)
        for (const record of slice.records) records.set(record.offset, record)
      }
    },
    take(place: Pick<Slice, 'topic' | 'partition'>, offset: number): LogRecord | undefined {
      const records = byPlace.get(placeOf(place))
      const record = records?.get(offset)
      records?.delete(offset)
      return record
    },
  }
}

function statusRowsOf(
  { progress }: Unit,
  read: ReturnType<typeof createReadRecords>,
): readonly StatusChange[] {
  const statuses: StatusChange[] = []
  for (const { consumer, topic, partition, from, next } of progress)
    for (let offset = from ?? next; offset < next; offset += 1) {
      const record = read.take({ topic, partition }, offset)
      if (record) statuses.push(statusRow(consumer, record))
    }
  return statuses
}

function statusRow(
  consumer: string,
  { topic, partition, offset, id, key, type, at }: LogRecord,
): StatusChange {
  return {
    consumer,
    topic,
    partition,
    offset,
    eventId: id,
    key,
    type,
    from: 'UNPROCESSED',
    status: 'COMPLETED',
    attempts: 0,
    dueAt: null,
    code: null,
    error: null,
    cause: null,
    resolution: null,
    detail: null,
    updatedBy: 'bench',
    updatedAt: at,
  }
}

const UNIT_RECORDS = 512
const UNIT_BYTES = 4_194_304

/** A loop without an engine and without rules: a unit per batch, with status rows or without. */
async function plain(options: ProcessOptions): Promise<Metrics> {
  const { root, directory, events, name, hasStatusRows } = options
  const { embedded } = await modulesOf(root)
  const { log, store } = embedded({ directory }) as Backend
  await log.open()
  await store.open()
  const rate = createRate(events)
  let from = (await log.ends(['readings.events'])).map(({ topic, partition, first }) => {
    return { topic, partition, next: first }
  })
  for (let read = 0; read < events;) {
    const slices = await log.read(from, { records: UNIT_RECORDS, bytes: UNIT_BYTES }, { ms: 0 })
    const progress = slices.map(({ topic, partition, next, records: { length } }, at) => {
      const moved = { consumer: name, topic, partition, from: from[at]?.next ?? 0, next }
      const range = { by: 'bench', at: performance.timeOrigin }
      const begun = from[at]?.next === 0 && !hasStatusRows ? { range } : {}
      return { ...moved, ...NO_COUNTS, accepted: length, completed: length, ...begun }
    })
    const records = slices.flatMap((slice) => slice.records)
    const statuses = hasStatusRows ? records.map((record) => statusRow(name, record)) : []
    const answer = await store.commit({ ...EMPTY_UNIT, progress, statuses })
    if (answer.status !== 'done') throw new Error(`a unit was answered with ${answer.status}`)
    rate.add(records.length)
    read += records.length
    from = slices.map(({ topic, partition, next }) => ({ topic, partition, next }))
  }
  const rates = await rate.finished
  await log.close()
  await store.close()
  return rates
}

serveMeasures({ fill, project, plain })
