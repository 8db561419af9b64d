import type { LogAppendResult, EventLog, LogRecord, Slice } from '../../../src/ports/event-log.ts'
import type { Defect } from './log-defects.ts'
import { answering, eachRecord, inLog, reading, without } from './log-defects.ts'

/** A log whose reads wake only by time, abort or close. */
function deaf(log: EventLog, hears: () => boolean = () => false): Partial<EventLog> {
  const waiting = new Set<() => void>()
  return {
    async close() {
      for (const goOn of waiting) goOn()
      await log.close()
    },
    async read(from, max, wait) {
      const found = await log.read(from, max, { ms: 0 })
      if (found.some(({ records }) => records.length > 0)) return found
      if (hears()) return log.read(from, max, wait)
      await new Promise<void>((resolve) => {
        waiting.add(resolve)
        setTimeout(resolve, wait.ms).unref()
        wait.signal?.addEventListener('abort', () => resolve())
      })
      return log.read(from, max, { ms: 0 })
    },
  }
}

const sliceDefects: readonly Defect[] = [
  inLog(
    'a read skips a record',
    'Continuing from `next` neither skips a record nor repeats one',
    reading((slice) => ({
      ...slice,
      records: slice.records.filter(({ id }) => id !== 'e-17'),
    })),
  ),
  inLog(
    'a read gives its last record again',
    'Continuing from `next` neither skips a record nor repeats one',
    reading((slice) => ({
      ...slice,
      next: slice.records.length > 1 ? slice.next - 1 : slice.next,
    })),
  ),
  inLog(
    'a read begins with what was appended together',
    'A read that starts inside the events of one call returns no earlier record',
    (log) => ({
      read: (from, max, wait) =>
        log.read(
          from.map((position) => ({ ...position, next: position.next - (position.next % 100) })),
          max,
          wait,
        ),
    }),
  ),
  inLog(
    'positions without records get no slice',
    'A read returns one slice per position, with records in offset order',
    (log) => ({
      read: async (...given) =>
        (await log.read(...given)).filter(({ records }) => records.length > 0),
    }),
  ),
  inLog(
    'the end is too high',
    'The next appended record has at least the offset `end`',
    reading((slice) => ({ ...slice, end: slice.end + 5 })),
  ),
  inLog(
    'the first partition is always read first',
    'A busy partition does not starve others over repeated reads',
    (log) => ({
      async read(from, max, wait) {
        let left = max.records
        const slices: Slice[] = []
        for (const position of from) {
          const [slice] = await log.read([position], { ...max, records: left }, { ms: 0 })
          left -= slice?.records.length ?? 0
          slices.push(...(slice ? [slice] : []))
        }
        return left < max.records ? slices : log.read(from, max, wait)
      },
    }),
  ),
  inLog(
    'a read ignores how many records are wanted',
    'A read returns no more records than requested, over all slices',
    (log) => ({
      read: (from, max, wait) => log.read(from, { ...max, records: 10_000 }, wait),
    }),
  ),
  inLog(
    'a read bounds each slice alone',
    'A read returns no more records than requested, over all slices',
    (log) => ({
      read: async (from, max, wait) =>
        (await Promise.all(from.map((position) => log.read([position], max, wait)))).flat(),
    }),
  ),
  inLog(
    'a read ignores how many bytes are wanted',
    'A read returns no more bytes than requested, over all slices',
    (log) => ({
      read: (from, max, wait) => log.read(from, { ...max, bytes: 1e9 }, wait),
    }),
  ),
  inLog(
    'a large record is never given',
    'A record larger than the limit is returned alone',
    (log) => ({
      async read(from, max, wait) {
        const slices = await log.read(from, max, wait)
        const isTooLarge = ({ data }: LogRecord): boolean => (data?.length ?? 0) > max.bytes
        if (!slices.some(({ records }) => records.some(isTooLarge))) return slices
        return slices.map((slice, at) => ({ ...slice, records: [], next: from[at]?.next ?? 0 }))
      },
    }),
  ),
  inLog(
    'a read never waits',
    'A read waits for the next append, and returns its records',
    (log) => ({
      read: (from, max) => log.read(from, max, { ms: 0 }),
    }),
  ),
  inLog(
    'an append wakes no read',
    'A read waits for the next append, and returns its records',
    (log) => deaf(log),
  ),
  inLog('an append wakes one read only', 'Each of many waiting reads wakes', (log) => {
    let readers = 0
    return deaf(log, () => {
      readers += 1
      return readers === 1
    })
  }),
  inLog(
    'an abort ends no wait',
    'An abort ends a wait, and the read returns what it has',
    (log) => ({ read: (from, max, { ms }) => log.read(from, max, { ms }) }),
  ),
  inLog('closing ends no read', 'Closing the log ends reads that wait', () => ({
    close: async () => undefined,
  })),
]

