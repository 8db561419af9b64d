// A fake shop of five services that runs in memory at any speed, so that the page has plausible data.
// It does not use the engine.
import type { EventView, OutcomeView } from '../../src/admin/wire.ts'

export interface Step {
  readonly rule: string
  readonly type: string
  readonly topic: string
}

export interface FakeShop {
  readonly startedAt: number
  at: number
  /** The retained events, oldest first. */
  readonly events: EventView[]
  readonly appended: Map<string, number>
  /** By `service\ntopic`. */
  readonly queues: Map<string, EventView[]>
  readonly passed: Map<string, number>
  readonly completed: Map<string, number>
  readonly paused: Set<string>
  readonly orders: Map<string, number>
  readonly outcomes: Map<string, OutcomeView>
  /** How many of a thousand orders fail permanently at inventory. */
  stuck: number
  /** The failure of the log, if it fails. */
  broken?: string
  /** The events that inventory holds, by key, in order. */
  readonly held: Map<string, EventView[]>
  /** The number of due orders, with a fraction of the next one. */
  due: number
}

const KEPT = 12_000
export const OWNERS = ['ordering', 'payment', 'inventory', 'delivery'] as const
export const RULES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  ordering: [
    ['order', 'entity'],
    ['customer', 'entity'],
    ['fulfilment', 'saga'],
    ['invoices', 'projection'],
  ],
  payment: [
    ['money', 'entity'],
    ['summing', 'projection'],
  ],
  inventory: [
    ['product', 'entity'],
    ['stocktaking', 'projection'],
  ],
  delivery: [['drop', 'entity']],
  account: [['purchases', 'projection']],
}

/** The topics that each service reads, with its maximum records per second. */
export const READS: readonly (readonly [string, string, number])[] = [
  ['ordering', 'ordering.commands', 600],
  ['ordering', 'ordering.events', 600],
  ['ordering', 'ordering.replies', 600],
  ['ordering', 'payment.events', 600],
  ['ordering', 'inventory.events', 600],
  ['ordering', 'delivery.events', 600],
  ['payment', 'payment.commands', 400],
  ['inventory', 'inventory.commands', 74],
  ['delivery', 'delivery.commands', 300],
  ['account', 'ordering.events', 400],
  ['account', 'payment.events', 400],
]

export function createFakeShop(at: number): FakeShop {
  return {
    startedAt: at,
    at,
    events: [],
    appended: new Map(),
    queues: new Map(),
    passed: new Map(),
    completed: new Map(),
    paused: new Set(),
    orders: new Map(),
    outcomes: new Map(),
    stuck: 0,
    held: new Map(),
    due: 0,
  }
}

const hash = (text: string): number => {
  let sum = 2_166_136_261
  for (const letter of text) sum = Math.imul(sum ^ letter.charCodeAt(0), 16_777_619) >>> 0
  return sum % 1_000
}

const add = (map: Map<string, number>, name: string, count = 1): void =>
  void map.set(name, (map.get(name) ?? 0) + count)

/** Advances the time in steps of 50 ms: customers place orders, services read records. */
export function advance(world: FakeShop, ms: number): void {
  for (let left = ms; left > 0; left -= 50) {
    world.at += 50
    const swing = 26 + 14 * Math.sin(world.at / 9_000) + 6 * Math.sin(world.at / 2_300)
    world.due += (swing * 50) / 1_000
    for (; world.due >= 1; world.due -= 1) placeOrder(world)
    for (const [service, topic, capacity] of READS) {
      if (world.paused.has(service)) continue
      const queue = world.queues.get(`${service}\n${topic}`) ?? []
      for (const event of queue.splice(0, Math.ceil((capacity * 50) / 1_000))) {
        add(world.passed, `${service}\n${topic}`)
        add(world.completed, service)
        react(world, service, event)
      }
    }
  }
  world.events.splice(0, Math.max(0, world.events.length - KEPT))
}

function placeOrder(world: FakeShop): void {
  const orderId = String(536_365 + (world.appended.get('door') ?? 0))
  add(world.appended, 'door')
  const key = `c:${12_346 + (hash(orderId) % 400)}`
  const lines = [{ sku: '85123A', quantity: 1 + (hash(`q${orderId}`) % 12), unitPriceCents: 255 }]
  append(world, {
    step: { rule: '', type: 'CONFIRM_ORDER', topic: 'ordering.commands' },
    source: 'door',
    key,
    data: { orderId, customerId: key, country: 'France', lines },
  })
  add(world.orders, 'charging')
}

interface Draft {
  readonly step: Step
  readonly source: string
  readonly key: string
  readonly data: Record<string, unknown>
  readonly cause?: EventView
}

function append(world: FakeShop, { step, source, key, data, cause }: Draft): void {
  const { topic, type, rule } = step
  const offset = world.appended.get(topic) ?? 0
  add(world.appended, topic)
  const serial = (world.appended.get('all') ?? 0) + 1
  add(world.appended, 'all')
  const id = `0199c0de-${String(serial)
    .padStart(12, '0')
    .replace(/(.{4})(.{4})(.{4})/, '$1-$2-$3')}`
  const jitter = hash(id) % 40
  const event: EventView = {
    kind: kindOf(step),
    topic,
    partition: hash(key) % 8,
    offset,
    id,
    type,
    key,
    at: Math.max(world.at + jitter, (cause?.at ?? 0) + 1),
    source,
    ...(rule ? { rule } : {}),
    ...(cause ? { cause: cause.id } : {}),
    correlation: cause?.correlation ?? id,
    data,
  }
  world.events.push(event)
  for (const [service, heard] of READS)
    if (heard === topic) {
      const name = `${service}\n${topic}`
      const queue = world.queues.get(name)
      if (queue) queue.push(event)
      else world.queues.set(name, [event])
    }
}

