import type {
  LogAppendResult,
  EventLog,
  LogEvent,
  LogRecord,
  Slice,
} from '../../../src/ports/event-log.ts'
import type { Backend } from '../../../src/ports/event-store.ts'

/** A backend with a defect, and the promise whose case must find it. */
export interface Defect {
  readonly defect: string
  readonly promise: string
  plant(backend: Backend): Backend
}

export function inLog(
  defect: string,
  promise: string,
  change: (log: EventLog) => Partial<EventLog>,
): Defect {
  return {
    defect,
    promise,
    plant: ({ log, store }) => ({ log: { ...log, ...change(log) }, store }),
  }
}

/** A log that changes events before they are appended. */
export const altering = (alter: (event: LogEvent) => LogEvent) => (log: EventLog) => ({
  append: (events: readonly LogEvent[], options?: { readonly isAtomic?: boolean }) =>
    log.append(events.map(alter), options),
})

/** A log that changes the results of each append. */
export const answering =
  (alter: (answers: readonly LogAppendResult[]) => readonly LogAppendResult[]) =>
  (log: EventLog) => ({
    append: async (events: readonly LogEvent[], options?: { readonly isAtomic?: boolean }) =>
      alter(await log.append(events, options)),
  })

/** A log that changes the slices of each read. */
export const reading =
  (alter: (slice: Slice) => Slice): ((log: EventLog) => Partial<EventLog>) =>
  (log) => ({ read: async (...given) => (await log.read(...given)).map(alter) })

export const eachRecord = (alter: (record: LogRecord) => LogRecord) =>
  reading((slice) => ({ ...slice, records: slice.records.map(alter) }))

/** A copy without one member. */
export function without<T extends object>(from: T, name: keyof T): T {
  return Object.fromEntries(Object.entries(from).filter(([member]) => member !== name)) as T
}

export async function ticks(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await Promise.resolve()
}

function refusing(code: 'EARLIER_NOT_STORED'): LogAppendResult {
  return { status: 'refused', code, detail: 'planted' }
}

const orderDefects: readonly Defect[] = [
  inLog(
    'the last event of a call is lost',
    'Every event reported as stored is in the log, once and in its partition',
    (log) => ({
      append: async (events) => [
        ...(await log.append(events.slice(0, -1))),
        { status: 'stored', isDuplicate: false },
      ],
    }),
  ),
  inLog(
    'answers come in another order',
    'An append returns one result per event, in the order of the events',
    answering((answers) => answers.toReversed()),
  ),
  inLog(
    'an answer is missing',
    'An append returns one result per event, in the order of the events',
    answering((answers) => answers.filter(({ status }) => status === 'stored')),
  ),
  inLog(
    'a call is stored backwards',
    'Events of one partition are stored in the order given',
    (log) => ({
      append: async (events, options) =>
        (await log.append(events.toReversed(), options)).toReversed(),
    }),
  ),
  inLog(
    'some calls are overtaken',
    'Calls that start one after another are stored in that order',
    (log) => {
      let calls = 0
      return {
        async append(events, options) {
          calls += 1
          if (calls % 3 === 0) await ticks(20)
          return log.append(events, options)
        },
      }
    },
  ),
  inLog(
    'offsets come twice',
    'Offsets grow strictly from call to call, and no place is given twice',
    eachRecord((record) => ({ ...record, offset: record.offset >> 1 })),
  ),
  inLog(
    'ids are converted to lower case',
    'An id may be any text and comes back exactly as given',
    altering((event) => ({ ...event, id: event.id.toLowerCase() })),
  ),
  inLog(
    'ids are compared without their case',
    'Ids that differ only in their letters are two ids',
    altering((event) => ({ ...event, id: event.id.toLowerCase() })),
  ),
  inLog(
    'keys are trimmed',
    'Keys of any text come back exactly as given',
    altering((event) => ({ ...event, key: event.key.trim() })),
  ),
  inLog(
    'data is parsed and written anew',
    'Head and data come back as the same text, spaces and number forms included',
    altering((event) => ({ ...event, data: JSON.stringify(JSON.parse(event.data ?? 'null')) })),
  ),
  inLog(
    'times are kept in seconds',
    'Types and times come back exactly as given',
    altering((event) => ({ ...event, at: Math.floor(event.at / 1_000) * 1_000 })),
  ),
  inLog(
    'a tombstone becomes the text "null"',
    'A tombstone has no data, which is not the text "null"',
    altering((event) => ({ ...event, data: event.data ?? 'null' })),
  ),
]

