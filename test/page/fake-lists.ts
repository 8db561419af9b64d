// The lists of the fake shop: held keys, operations, sagas, timers, and search results.
import type {
  EventAtConsumer,
  EventView,
  FoundMessages,
  HeldKey,
  LedgerRow,
  ListPage,
  OpenSaga,
  OperationEntry,
  TimerEntry,
} from '../../src/admin/wire.ts'
import type { FakeShop } from './fake-shop.ts'
import { READS, RULES } from './fake-shop.ts'

const STACK = `TypeError: Cannot read properties of undefined (reading 'stock')
    at reserve (file:///shop/inventory/product.ts:41:28)
    at decide (file:///shop/inventory/product.ts:19:12)`

/** The keys that inventory holds, with their errors. */
export function heldKeys({ held, at }: FakeShop): readonly HeldKey[] {
  return [...held].map(([key, waiting]) => {
    const [{ id, type, topic, partition, offset, at: madeAt }] = waiting as [EventView]
    return {
      consumer: 'inventory/product',
      key,
      since: madeAt,
      count: waiting.length,
      event: { id, type, topic, partition, offset, at: madeAt },
      status: 'RETRY' as const,
      attempts: 1 + Math.floor((at - madeAt) / 9_000),
      nextAttemptAt: at + 4_000 + (offset % 7) * 3_000,
      error: {
        message: `Cannot read properties of undefined (reading 'stock')`,
        ...(offset % 3 === 0 ? { code: 'STOCK_UNKNOWN' } : {}),
        stack: STACK,
        lastAt: at,
      },
    }
  })
}

export function operations({ events, outcomes, at }: FakeShop): readonly OperationEntry[] {
  return events
    .filter(({ source }) => source === 'door')
    .map(({ id, type, key, at: madeAt }): OperationEntry => {
      const outcome = outcomes.get(id)
      const entry = { id, command: type, key, at: madeAt }
      if (outcome) {
        const { kind, status, reason } = outcome
        const state = { kind, status, ...(reason === undefined ? {} : { reason }) }
        return { ...entry, state, waitsFor: [] }
      }
      const state = { kind: 'pending', status: 'pending' } as const
      const waitsFor = [
        { kind: 'answer', command: 'UPDATE_INVENTORY', id: `${id} stock` },
        { kind: 'timer', type: 'ordering.CancelOrder', dueAt: at + 1_740_000 },
      ] as const
      return { ...entry, state, waitsFor }
    })
    .toReversed()
}

export function sagas(world: FakeShop): readonly OpenSaga[] {
  return operations(world)
    .filter(({ state }) => state.kind === 'pending')
    .map(({ id, key, at, waitsFor }) => {
      return { saga: 'ordering/fulfilment', instance: key, operation: id, since: at, waitsFor }
    })
    .toReversed()
}

export function timers(world: FakeShop): readonly TimerEntry[] {
  return sagas(world).map(({ saga, instance, since = 0 }, index) => ({
    saga,
    instance,
    type: 'ordering.CancelOrder',
    dueAt: since + 1_800_000,
    attempts: index % 9 === 4 ? 2 : 0,
  }))
}

/** One page of a list, by the `after` and `limit` of a query string. */
export function pageOf<T>(items: readonly T[], query: URLSearchParams): ListPage<T> {
  const from = Number(query.get('after') ?? 0)
  const to = from + Number(query.get('limit') ?? 100)
  const shown = items.slice(from, to)
  return to < items.length ? { items: shown, next: String(to) } : { items: shown }
}

export function eventsOf(
  world: FakeShop,
  topic: string,
  query: URLSearchParams,
): ListPage<EventView> {
  const [key, type, text] = ['key', 'type', 'text'].map((name) => query.get(name) ?? '')
  const partition = query.get('partition')
  const found = world.events.filter(
    (event) =>
      event.topic === topic &&
      (!key || event.key === key) &&
      event.type.toLowerCase().includes((type ?? '').toLowerCase()) &&
      JSON.stringify(event.data).includes(text ?? '') &&
      (partition === null || event.partition === Number(partition)),
  )
  return pageOf(found.toReversed(), query)
}

export function found(world: FakeShop, query: URLSearchParams): FoundMessages {
  const text = query.get('text') ?? ''
  const byId = world.events.find(({ id }) => id === text)
  const byKey = world.events.filter(({ key }) => key === text)
  return { ...pageOf(byKey.toReversed(), query), ...(byId ? { byId } : {}) }
}

/** The status of an event at the first rule of each service that reads its topic. */
export function consumersOf(world: FakeShop, event: EventView): readonly EventAtConsumer[] {
  return READS.filter(([, topic]) => topic === event.topic)
    .map(([service]): EventAtConsumer => {
      const consumer = `${service}/${RULES[service]?.[0]?.[0]}`
      const made = { consumer, attempts: 0, updatedBy: event.source, updatedAt: event.at }
      const held = heldKeys(world).find((each) => each.key === event.key)
      const isHeld = world.held.get(event.key)?.some(({ id }) => id === event.id)
      if (service === 'inventory' && held && isHeld) {
        if (held.event.id !== event.id) return { ...made, status: 'UNPROCESSED' }
        const { attempts, nextAttemptAt = 0, error } = held
        const failed = { status: 'RETRY', attempts, dueAt: nextAttemptAt } as const
        return { ...made, ...failed, updatedBy: service, error: error?.message ?? '' }
      }
      const queue = world.queues.get(`${service}\n${event.topic}`) ?? []
      if (queue.some(({ id }) => id === event.id)) return { ...made, status: 'UNPROCESSED' }
      return { ...made, status: 'COMPLETED', updatedBy: service, updatedAt: event.at + 4 }
    })
    .toSorted((a, b) => (a.consumer < b.consumer ? -1 : 1))
}

const VIEWS = { events: 'request', commands: 'request', replies: 'response' } as const

/** The newest events and the held ones at their consumers, by the filters of a query string. */
export function ledgerRows(world: FakeShop, query: URLSearchParams): readonly LedgerRow[] {
  const iso = (at: number): string => new Date(at).toISOString()
  const isOf = (name: string, value: string): boolean => (query.get(name) ?? value) === value
  const held = new Set([...world.held.values()].flat().map(({ id }) => id))
  const from = world.events.length - 500
  return world.events
    .filter(({ id }, at) => at >= from || held.has(id))
    .toReversed()
    .flatMap((event) => consumersOf(world, event).map((at) => ({ event, at })))
    .filter(({ event, at }) => {
      const carries = event.topic.split('.').at(-1) as keyof typeof VIEWS
      const view = event.source === 'door' ? 'inbound' : VIEWS[carries]
      return (
        isOf('view', view) &&
        isOf('status', at.status) &&
        isOf('consumer', at.consumer) &&
        isOf('type', event.type) &&
        isOf('event', event.id)
      )
    })
    .map(({ event, at }) => ({
      EVENT_ID: event.id,
      MESSAGE_TYPE: event.type,
      SERVICE_MESSAGE_TYPE: event.type,
      STATUS: at.status,
      CREATED_BY: event.source,
      CREATED_DTTM: iso(event.at),
      UPDATED_BY: at.updatedBy ?? null,
      UPDATED_DTTM: iso(at.updatedAt ?? event.at),
      consumer: at.consumer,
      attempts: at.attempts,
      due: at.dueAt === undefined ? null : iso(at.dueAt),
      error: at.error ?? null,
      resolution: null,
      topic: event.topic,
      partition: event.partition,
      offset: event.offset,
    }))
}
