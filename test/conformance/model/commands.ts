// The commands of a model run: plain data, so that a failure can be printed and repeated. Versions,
// generations and progress are given as their difference from the current state; 0 fits.
import fc from 'fast-check'
import type {
  IndexValue,
  LogEvent,
  Progress,
  RowKey,
  Scan,
  TableSpec,
  TopicSpec,
} from '../../../src/ports/index.ts'
import type { StatusPlan } from './status-plans.ts'
import { statusPlans } from './status-plans.ts'

export interface RowPlan extends RowKey {
  /** Difference from the current version. */
  readonly lag: number
  readonly body: string | null
  readonly index: Readonly<Record<string, IndexValue>>
}

export interface ProgressPlan extends Omit<Progress, 'next' | 'accepted'> {
  /** Difference from the current progress. */
  readonly lag: number
  readonly steps: number
}

export interface UnitPlan {
  readonly fences: readonly { readonly resource: string; readonly lag: number }[]
  readonly progress: readonly ProgressPlan[]
  readonly rows: readonly RowPlan[]
  readonly checks: readonly (RowKey & { readonly lag: number })[]
  readonly appends: readonly LogEvent[]
  /** Each takes the next version of its row. */
  readonly streams: readonly (RowKey & { readonly append: number })[]
  readonly statuses: readonly StatusPlan[]
}

export type Write =
  | { readonly kind: 'append'; readonly events: readonly LogEvent[]; readonly isAtomic: boolean }
  /** Many new events, their keys spread over all partitions. */
  | {
      readonly kind: 'fill'
      readonly topic: string
      readonly number: number
      readonly count: number
    }
  | { readonly kind: 'commit'; readonly unit: UnitPlan }

export type Command =
  | Write
  /** Calls that start one after another, before the first has ended. */
  | { readonly kind: 'together'; readonly writes: readonly Write[] }
  | { readonly kind: 'topic'; readonly spec: TopicSpec }
  | { readonly kind: 'table'; readonly spec: TableSpec }
  | {
      readonly kind: 'read'
      readonly from: readonly { topic: string; partition: number; next: number }[]
      readonly max: { readonly records: number; readonly bytes: number }
    }
  | { readonly kind: 'ends'; readonly topics: readonly string[] }
  /** `count` offsets from the first one. */
  | {
      readonly kind: 'trim'
      readonly topic: string
      readonly partition: number
      readonly count: number
    }
  /** All but the last `count` offsets, and tombstones older than `ageMs`. */
  | {
      readonly kind: 'compact'
      readonly topic: string
      readonly partition: number
      readonly count: number
      readonly ageMs: number
    }
  | {
      readonly kind: 'offsetAt'
      readonly topic: string
      readonly partition: number
      readonly agoMs: number
    }
  | { readonly kind: 'find'; readonly topic: string; readonly id: string }
  | { readonly kind: 'get'; readonly keys: readonly RowKey[] }
  | { readonly kind: 'scan'; readonly query: Scan }
  | {
      readonly kind: 'stream'
      readonly row: RowKey
      readonly fromVersion: number
      readonly limit: number
    }
  | { readonly kind: 'progress'; readonly consumers: readonly string[] }
  | {
      readonly kind: 'beat'
      readonly member: string
      readonly wants: readonly string[]
      readonly releases: readonly string[]
      readonly ttlMs: number
    }
  | { readonly kind: 'pass'; readonly ms: number }
  /** Everything that the backend has. */
  | { readonly kind: 'all' }
  | { readonly kind: 'reopen' }

/** Declared at the beginning of each run; `late` and `none` are not. */
export const TOPICS: readonly TopicSpec[] = [
  { name: 'orders', partitions: 3, strategy: 'murmur2' },
  { name: 'payments', partitions: 2, strategy: 'murmur2' },
]
export const TABLES: readonly TableSpec[] = [
  { name: 'shop.stock', indexes: ['colour', 'count'] },
  { name: 'shop.carts', indexes: [] },
]
export const RESOURCES: readonly string[] = ['p-0', 'p-1', 'p-2', "p'"]
export const CONSUMERS = ['shop/cart', 'shop/pay'] as const
export const KEYS = ['a', 'b', '', ' a', "it's", 'é', '\uffee', '😀'] as const

