// The services of the killed process. Together they use everything that a unit of work can contain.
import {
  after,
  become,
  command,
  contract,
  entity,
  event,
  finish,
  handler,
  projection,
  saga,
  service,
  tool,
} from 'throughline'
import { z } from 'zod'

const About = z.object({ account: z.string(), deposit: z.string() })
const Money = About.extend({ cents: z.int() })
const Measured = z.object({ meter: z.string(), number: z.int(), text: z.string() })

export const PARTITIONS = 4

export const Bank = contract(
  'bank',
  { key: 'account', partitions: PARTITIONS },
  {
    Deposit: command(Money),
    Deposited: event(Money),
    Thank: command(About),
    Thanked: event(About),
  },
)

/** Facts from outside; no entity decides them. */
export const Meters = contract(
  'meters',
  { key: 'meter', partitions: PARTITIONS },
  {
    Measured: event(Measured),
  },
)
export const Alarms = contract(
  'alarms',
  { key: 'meter', partitions: PARTITIONS },
  {
    Raised: event(Measured),
  },
)

export const Notes = contract(
  'notes',
  { key: 'meter', partitions: PARTITIONS },
  { Noted: event(Measured) },
)

export interface Balance {
  readonly cents: number
  readonly deposits: number
  readonly thanks: number
}
const NOTHING: Balance = { cents: 0, deposits: 0, thanks: 0 }

const deposited = (sum: Balance, cents: number): Balance => {
  return { ...sum, cents: sum.cents + cents, deposits: sum.deposits + 1 }
}
const thanked = (sum: Balance): Balance => ({ ...sum, thanks: sum.thanks + 1 })

const account = entity(
  'account',
  { of: Bank, id: 'account', initial: NOTHING },
  {
    decide: (on) => [
      on(Bank.Deposit, (asked) => Bank.Deposited(asked)),
      on(Bank.Thank, (asked) => Bank.Thanked(asked)),
    ],
    evolve: (on) => [
      on(Bank.Deposited, ({ cents }, sum) => deposited(sum, cents)),
      on(Bank.Thanked, (_, sum) => thanked(sum)),
    ],
  },
)

const sums = projection('sums', { by: 'account', row: tool<Balance>() }, (on) => [
  on(Bank.Deposited, ({ cents }, sum = NOTHING) => deposited(sum, cents)),
  on(Bank.Thanked, (_, sum = NOTHING) => thanked(sum)),
])

const THANK_AFTER_MS = 20

/** Sends one Thank command for each deposit, a little later. */
const thanks = saga(
  'thanks',
  { by: 'deposit', initial: { is: 'new' }, sends: [Bank.Thank] },
  (on) => [
    on(Bank.Deposited, ({ account, deposit }) => [
      become({ is: 'waiting' }),
      after(THANK_AFTER_MS, Bank.Thank({ account, deposit })),
    ]),
    on(Bank.Thanked, () => finish()),
  ],
)

/** The outside world: a tool that is called once per deposit, with its effect key. */
export interface Post {
  tell(deposit: string, effectKey: string): Promise<void>
}

const posting = handler('posting', { uses: { post: tool<Post>() } }, (on) => [
  on(Bank.Deposited, async ({ deposit }, { post }, { effectKey }) => {
    await post.tell(deposit, effectKey)
  }),
])

export interface Count {
  readonly count: number
  readonly last: number
}

const count = (row: Count | undefined, number: number): Count => {
  return { count: (row?.count ?? 0) + 1, last: Math.max(row?.last ?? 0, number) }
}

const readings = projection('readings', { by: 'meter', row: tool<Count>() }, (on) => [
  on(Meters.Measured, ({ number }, row) => count(row, number)),
  on(Alarms.Raised, ({ number }, row) => count(row, number)),
])

export const services = [
  service('bank', { owns: [Bank], runs: [account, sums, thanks, posting] }),
  service('metering', { owns: [Meters, Alarms, Notes], runs: [readings] }),
] as const

export const TOPICS = {
  commands: 'bank.commands',
  deposits: 'bank.events',
  measured: 'meters.events',
  raised: 'alarms.events',
  /** Compacted by the workload; no rule reads it. */
  compacted: 'notes.events',
  /** Trimmed by the workload; belongs to no service. */
  trimmed: 'scratch.trimmed',
} as const

export const TABLES = {
  accounts: 'bank.account',
  sums: 'bank.sums',
  thanks: 'bank.thanks',
  timers: 'bank.timers',
  readings: 'metering.readings',
} as const

/** Every consumer, with the wire names that it consumes, by topic. */
export const CONSUMERS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'bank/account': { [TOPICS.commands]: ['bank.Deposit', 'bank.Thank'] },
  'bank/sums': { [TOPICS.deposits]: ['bank.Deposited', 'bank.Thanked'] },
  'bank/thanks': { [TOPICS.deposits]: ['bank.Deposited', 'bank.Thanked'] },
  'bank/posting': { [TOPICS.deposits]: ['bank.Deposited'] },
  'metering/readings': {
    [TOPICS.measured]: ['meters.Measured'],
    [TOPICS.raised]: ['alarms.Raised'],
  },
}