function kindOf({ type, topic }: Step): EventView['kind'] {
  if (type.endsWith('_ERROR')) return 'refusal'
  if (type.startsWith('ROLL_BACK')) return 'compensation'
  return topic.endsWith('.commands') ? 'command' : 'event'
}

const to = (rule: string, type: string, topic: string): Step => ({ rule, type, topic })

/** Lets a service react to a message. */
function react(world: FakeShop, service: string, event: EventView): void {
  const data = event.data as Record<string, unknown>
  const chance = hash(`${service} ${String(data['orderId'])}`)
  const say = (...steps: readonly Step[]): void => {
    for (const step of steps)
      append(world, {
        step,
        source: service,
        key: event.key,
        data: dataOf(data, step),
        cause: event,
      })
  }
  if (service === 'account') return
  if (service === 'ordering') return orderingReacts(world, event, say)
  const [act, bad] = {
    payment: ['PAYMENT_CHARGE', 40],
    inventory: ['INVENTORY_UPDATE', 70],
    delivery: ['DELIVERY_SCHEDULED', 25],
  }[service] as [string, number]
  const rule = RULES[service]?.[0]?.[0] as string
  if (event.type.startsWith('ROLL_BACK'))
    return say(to(rule, `${act}_ROLLBACK`, `${service}.events`))
  const waiting = world.held.get(event.key)
  if (service === 'inventory' && waiting) return void waiting.push(event)
  if (service === 'inventory' && chance >= 1_000 - world.stuck)
    return void world.held.set(event.key, [event])
  if (chance >= bad) return say(to(rule, `${act}_SUCCESS`, `${service}.events`))
  say(to(rule, `${act}_ERROR`, `${service}.events`), to(rule, `${act}_ERROR`, 'ordering.replies'))
}

function dataOf(data: Record<string, unknown>, { type }: Step): Record<string, unknown> {
  const { orderId, customerId } = data
  const base = { orderId, customerId }
  if (type.startsWith('PAYMENT') || type === 'CHARGE_PAYMENT')
    return { ...base, amountCents: 1_000 + hash(String(orderId)) * 11 }
  if (type.endsWith('_ERROR'))
    return { ...base, code: type.startsWith('INV') ? 'out-of-stock' : 'not-served', complaints: [] }
  return base
}

/** The saga: charge, then stock and delivery in parallel; a failure compensates all. */
function orderingReacts(
  world: FakeShop,
  event: EventView,
  say: (...steps: readonly Step[]) => void,
): void {
  const move = (from: string, toState: string): void => {
    add(world.orders, from, -1)
    add(world.orders, toState)
  }
  const done = `${event.correlation} done`
  const saga = 'fulfilment'
  const undo = (): void => say(to(saga, 'ROLL_BACK_PAYMENT', 'payment.commands'))
  switch (event.type) {
    case 'CONFIRM_ORDER':
      return say(to('order', 'ORDER_CONFIRMATION_SUCCESS', 'ordering.events'))
    case 'ORDER_CONFIRMATION_SUCCESS':
      return say(to(saga, 'CHARGE_PAYMENT', 'payment.commands'))
    case 'PAYMENT_CHARGE_SUCCESS':
      move('charging', 'preparing')
      return say(
        to(saga, 'UPDATE_INVENTORY', 'inventory.commands'),
        to(saga, 'SCHEDULE_DELIVERY', 'delivery.commands'),
      )
    case 'INVENTORY_UPDATE_SUCCESS':
    case 'DELIVERY_SCHEDULED_SUCCESS':
      if (world.outcomes.has(done) && !world.outcomes.has(event.correlation))
        return say(to(saga, 'COMPLETE_ORDER', 'ordering.commands'))
      return void world.outcomes.set(done, { status: 'pending', kind: 'pending' })
    case 'COMPLETE_ORDER':
      move('preparing', 'completed')
      world.outcomes.set(event.correlation, { status: 'completed', kind: 'completed' })
      return say(to('order', 'ORDER_COMPLETION_SUCCESS', 'ordering.events'))
    case 'PAYMENT_CHARGE_ERROR':
    case 'INVENTORY_UPDATE_ERROR':
    case 'DELIVERY_SCHEDULED_ERROR': {
      if (event.topic !== 'ordering.replies' || world.outcomes.has(event.correlation)) return
      const isCharge = event.type === 'PAYMENT_CHARGE_ERROR'
      move(isCharge ? 'charging' : 'preparing', 'rolled back')
      const isStock = event.type === 'INVENTORY_UPDATE_ERROR'
      const reason = isCharge ? 'payment-limit' : isStock ? 'out-of-stock' : 'not-served'
      world.outcomes.set(event.correlation, { status: 'rolled-back', kind: 'finished', reason })
      return isCharge ? say(to(saga, 'ROLL_BACK_ORDER', 'ordering.commands')) : undo()
    }
    case 'PAYMENT_CHARGE_ROLLBACK':
      return say(to(saga, 'ROLL_BACK_ORDER', 'ordering.commands'))
    case 'ROLL_BACK_ORDER':
      return say(to('order', 'ORDER_CONFIRMATION_ROLLBACK', 'ordering.events'))
  }
}