const refusalDefects: readonly Defect[] = [
  inLog(
    'a duplicate is stored again',
    'An event appended again is stored once, and reported as a duplicate',
    (log) => ({
      async append(events) {
        const answers = await log.append(events)
        const again = events
          .filter((_, at) => answers[at]?.status === 'stored' && answers[at].isDuplicate)
          .map((event) => ({ ...event, id: `${event.id} again` }))
        await log.append(again)
        return answers
      },
    }),
  ),
  inLog(
    'a duplicate is not reported as one',
    'An event appended again is stored once, and reported as a duplicate',
    answering((answers) =>
      answers.map((answer) =>
        answer.status === 'stored' ? { ...answer, isDuplicate: false } : answer,
      ),
    ),
  ),
  inLog(
    'calls look for known ids before they wait for their turn',
    'Concurrent calls with the same ids store each event once',
    (log) => ({
      async append(events, options) {
        const known = await Promise.all(events.map(async ({ topic, id }) => log.find?.(topic, id)))
        const answers = await log.append(events, options)
        return answers.map((answer, at) =>
          answer.status === 'stored' ? { ...answer, isDuplicate: known[at] !== undefined } : answer,
        )
      },
    }),
  ),
  inLog(
    'another event under a known id is reported as a duplicate',
    'Another event under a known id is refused with ID_CONFLICT',
    answering((answers) =>
      answers.map((answer) =>
        answer.status === 'refused' && answer.code === 'ID_CONFLICT'
          ? { status: 'stored', isDuplicate: true }
          : answer,
      ),
    ),
  ),
  inLog(
    'a tombstone conflicts with nothing',
    'Another event under a known id is refused with ID_CONFLICT',
    (log) => ({
      append: async (events, options) =>
        (await log.append(events, options)).map((answer, at) =>
          answer.status === 'refused' && events[at]?.data === null
            ? { status: 'stored', isDuplicate: true }
            : answer,
        ),
    }),
  ),
  inLog(
    'an id is known in all topics',
    'An id belongs to its topic: two topics may have the same',
    (log) => {
      const known = new Set<string>()
      return {
        append: async (events, options) =>
          (await log.append(events, options)).map((answer, at): LogAppendResult => {
            const { id = '' } = events[at] ?? {}
            if (known.has(id)) return { status: 'refused', code: 'ID_CONFLICT', detail: 'planted' }
            known.add(id)
            return answer
          }),
      }
    },
  ),
  inLog(
    'a later event of a key passes one that was refused',
    'After a refused event, later events of its key are refused',
    (log) => ({
      append: async (events) =>
        (await Promise.all(events.map((event) => log.append([event])))).flat(),
    }),
  ),
  inLog(
    'a refusal ends the whole call',
    'Other keys of the partition are stored after a refused key',
    (log) => ({
      async append(events) {
        const [first, ...rest] = events
        if (!first) return []
        const [answer] = await log.append([first])
        if (answer?.status !== 'refused') return log.append(events)
        return [answer, ...rest.map(() => refusing('EARLIER_NOT_STORED'))]
      },
    }),
  ),
  inLog(
    'a key that was refused stays refused',
    'A refused key is not blocked in the next call',
    (log) => {
      const refused = new Set<string>()
      return {
        async append(events) {
          if (events.some(({ key }) => refused.has(key)))
            return events.map(() => refusing('EARLIER_NOT_STORED'))
          const answers = await log.append(events)
          for (const [at, { key }] of events.entries())
            if (answers[at]?.status === 'refused') refused.add(key)
          return answers
        },
      }
    },
  ),
  inLog(
    'topics are made where they are missing',
    'An event for a missing topic is refused with TOPIC_NOT_FOUND',
    (log) => ({
      async append(events, options) {
        for (const { topic: name } of events)
          await log.declare([{ name, partitions: 4, strategy: 'murmur2' }])
        return log.append(events, options)
      },
    }),
  ),
  inLog(
    'a partition that is not there becomes another one',
    'An event for a missing partition is refused with PARTITION_NOT_FOUND',
    altering((event) => ({ ...event, partition: Math.abs(Math.floor(event.partition)) % 4 })),
  ),
  inLog(
    'an atomic batch is stored in part',
    'An atomic batch with a refusal stores nothing; its other events are BATCH_REFUSED',
    (log) => ({ append: (events) => log.append(events) }),
  ),
  inLog(
    'a log that says it has no atomic batches takes them in part',
    'An atomic batch over several topics is stored whole',
    (log) => ({
      can: { ...log.can, atomicBatch: false },
      append: (events) => log.append(events),
    }),
  ),
]

export const logDefects: readonly Defect[] = [...orderDefects, ...refusalDefects]