/** An id as they are made here, by the number of its millisecond. */
function ownId(ms: number): string {
  const text = ms.toString(16).padStart(12, '0')
  return `${text.slice(0, 8)}-${text.slice(8)}-7abc-8def-0123456789ab`
}

const UUID = ownId(1_700_000_000_123)
const LOOK_ALIKES = [UUID.toUpperCase(), UUID.replaceAll('-', ''), UUID.replace('-7', '-4')]
const ODD_IDS = ['', ' ', 'é', 'e\u0301', '😀', "'", 'E-1', 'null', '\u0001', '1e0', '1', '01']
const IDS = [
  ...Array.from({ length: 16 }, (_, at) => `e-${at}`),
  ...Array.from({ length: 8 }, (_, at) => ownId(1_700_000_000_123 - 7 * at)),
  ...LOOK_ALIKES,
  ...ODD_IDS,
  'i'.repeat(300),
]

const partitionsOf = (topic: string): number => (topic === 'payments' ? 2 : 3)

/** The same event for the same id, except for what the twist changes. */
function eventOf(topic: string, number: number, twist: string): LogEvent {
  const at = twist === 'key' ? number + 1 : number
  const partition = (at % KEYS.length) % partitionsOf(topic)
  const data = number % 6 === 5 ? null : `{ "n" : ${number}.0 }`
  return {
    topic,
    partition: twist === 'partition' ? [-1, 99, 0.5][number % 3]! : partition,
    id: IDS[number]!,
    key: KEYS[at % KEYS.length]!,
    type: twist === 'type' ? 'shop.Other' : 'shop.Made',
    at: 1_700_000_000_000 + number,
    head: twist === 'head' ? '{"hops": 1}' : '{}',
    data: twist === 'data' ? '{"n":-1}' : twist === 'tombstone' ? null : data,
  }
}

/** New events of a number: their ids as they are made here, or of any text where it is odd. */
export function filling(topic: string, number: number, count: number): readonly LogEvent[] {
  return Array.from({ length: count }, (_, at) => ({
    ...eventOf(topic, at % IDS.length, ''),
    id: number % 2 === 0 ? ownId(number * 1_000 + at) : `${number}-${at}`,
  }))
}

