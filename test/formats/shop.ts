// The services whose data is frozen beside this file: as they were deployed first, and as they are
// since. The texts of `evolve` rules and of the rules of projections are part of what is stored: a
// change of one of them here is a change of the program that wrote the data.
import {
  after,
  become,
  command,
  compensate,
  contract,
  entity,
  event,
  finish,
  handler,
  hours,
  minutes,
  projection,
  query,
  queryHandler,
  refuse,
  retryAfter,
  saga,
  send,
  service,
  tool,
} from 'throughline'
import { z } from 'zod'

/** What is outside of the services, and breaks. */
export interface Outside {
  isBroken: boolean
  /** Called with the key `poison` while it is broken: whoever called it dies. */
  die(): void
  readonly told: string[]
}

const Order = z.object({ customer: z.string(), order: z.string(), total: z.int() })
const Named = z.object({ customer: z.string(), order: z.string() })
const Money = z.object({ customer: z.string(), order: z.string(), amount: z.int() })
const Customer = z.object({ customer: z.string() })

export const Payments = contract(
  'payments',
  { key: 'customer', partitions: 2 },
  {
    Charge: command(Money, { refuses: ['declined'] }),
    Charged: event(Money),
    Refund: command(Money),
    Refunded: event(Money),
    Balance: query(Customer, { answers: z.object({ balance: z.int() }) }),
  },
)

const Reading = z.object({ sensor: z.string(), value: z.int() })
/** Forgets what is older than an hour. */
export const Readings = contract(
  'readings',
  { key: 'sensor', partitions: 1, retention: { events: { ageMs: hours(1) } } },
  { Measured: event(Reading) },
)

/** Forgets the ids of commands, so that each is known by its data as well. */
export const Sensors = contract(
  'sensors',
  { key: 'sensor', partitions: 1, retention: { commands: { ageMs: hours(1) } } },
  { Reset: command(Reading), Zeroed: event(Reading) },
)

/** Keeps the newest record of each key. */
export const Prices = contract(
  'prices',
  { key: 'sku', partitions: 1, compaction: { deleteRetentionMs: minutes(1) } },
  { Priced: event(z.object({ sku: z.string(), cents: z.int() })) },
)

/** Of these, some records are damaged on the disk. */
export const Notes = contract(
  'notes',
  { key: 'by', partitions: 2 },
  { Noted: event(z.object({ by: z.string(), text: z.string() })) },
)

/** At first totals were whole euros. */
const ordersOf = (isFormer: boolean) =>
  contract(
    'orders',
    { key: 'customer', partitions: 2 },
    {
      Place: command(Order, { refuses: ['no-credit'] }),
      Placed: event(
        Order,
        isFormer ? {} : { upcasters: [[Order, (old) => ({ ...old, total: old.total * 100 })]] },
      ),
      Cancel: command(Named),
      Cancelled: event(Named),
      State: query(Named, { answers: z.object({ status: z.string(), total: z.int() }) }),
      Rows: query(z.object({ of: z.string() }), { answers: z.array(z.unknown()) }),
    },
  )

interface State {
  readonly status: string
  readonly total: number
}

interface Row {
  readonly customer: string
  readonly total: number
  readonly version: number
}

/**
 * `world` is what rules look at that break: data frozen in the middle of trouble has something to go
 * on with once it is over.
 */