const topicDefects: readonly Defect[] = [
  inLog(
    'declaring says what was wanted, not what is there',
    'Declaring reports differences and never applies them',
    (log) => ({
      declare: async (specs) =>
        (await log.declare(specs)).map((state, at) => ({
          ...state,
          ...specs[at],
          differences: [],
        })),
    }),
  ),
  inLog(
    'everything declared is new',
    'Declaring creates missing topics and reports which are new',
    (log) => ({
      declare: async (specs) =>
        (await log.declare(specs)).map((state) => ({ ...state, isNew: true })),
    }),
  ),
  inLog(
    'the ends lie one before where they are',
    'The ends are the first retained offset and the one after the last',
    (log) => ({
      ends: async (topics) =>
        (await log.ends(topics)).map((end) => ({ ...end, next: Math.max(0, end.next - 1) })),
    }),
  ),
  inLog(
    'a trim forgets nothing',
    'A trim removes the records below an offset, in that partition only',
    () => ({ trim: async () => undefined }),
  ),
  inLog(
    'a trim goes over all partitions',
    'A trim removes the records below an offset, in that partition only',
    (log) => ({
      async trim(topic, _, before) {
        for (const partition of [0, 1, 2, 3]) await log.trim(topic, partition, before)
      },
    }),
  ),
  inLog(
    'lost offsets are not reported',
    'A reader gets the range of offsets that were trimmed',
    reading((slice) => without(slice, 'lost')),
  ),
  inLog(
    'a trim keeps the ids',
    'A trim removes the ids of the trimmed records, and no others',
    (log) => {
      const known = new Set<string>()
      return {
        async append(events, options) {
          const answers = await log.append(events, options)
          return answers.map((answer, at): LogAppendResult => {
            const { id = '' } = events[at] ?? {}
            if (known.has(id)) return { status: 'stored', isDuplicate: true }
            known.add(id)
            return answer
          })
        },
      }
    },
  ),
  inLog('the health promises too much', 'The health reports what an ack means', (log) => ({
    health: async () => ({ ...(await log.health()), ack: 'disk' }),
  })),
  inLog(
    'what was stored does not outlive the process',
    'Stored events are there for the next instance, with ids and ends',
    (log) => ({ can: { ...log.can, ack: 'disk' } }),
  ),
  inLog(
    'places name another record',
    'Results name the place of an event',
    answering((answers) =>
      answers.map((answer) =>
        answer.status === 'stored' && answer.place
          ? { ...answer, place: { ...answer.place, offset: answer.place.offset + 1 } }
          : answer,
      ),
    ),
  ),
  inLog('places are there undeclared', 'Results name the place of an event', (log) => ({
    can: { ...log.can, places: false },
  })),
  inLog(
    'positions count each partition alone',
    'Positions grow strictly over all topics, in the order of the calls',
    eachRecord((record) => ({ ...record, position: record.offset })),
  ),
  inLog(
    'positions are declared and missing',
    'Positions grow strictly over all topics, in the order of the calls',
    eachRecord((record) => without(record, 'position')),
  ),
  inLog(
    'an event is found in other topics',
    'An event is found by its id, in its topic only',
    (log) => ({ find: async (_, id) => log.find?.('orders.events', id) }),
  ),
  inLog('find is there undeclared', 'An event is found by its id, in its topic only', (log) => ({
    can: { ...log.can, findById: false },
  })),
]

export const readDefects: readonly Defect[] = [...sliceDefects, ...topicDefects]
