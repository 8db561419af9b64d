// One step of the comparison, in a process of its own. There is no engine here: a loop reads the log and
// commits units, and keeps the events of one key in one of three ways.
//
// copies: a row with the whole record, as the engine does
// pages: a row with the whole records of one unit
// places: a row with topic, partition and offset; a release reads the log there
// scan: no row; a release reads the partition from the dead letter on, and skips other keys
import { start, service } from 'throughline'
import { embedded } from 'throughline/embedded'
import type { Backend, LogRecord, Position, Row, RowWrite, Unit } from 'throughline/backend'
import { NO_COUNTS } from 'throughline/backend'
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { Readings } from '../../src/bench/system.ts'
import { EMPTY_UNIT } from '../empty-unit.ts'
import { STUCK, mixedReadings } from './readings.ts'

export type Way = 'copies' | 'pages' | 'places' | 'scan'

interface PrototypeOptions {
  readonly directory: string
  readonly way: Way
}

const TOPIC = 'readings.events'
const TABLE = 'bench.held'
const HOLD = 'bench.holds'
const CONSUMER = 'bench/reader'
const UNIT = { records: 512, bytes: 4_194_304 }
/** Held events that a unit releases, as in the engine. */
const RELEASED_PER_UNIT = 64

/** Places with at most this many records for each are read in one go. */
const DENSE = 16

async function fill(options: {
  readonly directory: string
  readonly stuck: number
  readonly others: number
}): Promise<Metrics> {
  const services = [service('readings', { owns: [Readings], runs: [] })]
  const app = await start(services, embedded({ directory: options.directory }))
  for (const readings of mixedReadings(options.stuck, options.others, 1_000))
    await app.append(readings.map((reading) => Readings.Taken(reading)))
  await app.stop()
  return {}
}

async function openBackend(directory: string): Promise<Backend> {
  const backend = embedded({ directory })
  await backend.log.open()
  await backend.store.open()
  await backend.store.declare([
    { name: TABLE, indexes: ['hold'] },
    { name: HOLD, indexes: ['consumer'] },
  ])
  return backend
}

async function closeBackend({ log, store }: Backend): Promise<void> {
  await log.close()
  await store.close()
}

/** The row of the hold: where the key stopped, how many wait, and the number of the next. */
interface Hold {
  readonly first?: Position
  readonly count: number
}

function holdWrite(hold: Hold, version: number): RowWrite {
  const row = { table: HOLD, key: STUCK, expected: version, version: version + 1 }
  return { ...row, body: JSON.stringify(hold), index: { consumer: CONSUMER } }
}

const heldKey = (number: number): string => `${STUCK}:${String(number).padStart(12, '0')}`

function heldWrite(way: Way, record: LogRecord, number: number): RowWrite {
  const { topic, partition, offset } = record
  const body = way === 'copies' ? record : { topic, partition, offset }
  const row = { table: TABLE, key: heldKey(number), expected: 0, version: 1 }
  return { ...row, body: JSON.stringify(body), index: { hold: STUCK } }
}

function pageWrite(records: readonly LogRecord[], number: number): RowWrite {
  const row = { table: TABLE, key: heldKey(number), expected: 0, version: 1 }
  return { ...row, body: JSON.stringify(records), index: { hold: STUCK } }
}

/** Moves past all events, and keeps those of the stuck key. */
async function pass({ directory, way }: PrototypeOptions): Promise<Metrics> {
  const backend = await openBackend(directory)
  const { log } = backend
  const [beganAt, cpu] = [performance.now(), process.cpuUsage()]
  let [hold, version, total]: [Hold, number, number] = [{ count: 0 }, 0, 0]
  let from: readonly Position[] = (await log.ends([TOPIC])).map((end) => {
    return { topic: TOPIC, partition: end.partition, next: end.first }
  })
  for (;;) {
    const slices = await log.read(from, UNIT, { ms: 0 })
    const records = slices.flatMap((slice) => slice.records)
    if (records.length === 0) break
    const kept = records.filter(({ key }) => key === STUCK)
    const [first] = kept
    const rows: RowWrite[] = []
    if (first) {
      const { topic, partition, offset } = first
      const start = { first: hold.first ?? { topic, partition, next: offset } }
      if (way === 'pages') rows.push(pageWrite(kept, hold.count))
      else if (way !== 'scan')
        kept.forEach((record, at) => rows.push(heldWrite(way, record, hold.count + at)))
      hold = { ...start, count: hold.count + kept.length }
      rows.push(holdWrite(hold, version))
      version += 1
    }
    const progress = slices.map(({ topic, partition, next, records: { length } }, at) => {
      const moved = { consumer: CONSUMER, topic, partition, from: from[at]?.next ?? 0, next }
      return { ...moved, ...NO_COUNTS, accepted: length, completed: length }
    })
    await commit(backend, { ...EMPTY_UNIT, progress, rows })
    total += records.length
    from = slices.map(({ topic, partition, next }) => ({ topic, partition, next }))
  }
  const { user, system } = process.cpuUsage(cpu)
  const passPerSecond = (total / (performance.now() - beganAt)) * 1_000
  await closeBackend(backend)
  return { passPerSecond, passCpuUs: (user + system) / total }
}

