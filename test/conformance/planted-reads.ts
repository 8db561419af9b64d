import type { Answer, EventLog, LogRecord, Slice } from '../../src/ports/log.ts'
import type { Defect } from './planted.ts'
import { answering, eachRecord, inLog, reading, without } from './planted.ts'

/** A log whose waits end by time, abort or close alone. */
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
    'Reading on from `next` neither skips a record nor gives one twice',
    reading((slice) => ({
      ...slice,
      records: slice.records.filter(({ id }) => id !== 'e-17'),
    })),
  ),
  inLog(
    'a read gives its last record again',
    'Reading on from `next` neither skips a record nor gives one twice',
    reading((slice) => ({
      ...slice,
      next: slice.records.length > 1 ? slice.next - 1 : slice.next,
    })),
  ),
  inLog(
    'a read begins with what was appended together',
    'A read that begins inside what one call appended gives no earlier record',
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
    'A read gives every position its slice, with records in offset order',
    (log) => ({
      read: async (...given) =>
        (await log.read(...given)).filter(({ records }) => records.length > 0),
    }),
  ),
  inLog(
    'the end is told too late',
    'The next appended record has at least the offset that `end` tells',
    reading((slice) => ({ ...slice, end: slice.end + 5 })),
  ),
  inLog(
    'the first partition is always read first',
    'A busy partition starves no other one of repeated reads',
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
    'A read gives no more records than asked for, over all slices',
    (log) => ({
      read: (from, max, wait) => log.read(from, { ...max, records: 10_000 }, wait),
    }),
  ),
  inLog(
    'a read bounds each slice alone',
    'A read gives no more records than asked for, over all slices',
    (log) => ({
      read: async (from, max, wait) =>
        (await Promise.all(from.map((position) => log.read([position], max, wait)))).flat(),
    }),
  ),
  inLog(
    'a read ignores how many bytes are wanted',
    'A read gives no more bytes than asked for, over all slices',
    (log) => ({
      read: (from, max, wait) => log.read(from, { ...max, bytes: 1e9 }, wait),
    }),
  ),
  inLog(
    'a large record is never given',
    'A record larger than the bound is still given, alone',
    (log) => ({
      async read(from, max, wait) {
        const slices = await log.read(from, max, wait)
        const isTooLarge = ({ data }: LogRecord): boolean => (data?.length ?? 0) > max.bytes
        if (!slices.some(({ records }) => records.some(isTooLarge))) return slices
        return slices.map((slice, at) => ({ ...slice, records: [], next: from[at]?.next ?? 0 }))
      },
    }),
  ),
  inLog('a read never waits', 'A read waits for what is appended next, and gives it', (log) => ({
    read: (from, max) => log.read(from, max, { ms: 0 }),
  })),
  inLog('an append wakes no read', 'A read waits for what is appended next, and gives it', (log) =>
    deaf(log),
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
    'An abort ends a wait, and the read answers what it has',
    (log) => ({ read: (from, max, { ms }) => log.read(from, max, { ms }) }),
  ),
  inLog('closing ends no read', 'Closing the log ends reads that wait', () => ({
    close: async () => undefined,
  })),
]

const topicDefects: readonly Defect[] = [
  inLog(
    'declaring says what was wanted, not what is there',
    'Declaring reports what differs and never alters it',
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
    'Declaring creates what is missing, and says what is new',
    (log) => ({
      declare: async (specs) =>
        (await log.declare(specs)).map((state) => ({ ...state, isNew: true })),
    }),
  ),
  inLog(
    'the ends lie one before where they are',
    'The ends tell the first record that is retained, and what comes behind the last',
    (log) => ({
      ends: async (topics) =>
        (await log.ends(topics)).map((end) => ({ ...end, next: Math.max(0, end.next - 1) })),
    }),
  ),
  inLog(
    'a trim forgets nothing',
    'A trim forgets the records below an offset, in that partition only',
    () => ({ trim: async () => undefined }),
  ),
  inLog(
    'a trim goes over all partitions',
    'A trim forgets the records below an offset, in that partition only',
    (log) => ({
      async trim(topic, _, before) {
        for (const partition of [0, 1, 2, 3]) await log.trim(topic, partition, before)
      },
    }),
  ),
  inLog(
    'what is lost is not told',
    'A reader is told which offsets it can no longer get',
    reading((slice) => without(slice, 'lost')),
  ),
  inLog(
    'a trim keeps the ids',
    'A trim forgets the ids of what it forgets, and no others',
    (log) => {
      const known = new Set<string>()
      return {
        async append(events, options) {
          const answers = await log.append(events, options)
          return answers.map((answer, at): Answer => {
            const { id = '' } = events[at] ?? {}
            if (known.has(id)) return { is: 'stored', isRepeat: true }
            known.add(id)
            return answer
          })
        },
      }
    },
  ),
  inLog('the health promises too much', 'The health names what an ack means', (log) => ({
    health: async () => ({ ...(await log.health()), ack: 'disk' }),
  })),
  inLog(
    'what was stored does not outlive the process',
    'What was answered as stored is there for the next instance, ids and ends included',
    (log) => ({ can: { ...log.can, ack: 'disk' } }),
  ),
  inLog(
    'places name another record',
    'Answers say where an event is stored',
    answering((answers) =>
      answers.map((answer) =>
        answer.is === 'stored' && answer.place
          ? { ...answer, place: { ...answer.place, offset: answer.place.offset + 1 } }
          : answer,
      ),
    ),
  ),
  inLog('places are there undeclared', 'Answers say where an event is stored', (log) => ({
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
