// A small service that records what was handled, in which order and how often: an entity, a
// projection, a saga and a handler that all keep lists of numbers by account.
import { contract } from '../../../src/contract/contract.ts'
import { command, event, query } from '../../../src/contract/message.ts'
import { partitionOf } from '../../../src/contract/partition.ts'
import { entity } from '../../../src/rules/entity.ts'
import { handler } from '../../../src/rules/handler.ts'
import { projection } from '../../../src/rules/projection.ts'
import { queryHandler } from '../../../src/rules/query-handler.ts'
import { become } from '../../../src/rules/effect.ts'
import { saga } from '../../../src/rules/saga.ts'
import { service } from '../../../src/rules/service.ts'
import { tool } from '../../../src/rules/rule.ts'
import type { Service } from '../../../src/rules/service.ts'
import { anySchema } from './simulation.ts'

/** Partitions of each topic of the ledger. */
export const PARTITIONS = 4

export interface Entry {
  readonly account: string
  readonly number: number
}

const Entry = anySchema<Entry>()

export const Ledger = contract(
  'ledger',
  { key: 'account', partitions: PARTITIONS },
  {
    Enter: command(Entry),
    Entered: event(Entry),
    Read: query(anySchema<{ account: string }>(), { answers: anySchema<Lists>() }),
  },
)

/** What each rule has recorded for one account. */
export interface Lists {
  readonly book: readonly number[]
  readonly journal: readonly number[]
}

/** The external system: handler calls with their effect keys. */
export interface Outside {
  tell(entry: Entry, effectKey: string): Promise<void> | void
}

/** Called before each rule; an error it throws counts as the rule's. */
export type Before = (rule: 'book' | 'journal' | 'tail', entry: Entry) => void

export function createLedgerService(
  before: Before = () => undefined,
): Service<'ledger', { outside: Outside }> {
  const book = entity(
    'book',
    { of: Ledger, id: 'account', initial: [] as readonly number[] },
    {
      decide: (on) => [
        on(Ledger.Enter, (entry) => {
          before('book', entry)
          return Ledger.Entered(entry)
        }),
      ],
      evolve: (on) => [on(Ledger.Entered, ({ number }, numbers) => [...numbers, number])],
    },
  )
  const journal = projection('journal', { by: 'account', row: tool<readonly number[]>() }, (on) => [
    on(Ledger.Entered, (entry, numbers = []) => {
      before('journal', entry)
      return [...numbers, entry.number]
    }),
  ])
  const tail = saga(
    'tail',
    { by: 'account', initial: [] as readonly number[], sends: [] },
    (on) => [
      on(Ledger.Entered, (entry, numbers) => {
        before('tail', entry)
        return become([...numbers, entry.number])
      }),
    ],
  )
  const letters = handler('letters', { uses: { outside: tool<Outside>() } }, (on) => [
    on(Ledger.Entered, (entry, { outside }, { effectKey }) => outside.tell(entry, effectKey)),
  ])
  const read = queryHandler('read', { of: Ledger, reads: [book, journal] }, (on) => [
    on(Ledger.Read, async ({ account }, read) => ({
      book: (await read(book).get(account)) ?? [],
      journal: (await read(journal).get(account)) ?? [],
    })),
  ])
  return service('ledger', { owns: [Ledger], runs: [book, journal, tail, letters, read] })
}

/** Numbers sent to the external system by account, once per effect key. */
export function createOutside(): Outside & {
  readonly told: Map<string, readonly number[]>
  readonly keys: Map<string, number>
} {
  const told = new Map<string, readonly number[]>()
  const keys = new Map<string, number>()
  return {
    told,
    keys,
    tell({ account, number }, effectKey) {
      const calls = keys.get(effectKey) ?? 0
      keys.set(effectKey, calls + 1)
      if (calls === 0) told.set(account, [...(told.get(account) ?? []), number])
    },
  }
}

/** The numbers 0 to `count - 1`. */
export function numbersUpTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, number) => number)
}

/** Other accounts in the same partition. */
export function accountsInOtherPartitions(account: string, count: number): readonly string[] {
  return accountsIn(partitionOf(account, PARTITIONS), count + 1)
    .filter((other) => other !== account)
    .slice(0, count)
}

/** Accounts in a partition. */
export function accountsIn(partition: number, count: number, of = PARTITIONS): readonly string[] {
  const found: string[] = []
  for (let number = 0; found.length < count; number += 1)
    if (partitionOf(`account-${number}`, of) === partition) found.push(`account-${number}`)
  return found
}