async function commit({ store }: Backend, unit: Unit): Promise<void> {
  const { status } = await store.commit(unit)
  if (status !== 'done') throw new Error(`a unit was answered with ${status}`)
}

/** Reads what waits, in its order, and removes it. */
async function release({ directory, way }: PrototypeOptions): Promise<Metrics> {
  const backend = await openBackend(directory)
  const [row] = await backend.store.get([{ table: HOLD, key: STUCK }])
  if (!row) throw new Error('nothing waits')
  let [hold, version] = [JSON.parse(row.body) as Hold, row.version]
  const total = hold.count
  const cursor = createCursor(backend, hold)
  const [beganAt, cpu] = [performance.now(), process.cpuUsage()]
  while (hold.count > 0) {
    const { records, rows } = await nextReleased(backend, way, cursor)
    if (records.length === 0) throw new Error(`${hold.count} events are not found`)
    hold = { first: cursor.position(), count: hold.count - records.length }
    const removed = rows.map(({ table, key, version: expected }): RowWrite => {
      return { table, key, expected, version: 0, body: null }
    })
    await commit(backend, { ...EMPTY_UNIT, rows: [...removed, holdWrite(hold, version)] })
    version += 1
  }
  const { user, system } = process.cpuUsage(cpu)
  const releasePerSecond = (total / (performance.now() - beganAt)) * 1_000
  await closeBackend(backend)
  const readPerReleased = cursor.read() / total
  return { releasePerSecond, releaseCpuUs: (user + system) / total, readPerReleased }
}

type Cursor = ReturnType<typeof createCursor>

/** Reads one partition on from where the key stopped. */
function createCursor({ log }: Backend, { first }: Hold) {
  if (!first) throw new Error('the hold has no place')
  let position = first
  let read = 0
  let ahead: readonly LogRecord[] = []
  const fillUp = async (next: number, records = UNIT.records): Promise<boolean> => {
    const max = { ...UNIT, records }
    const [slice] = await log.read([{ ...position, next }], max, { ms: 0 })
    ahead = slice?.records ?? []
    read += ahead.length
    return ahead.length > 0
  }
  return {
    position: (): Position => position,
    read: (): number => read,
    /** The next events of the stuck key. */
    async scan(count: number): Promise<readonly LogRecord[]> {
      const found: LogRecord[] = []
      while (found.length < count) {
        if (ahead.length === 0 && !(await fillUp(position.next))) break
        const record = ahead[0] as LogRecord
        ahead = ahead.slice(1)
        position = { ...position, next: record.offset + 1 }
        if (record.key === STUCK) found.push(record)
      }
      return found
    },
    /** The records at these offsets. */
    async at(offsets: readonly number[]): Promise<readonly LogRecord[]> {
      const found: LogRecord[] = []
      // Read on where they are close to each other, and one by one where they are not.
      const span = (offsets.at(-1) ?? 0) - (offsets[0] ?? 0)
      const atATime = span > DENSE * offsets.length ? 1 : UNIT.records
      for (const offset of offsets) {
        if (!ahead.some((record) => record.offset === offset)) await fillUp(offset, atATime)
        const at = ahead.findIndex((record) => record.offset === offset)
        found.push(ahead[at] as LogRecord)
        ahead = ahead.slice(at + 1)
      }
      return found
    },
  }
}

async function nextReleased(
  { store }: Backend,
  way: Way,
  cursor: Cursor,
): Promise<{ readonly records: readonly LogRecord[]; readonly rows: readonly Row[] }> {
  if (way === 'scan') return { records: await cursor.scan(RELEASED_PER_UNIT), rows: [] }
  const where = { index: 'hold', equals: STUCK }
  if (way === 'pages') {
    const [page] = await store.scan({ table: TABLE, where, limit: 1 })
    return { records: page ? (JSON.parse(page.body) as LogRecord[]) : [], rows: page ? [page] : [] }
  }
  const rows = await store.scan({ table: TABLE, where, limit: RELEASED_PER_UNIT })
  const bodies = rows.map(({ body }) => JSON.parse(body) as LogRecord)
  if (way === 'copies') return { records: bodies, rows }
  return { records: await cursor.at(bodies.map(({ offset }) => offset)), rows }
}

serveMeasures({ fill, pass, release })
