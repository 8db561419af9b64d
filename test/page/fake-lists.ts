// The lists of the fake shop: held keys, operations, sagas, timers, and search results.
import type {
  EventView,
  FoundMessages,
  HeldKey,
  ListPage,
  OpenSaga,
  OperationEntry,
  TimerEntry,
} from '../../src/admin/wire.ts'
import type { FakeShop } from './fake-shop.ts'

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