export function shop(generation: 'former' | 'present', world: Outside) {
  const isFormer = generation === 'former'
  const Orders = ordersOf(isFormer)
  const mustBeWell = (isBad: boolean, what: string): void => {
    if (world.isBroken && isBad) throw new Error(`${what} is broken`)
  }

  const order = entity(
    'order',
    { of: Orders, id: 'order', initial: { status: 'absent', total: 0 } as State },
    {
      decide: (on) => [
        on(Orders.Place, (data) => {
          mustBeWell(data.total === 13, 'the entity')
          if (data.total >= 0) return Orders.Placed(data)
          return refuse('no-credit', ['total: is below zero', 'customer: is not known'])
        }),
        on(Orders.Cancel, (data) => Orders.Cancelled(data)),
      ],
      evolve: (on) => [
        on(Orders.Placed, (placed) => ({ status: 'open', total: placed.total })),
        on(Orders.Cancelled, (_, before) => ({ status: 'cancelled', total: before.total })),
      ],
    },
  )

  const fulfilment = saga(
    'fulfilment',
    {
      by: 'order',
      initial: { status: 'new' },
      sends: [Payments.Charge, Payments.Refund, Orders.Cancel],
    },
    (on) => [
      on(Orders.Placed, ({ customer, order: id, total }) => {
        mustBeWell(id === 'saga-breaks', 'the saga')
        return [
          become({ status: 'charging' }),
          send(Payments.Charge({ customer, order: id, amount: total })),
          after(hours(2), Orders.Cancel({ customer, order: id })),
        ]
      }),
      on(Payments.Charged, (charged) => {
        if (charged.order.startsWith('wait')) return become({ status: 'waiting' })
        if (!charged.order.startsWith('back')) return finish()
        return [
          become({ status: 'refunding' }),
          compensate(Payments.Refund(charged), { undoes: Payments.Charge }),
        ]
      }),
      on(Payments.Refunded, () => finish({ status: 'rolled-back', reason: 'sent back' })),
      on.refused(Payments.Charge, ({ code }) => finish({ status: 'rolled-back', reason: code })),
      on(Orders.Cancelled, () => finish({ status: 'too-late', reason: 'nobody paid' })),
    ],
  )

  const version = isFormer ? 1 : 2
  const board = isFormer
    ? projection('board', { by: 'order', row: tool<Row>(), indexes: ['customer'] }, (on) => [
        on(Orders.Placed, ({ customer, total }) => ({ customer, total, version: 1 })),
        on(Orders.Cancelled, () => undefined),
      ])
    : projection(
        'board',
        { by: 'order', row: tool<Row>(), indexes: ['customer', 'total'], version },
        (on) => [
          on(Orders.Placed, ({ customer, total }) => ({ customer, total, version: 2 })),
          on(Orders.Cancelled, () => undefined),
        ],
      )

  const report = isFormer
    ? projection('report', { by: 'order', row: tool<Row>() }, (on) => [
        on(Orders.Placed, ({ customer, total }) => ({ customer, total, version: 1 })),
      ])
    : projection('report', { by: 'order', row: tool<Row>(), version }, (on) => [
        on(Orders.Placed, ({ customer, total }) => ({ customer, total, version: 2 })),
      ])

  const spending = projection(
    'spending',
    { by: 'customer', row: tool<{ readonly total: number }>() },
    (on) => [
      on(Orders.Placed, (placed, row) => {
        mustBeWell(placed.order === 'projection-breaks', 'the projection')
        return { total: (row?.total ?? 0) + placed.total }
      }),
    ],
  )

  const cancelled = isFormer
    ? projection('cancelled', { by: 'order', row: tool<{ readonly n: number }>() }, (on) => [
        on(Orders.Cancelled, () => ({ n: 1 })),
      ])
    : projection(
        'cancelled',
        { by: 'order', row: tool<{ readonly n: number }>(), version },
        (on) => [
          on(Orders.Cancelled, () => {
            mustBeWell(true, 'the rebuild')
            return { n: 2 }
          }),
        ],
      )

  const uses = { outside: tool<Outside>() }
  const mailName = isFormer ? 'post' : 'mail'
  const mail = handler(mailName, { uses, ...(isFormer ? {} : { renamedFrom: 'post' }) }, (on) => [
    on(Orders.Placed, ({ customer, order: id }, { outside }) => {
      if (outside.isBroken && customer === 'broken') throw new Error('the mailbox is full')
      if (outside.isBroken && customer === 'later') return retryAfter(hours(5))
      outside.told.push(`mail ${id}`)
      return undefined
    }),
  ])
  const audit = handler('audit', { uses, consume: 'queue' }, (on) => [
    on(Orders.Placed, ({ customer, order: id }, { outside }) => {
      if (outside.isBroken && customer === 'broken') throw new Error('the auditor sleeps')
      outside.told.push(`audit ${id}`)
    }),
  ])
  const risky = handler('risky', { uses }, (on) => [
    on(Orders.Placed, async ({ order: id }, { outside }) => {
      if (id === 'poison' && outside.isBroken) {
        outside.die()
        await new Promise(() => undefined)
      }
      outside.told.push(`risky ${id}`)
    }),
  ])
  const gone = handler('gone', { uses }, (on) => [on(Orders.Cancelled, () => undefined)])
  const fresh = handler('fresh', { uses, startFrom: 'now' }, (on) => [
    on(Orders.Placed, ({ order: id }, { outside }) => {
      outside.told.push(`fresh ${id}`)
    }),
  ])

  const readable = { board, report, spending, cancelled }
  const answers = queryHandler(
    'answers',
    { of: Orders, reads: [order, ...Object.values(readable)] },
    (on) => [
      on(Orders.State, async ({ order: id }, read) => {
        return (await read(order).get(id)) ?? { status: 'unknown', total: 0 }
      }),
      on(Orders.Rows, async ({ of }, read) => {
        return [...(await read(readable[of as keyof typeof readable]).find()).rows]
      }),
    ],
  )
  const rules = [order, fulfilment, board, spending, cancelled, report, mail, audit, risky, answers]
  const orders = isFormer
    ? service('sales', { owns: [Orders], runs: [...rules, gone] })
    : service('orders', { owns: [Orders], runs: [...rules, fresh], renamedFrom: 'sales' })
  return {
    Orders,
    services: [
      orders,
      paying(isFormer, world),
      sensing(version),
      catalogue,
      noting(version),
    ] as const,
  }
}