const plain = <T>(fields: { [Name in keyof T]: fc.Arbitrary<T[Name]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>
const some = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const weighted = <T>(weights: readonly (readonly [T, number])[]): fc.Arbitrary<T> =>
  fc.oneof(...weights.map(([value, weight]) => ({ arbitrary: fc.constant(value), weight })))

const topic = weighted<string>([
  ['orders', 8],
  ['payments', 5],
  ['late', 2],
  ['none', 1],
])
const known = weighted<string>([
  ['orders', 3],
  ['payments', 2],
])
const twist = weighted<string>([
  ['', 20],
  ['head', 2],
  ['data', 4],
  ['tombstone', 1],
  ['type', 2],
  ['key', 1],
  ['partition', 1],
])
const event = fc
  .tuple(topic, fc.oneof(fc.nat(IDS.length - 1), fc.nat(9)), twist)
  .map(([name, number, how]) => eventOf(name, number, how))
const place = fc
  .tuple(known, fc.nat(2))
  .map(([name, at]) => ({ topic: name, partition: at % partitionsOf(name) }))
/** Rarely the same twice, until fast-check shrinks a failure. */
const nonce = fc.noBias(fc.nat(999_999))
const lag = weighted([
  [0, 40],
  [1, 1],
  [-1, 1],
])
const value = some<IndexValue>([null, 'a', 'B', '', 'é', '\uffee', '😀', '10', 0, -1, 2.5, 10, 9])
const rowKey: fc.Arbitrary<RowKey> = plain({
  table: some(['shop.stock', 'shop.carts']),
  key: some(KEYS),
})
const index = plain({ colour: value, count: value })
const row = plain({
  key: rowKey,
  lag,
  index,
  isGone: weighted([
    [false, 5],
    [true, 1],
  ] as const),
})
const rowPlan = row.map(({ key, index: values, isGone, ...rest }): RowPlan => {
  const body = isGone
    ? null
    : `{ ${JSON.stringify({ ...values, late: values.count ?? [] }).slice(1)}`
  return { ...key, ...rest, body, index: isGone ? {} : values }
})
const byRow = {
  selector: ({ table, key }: RowKey) => `${table}\n${key}`,
  maxLength: 9,
}
const progress = plain({
  consumer: some(CONSUMERS),
  place,
  lag,
  steps: fc.integer({ min: -2, max: 3 }),
  completed: fc.nat(3),
  pending: fc.integer({ min: -1, max: 2 }),
  dead: fc.integer({ min: -1, max: 1 }),
  discarded: fc.nat(1),
  expired: weighted([
    [0, 4],
    [2, 1],
  ]),
}).map(({ place: at, ...rest }): ProgressPlan => ({ ...at, ...rest }))
const unit: fc.Arbitrary<UnitPlan> = plain({
  fences: fc.oneof(
    { arbitrary: fc.constant([]), weight: 3 },
    {
      arbitrary: fc.uniqueArray(plain({ resource: some(RESOURCES), lag }), {
        selector: ({ resource }) => resource,
        maxLength: 2,
      }),
      weight: 1,
    },
  ),
  progress: fc.uniqueArray(progress, {
    selector: (at) => `${at.consumer}/${at.topic}/${at.partition}`,
    maxLength: 2,
  }),
  rows: fc.uniqueArray(rowPlan, byRow),
  checks: fc.uniqueArray(
    plain({ key: rowKey, lag }).map(({ key, ...rest }) => ({ ...key, ...rest })),
    { ...byRow, maxLength: 2 },
  ),
  // Most are new, since one that is not rejects the unit.
  appends: fc.oneof(
    { arbitrary: fc.constant<readonly LogEvent[]>([]), weight: 1 },
    {
      arbitrary: fc
        .tuple(known, nonce, fc.integer({ min: 1, max: 5 }))
        .map(([name, number, count]) => filling(name, number, count)),
      weight: 3,
    },
    { arbitrary: fc.array(event, { maxLength: 3 }), weight: 1 },
  ),
  streams: fc.array(
    plain({ key: rowKey, append: fc.nat(4) }).map(({ key, ...rest }) => ({ ...key, ...rest })),
    { maxLength: 4 },
  ),
  statuses: statusPlans(CONSUMERS),
})

const append = plain({
  kind: fc.constant('append' as const),
  events: fc.array(event, { minLength: 1, maxLength: 8 }),
  isAtomic: weighted([
    [false, 3],
    [true, 1],
  ] as const),
})
const fill = plain({
  kind: fc.constant('fill' as const),
  topic: known,
  number: nonce,
  count: some([1, 20, 60, 140]),
})
const commit = plain({ kind: fc.constant('commit' as const), unit })
const write: fc.Arbitrary<Write> = fc.oneof(append, append, commit, commit, commit, fill)

const by = some(['colour', 'count', 'late'])
const where = fc.oneof(
  plain({ index: by }),
  plain({ index: by, equals: some(['a', '', '10', 10, 0]) }),
  plain({ index: by, upTo: some(['a', '\uffee', '10', 10, 0]) }),
)
const limit = some([1, 2, 5, 10_000])
const query: fc.Arbitrary<Scan> = fc.oneof(
  plain({ table: some(['shop.stock', 'shop.carts']), limit }),
  plain({ table: fc.constant('shop.carts'), after: plain({ key: some(KEYS) }), limit }),
  plain({ table: fc.constant('shop.stock'), where, limit }),
  plain({
    table: fc.constant('shop.stock'),
    where,
    after: plain({ key: some(KEYS), value: some(['a', 'é', '10', 10, 0, -1]) }),
    limit,
  }),
)

/** A command for a partition that is there. */
function at<T>(rest: {
  [Name in keyof T]: fc.Arbitrary<T[Name]>
}): fc.Arbitrary<T & { topic: string; partition: number }> {
  return fc.tuple(plain(rest), place).map(([fields, where]) => ({ ...fields, ...where }))
}

const looks: readonly fc.Arbitrary<Command>[] = [
  plain({
    kind: fc.constant('read' as const),
    from: fc.array(
      plain({ place, next: fc.nat(80) }).map(({ place: at, next }) => ({ ...at, next })),
      { minLength: 1, maxLength: 4 },
    ),
    max: plain({ records: some([1, 3, 70, 500]), bytes: some([1, 40, 900, 1e6]) }),
  }),
  plain({ kind: fc.constant('ends' as const), topics: fc.array(topic, { maxLength: 3 }) }),
  at({ kind: fc.constant('offsetAt' as const), agoMs: some([-1, 0, 1, 50, 51, 200, 1e6]) }),
  plain({ kind: fc.constant('find' as const), topic: known, id: some(IDS) }),
  plain({ kind: fc.constant('get' as const), keys: fc.array(rowKey, { maxLength: 4 }) }),
  plain({
    kind: fc.constant('stream' as const),
    row: rowKey,
    fromVersion: fc.nat(4),
    limit: some([1, 3, 100]),
  }),
  plain({
    kind: fc.constant('progress' as const),
    consumers: fc.uniqueArray(some(CONSUMERS)),
  }),
]
const scan = plain({ kind: fc.constant('scan' as const), query })
const trim = at({ kind: fc.constant('trim' as const), count: some([-1, 0, 1, 2, 5, 30, 1_000]) })
const compact = at({
  kind: fc.constant('compact' as const),
  count: some([0, 0, 0, 1, 5, 40]),
  ageMs: some([-1, 0, 0, 100]),
})
const declare: readonly fc.Arbitrary<Command>[] = [
  plain({
    kind: fc.constant('topic' as const),
    spec: fc
      .tuple(
        some(['late', 'late', 'orders']),
        some([3, 4]),
        some([{}, { retention: { ageMs: 5 } }, { compaction: { deleteRetentionMs: 9 } }]),
      )
      .map(([name, partitions, settings]) => {
        return { name, partitions, strategy: 'murmur2' as const, ...settings }
      }),
  }),
  plain({
    kind: fc.constant('table' as const),
    spec: fc.constant({ name: 'shop.stock', indexes: ['colour', 'late'] }),
  }),
]
const pass = plain({ kind: fc.constant('pass' as const), ms: some([1, 50, 200]) })
const beat = plain({
  kind: fc.constant('beat' as const),
  member: some(['m-1', 'm-2', 'm-3']),
  wants: fc.uniqueArray(some(RESOURCES)),
  releases: fc.uniqueArray(some(RESOURCES), { maxLength: 1 }),
  ttlMs: some([100, 1_000]),
})

export const commands: fc.Arbitrary<readonly Command[]> = fc.array(
  fc.oneof(
    { arbitrary: write, weight: 8 },
    {
      arbitrary: plain({
        kind: fc.constant('together' as const),
        writes: fc.array(write, { minLength: 2, maxLength: 5 }),
      }),
      weight: 2,
    },
    { arbitrary: fc.oneof(...looks), weight: 5 },
    { arbitrary: scan, weight: 2 },
    { arbitrary: fc.oneof(...declare), weight: 1 },
    { arbitrary: fc.oneof(trim, compact), weight: 3 },
    { arbitrary: pass, weight: 1 },
    { arbitrary: beat, weight: 3 },
    { arbitrary: plain({ kind: some(['all', 'reopen'] as const) }), weight: 1 },
  ),
  { minLength: 1, maxLength: 30, size: 'max' },
)
