// A shop whose saga charges accounts at a bank that fails on request, in simulated time, for tests about
// commands that become dead letters.
import assert from 'node:assert/strict'
import type { App, EngineOptions } from 'throughline'
import { become, command, compensate, contract, entity, event, finish } from 'throughline'
import { saga, send, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { EventStatus } from '../../../src/ports/status.ts'
import { createSimulation, findImbalances } from './simulation.ts'

const Order = z.object({ order: z.string(), account: z.string() })
export const Shop = contract(
  'shop',
  { key: 'order', partitions: 2 },
  { Place: command(Order), Placed: event(Order), Cancel: command(Order), Cancelled: event(Order) },
)
export const Bank = contract(
  'bank',
  { key: 'account', partitions: 2 },
  {
    Charge: command(Order, { refuses: ['closed'] }),
    Charged: event(Order),
    Refund: command(Order),
    Refunded: event(Order),
    /** Any other command of an account. */
    Note: command(Order),
    Noted: event(Order),
  },
)
type Order = z.infer<typeof Order>

const orders = entity(
  'orders',
  { of: Shop, id: 'order', initial: 0 },
  {
    decide: (on) => [
      on(Shop.Place, (order) => Shop.Placed(order)),
      on(Shop.Cancel, (order) => Shop.Cancelled(order)),
    ],
    evolve: (on) => [on(Shop.Placed, () => 1), on(Shop.Cancelled, () => 2)],
  },
)

/** What the saga does once its charge has failed. */
export type FailedCharge = 'compensate' | 'wait'

export interface PayingOptions {
  readonly onFailed: FailedCharge
  readonly seed?: number
  /** The account that a refund goes to. Default: that of the charge. */
  readonly refundTo?: string
  readonly engine?: Partial<EngineOptions>
}

const ENGINE = { retryDelayMs: 20, retryDelayMsMax: 100, retryAttemptsMax: 3, idleMs: 200 }

/** A bank, and the commands that it fails at. */
function createBank() {
  const failing = new Set<string>()
  const run = (what: string, { order }: Order): void => {
    if (failing.has(`${what} ${order}`)) throw new Error(`cannot ${what} ${order}`)
  }
  const accounts = entity(
    'accounts',
    { of: Bank, id: 'account', initial: [] as readonly string[] },
    {
      decide: (on) => [
        on(Bank.Charge, (order) => (run('charge', order), Bank.Charged(order))),
        on(Bank.Refund, (order) => (run('refund', order), Bank.Refunded(order))),
        on(Bank.Note, (order) => (run('note', order), Bank.Noted(order))),
      ],
      evolve: (on) => [
        on(Bank.Charged, ({ order }, all) => [...all, `charge ${order}`]),
        on(Bank.Refunded, ({ order }, all) => [...all, `refund ${order}`]),
        on(Bank.Noted, ({ order }, all) => [...all, `note ${order}`]),
      ],
    },
  )
  return { failing, accounts }
}

/** Hears of failures in `heard`. */
function createPaying(
  { onFailed, refundTo }: PayingOptions,
  heard: string[],
  failing: ReadonlySet<string>,
) {
  const refund = ({ order, account }: Order) => {
    const command = Bank.Refund({ order, account: refundTo ?? account })
    return compensate(command, { undoes: Bank.Charge })
  }
  return saga(
    'paying',
    { by: 'order', initial: 'new', sends: [Bank.Charge, Bank.Refund] },
    (on) => [
      on(Shop.Placed, (order) => [become('charging'), send(Bank.Charge(order))]),
      on(Shop.Cancelled, (order) => [become('cancelled'), refund(order)]),
      on(Bank.Charged, (_, state) => (state === 'cancelled' ? [] : finish())),
      on(Bank.Noted, ({ order }) => {
        if (failing.has(`hear of ${order}`)) throw new Error(`cannot hear of ${order}`)
        return []
      }),
      on(Bank.Refunded, () => finish({ status: 'rolled-back', reason: 'refunded' })),
      on.failed(Bank.Charge, ({ reason, command: order }) => {
        heard.push(`${order.order}: ${reason}`)
        return onFailed === 'wait' ? become('waiting') : [become('undoing'), refund(order)]
      }),
    ],
  )
}

export async function createPayingServices(options: PayingOptions) {
  const stage = createSimulation(memory, options.seed ?? 5)
  const { until } = stage.clock
  const bank = createBank()
  const heard: string[] = []
  const services = [
    service('shop', { owns: [Shop], runs: [orders, createPaying(options, heard, bank.failing)] }),
    service('bank', { owns: [Bank], runs: [bank.accounts] }),
  ] as const
  let app: App | undefined
  const running = (): App => app as App
  /** The first status of a type of event at a consumer. */
  async function statusOf(consumer: string, type: string): Promise<EventStatus | undefined> {
    const statuses = await until(stage.backend.store.statuses({ consumer, limit: 100 }))
    return statuses.find((each) => each.type === type)
  }
  return {
    ...bank,
    until,
    heard,
    app: running,
    async launch(): Promise<() => void> {
      const { backend, clock, random, crash } = stage.instance()
      const engine = { ...ENGINE, leaseMs: 3_000, ...options.engine }
      const hooks = { onRuleError: () => undefined, onBackendError: () => undefined }
      app = await until(start(services, backend, { clock, random, engine, ...hooks }))
      return crash
    },
    advance: (ms: number) => stage.clock.advance(ms),
    send: (message: Parameters<App['send']>[0], id?: string) =>
      until(running().send(message, id === undefined ? {} : { id })),
    place: (order: string, account = 'acc') =>
      until(running().send(Shop.Place({ order, account }), { id: `place ${order}` })),
    async letters(): Promise<readonly string[]> {
      const { items } = await until(running().deadLetters.list())
      return items.map(({ event: { type }, data }) => {
        return `${type} ${(JSON.parse(data ?? '{}') as Partial<Order>).order}`
      })
    },
    redrive: () => until(running().deadLetters.redrive({ by: 'ann', reason: 'the bank is back' })),
    /** What an account has been through, in order. */
    async account(account = 'acc'): Promise<readonly string[]> {
      const key = { table: 'bank.accounts', key: account }
      const [row] = await until(stage.backend.store.get([key]))
      return row ? (JSON.parse(row.body) as { state: readonly string[] }).state : []
    },
    /** The counters of the bank, which balance, as do those of all others. */
    async counts() {
      const status = await until(running().status())
      assert.deepEqual(findImbalances(status), [])
      const own = status.find(({ consumer }) => consumer === 'bank/accounts')
      assert.ok(own)
      const { accepted, completed, dead, discarded, pending } = own
      return { accepted, completed, dead, discarded, pending }
    },
    statusOf,
    chargeStatus: () => statusOf('bank/accounts', 'bank.Charge'),
    async heldKeys(): Promise<number> {
      return (await until(running().heldKeys())).items.length
    },
    stop: () => until(running().stop()),
  }
}