function paying(isFormer: boolean, world: Outside) {
  const account = entity(
    'account',
    { of: Payments, id: 'customer', initial: { balance: 0 } },
    {
      decide: (on) => [
        on(Payments.Charge, (data) =>
          data.amount > 100_000
            ? refuse('declined', ['amount: is too much'])
            : Payments.Charged(data),
        ),
        on(Payments.Refund, (data) => {
          if (world.isBroken && data.customer === 'no-refund') throw new Error('the bank is closed')
          return Payments.Refunded(data)
        }),
      ],
      evolve: (on) => [
        on(Payments.Charged, (paid, { balance }) => ({ balance: balance - paid.amount })),
        on(Payments.Refunded, (paid, { balance }) => ({ balance: balance + paid.amount })),
      ],
    },
  )
  const balance = queryHandler('balance', { of: Payments, reads: [account] }, (on) => [
    on(Payments.Balance, async ({ customer }, read) => {
      return (await read(account).get(customer)) ?? { balance: 0 }
    }),
  ])
  const row = tool<{ readonly amount: number }>()
  const ledger = isFormer
    ? projection('ledger', { by: 'order', row }, (on) => [
        on(Payments.Charged, (charged) => {
          if (charged.customer === 'dan' && world.isBroken) throw new Error('the ledger is lost')
          return { amount: charged.amount }
        }),
      ])
    : projection('ledger', { by: 'order', row, version: 2 }, (on) => [
        on(Payments.Charged, (charged) => ({ amount: -charged.amount })),
      ])
  return service('payments', { owns: [Payments], runs: [account, balance, ledger] })
}

function sensing(version: number) {
  const sensor = entity(
    'sensor',
    { of: Sensors, id: 'sensor', initial: { value: 0 } },
    {
      decide: (on) => [on(Sensors.Reset, (data) => Sensors.Zeroed(data))],
      evolve: (on) => [on(Sensors.Zeroed, (zeroed) => ({ value: zeroed.value }))],
    },
  )
  const alarm = handler('alarm', { uses: { outside: tool<Outside>() } }, (on) => [
    on(Readings.Measured, (reading, { outside }) => {
      outside.told.push(`alarm ${reading.value}`)
    }),
  ])
  const zeros = projection('zeros', { by: 'sensor', row: tool<number>(), version }, (on) => [
    on(Sensors.Zeroed, (zeroed, row) => (row ?? 0) + zeroed.value),
  ])
  return service('sensors', { owns: [Readings, Sensors], runs: [sensor, alarm, zeros] })
}

const prices = projection('prices', { by: 'sku', row: tool<number>() }, (on) => [
  // Of a tombstone there is nothing.
  on(Prices.Priced, (priced: { readonly cents: number } | undefined) => priced?.cents),
])
const catalogue = service('catalogue', { owns: [Prices], runs: [prices] })

function noting(version: number) {
  const noted = projection('noted', { by: 'by', row: tool<string>(), version }, (on) => [
    on(Notes.Noted, (note, row) => (row ?? '') + note.text),
  ])
  return service('notes', { owns: [Notes], runs: [noted] })
}
