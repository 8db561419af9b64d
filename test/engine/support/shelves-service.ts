// A service whose projection reads two contracts, records the order of events, and can be changed
// in every way that matters to a rebuild; with its expected rows, computed separately.
import {
  command,
  contract,
  entity,
  event,
  projection,
  query,
  queryHandler,
  service,
  tool,
} from 'throughline'
import type { App, Service } from 'throughline'
import type { LogRecord } from '../../../src/ports/event-log.ts'
import type { Backend } from '../../../src/ports/event-store.ts'
import { numbersUpTo } from './ledger-service.ts'
import { anySchema } from './simulation.ts'

interface Put {
  readonly item: string
  readonly shelf: string
}
const Put = anySchema<Put>()
export const Goods = contract(
  'goods',
  { key: 'item', partitions: 4 },
  { Put: command(Put), WasPut: event(Put), Drop: command(Put), Dropped: event(Put) },
)
export const Prices = contract(
  'prices',
  { key: 'item', partitions: 2 },
  { Set: command(Put), WasSet: event(Put) },
)
export const Asked = contract(
  'asked',
  { key: 'shelf', partitions: 1 },
  { Shelf: query(anySchema<{ shelf: string }>(), { answers: anySchema<unknown>() }) },
)

const good = entity(
  'good',
  { of: Goods, id: 'item', initial: 0 },
  {
    decide: (on) => [
      on(Goods.Put, (data) => Goods.WasPut(data)),
      on(Goods.Drop, (data) => Goods.Dropped(data)),
    ],
    evolve: (on) => [
      on(Goods.WasPut, (_, count) => count + 1),
      on(Goods.Dropped, (_, count) => count + 1),
    ],
  },
)
const price = entity(
  'price',
  { of: Prices, id: 'item', initial: 0 },
  {
    decide: (on) => [on(Prices.Set, (data) => Prices.WasSet(data))],
    evolve: (on) => [on(Prices.WasSet, (_, count) => count + 1)],
  },
)

export interface Row {
  readonly items: readonly string[]
  readonly last: string
}

const KEPT = 12
const withItem = (row: Row | undefined, item: string, last: string): Row => {
  return { items: [...(row?.items ?? []), item].slice(-KEPT), last }
}

export interface ShelvesVariant {
  readonly version?: number
  /** The field that names a row. Items are message keys, so the events of each are in order. */
  readonly by?: 'shelf' | 'item'
  /** Text that a changed rule writes before each item. */
  readonly isMarked?: boolean
  /**
   * Called by a rule without changing its source: returns what to write before each item. May
   * throw.
   */
  readonly tag?: (item: string) => string
}

export function createShelvesService(bend: ShelvesVariant = {}): Service {
  const { version = 1, by = 'shelf', isMarked = false, tag = () => '' } = bend
  const plain = ({ item, shelf }: Put, row: Row | undefined): Row =>
    withItem(row, `${tag(item)}${item}`, shelf)
  const marked = ({ item, shelf }: Put, row: Row | undefined): Row =>
    withItem(row, `+${tag(item)}${item}`, shelf)
  const shelves = projection(
    'shelves',
    { by, row: tool<Row>(), indexes: ['last'], version },
    (on) => [
      on(Goods.WasPut, isMarked ? marked : plain),
      on(Goods.Dropped, (_, row) => (row && row.items.length % 2 ? row : undefined)),
      on(Prices.WasSet, ({ item, shelf }, row) => withItem(row, `${item}!`, shelf)),
    ],
  )
  const asking = queryHandler('asking', { of: Asked, reads: [shelves] }, (on) => [
    on(Asked.Shelf, async ({ shelf }, read) => ({
      row: await read(shelves).get(shelf),
      found: (await read(shelves).find({ last: shelf })).rows.length,
    })),
  ])
  return service('store', { owns: [Goods, Prices, Asked], runs: [good, price, shelves, asking] })
}

export const TABLE = 'store.shelves'

/** The stored rows. */
export async function readRows(
  { store }: Backend,
  table = TABLE,
): Promise<Record<string, unknown>> {
  const rows = await store.scan({ table, limit: 10_000 })
  return Object.fromEntries(rows.map(({ key, body }) => [key, JSON.parse(body) as unknown]))
}

/** The expected rows: every event in log order. */
export async function expectedRows(
  { log }: Backend,
  bend: ShelvesVariant = {},
): Promise<Record<string, unknown>> {
  const rows = new Map<string, Row>()
  const before = (item: string): string =>
    `${bend.isMarked ? '+' : ''}${bend.tag?.(item) ?? ''}${item}`
  for (const { type: wire, data } of await events(log)) {
    const put = JSON.parse(data ?? '') as Put
    const { item, shelf } = put
    const id = put[bend.by ?? 'shelf']
    const row = rows.get(id)
    if (wire === 'goods.WasPut') rows.set(id, withItem(row, before(item), shelf))
    else if (wire === 'prices.WasSet') rows.set(id, withItem(row, `${item}!`, shelf))
    else if ((row?.items.length ?? 0) % 2 === 0) rows.delete(id)
  }
  return Object.fromEntries([...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

async function events(log: Backend['log']): Promise<readonly LogRecord[]> {
  const ends = await log.ends(['goods.events', 'prices.events'])
  const from = ends.map(({ topic, partition, first: next }) => ({ topic, partition, next }))
  const slices = await log.read(from, { records: 1e6, bytes: 1e12 }, { ms: 0 })
  const records = slices.flatMap((slice) => slice.records)
  return records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))
}

/** Sends commands of all kinds, in number order. */
export async function fill(app: App, count: number, from = 0): Promise<void> {
  await Promise.all(
    numbersUpTo(count).map((at) => {
      const number = from + at
      const data = { item: `i-${number % 7}`, shelf: `s-${number % 3}` }
      if (number % 5 === 4) return app.send(Goods.Drop(data))
      return number % 2 === 0 ? app.send(Goods.Put(data)) : app.send(Prices.Set(data))
    }),
  )
}
